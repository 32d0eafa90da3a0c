"""`ner-lstm-crf`: the commands, and how their errors end.

Exit codes: 0 done, 2 an error of the user's (one line on standard error), 130 interrupted. A command's module is
imported when the command is called, and imports what it needs when it runs: `--help` does not wait for torch.
"""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

from ner_lstm_crf import __version__
from ner_lstm_crf.cli.display import say
from ner_lstm_crf.cli.options import FORM, Parser
from ner_lstm_crf.errors import InputError

DONE, MISTAKE, INTERRUPTED = 0, 2, 130

COMMANDS = {
    "train": "train a tagger on annotated files",
    "evaluate": "evaluate a model on an annotated file",
    "score": "score the predictions of any tool against gold annotation",
    "tag": "find the entities in texts and files",
    "compare": "train the CRF and the softmax head on equal terms",
    "inspect": "show what annotated files hold, and what is wrong with them",
    "convert": "write annotated files in another tag scheme or format",
    "corpora": "list and fetch public corpora",
}
"""Each command, which is a module of this package, and its one-line help."""

EPILOG = """\
the shortest way from annotated files to entities:
  ner-lstm-crf inspect train.conll test.conll
  ner-lstm-crf train --train train.conll --test test.conll --output my-model
  ner-lstm-crf tag --model my-model "Angela Merkel visited Rome."

'ner-lstm-crf COMMAND --help' explains a command and shows examples."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        argv: The arguments after the program's name; None for those of this process.

    Returns:
        The exit code.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if isinstance(sys.stdout, io.TextIOWrapper):  # results are UTF-8, whatever the terminal or the locale
        sys.stdout.reconfigure(encoding="utf-8")
    logger, warnings = logging.getLogger("ner_lstm_crf"), _Warnings(logging.WARNING)
    logger.addHandler(warnings)
    try:
        args = parser_for(arguments).parse_args(arguments)
        if getattr(args, "threads", None) is not None:
            import torch

            torch.set_num_threads(args.threads)
        args.command(args)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the output has had enough (`... | head`): no error, now or at exit
        with suppress(io.UnsupportedOperation):  # standard output may be no real stream
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (InputError, OSError) as error:  # an OSError: a full disk, a lost drive
        say(f"error: {' '.join(str(error).split())}")
        return MISTAKE
    except KeyboardInterrupt as interrupt:
        say(f"interrupted{': ' if str(interrupt) else ''}{interrupt}")
        return INTERRUPTED
    except SystemExit as end:  # how argparse ends after --help and --version
        return end.code if isinstance(end.code, int) else DONE
    finally:
        logger.removeHandler(warnings)
    return DONE


def parser_for(arguments: Sequence[str]) -> Parser:
    """The parser of a command line: it lists all commands, and knows the options of the one that is called."""
    parser = Parser(
        prog="ner-lstm-crf",
        description="Named entity recognition with a char-CNN, a bidirectional LSTM and a CRF.",
        epilog=EPILOG,
        **FORM,
    )
    parser.add_argument("--version", action="version", version=f"ner-lstm-crf {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        command: Parser = subparsers.add_parser(name, help=summary, **FORM)
        if [name] == list(arguments[:1]):
            command.help_all = "--help-all" in arguments
            import_module(f"ner_lstm_crf.cli.{name}").add_command(command)
    return parser


class _Warnings(logging.Handler):
    """The package's warnings as lines on standard error, each once: what is wrong with the data is so for each seed."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self._shown = set[str]()

    def emit(self, record: logging.LogRecord) -> None:
        """Show a warning that was not shown before."""
        message = record.getMessage()
        if message not in self._shown:
            self._shown.add(message)
            say(f"{record.levelname.lower()}: {message}")

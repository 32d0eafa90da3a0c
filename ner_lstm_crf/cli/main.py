"""`ner-lstm-crf`: the commands, and what becomes of their mistakes.

Exit codes: 0 done, 2 a mistake of the user's (one line on standard error), 130 interrupted. The commands import what
they need when they run, so that `--help` need not wait for torch.
"""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from ner_lstm_crf import __version__
from ner_lstm_crf.cli import compare, convert, corpora, evaluate, inspect, score, tag, train
from ner_lstm_crf.cli.display import say
from ner_lstm_crf.cli.options import Command, Parser
from ner_lstm_crf.errors import InputError

__all__ = ["main"]

DONE, MISTAKE, INTERRUPTED = 0, 2, 130
COMMANDS = (train, evaluate, score, tag, compare, inspect, convert, corpora)

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
    _write_utf8()
    with _warnings_shown():
        try:
            args = _parser().parse_args(argv)
            command: Command = args.command
            command(args)
            sys.stdout.flush()
        except InputError as error:
            return _complain(str(error))
        except BrokenPipeError:
            return _leave_quietly()
        except OSError as error:  # a full disk, a lost drive: nothing that the program could have known better
            return _complain(str(error))
        except KeyboardInterrupt as interrupt:
            say(f"interrupted{': ' if str(interrupt) else ''}{interrupt}")
            return INTERRUPTED
        except SystemExit as end:  # how argparse ends after --help and --version
            return end.code if isinstance(end.code, int) else DONE
    return DONE


def _parser() -> Parser:
    parser = Parser(
        prog="ner-lstm-crf",
        description="Named entity recognition with a char-CNN, a bidirectional LSTM and a CRF.",
        epilog=EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"ner-lstm-crf {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in COMMANDS:
        module.add_command(subparsers)
    return parser


def _complain(message: str) -> int:
    say(f"error: {' '.join(message.split())}")
    return MISTAKE


def _leave_quietly() -> int:
    """Whoever read our output has had enough (`... | head`): no complaint, now or when the stream is closed."""
    with suppress(io.UnsupportedOperation):  # standard output may be no real stream
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return DONE


def _write_utf8() -> None:
    """Results are UTF-8 wherever they go, whatever the terminal or the locale says."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")


@contextmanager
def _warnings_shown() -> Iterator[None]:
    """What the package logs as a warning appears as a line on standard error."""
    logger, handler = logging.getLogger("ner_lstm_crf"), _Lines()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _Lines(logging.Handler):
    """Each warning once: what is wrong with the data is wrong for each seed."""

    def __init__(self) -> None:
        super().__init__()
        self._said = set[str]()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if record.levelno >= logging.WARNING and message not in self._said:
            self._said.add(message)
            say(f"{record.levelname.lower()}: {message}")

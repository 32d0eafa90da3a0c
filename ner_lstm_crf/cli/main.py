"""`ner-lstm-crf`: the commands, and how their errors end.

Exit codes: 0 done, 2 an error of the user's (one line on standard error), 128 and the number of the signal that ended
it: 130 interrupted, 143 terminated. A command's module is imported when the command is called, and imports what it
needs when it runs: `--help` does not wait for torch.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

from ner_lstm_crf import __version__
from ner_lstm_crf.cli.options import FORM, Parser
from ner_lstm_crf.cli.output import open_closed_streams, show
from ner_lstm_crf.errors import NEEDS_TORCH, InputError, one_line
from ner_lstm_crf.isolation import imported_torch
from ner_lstm_crf.runs.display import say

DONE, MISTAKE = 0, 2
_OPENMP_THREADS = "OMP_NUM_THREADS"

_ENDING: dict[int, str] = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
if hasattr(signal, "SIGHUP"):
    _ENDING[signal.SIGHUP] = "the terminal is gone"

COMMANDS = {
    "train": "train a tagger on annotated files",
    "evaluate": "evaluate a model on an annotated file",
    "score": "score the predictions of any tool against gold annotation",
    "tag": "find the entities in texts and files",
    "explain": "show why a tagger finds what it finds in a text",
    "plot": "draw a training run: curves, transitions, confusions, reliability",
    "show": "show texts or annotated files with their entities in colours",
    "compare": "train the CRF and the softmax head on equal terms",
    "select": "choose the sentences to annotate next",
    "suspects": "find annotations that may be wrong",
    "serve": "serve taggers over HTTP, with a page to try them",
    "inspect": "show what annotated files hold, and what is wrong with them",
    "export": "write a model as an ONNX graph, for other languages and the browser",
    "convert": "write annotated files in another tag scheme or format",
    "corpora": "list and fetch public corpora",
    "completion": "write the script by which a shell completes this program",
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
    open_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):  # results are UTF-8, whatever the terminal or the locale
        sys.stdout.reconfigure(encoding="utf-8")
    with _warnings_shown(), _signals_as_interrupts() as signals:
        try:
            code = _run(arguments)
            show("", end="")  # writes what argparse has printed
            return code
        except BrokenPipeError:  # whoever read the output has had enough (`... | head`): no mistake
            return DONE
        except (InputError, OSError) as error:
            message = str(error)
            if isinstance(error, OSError) and error.strerror:  # a full disk, a lost drive
                message = error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
            say(f"error: {one_line(message)}")
            return MISTAKE
        except ModuleNotFoundError as error:
            if error.name != "torch":
                raise
            say(f"error: {NEEDS_TORCH}")
            return MISTAKE
        except MemoryError:
            say("error: not enough memory for this")
            return MISTAKE
        except KeyboardInterrupt as interrupt:
            number = signals[0] if signals else signal.SIGINT
            say(f"{_ENDING[number]}{': ' if str(interrupt) else ''}{interrupt}")
            return 128 + number
        finally:
            with suppress(OSError, InputError):
                show("", end="")


def _run(arguments: Sequence[str]) -> int:
    """Parse a command line and run its command; returns the exit code."""
    try:
        args = parser_for(arguments).parse_args(arguments)
    except SystemExit as end:  # how argparse ends after help and --version
        return end.code if isinstance(end.code, int) else DONE
    args.words = arguments
    with _threads(getattr(args, "threads", None), trains=arguments[0] in ("train", "compare", "suspects")):
        args.command(args)
    return DONE


@contextmanager
def _threads(count: int | None, *, trains: bool) -> Iterator[None]:
    """Let a command use so many processor threads; None for the usual number.

    Tagging does not wait for torch: if torch is imported after all, it reads the variable.
    """
    if count is None:
        yield
        return
    before = os.environ.get(_OPENMP_THREADS)
    os.environ[_OPENMP_THREADS] = str(count)
    try:
        if trains:
            import_module("torch")
        if torch := imported_torch():
            torch.set_num_threads(count)
        yield
    finally:
        del os.environ[_OPENMP_THREADS]
        if before is not None:
            os.environ[_OPENMP_THREADS] = before


@contextmanager
def _signals_as_interrupts() -> Iterator[list[int]]:
    """Let the signals that ask for an end raise KeyboardInterrupt, as Ctrl-C does, so that all is cleaned up.

    A second one ends the process at once. Yields the list of those received.
    """
    received = list[int]()

    def end(number: int, _: object) -> None:
        """Raise an interrupt, once."""
        received.append(number)
        signal.signal(number, signal.SIG_DFL)
        raise KeyboardInterrupt

    before = {}
    if threading.current_thread() is threading.main_thread():  # no other thread may
        usual = (signal.SIG_DFL, signal.default_int_handler)
        before = {number: handler for number in _ENDING if (handler := signal.getsignal(number)) in usual}
    for number in before:
        signal.signal(number, end)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def parser_for(arguments: Sequence[str]) -> Parser:
    """The parser of a command line: it lists all commands, and knows the options of the one that is called."""
    called = arguments[0] if arguments and arguments[0] in COMMANDS else None
    parser = _parser({called} if called else set(), help_all="--help-all" in arguments)
    later = next((argument for argument in arguments[1:] if argument in COMMANDS), None)
    if later and arguments[0].startswith("-") and arguments[0] not in parser.options:
        parser.error(f"expected the command before its options: ner-lstm-crf {later} {arguments[0]} ...")
    return parser


def whole_parser() -> Parser:
    """The parser that knows all options of all commands."""
    return _parser(COMMANDS, help_all=True)


def _parser(known: Collection[str], *, help_all: bool) -> Parser:
    """A parser that lists all commands, and knows the options of some; `help_all` is as in `Parser`."""
    parser = Parser(
        prog="ner-lstm-crf",
        description="Named entity recognition with a char-CNN, a bidirectional LSTM and a CRF.",
        epilog=EPILOG,
        **FORM,
    )
    parser.add_argument(
        "--version", action=_Versions, help="show the versions of this program and its libraries, and exit"
    )
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        command: Parser = subparsers.add_parser(name, help=summary, **FORM)
        if name in known:
            command.help_all = help_all
            import_module(f"ner_lstm_crf.cli.{name}").add_command(command)
    return parser


class _Versions(argparse.Action):
    """Shows the version, and in a second line those of what results and speed depend on."""

    def __init__(self, option_strings: Sequence[str], dest: str, **more: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, **more)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        """Show them, and end."""
        import platform
        from importlib.metadata import PackageNotFoundError, version

        from ner_lstm_crf import kernels

        libraries = []
        for name in ("numpy", "torch", "onnxruntime"):
            with suppress(PackageNotFoundError):
                libraries.append(f"{name} {version(name)}")
        print(f"ner-lstm-crf {__version__}")
        print(
            ", ".join(
                [f"Python {platform.python_version()}", *libraries, f"kernels {kernels.level_in_use() or 'none'}"]
            )
        )
        parser.exit()


@contextmanager
def _warnings_shown() -> Iterator[None]:
    logger, warnings = logging.getLogger("ner_lstm_crf"), _Warnings(logging.WARNING)
    logger.addHandler(warnings)
    try:
        yield
    finally:
        logger.removeHandler(warnings)


class _Warnings(logging.Handler):
    """The package's warnings as lines on standard error, each once: what is wrong with the data is so for each seed."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self._shown = set[str]()

    def emit(self, record: logging.LogRecord) -> None:
        """Show a warning that was not shown before."""
        message = one_line(record.getMessage())
        if message not in self._shown:
            self._shown.add(message)
            say(f"{record.levelname.lower()}: {message}")

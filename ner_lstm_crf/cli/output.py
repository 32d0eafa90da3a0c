"""Results for the person at the terminal, on standard output; all else goes through `runs.display`."""

from __future__ import annotations

import os
import shlex
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.json import json_text
from ner_lstm_crf.files.text import printable
from ner_lstm_crf.runs.display import discard, is_terminal, say


def open_closed_streams() -> None:
    """Put something in the place of standard streams that are closed, so that no file gets their numbers.

    Input and output are opened the wrong way round: a command that needs one fails, and no other.
    """
    streams = (("stdin", "r", os.O_WRONLY), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_WRONLY))
    for name, mode, flags in streams:
        if getattr(sys, name) is None:
            number = os.open(os.devnull, flags)
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8"))


def check_not_output(path: str) -> None:
    """Refuse a file to read that standard output goes to (`... >> FILE`): it would grow without an end.

    Raises:
        InputError: If it does.
    """
    with suppress(OSError):  # no such file, or an output that is none of the system's
        output, source = os.fstat(sys.stdout.fileno()), Path(path).stat()
        if stat.S_ISREG(source.st_mode) and os.path.samestat(output, source):
            raise InputError("this file is the output as well: choose another one", path=path)


def show(text: str, end: str = "\n") -> None:
    """Print a result.

    Raises:
        InputError: If it cannot be printed; what is left of it is thrown away.
    """
    try:
        print(printable(text), end=end, flush=True)
    except OSError as error:
        discard(sys.stdout)
        if isinstance(error, BrokenPipeError):
            raise
        raise InputError(f"cannot be written: {error.strerror}", path="standard output") from error


def show_json(value: Any) -> None:
    """Print a result as one JSON object."""
    show(json_text(value, indent=2))


def shows_colours() -> bool:
    """True if standard output is a terminal, and its user has nothing against colours (https://no-color.org)."""
    return is_terminal(sys.stdout) and not os.environ.get("NO_COLOR")


def say_next(*words: str) -> None:
    """Say which command line comes next, unless it would read standard input or write to standard output."""
    if "-" not in words:
        say(f"next: {shlex.join(['ner-lstm-crf', *words])}")

"""Results for the person at the terminal, on standard output; all else goes through `runs.display`."""

from __future__ import annotations

import os
import shlex
import stat
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.json import json_text
from ner_lstm_crf.files.text import printable
from ner_lstm_crf.runs.display import discard, is_terminal, say

if TYPE_CHECKING:
    from ner_lstm_crf.text.annotation import Entity

COLOURS = (
    ("#cfe4ff", "#1f4a7d", 153),
    ("#ccefd2", "#18522f", 157),
    ("#ffe1b3", "#6b430b", 223),
    ("#f6d5f0", "#6b2a62", 225),
    ("#e3dbff", "#4a3a8c", 189),
    ("#fff3a8", "#574c06", 229),
    ("#c9f1f0", "#12524f", 195),
    ("#e1e4e8", "#444c56", 253),
)
"""The colours behind the labels, in order: on a light page, on a dark page, and the number of a terminal's colour."""

INK, PAPER = ("#1f2328", "#e6edf3"), ("#ffffff", "#0d1117")  # of a light page and of a dark one

PAGE_BEGINS = f"""\
<!DOCTYPE html>
<html lang="und">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Entities</title>
<style>
body {{ color: {INK[0]}; background: {PAPER[0]}; font: 1.1rem/1.8 system-ui, sans-serif }}
body {{ max-width: 45rem; margin: 2rem auto; padding: 0 1rem }}
p {{ white-space: pre-wrap; overflow-wrap: anywhere }}
mark {{ color: inherit; border-radius: .3em; padding: .1em .3em; box-decoration-break: clone }}
mark b {{ font-size: .7em; letter-spacing: .03em }}
{chr(10).join(f".c{number} {{ background: {light} }}" for number, (light, _, _) in enumerate(COLOURS))}
@media (prefers-color-scheme: dark) {{
body {{ color: {INK[1]}; background: {PAPER[1]} }}
{chr(10).join(f".c{number} {{ background: {dark} }}" for number, (_, dark, _) in enumerate(COLOURS))}
}}
</style>
"""

PAGE_ENDS = "</html>\n"


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


def in_colours(text: str, entities: Sequence[Entity], labels: Sequence[str]) -> str:
    """A text for a terminal: its entities in the colours of their labels, which stand behind them."""

    def coloured(entity: str, label: str, colour: int) -> str:
        """Black on a light colour, the label in bold type."""
        return f"\x1b[38;5;16;48;5;{COLOURS[colour][2]}m{printable(entity)} \x1b[1m{printable(label)}\x1b[0m"

    return _marked(text, entities, labels, printable, coloured)


def in_html(text: str, entities: Sequence[Entity], labels: Sequence[str]) -> str:
    """A text as a paragraph between `PAGE_BEGINS` and `PAGE_ENDS`."""
    import html

    def escaped(text: str) -> str:
        """Characters that HTML does not allow, and its own, as escapes."""
        return html.escape(printable(text))

    def coloured(entity: str, label: str, colour: int) -> str:
        """The entity and its label, in an element of the colour."""
        return f'<mark class="c{colour}">{escaped(entity)} <b>{escaped(label)}</b></mark>'

    return f"<p>{_marked(text, entities, labels, escaped, coloured)}</p>\n"


def _marked(
    text: str,
    entities: Sequence[Entity],
    labels: Sequence[str],
    plain: Callable[[str], str],
    coloured: Callable[[str, str, int], str],
) -> str:
    """A text whose entities and what is between them are written by two functions; each label has a colour."""
    pieces, end = list[str](), 0
    for entity in entities:
        colour = labels.index(entity.label) % len(COLOURS)
        pieces += [plain(text[end : entity.start]), coloured(text[entity.start : entity.end], entity.label, colour)]
        end = entity.end
    return "".join([*pieces, plain(text[end:])])


def say_next(*words: str) -> None:
    """Say which command line comes next, unless it would read standard input or write to standard output."""
    if "-" not in words:
        say(f"next: {shlex.join(['ner-lstm-crf', *words])}")

"""A text with its entities in colours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ner_lstm_crf.explanation.style import COLOURS, escaped, fragment, page
from ner_lstm_crf.files.text import printable
from ner_lstm_crf.text.annotation import Entity


@dataclass(frozen=True, slots=True)
class MarkedText:
    """A text and its entities: in colours in a notebook, in marks when it is printed.

    Attributes:
        text: The text.
        entities: Its entities, sorted, without overlap.
        labels: The labels in the order of their colours.

    Example:
        >>> print(MarkedText("In Rome.", [Entity(3, 7, "LOC", "Rome")], ["LOC"]))
        In [Rome](LOC).
    """

    text: str
    entities: Sequence[Entity]
    labels: Sequence[str]

    def __str__(self) -> str:
        return _marked(self.text, self.entities, self.labels, str, lambda one, covered, _: f"[{covered}]({one.label})")

    def _repr_html_(self) -> str:
        """The text for a notebook."""
        return fragment([in_html(self.text, self.entities, self.labels)])

    def html(self, title: str = "Entities") -> str:
        """The text as a page of its own, which needs no network and no script."""
        return page(title, [in_html(self.text, self.entities, self.labels)])


def shown_score(score: float | None) -> str:
    """A score in three digits; a dash for none."""
    return "-" if score is None else f"{score:.3f}"


def in_colours(text: str, entities: Sequence[Entity], labels: Sequence[str], *, scored: bool = False) -> str:
    """A text for a terminal: its entities in the colours of their labels, which stand behind them, then the scores."""

    def coloured(entity: Entity, covered: str, colour: int) -> str:
        """Black on a light colour, the label in bold type."""
        score = f"\x1b[22m {shown_score(entity.score)}" if scored else ""
        label = f"\x1b[1m{printable(entity.label)}{score}"
        return f"\x1b[38;5;16;48;5;{COLOURS[colour][2]}m{printable(covered)} {label}\x1b[0m"

    return _marked(text, entities, labels, printable, coloured)


def in_html(text: str, entities: Sequence[Entity], labels: Sequence[str], *, scored: bool = False) -> str:
    """A text as a paragraph of a page, each entity in the colour of its label; scores under the mouse, or beside it."""

    def coloured(entity: Entity, covered: str, colour: int) -> str:
        """The entity and its label, in an element of the colour."""
        tip = "" if entity.score is None else f' title="{shown_score(entity.score)}"'
        label = escaped(entity.label) + (f" {shown_score(entity.score)}" if scored else "")
        return f'<mark class="c{colour}"{tip}>{escaped(covered)}&nbsp;<b dir="ltr">{label}</b></mark>'

    inner = _marked(text, entities, labels, escaped, coloured)
    return f'<p class="text" dir="auto">{inner}</p>\n'


def _marked(
    text: str,
    entities: Sequence[Entity],
    labels: Sequence[str],
    plain: Callable[[str], str],
    coloured: Callable[[Entity, str, int], str],
) -> str:
    """A text whose entities and what is between them are written by two functions; each label has a colour."""
    pieces, end = list[str](), 0
    for entity in entities:
        colour = labels.index(entity.label) % len(COLOURS)
        pieces += [plain(text[end : entity.start]), coloured(entity, text[entity.start : entity.end], colour)]
        end = entity.end
    return "".join([*pieces, plain(text[end:])])

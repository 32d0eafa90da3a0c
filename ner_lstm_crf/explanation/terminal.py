"""An explanation on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from unicodedata import combining, east_asian_width

from ner_lstm_crf.explanation.decisions import decisions_of, reason, text_between
from ner_lstm_crf.explanation.figures import percent, shades
from ner_lstm_crf.files.text import printable
from ner_lstm_crf.tagging.analysis import LEAST, Analysis
from ner_lstm_crf.text.annotation import Span

_BLUES = ("", "", "", 195, 153, 153, 117, 117, 111, 75)  # a terminal's colours for the shades
_WIDEST_TOKEN = 16


def sentence_lines(analysis: Analysis, width: int, colours: bool) -> Iterator[str]:
    """A sentence explained, line by line.

    Args:
        analysis: The sentence.
        width: Characters of a line, if the tags that are chosen have room in it.
        colours: True for shades.
    """
    # 1. The columns that there is room for, and those that are the best of a token anyway.
    names, wide = analysis.tag_names, max(6, *map(len, analysis.tag_names)) + 2
    words = [padded(printable(word), _WIDEST_TOKEN) for word in analysis.words]
    best, alone = analysis.best, analysis.softmax
    chosen = {*best, *alone}
    room = max((width - _WIDEST_TOKEN - 8) // wide, len(chosen))
    by_mass = sorted(range(len(names)), key=lambda tag: (names[tag] not in chosen, -analysis.marginals[:, tag].max()))
    shown = sorted(by_mass[:room])
    # 2. The table of emissions.
    yield " " * _WIDEST_TOKEN + "".join(f"{printable(names[tag]):>{wide}}" for tag in shown) + "      p"
    shade = shades(analysis)
    for number, word in enumerate(words):
        line = word
        for tag in shown:
            value = f"{analysis.emissions[number, tag]:.1f}"
            is_best, is_alone = names[tag] == best[number], names[tag] == alone[number] != best[number]
            cell = f"[{value}]" if is_best else f"{value}* " if is_alone else f"{value} "
            colour = _BLUES[shade[number, tag]]
            line += f"\x1b[38;5;16;48;5;{colour}m{cell:>{wide}}\x1b[0m" if colours and colour else f"{cell:>{wide}}"
        yield f"{line} {percent(float(analysis.marginals[number, names.index(best[number])])):>7}"
    left_out = f"; {len(names) - len(shown)} tags are left out" if len(shown) < len(names) else ""
    yield f"emissions: [best sequence], highest* where it is another; p: the marginal of the best tag{left_out}"
    # 3. What the transitions changed, the entities and the readings.
    decisions = [
        printable(f"{text_between(analysis, decision.start, decision.end)}: {reason(analysis, decision)}")
        for decision in decisions_of(analysis)
    ]
    yield ""
    yield from (f"  {line}" for line in decisions or ["the transitions changed nothing"])
    for span, score in zip(analysis.spans, analysis.scores, strict=True):
        others = ", ".join(
            f"{_words(analysis, other)} {percent(probability)}"
            for other, probability in analysis.competitors(span, LEAST)[:3]
        )
        yield f"  {percent(score):>7}  {_words(analysis, span)}" + f"  or else: {others}" * bool(others)
    for spans, probability in analysis.alternatives(3):
        found = ", ".join(_words(analysis, span) for span in spans)
        yield f"  reading {percent(probability):>7}: {found or 'no entity'}"
    yield ""


def padded(text: str, width: int) -> str:
    """A text of exactly this many columns of a terminal; East Asian characters take two.

    Example:
        >>> padded("Rome", 6), padded("北京市", 5), padded("Constantinople", 6)
        ('Rome  ', '北京 ', 'Const…')
    """
    columns = [0 if combining(one) else 2 if east_asian_width(one) in "WF" else 1 for one in text]
    if sum(columns) > width:
        used, kept = 0, ""
        wide = any(column == 2 for column in columns)
        for one, column in zip(text, columns, strict=True):
            if used + column > width - (0 if wide else 1):
                break
            kept, used = kept + one, used + column
        return kept + ("" if wide else "…") + " " * (width - used - (not wide))
    return text + " " * (width - sum(columns))


def _words(analysis: Analysis, span: Span) -> str:
    """The words of a span with its label."""
    return printable(f"{' '.join(text_between(analysis, span.start, span.end).split())} {span.label}")

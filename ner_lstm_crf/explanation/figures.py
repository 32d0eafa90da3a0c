"""The figures of a page: tables of scores, shaded, with the path that the tags take through them.

Rows are tokens, columns are tags. Each is a real table, which a screen reader can read; the shades, and the line of the
path, are laid over it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from ner_lstm_crf.crf import FORBIDDEN
from ner_lstm_crf.explanation.style import SHADES, escaped
from ner_lstm_crf.tagging.analysis import Analysis

SPREAD = 8.0
"""A score that is lower than the highest of its token by this has no shade."""
MOST_TAGS = 16
"""Of more tags those of labels that play no part in the sentence are left out."""
_LEAST = 0.01  # marginal of a label that plays a part


def tags_shown(analysis: Analysis, most: int = MOST_TAGS) -> list[int]:
    """The tags that a figure has: all, or those of labels that play a part, if they are more than `most`."""
    count = len(analysis.tag_set)
    if count <= most:
        return list(range(count))
    labels = analysis.tag_set.label_numbers()
    picked = {int(labels[tag]) for tag in analysis.emissions.argmax(1)} | {-1}
    probable = {int(labels[tag]) for tag in np.flatnonzero(analysis.marginals.max(0) >= _LEAST)}
    return [tag for tag in range(count) if labels[tag] in picked | probable]


def shades(analysis: Analysis, probabilities: bool = False) -> NDArray[np.int64]:
    """The shade of each cell (T, K): of its probability, or of its score beside the highest one of the token."""
    if probabilities:
        part = analysis.marginals
    else:
        part = 1 + (analysis.emissions - analysis.emissions.max(1, keepdims=True)) / SPREAD
    shades: NDArray[np.int64] = (part.clip(0, 1) * (SHADES - 1)).round().astype(np.int64)
    return shades


def emission_figure(analysis: Analysis, *, probabilities: bool = False) -> str:
    """The scores, or the probabilities, of all tokens and tags, and the path of the best tags.

    Args:
        analysis: The sentence.
        probabilities: True for marginals in place of emissions.
    """
    # 1. The columns: O, and the tags of each label below its name.
    shown, names = tags_shown(analysis), analysis.tag_names
    first = {tags[0] for tags in _by_label(analysis, shown)}
    heads = ['<th class="token" rowspan="2" scope="col">token</th>', '<th rowspan="2" scope="col">O</th>']
    prefixes = list[str]()
    for tags in _by_label(analysis, shown):
        label = analysis.tag_set.labels[analysis.tag_set.label_numbers()[tags[0]]]
        heads.append(
            f'<th class="first" colspan="{len(tags)}" scope="colgroup" title="{escaped(label)}">{escaped(label)}</th>'
        )
        prefixes += [
            f'<th scope="col"{_classes("first" if tag in first else "")}>{escaped(names[tag].partition("-")[0])}'
            f'<span class="hidden">-{escaped(label)}</span></th>'
            for tag in tags
        ]
    heads.append('<th class="more" rowspan="2" scope="col">best</th>')
    # 2. A row for each token. The path has a frame, and so has the best tag alone where it is another.
    values = analysis.marginals if probabilities else analysis.emissions
    best = [names.index(tag) for tag in analysis.best]
    alone, shade, rows = analysis.emissions.argmax(1).tolist(), shades(analysis, probabilities), list[str]()
    for number, token in enumerate(analysis.tokens):
        cells = list[str]()
        for tag in shown:
            kinds = ["first"] * (tag in first) + ["path"] * (tag == best[number])
            kinds += ["alone"] * (not probabilities and tag == alone[number] != best[number])
            said = {"path": ", the best sequence", "alone": ", the highest emission"}.get(
                kinds[-1] if kinds else "", ""
            )
            hidden = f'<i class="hidden">{said}</i>' if said else ""
            value = f"{values[number, tag]:.2f}" if probabilities else f"{values[number, tag]:.1f}"
            cells.append(f"<td{_classes(f'h{shade[number, tag]}', *kinds)}><span>{value}</span>{hidden}</td>")
        probability = analysis.marginals[number, best[number]]
        word = escaped(token.text)
        rows.append(
            f'<tr><th class="token" scope="row" title="{word}"><bdi dir="auto">{word}</bdi></th>{"".join(cells)}'
            f'<td class="more">{escaped(percent(float(probability)))} <b>{escaped(names[best[number]])}</b></td></tr>\n'
        )
    head = f"<thead><tr>{''.join(heads)}</tr>\n<tr>{''.join(prefixes)}</tr></thead>"
    line = path_line([shown.index(tag) for tag in best], len(shown))
    name = "Marginals" if probabilities else "Emissions"
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{name}"><div class="grid path-grid">\n'
        f"<table>{head}\n<tbody>\n{''.join(rows)}</tbody></table>\n{line}</div></div>\n"
    )


def transition_figure(analysis: Analysis) -> str:
    """The transition scores of a model, from the tags of the rows to those of the columns."""
    names = analysis.tag_names
    allowed = [score for score in analysis.transitions.ravel().tolist() if score > FORBIDDEN / 2]
    low, high = min(allowed, default=0.0), max(allowed, default=0.0)
    heads = "".join(f'<th scope="col" title="{escaped(name)}">{escaped(name)}</th>' for name in (*names, "end"))
    rows = list[str]()
    for name, scores, end in zip(
        ("start", *names),
        (analysis.start, *analysis.transitions),
        (None, *analysis.end.tolist()),
        strict=True,
    ):
        cells = "".join(_transition_cell(score, low, high) for score in [*scores.tolist(), end])
        rows.append(f'<tr><th class="token" scope="row">{escaped(name)}</th>{cells}</tr>\n')
    return (
        '<div class="scroll" role="region" tabindex="0" aria-label="Transition scores"><div class="grid square">\n'
        f'<table><thead><tr><th class="token">from \\ to</th>{heads}</tr></thead>\n'
        f"<tbody>\n{''.join(rows)}</tbody></table></div></div>\n"
    )


def path_line(columns: Sequence[int], count: int) -> str:
    """A line through the middle of one cell of each row, over a grid of cells."""
    points = " ".join(f"{column + 0.5:g},{row + 0.5:g}" for row, column in enumerate(columns))
    box = f'viewBox="0 0 {count} {len(columns)}" preserveAspectRatio="none" aria-hidden="true"'
    return f'<svg {box}><polyline points="{points}"/></svg>'


def percent(probability: float) -> str:
    """A probability as it is read: `99.8%`, `<0.1%`.

    Example:
        >>> percent(0.9978), percent(0.00001), percent(0.99999), percent(1.0)
        ('99.8%', '<0.1%', '>99.9%', '100%')
    """
    if 0 < probability < 0.001:
        return "<0.1%"
    if 0.999 < probability < 1:
        return ">99.9%"
    return f"{100 * probability:.1f}%".replace("100.0", "100")


def _by_label(analysis: Analysis, tags: Iterable[int]) -> list[list[int]]:
    """The tags of each label; not `O`."""
    labels = analysis.tag_set.label_numbers()
    return [list(group) for label, group in groupby(tags, key=lambda tag: int(labels[tag])) if label >= 0]


def _transition_cell(score: float | None, low: float, high: float) -> str:
    """A cell of the table of transitions."""
    if score is None:
        return "<td></td>"
    if score <= FORBIDDEN / 2:
        return '<td class="none">·<i class="hidden">forbidden</i></td>'
    shade = round((score - low) / ((high - low) or 1.0) * (SHADES - 1))
    return f'<td class="h{max(0, min(shade, SHADES - 1))}"><span>{score:+.1f}</span></td>'


def _classes(*names: str) -> str:
    """The attribute of these classes."""
    given = " ".join(filter(None, names))
    return f' class="{given}"' if given else ""

"""Draw the pictures of docs/why-a-crf.md from what the shipped taggers compute.

    python scripts/crf_pictures.py                  # writes emissions.svg, lstm.svg, paths.svg in docs/images
    python scripts/crf_pictures.py --output DIR

`scripts/why_a_crf.py` draws the picture of its measurements.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from locations import ROOT
from make_pictures import MARGIN, SMALL, svg, width, words
from ner_lstm_crf import Analysis, Tagger
from ner_lstm_crf.explanation.figures import percent
from ner_lstm_crf.explanation.style import SHADES

SENTENCE, CHINESE = "Lima Times hired Ana.", "上海银行请了张伟。"
FORBIDDEN = -5000.0
"""A score below this holds a transition that the scheme forbids."""
LEAST = 0.05
"""Marginal of a tag that the picture of the paths shows."""
WIDE, DOWN = 460, 22  # of a picture, of a row
LEFT = MARGIN + 52
"""Where the columns of a table begin."""
GATES = (
    ("forget", "how much of each number of the cell stays"),
    ("input", "how much of each candidate is added"),
    ("candidate", "what could be added"),
    ("output", "how much of the cell the hidden state shows"),
)


def main() -> None:
    """Draw all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images", help="folder of the pictures")
    output: Path = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures().items():
        (output / name).write_text(picture, encoding="utf-8")


def pictures() -> dict[str, str]:
    """Each picture by the name of its file."""
    english, chinese = Tagger.load("en"), Tagger.load("zh")
    (analysis,), (of_chinese,) = english.analyze(SENTENCE), chinese.analyze(CHINESE)
    inputs, units = lstm_sizes(english)
    return {
        "emissions.svg": emission_picture([analysis, of_chinese]),
        "lstm.svg": lstm_picture(analysis.words, inputs, units, len(analysis.tag_names)),
        "paths.svg": path_picture(analysis),
    }


def lstm_sizes(tagger: Tagger) -> tuple[int, int]:
    """The size of a token's vector, and the LSTM units per direction."""
    rows, inputs = tagger.model.networks[0].get_parameter("encoder.forwards.0.lstm.weight_ih_l0").shape
    return inputs, rows // 4  # the weights of the four gates are stacked


def best_scores(analysis: Analysis) -> NDArray[np.float64]:
    """The score of the best sequence up to each token that ends in each tag (T, K): Viterbi's table."""
    emissions, transitions = analysis.emissions.astype(float), analysis.transitions.astype(float)
    scores = [analysis.start + emissions[0]]
    for emission in emissions[1:]:
        scores.append((scores[-1][:, None] + transitions).max(0) + emission)
    return np.array(scores)


def sequence_score(analysis: Analysis, tags: Sequence[int]) -> tuple[float, float]:
    """The sum of the emissions of a sequence of tags, and that of its transitions."""
    emissions = float(analysis.emissions[np.arange(len(tags)), tags].sum())
    between = float(analysis.transitions[tags[:-1], tags[1:]].sum())
    return emissions, float(analysis.start[tags[0]]) + between + float(analysis.end[tags[-1]])


def emission_picture(analyses: Iterable[Analysis]) -> str:
    """The emissions of each sentence, a row for each tag; the highest of each token is framed."""
    parts, top = list[str](), MARGIN + 4
    for analysis in analyses:
        tokens, tags = analysis.emissions.shape
        size = f"{tokens} tokens x {tags} tags = {tokens * tags} emissions"
        parts.append(words(size, MARGIN, top + 8))
        parts += table(analysis.words, analysis.tag_names, analysis.emissions, top + 40, number)
        parts += frames(analysis.emissions.argmax(1).tolist(), tokens, top + 40, "alone")
        top += 40 + DOWN * tags + 36
    parts.append(words("dashed: the highest emission of each token", MARGIN, top - 10, "dim small"))
    return svg(WIDE, top + MARGIN - 16, parts)


def path_picture(analysis: Analysis) -> str:
    """Emissions with the highest of each token, Viterbi's scores with the best sequence, and the marginals."""
    # 1. The tags that matter here, in the order of the model.
    names = analysis.tag_names
    best, alone = ([names.index(tag) for tag in tags] for tags in (analysis.best, analysis.softmax))
    shown = [tag for tag in range(len(names)) if tag in {*best, *alone} or analysis.marginals[:, tag].max() >= LEAST]
    tokens, titles = len(analysis), [names[tag] for tag in shown]

    # 2. Three tables of them.
    parts, top = list[str](), MARGIN + 4
    tables: list[tuple[str, NDArray[np.generic], Callable[[float], str]]] = [
        ("1. Emissions; dashed: the highest of each token", analysis.emissions, number),
        ("2. Viterbi: the best score up to each tag", best_scores(analysis), number),
        ("3. Forward-backward: the probability of each tag", analysis.marginals, share),
    ]
    for step, (title, values, form) in enumerate(tables, start=1):
        parts.append(words(title, MARGIN, top + 8))
        parts += table(analysis.words, titles, values[:, shown], top + 40, form)
        path = alone if step == 1 else best
        rows = [shown.index(tag) for tag in path]
        if step == 2:
            across = column_width(tokens)
            points = [(LEFT + across * (at + 0.5), top + 40 + DOWN * (row + 0.5)) for at, row in enumerate(rows)]
            line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            parts.append(f'<polyline class="path" opacity="0.45" points="{line}"/>')
        if step < 3:
            parts += frames(rows, tokens, top + 40, "alone" if step == 1 else "path")
        top += 40 + DOWN * len(shown) + 36

    # 3. What both sequences score.
    for name, tags, style in (("highest emissions", alone, "text"), ("best sequence", best, "path-name")):
        emissions, transitions = sequence_score(analysis, tags)
        if transitions < FORBIDDEN:
            end = "forbidden: probability 0"
        else:
            probability = float(np.exp((emissions + transitions) / analysis.temperature - analysis.log_partition))
            end = f"{transitions:+.1f} = {emissions + transitions:.1f}: probability {percent(probability)}"
        parts.append(words(f"{name}: {' '.join(names[tag] for tag in tags)}", MARGIN, top, f"{style} small"))
        parts.append(words(f"emissions {emissions:.1f}, transitions {end}", MARGIN + 16, top + 18, "dim small"))
        top += 46
    return svg(WIDE, top + MARGIN - 32, parts)


def column_width(tokens: int) -> float:
    """The width of the columns of so many tokens."""
    return (WIDE - MARGIN - LEFT) / tokens


def table(
    tokens: Sequence[str],
    tags: Sequence[str],
    values: NDArray[np.generic],
    top: float,
    form: Callable[[float], str],
) -> list[str]:
    """A shaded table with a column for each token and a row for each tag, of values (T, K)."""
    across, parts = column_width(len(tokens)), list[str]()
    for at, token in enumerate(tokens):
        middle = LEFT + across * (at + 0.5)
        parts.append(words(token, middle - width(token) / 2, top - 8))
        column = np.where(np.asarray(values[at]) < FORBIDDEN, np.nan, values[at].astype(float))
        part = column if form is share else 1 + (column - np.nanmax(column)) / 8  # as in explanation.figures
        levels = (np.nan_to_num(part).clip(0, 1) * (SHADES - 1)).round()
        for row, (value, level) in enumerate(zip(column.tolist(), levels.tolist(), strict=True)):
            y = top + DOWN * row
            place = f'x="{LEFT + across * at:.1f}" y="{y:.1f}" width="{across:.1f}" height="{DOWN}"'
            parts.append(f'<rect class="cell" opacity="{level / SHADES * 0.62:.2f}" {place}/>')
            text = form(value)
            style = "dim small" if text in "-0%" else "text small"
            parts.append(words(text, middle - width(text, SMALL) / 2, y + 15, style))
    parts += [words(tag, MARGIN, top + DOWN * row + 15, "dim small") for row, tag in enumerate(tags)]
    return parts


def number(value: float) -> str:
    """A score with a digit; `-` if it is forbidden."""
    return "-" if np.isnan(value) else f"{value + 0:.1f}".replace("-0.0", "0.0")


def share(value: float) -> str:
    """A probability in per cent without digits."""
    return f"{100 * value:.0f}%"


def frames(rows: Iterable[int], tokens: int, top: float, style: str) -> list[str]:
    """A frame around one cell of each column of a table."""
    across = column_width(tokens)
    return [
        f'<rect class="{style}" x="{LEFT + across * at + 2:.1f}" y="{top + DOWN * row + 2:.1f}" '
        f'width="{across - 4:.1f}" height="{DOWN - 4}" rx="4"/>'
        for at, row in enumerate(rows)
    ]


def lstm_picture(tokens: Sequence[str], inputs: int, units: int, tags: int) -> str:
    """One step of an LSTM with its gates, and below it the two directions over a sentence."""
    step, bottom = step_parts(inputs, units)
    directions, bottom = direction_parts(tokens, units, tags, bottom + 42)
    return svg(WIDE, bottom + MARGIN - 6, [*step, *directions])


def step_parts(inputs: int, units: int) -> tuple[list[str], float]:
    """One step of an LSTM, and where it ends."""
    # 1. The cell runs through; the gates change it.
    cell, gates, feed = MARGIN + 60, MARGIN + 150, MARGIN + 212
    hidden, columns, added = cell + 44, (118.0, 200.0, 282.0, 366.0), 241.0
    parts = [words(f"One step of an LSTM of {units} units", MARGIN, MARGIN + 8)]
    for line in (
        [(MARGIN, cell), (columns[0] - 11, cell)],
        [(columns[0] + 11, cell), (added - 11, cell)],
        [(added + 11, cell), (WIDE - MARGIN, cell)],
        [(columns[0], gates), (columns[0], cell + 11)],
        [(columns[1], gates), (columns[1], hidden), (added - 11, hidden)],
        [(columns[2], gates), (columns[2], hidden), (added + 11, hidden)],
        [(added, hidden - 11), (added, cell + 11)],
        [(columns[3], cell), (columns[3], hidden - 11)],
        [(columns[3], gates), (columns[3], hidden + 11)],
        [(columns[3] + 11, hidden), (WIDE - MARGIN, hidden)],
    ):
        parts.append(arrow(line))
    for name, left, line_at in (("cell", MARGIN, cell), ("cell", WIDE - 54, cell), ("hidden", WIDE - 66, hidden)):
        parts.append(words(name, left, line_at - 10, "dim small"))
    for x, y, sign in ((columns[0], cell, "×"), (added, cell, "+"), (added, hidden, "×"), (columns[3], hidden, "×")):
        parts.append(f'<circle class="box" cx="{x:.1f}" cy="{y:.1f}" r="11"/>')
        parts.append(words(sign, x - width(sign) / 2, y + 4))
    # 2. Each gate reads the token and the hidden state of the step before.
    parts.append(arrow([(MARGIN, feed), (columns[3], feed), (columns[3], gates + 28)]))
    parts += [arrow([(x, feed), (x, gates + 28)]) for x in columns[:3]]
    for x, (name, _) in zip(columns, GATES, strict=True):
        parts.append(f'<rect class="box" x="{x - 38:.1f}" y="{gates}" width="76" height="28" rx="5"/>')
        parts.append(words(name, x - width(name, SMALL) / 2, gates + 18, "text small"))
    read = f"read: {inputs} numbers of the token, {units} of the hidden state"
    parts.append(words(read, MARGIN, feed + 20, "dim small"))
    top = feed + 50
    for row, (name, meaning) in enumerate(GATES):
        parts.append(words(name, MARGIN, top + 18 * row, "text small"))
        parts.append(words(meaning, MARGIN + 76, top + 18 * row, "dim small"))
    weights = f"weights: 4 × {units} × ({inputs} + {units}) = {4 * units * (inputs + units):,} per direction"
    return [*parts, words(weights, MARGIN, top + 80, "text small")], top + 80


def direction_parts(tokens: Sequence[str], units: int, tags: int, top: float) -> tuple[list[str], float]:
    """Both directions over a sentence, and where they end: each reads every token, both are joined."""
    parts, across = [words("Two directions over a sentence", MARGIN, top)], (WIDE - MARGIN - LEFT - 6) / len(tokens)
    names = "emissions", "joined", "backward", "forward"
    heights = [top + 26 + 42 * row for row in range(len(names))]
    parts += [words(name, MARGIN, y + 16, "dim small") for name, y in zip(names, heights, strict=True)]
    emissions, joined, backward, forward = heights
    for at, token in enumerate(tokens):
        x = LEFT + 14 + across * (at + 0.5)
        # 1. The token is read by a unit of each direction, and both give their numbers.
        parts += [
            arrow([(x - 15, forward + 42), (x - 15, forward + 24)]),
            arrow([(x + 15, forward + 42), (x + 15, backward + 24)]),
            arrow([(x - 15, forward), (x - 15, joined + 24)]),
            arrow([(x + 15, backward), (x + 15, joined + 24)]),
            arrow([(x, joined), (x, emissions + 24)]),
        ]
        # 2. Each direction carries its numbers to the next token.
        if at + 1 < len(tokens):
            parts.append(arrow([(x - 1, forward + 12), (x + across - 29, forward + 12)]))
            parts.append(arrow([(x + across + 1, backward + 12), (x + 29, backward + 12)]))
        for size, middle, y, wide, style in (
            (units, x - 15, forward, 28, 'class="box"'),
            (units, x + 15, backward, 28, 'class="box"'),
            (2 * units, x, joined, 58, 'class="cell" opacity="0.3"'),
            (tags, x, emissions, 58, 'class="cell" opacity="0.3"'),
        ):
            parts.append(f'<rect {style} x="{middle - wide / 2:.1f}" y="{y}" width="{wide}" height="24" rx="5"/>')
            parts.append(words(str(size), middle - width(str(size), SMALL) / 2, y + 16, "text small"))
        parts.append(words(token, x - width(token) / 2, forward + 58))
    return parts, forward + 58


def arrow(points: Sequence[tuple[float, float]]) -> str:
    """A line through points with a head at the last one."""
    (x1, y1), (x2, y2) = points[-2:]
    along = np.array([x2 - x1, y2 - y1]) / np.hypot(x2 - x1, y2 - y1)
    aside = np.array([-along[1], along[0]])
    base = np.array([x2, y2]) - 6 * along
    head = [(x2, y2), *map(tuple, (base + 3 * aside, base - 3 * aside))]
    line, corners = (" ".join(f"{x:.1f},{y:.1f}" for x, y in some) for some in (points, head))
    return f'<polyline class="arrow" points="{line}"/><polygon class="dim" points="{corners}"/>'


if __name__ == "__main__":
    main()

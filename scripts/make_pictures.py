"""Draw the pictures of the README from real output: a tagged text, a sentence explained, and a training run.

    python scripts/make_pictures.py                  # writes tagging.svg, explanation.svg, training.svg in docs/images
    python scripts/make_pictures.py --output DIR

The pictures are SVG without external fonts. They bring a background of their own and follow a dark colour scheme, so
they are legible on any page.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from unicodedata import east_asian_width
from xml.sax.saxutils import escape

from locations import ROOT
from ner_lstm_crf import Analysis, Entity, Tagger
from ner_lstm_crf.explanation.figures import percent, shades
from ner_lstm_crf.explanation.style import SHADES

TEXTS = {
    "en": "Angela Merkel met engineers from Siemens in Munich before she flew to Tokyo.",
    "zh": "李娜在清华大学学习，后来去了上海。",
}
EXPLAINED = "Angela Merkel met Siemens Energy in Munich for Manchester United."
TRAINING = "train --train corpora/en/train.conll --dev corpora/en/dev.conll --output runs/en --preset small"
FIRST_LINES, LAST_LINES = 6, 4  # of what training prints

FONT_SIZE, SMALL = 13, 11
MARGIN, LINE = 24, 21
STYLE = """\
text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre }
.small { font-size: 11px }
.card { fill: #ffffff; stroke: #d0d7de }
.text { fill: #1f2328 }
.dim { fill: #59636e }
.PER { fill: #cfe4ff }
.LOC { fill: #ccefd2 }
.ORG { fill: #ffe1b3 }
.grid { stroke: #d0d7de; stroke-width: 1 }
.f1 { stroke: #0969da; fill: none; stroke-width: 2 }
.loss { stroke: #bc4c00; fill: none; stroke-width: 2; stroke-dasharray: 5 3 }
.f1-name { fill: #0969da }
.loss-name { fill: #bc4c00 }
.cell { fill: #2664aa }
.path { stroke: #b8380e; fill: none; stroke-width: 2; stroke-linejoin: round }
.path-name { fill: #b8380e }
.alone { stroke: #1f2328; fill: none; stroke-dasharray: 3 2 }
.box { fill: #f0f2f5; stroke: #afb8c1 }
.arrow { fill: none; stroke: #59636e; stroke-width: 1 }
@media (prefers-color-scheme: dark) {
  .cell { fill: #5896e6 }
  .path { stroke: #ff9e64 }
  .path-name { fill: #ff9e64 }
  .alone { stroke: #e6edf3 }
  .box { fill: #21262d; stroke: #6e7681 }
  .arrow { stroke: #9198a1 }
  .card { fill: #0d1117; stroke: #30363d }
  .text { fill: #e6edf3 }
  .dim { fill: #9198a1 }
  .PER { fill: #1f4a7d }
  .LOC { fill: #1d5c35 }
  .ORG { fill: #71470c }
  .grid { stroke: #30363d }
  .f1 { stroke: #58a6ff }
  .loss { stroke: #f0883e }
  .f1-name { fill: #58a6ff }
  .loss-name { fill: #f0883e }
}
"""


def main() -> None:
    """Draw all pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images", help="folder of the pictures")
    output: Path = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    tagged = [(text, Tagger.load(name).tag(text)) for name, text in TEXTS.items()]
    (output / "tagging.svg").write_text(tagging_picture(tagged), encoding="utf-8")
    (analysis,) = Tagger.load("en").analyze(EXPLAINED)
    (output / "explanation.svg").write_text(explanation_picture(analysis), encoding="utf-8")
    lines, history = train()
    (output / "training.svg").write_text(training_picture(lines, history), encoding="utf-8")


def train() -> tuple[list[str], list[dict[str, float]]]:
    """Train on the embedded corpus: the lines printed, and the loss and the dev F1 of each epoch."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "corpora").symlink_to(ROOT / "corpora")
        command = [sys.executable, "-m", "ner_lstm_crf", *TRAINING.split()]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        reports = map(json.loads, (Path(folder) / "runs/en/history.jsonl").read_text(encoding="utf-8").splitlines())
        history = [{"loss": report["loss"], "f1": report["dev"]["f1"]} for report in reports]
    return done.stderr.splitlines(), history


def tagging_picture(tagged: Iterable[tuple[str, Sequence[Entity]]]) -> str:
    """Texts with their entities marked, and the label under each entity."""
    parts, top = list[str](), MARGIN + 18
    widest = 0.0
    for text, entities in tagged:
        for entity in entities:
            x, box = MARGIN + width(text[: entity.start]), f'width="{width(entity.text) + 6:.1f}" height="23" rx="4"'
            parts.append(f'<rect class="{entity.label}" x="{x - 3:.1f}" y="{top - 16}" {box}/>')
            parts.append(words(entity.label, x, top + 24, "dim small"))
        parts.append(words(text, MARGIN, top))
        widest, top = max(widest, width(text)), top + 64
    return svg(widest + 2 * MARGIN, top - 64 + 24 + MARGIN, parts)


def explanation_picture(analysis: Analysis) -> str:
    """The emission of each tag for each token, shaded, with the best sequence of tags drawn through them."""
    names, across, down = analysis.tag_names, 44, 24
    left, top = MARGIN + max(map(width, analysis.words)) + 12, MARGIN + 22
    right = left + across * len(names) + 12
    best, alone = [names.index(tag) for tag in analysis.best], analysis.emissions.argmax(1).tolist()
    # 1. The names of the tags, and for each token its cells and the probability of its tag.
    parts = [
        words(name, left + across * (tag + 0.5) - width(name, SMALL) / 2, top - 10, "dim small")
        for tag, name in enumerate(names)
    ]
    for row, (word, shade) in enumerate(zip(analysis.words, shades(analysis).tolist(), strict=True)):
        y = top + down * row
        parts.append(words(word, MARGIN, y + 17))
        for tag, level in enumerate(shade):
            place = f'x="{left + across * tag:.1f}" y="{y:.1f}" width="{across}" height="{down}"'
            parts.append(f'<rect class="cell" opacity="{level / SHADES * 0.62:.2f}" {place}/>')
            value = f"{analysis.emissions[row, tag]:.1f}"
            parts.append(words(value, left + across * (tag + 0.5) - width(value, SMALL) / 2, y + 16, "text small"))
        share = percent(float(analysis.marginals[row, best[row]]))
        parts.append(words(f"{names[best[row]]} {share}", right, y + 16, "dim small"))
    # 2. The path over them, and frames around its cells and around other cells with the highest emission.
    middles = [(left + across * (tag + 0.5), top + down * (row + 0.5)) for row, tag in enumerate(best)]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in middles)
    parts.append(f'<polyline class="path" opacity="0.45" points="{points}"/>')
    for row, (tag, other) in enumerate(zip(best, alone, strict=True)):
        for column, style in {other: "alone", tag: "path"}.items():
            place = f'x="{left + across * column + 2:.1f}" y="{top + down * row + 2:.1f}"'
            parts.append(f'<rect class="{style}" {place} width="{across - 4}" height="{down - 4}" rx="4"/>')
    bottom = top + down * len(analysis) + 26
    parts.append(
        words(
            "framed: the best sequence of tags; dashed: a higher emission that it gives up", MARGIN, bottom, "dim small"
        )
    )
    return svg(right + width("B-LOC >99.9%", SMALL) + MARGIN, bottom + MARGIN - 6, parts)


def training_picture(lines: Sequence[str], history: Sequence[dict[str, float]]) -> str:
    """A terminal with the lines of a training run, the middle left out, and the learning curve below."""
    shown = [f"$ ner-lstm-crf {TRAINING}", *lines[:FIRST_LINES], "...", *lines[-LAST_LINES:]]
    parts = [
        words(line, MARGIN, MARGIN + 14 + LINE * number, "dim" if line == "..." else "text")
        for number, line in enumerate(shown)
    ]
    right = MARGIN + max(map(width, shown))
    top, height, left = MARGIN + LINE * len(shown) + 26, 180, MARGIN + 30
    for tenths in range(0, 11, 2):
        y = top + height * (1 - tenths / 10)
        parts.append(f'<line class="grid" x1="{left}" y1="{y:.1f}" x2="{right:.1f}" y2="{y:.1f}"/>')
        parts.append(words(f"{tenths / 10:.1f}", MARGIN, y + 4, "dim small"))
    step = (right - left) / (len(history) - 1)
    for name in ("f1", "loss"):
        heights = [top + height * (1 - min(report[name], 1)) for report in history]
        points = " ".join(f"{left + step * epoch:.1f},{y:.1f}" for epoch, y in enumerate(heights))
        parts.append(f'<polyline class="{name}" points="{points}"/>')
    for epoch in [1, *range(5, len(history) + 1, 5)]:
        x = left + step * (epoch - 1) - width(str(epoch), SMALL) / 2
        parts.append(words(str(epoch), x, top + height + 18, "dim small"))
    bottom = top + height + 38
    parts.append(words("epoch", left, bottom, "dim small"))
    parts.append(words("dev F1", left + 80, bottom, "f1-name small"))
    parts.append(words("training loss per token", left + 150, bottom, "loss-name small"))
    return svg(right + MARGIN, bottom + MARGIN - 6, parts)


def words(text: str, x: float, y: float, style: str = "text") -> str:
    """A line of text at fixed positions, whatever font the reader has."""
    size = SMALL if "small" in style else FONT_SIZE
    if text.isascii():
        places = f'x="{x:.1f}" textLength="{width(text, size):.1f}"'
    else:  # each character at a place of its own, since the font of Chinese characters is another one
        places = 'x="' + " ".join(f"{x + width(text[:end], size):.1f}" for end in range(len(text))) + '"'
    return f'<text class="{style}" y="{y:.1f}" {places} xml:space="preserve">{escape(text)}</text>'


def width(text: str, size: int = FONT_SIZE) -> float:
    """The width of a text in a monospaced font of this size, in pixels; a Chinese character is nearly twice as wide.

    Example:
        >>> width("in 北京", 10)
        40.0
    """
    return sum(size * (1.1 if east_asian_width(character) in "WF" else 0.6) for character in text)


def svg(across: float, down: float, parts: Iterable[str]) -> str:
    """The picture: a card of this size with the parts on it."""
    size = f'width="{across:.0f}" height="{down:.0f}" viewBox="0 0 {across:.0f} {down:.0f}"'
    card = f'<rect class="card" x="0.5" y="0.5" width="{round(across) - 1}" height="{round(down) - 1}" rx="8"/>'
    body = "\n".join([f"<style>\n{STYLE}</style>", card, *parts])
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n{body}\n</svg>\n'


if __name__ == "__main__":
    main()

r"""What the CRF is worth with few and with many sentences: F1 of both heads, a table and a picture of it.

    python scripts/why_a_crf.py ../shared/corpora/uner-en_ewt --output runs/why --preset fast --seeds 3 \
        --vectors glove.6B.100d.txt.gz --picture docs/images/crf-data.svg
    python scripts/why_a_crf.py ../shared/corpora/uner-en_ewt --output runs/why --sizes 250 1000 --seeds 2

The sentences are drawn at random from those of train, others with each seed; both heads learn from the same ones, and a
larger part holds the smaller ones. Dev and test are always whole. A result is kept as a line of results.jsonl, and not
made again: a run that was interrupted goes on by the same command.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import log
from pathlib import Path
from statistics import mean, stdev

from experiments import Results, read_parts
from make_pictures import MARGIN, SMALL, svg, width, words
from ner_lstm_crf import Config, Data, Sentence, Vectors, preset, read_vectors, train
from ner_lstm_crf.runs.data import needed_words

HEADS = "crf", "softmax"
LINES, DOTS = {"crf": "path", "softmax": "alone"}, {"crf": "path-name", "softmax": "text"}
SIZES = (250, 1000, 4000)
"""Numbers of sentences, beside all of them."""


@dataclass(frozen=True, slots=True)
class Part:
    """What both heads reach with some of the sentences.

    Attributes:
        sentences: The number of sentences that they learn from.
        f1: The test F1 of each seed, by head.
        ill_formed: The number of test sentences with ill-formed tags of each seed, by head.
    """

    sentences: int
    f1: dict[str, list[float]]
    ill_formed: dict[str, list[float]]

    @property
    def gains(self) -> list[float]:
        """How much more F1 the CRF has, seed by seed."""
        return [crf - softmax for crf, softmax in zip(*(self.f1[head] for head in HEADS), strict=True)]


def figures(data: Data, config: Config, folder: Path, test: Sequence[Sentence]) -> dict[str, float]:
    """The F1 on test, and the number of sentences with tags that break the scheme."""
    found = train(data, config, folder / "model", overwrite=True, progress=False).evaluate(test)
    return {"f1": found.micro.f1, "ill_formed": found.ill_formed}


def table(parts: Sequence[Part]) -> str:
    """The figures in Markdown: mean and standard deviation over the seeds."""
    rows = [
        "| sentences | CRF | softmax | gain of the CRF | ill-formed sentences, softmax |",
        "|--:|--:|--:|--:|--:|",
    ]
    for part in parts:
        spread = f" ± {100 * stdev(part.gains):.1f}" if len(part.gains) > 1 else ""
        cells = [f"{part.sentences:,}", *(shown(part.f1[head]) for head in HEADS)]
        cells += [f"{100 * mean(part.gains):+.1f}{spread}", f"{mean(part.ill_formed['softmax']):.0f}"]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def shown(values: Sequence[float]) -> str:
    """Mean and standard deviation in per cent.

    Example:
        >>> shown([0.5, 0.52])
        '51.0 ± 1.4'
    """
    return f"{100 * mean(values):.1f}" + (f" ± {100 * stdev(values):.1f}" if len(values) > 1 else "")


def picture(parts: Sequence[Part], title: str) -> str:
    """F1 by number of sentences, which grows by factors; a dot for each seed, a line through the means."""
    left, top, across, down = MARGIN + 36, MARGIN + 50, 320, 200
    right, floor = left + across, top + down
    values = [100 * value for part in parts for head in HEADS for value in part.f1[head]]
    low = 10 * int(min(values) // 10)
    high = max(10 * int(-(-max(values) // 10)), low + 10)
    first, last = log(parts[0].sentences), log(parts[-1].sentences)

    def place(sentences: int, value: float) -> tuple[float, float]:
        """Where a value is drawn."""
        along = (log(sentences) - first) / ((last - first) or 1)
        return left + 24 + along * (across - 48), floor - (100 * value - low) / (high - low) * down

    drawn = [words("test F1, CRF and softmax", MARGIN, MARGIN + 10), words(title, MARGIN, MARGIN + 28, "dim small")]
    for tick in range(low, high + 1, 10):
        y = place(1, tick / 100)[1]
        drawn.append(f'<line class="grid" x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>')
        drawn.append(words(str(tick), left - 8 - width(str(tick), SMALL), y + 4, "dim small"))
    for head in HEADS:
        means = [place(part.sentences, mean(part.f1[head])) for part in parts]
        drawn.append(f'<polyline class="{LINES[head]}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in means)}"/>')
        for part in parts:
            for value in part.f1[head]:
                x, y = place(part.sentences, value)
                drawn.append(f'<circle class="{DOTS[head]}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>')
        name = "CRF" if head == "crf" else head
        drawn.append(words(name, means[-1][0] + 32, means[-1][1] + 4, f"{DOTS[head]} small"))
    for part in parts:
        x, count, gain = place(part.sentences, 0)[0], f"{part.sentences:,}", f"{100 * mean(part.gains):+.1f}"
        drawn.append(words(count, x - width(count, SMALL) / 2, floor + 20, "dim small"))
        drawn.append(words(gain, x - width(gain, SMALL) / 2, floor + 38, "small text"))
    drawn.append(words("sentences", right + 8, floor + 20, "dim small"))
    drawn.append(words("gain", right + 8, floor + 38, "small text"))
    return svg(right + 72 + MARGIN, floor + 38 + MARGIN, drawn)


def main() -> None:
    """Make the results that lack, show the table, and draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, help="folder of a corpus")
    parser.add_argument("--output", type=Path, required=True, help="folder of a model and of results.jsonl")
    parser.add_argument("--labels", default="PER,LOC,ORG", help="labels to keep (PER,LOC,ORG)")
    parser.add_argument("--preset", default="small", help="settings (small)")
    parser.add_argument("--vectors", type=Path, help="word vectors")
    parser.add_argument("--sizes", type=int, nargs="+", help="numbers of sentences (250, 1,000, 4,000 and all)")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--picture", type=Path, help="SVG file to draw")
    args = parser.parse_args()

    # 1. The data and the settings.
    of_train, dev, test = read_parts(args.corpus, args.labels.split(","))
    sizes = args.sizes or [*(size for size in SIZES if size < len(of_train)), len(of_train)]
    if args.seeds < 1 or not 1 <= min(sizes) <= max(sizes) <= len(of_train):
        parser.error(f"expected a seed or more, and 1 to {len(of_train)} sentences")
    needed = needed_words([*of_train, *dev, *test])
    vectors: Vectors | None = None if args.vectors is None else read_vectors(args.vectors, needed=needed)
    title = f"{args.corpus.resolve().name}, preset {args.preset}, "
    title += f"{args.vectors.name.partition('.txt')[0] if args.vectors else 'no word vectors'}"

    # 2. What lacks of the results.
    results = Results(args.output, ("f1", "seconds"))
    for seed in range(1, args.seeds + 1):
        order = random.Random(seed).sample(of_train, len(of_train))
        for size in sorted(sizes):
            data = Data(order[:size], dev, vectors=vectors)
            for head in HEADS:
                config = preset(args.preset).replace(seed=seed, head=head)
                results.make(f"{title}, {size}", head, seed, partial(figures, data, config, args.output, test))

    # 3. The table and the picture.
    parts = []
    for size in sorted(sizes):
        found = {head: results.of(f"{title}, {size}", head)[: args.seeds] for head in HEADS}
        of_f1, of_ill_formed = (
            {head: [one[name] for one in found[head]] for head in HEADS} for name in ("f1", "ill_formed")
        )
        parts.append(Part(size, of_f1, of_ill_formed))
    print(table(parts))
    if args.picture:
        seeds = "1 seed" if args.seeds == 1 else f"{args.seeds} seeds"
        args.picture.write_text(picture(parts, f"{title}, {seeds}"), encoding="utf-8")


if __name__ == "__main__":
    main()

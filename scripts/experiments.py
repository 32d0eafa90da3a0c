"""What the scripts share that train in several ways: the parts of a corpus, and results that are made once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev

from ner_lstm_crf import LabelMap, ReadOptions, Sentence, read_sentences


def read_parts(corpus: Path, labels: Iterable[str]) -> tuple[list[Sentence], list[Sentence], list[Sentence]]:
    """The sentences of train, dev and test of a folder, with the entities of some labels, or of all."""
    keep = frozenset(labels) or None
    options = ReadOptions(labels=LabelMap({"O": "O"} if keep else {}, keep))
    train, dev, test = (
        [one for one in read_sentences(next(corpus.glob(f"{part}.*")), options) if one.tokens]
        for part in ("train", "dev", "test")
    )
    return train, dev, test


class Results:
    """Results of an experiment, each a line of results.jsonl.

    Args:
        folder: The folder of the file, which is made unless it exists.
        names: The figures of a result that the table shows; seconds are shown as they are, others in per cent.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path, self._names = folder / "results.jsonl", names
        lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
        self._done: dict[tuple[str, str], dict[int, dict[str, float]]] = {}
        for line in map(json.loads, lines):
            self._done.setdefault((line["experiment"], line["way"]), {})[line["seed"]] = line["figures"]

    def make(self, experiment: str, way: str, seed: int, trained: Callable[[], Mapping[str, float]]) -> None:
        """Make a result and keep it, with the processor's seconds that it took, unless it is there."""
        if seed in (of_way := self._done.setdefault((experiment, way), {})):
            return
        began = time.process_time()
        figures = {**trained(), "seconds": time.process_time() - began}
        of_way[seed] = figures
        line = json.dumps({"experiment": experiment, "way": way, "seed": seed, "figures": figures})
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        print(line, flush=True)

    def of(self, experiment: str, way: str) -> list[dict[str, float]]:
        """The figures of each seed, in the order of the seeds."""
        return [figures for _, figures in sorted(self._done.get((experiment, way), {}).items())]

    def table(self) -> str:
        """The figures in Markdown: mean and standard deviation over the seeds."""
        rows = [
            f"| experiment | way | seeds | {' | '.join(self._names)} |",
            "|---|---|" + "--:|" * (len(self._names) + 1),
        ]
        for (experiment, way), seeds in self._done.items():
            cells = [self._cell(name, seeds.values()) for name in self._names] if seeds else []
            rows += [f"| {experiment} | {way} | {len(seeds)} | {' | '.join(cells)} |"] if seeds else []
        return "\n".join(rows)

    @staticmethod
    def _cell(name: str, results: Iterable[Mapping[str, float]]) -> str:
        values = [(1 if name == "seconds" else 100) * figures[name] for figures in results]
        return f"{mean(values):.1f}" + (f" ± {stdev(values):.1f}" if len(values) > 1 else "")

"""A bulk job in this process, and files for it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ner_lstm_crf import Tagger
from ner_lstm_crf.bulk.inputs import Slice
from ner_lstm_crf.bulk.job import Scanned, plan_job, run_job
from ner_lstm_crf.bulk.manifest import Manifest
from ner_lstm_crf.bulk.shards import BulkOptions, Shard, scan, tag_slice

TEXTS = [
    "Angela Merkel visited Rome.",
    "It rained.",
    "",
    "Anna Weber flew from Berlin to Tokyo last night, and Omar Haddad met her at the Museum of Modern Art.",
    "Zoë saw \U0001f600 in Köln.",
    "王小明从北京飞往巴黎。",
]


class InProcess:
    """An engine that does everything here, in an order of its own.

    Args:
        tagger: The tagger.
        before: Called before each slice is tagged.
    """

    def __init__(self, tagger: Tagger, before: Callable[[Slice], None] = lambda part: None) -> None:
        self.tagger, self.before = tagger, before

    def scan(self, slices: Sequence[Slice], options: BulkOptions) -> Iterator[Scanned]:
        for number, part in reversed([*enumerate(slices)]):
            yield Scanned(number, *scan(part, options))

    def tag(self, job: Manifest) -> Iterator[Shard]:
        for part in reversed(job.left):
            self.before(part)
            yield tag_slice(self.tagger, part, job.folder, job.options, job.shapes, job.rows[part.shard])


def tagged(
    tagger: Tagger,
    inputs: str | Path,
    output: Path,
    *,
    resume: bool = False,
    before: Callable[[Slice], None] = lambda part: None,
    model: str = "digest",
    **options: Any,
) -> Manifest:
    """A job that is done."""
    job = plan_job([str(inputs)], output, ("en", model), BulkOptions(**options))
    run_job(job, InProcess(tagger, before), resume=resume)
    return job


def made_rows(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Rows of JSON with other columns than the text, some of which are not in each of them."""
    rng = random.Random(seed)
    rows = list[dict[str, Any]]()
    for number in range(count):
        row = {"id": number, "text": " ".join(rng.choices(TEXTS, k=rng.randint(1, 4))), "source": {"page": number % 7}}
        rows.append(row | ({"score": rng.choice([1, 0.5])} if number % 3 else {"note": None}))
    return rows


def write_lines(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Write JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path

"""A bulk job, from its files to its manifest: what every engine that spreads the work does the same way.

1. All slices are read once. What cannot be tagged is refused before the first hour is spent; the rows are counted, and
   the columns of JSON lines are found, so that all shards have the same.
2. Each slice is tagged into a shard of its own name. A worker that is lost takes no row with it, and doubles none: its
   slices are tagged again, into the same shards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from ner_lstm_crf.bulk.columns import Shape
from ner_lstm_crf.bulk.inputs import Kind, Slice, cut_files, find_files
from ner_lstm_crf.bulk.manifest import MANIFEST, Manifest
from ner_lstm_crf.bulk.shards import BulkOptions, Shard, joined_shapes
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.atomic import remove_temp_files
from ner_lstm_crf.progress import Progress, silent
from ner_lstm_crf.runs.lock import locked


class Scanned(NamedTuple):
    """What `scan` found in a slice.

    Attributes:
        number: The number of the slice among those that were given, from 0.
        rows: The number of its rows.
        shapes: The columns of JSON lines.
    """

    number: int
    rows: int
    shapes: dict[str, Shape]


class Engine(Protocol):
    """What spreads the work over processes or machines, each of which reaches the files by the same paths."""

    def scan(self, slices: Sequence[Slice], options: BulkOptions) -> Iterator[Scanned]:
        """`scan` of each slice, in any order."""

    def tag(self, job: Manifest) -> Iterator[Shard]:
        """`tag_slice` of each slice that is left, in any order, until none is left."""


def plan_job(
    inputs: Iterable[str], output: Path, model: tuple[str, str], options: BulkOptions, kind: Kind | None = None
) -> Manifest:
    """A job of which nothing is done yet.

    Args:
        inputs: Files, folders and patterns, see `find_files`.
        output: The folder of the shards.
        model: The name of the model and the digest of its files.
        options: The options.
        kind: The kind of the files; None for that of their suffixes.

    Raises:
        InputError: If there are no files, or one cannot be read or is of no known kind.
    """
    files = find_files(inputs, kind, apart_from=output)
    cut = cut_files(files, options.shard_bytes, options.output_format, options.encoding)
    return Manifest(output, {"name": model[0], "digest": model[1]}, options, cut)


def run_job(
    job: Manifest, engine: Engine, *, resume: bool = False, checking: Progress = silent, tagging: Progress = silent
) -> None:
    """Do what is left of a job.

    Args:
        job: The job.
        engine: What spreads the work.
        resume: True to take over what an earlier call has done; if there was none, it begins.
        checking: Called with the slices that are checked.
        tagging: Called with the rows that are tagged.

    Raises:
        InputError: If the output is no folder for this job, or another process is writing there; if a file cannot be
            read, or a shard cannot be written.
    """
    with locked(job.folder) as check:
        if not (resume and job.resume()):
            _check_free(job.folder)
            found = list[Scanned]()
            for scanned in engine.scan(job.slices, job.options):
                found.append(scanned)
                checking(len(found), len(job.slices))
            found.sort()
            job.rows = {part.shard: of_part.rows for part, of_part in zip(job.slices, found, strict=True)}
            job.shapes = joined_shapes([of_part.shapes for of_part in found])
        check()
        _remove_left(job)
        job.write()
        for shard in engine.tag(job):
            check()
            job.enter(shard)
            tagging(sum(one.rows for one in job.done.values()), sum(job.rows.values()))
        check()
        _remove_left(job)
        job.write()


def _remove_left(job: Manifest) -> None:
    """Remove the halves of shards that killed workers left, before the work and after it: no worker is writing then."""
    for folder in {(job.folder / part.shard).parent for part in job.slices}:
        remove_temp_files(folder, alone=True)


def _check_free(folder: Path) -> None:
    """Refuse a folder that holds anything that a reader of the shards would read, too.

    Raises:
        InputError: If it does.
    """
    if (folder / MANIFEST).exists():
        raise InputError("this folder holds a job: go on with --resume, or choose another one", path=folder)
    if other := next((path.name for path in folder.iterdir() if path.name[0] not in "._"), None):
        raise InputError(f"expected a new or empty folder, found {other!r} in it", path=folder)

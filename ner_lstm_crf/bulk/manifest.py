"""What a bulk job is and what of it is done, in files beside its shards.

    _manifest.json     the model, the options, the files with their slices; complete, the size of each shard
    _progress.jsonl    while the job goes on: a line for each shard that has been finished since

Readers of a folder of Parquet (pandas, Arrow, Spark) pass over names that begin with `_`. A shard is entered after it
is on the disk under its name. One that a kill left without an entry is made again, to the same content.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ner_lstm_crf import __version__
from ner_lstm_crf.bulk.columns import Shape
from ner_lstm_crf.bulk.inputs import InputFile, Slice
from ner_lstm_crf.bulk.shards import BulkOptions, Shard
from ner_lstm_crf.errors import InputError, counted
from ner_lstm_crf.files.atomic import append_line, write_text
from ner_lstm_crf.files.json import parse_json
from ner_lstm_crf.files.saved import read_saved

MANIFEST, PROGRESS = "_manifest.json", "_progress.jsonl"


@dataclass(slots=True)
class Manifest:
    """A bulk job.

    Attributes:
        folder: The folder of its shards.
        model: The name of the model and the digest of its files.
        options: The options.
        files: The files with their slices.
        rows: The number of rows of each slice, by the name of its shard.
        shapes: The columns of JSON lines.
        done: The finished shards by their names.
    """

    folder: Path
    model: Mapping[str, str]
    options: BulkOptions
    files: Sequence[InputFile]
    rows: dict[str, int] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    done: dict[str, Shard] = field(default_factory=dict)

    @property
    def slices(self) -> list[Slice]:
        """All slices, in the order of the files."""
        return [part for file in self.files for part in file.slices]

    @property
    def left(self) -> list[Slice]:
        """The slices that are not tagged yet."""
        return [part for part in self.slices if part.shard not in self.done]

    def to_json(self) -> dict[str, Any]:
        """The content of `_manifest.json`: of finished shards all that is known."""

        def of_shard(part: Slice) -> dict[str, Any]:
            """A shard: where it is from, and its sizes."""
            found = self.done.get(part.shard)
            sizes = {} if found is None else {"entities": found.entities, "bytes": found.bytes}
            rows = self.rows[part.shard]
            return {"name": part.shard, "start": part.start, "stop": part.stop, "rows": rows, **sizes}

        return {
            "version": __version__,
            "model": dict(self.model),
            "options": self.options.to_json(),
            "complete": not self.left,
            "rows": sum(self.rows.values()),
            "entities": sum(shard.entities for shard in self.done.values()),
            "columns": self.shapes,
            "files": [
                {
                    "path": file.path,
                    "kind": file.kind,
                    "bytes": file.bytes,
                    "modified": file.modified,
                    "rows": sum(self.rows[part.shard] for part in file.slices),
                    "shards": [of_shard(part) for part in file.slices],
                }
                for file in self.files
            ],
        }

    def write(self) -> None:
        """Write `_manifest.json`; the progress, which is in it, goes.

        Raises:
            InputError: If it cannot be written.
        """
        write_text(self.folder / MANIFEST, json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n")
        with suppress(OSError):
            (self.folder / PROGRESS).unlink(missing_ok=True)

    def enter(self, shard: Shard) -> None:
        """Keep that a shard is finished.

        Raises:
            InputError: If that cannot be written.
        """
        append_line(self.folder / PROGRESS, json.dumps(asdict(shard)))
        self.done[shard.name] = shard

    def resume(self) -> bool:
        """Take over what an earlier call has done; False if there was none.

        Raises:
            InputError: If it was another job, or its manifest is damaged.
        """
        path = self.folder / MANIFEST
        if not path.is_file():
            return False
        old = parse_json(read_saved(path, "manifest"), path, "manifest")
        try:
            self._check_same(old)
            shards = [shard for file in old["files"] for shard in file["shards"]]
            self.rows = {shard["name"]: shard["rows"] for shard in shards}
            self.shapes = old["columns"]
            entered = [
                Shard(one["name"], one["rows"], one["entities"], one["bytes"]) for one in shards if "bytes" in one
            ]
        except (TypeError, KeyError, AttributeError) as error:
            raise InputError(f"the manifest is damaged: {error!r}", path=path) from error
        if self.rows.keys() != {part.shard for part in self.slices}:
            raise InputError("the manifest is damaged: it has other shards", path=path)
        # A shard counts if it was entered, and is still there as it was.
        for shard in [*entered, *self._progress()]:
            with suppress(OSError):
                if self.rows.get(shard.name) == shard.rows and self._size(shard.name) == shard.bytes:
                    self.done[shard.name] = shard
        return True

    def _size(self, name: str) -> int:
        return (self.folder / name).stat().st_size

    def _progress(self) -> list[Shard]:
        """The shards of `_progress.jsonl`; a line that a kill cut short is no entry."""
        path, shards = self.folder / PROGRESS, list[Shard]()
        if path.is_file():
            for line in read_saved(path, "progress").splitlines():
                with suppress(ValueError, TypeError):
                    shards.append(Shard(**json.loads(line)))
        return shards

    def _check_same(self, old: Mapping[str, Any]) -> None:
        """Refuse to go on with another job.

        Raises:
            InputError: If the version, the model, an option or a file differs.
        """
        if old["version"] != __version__:
            message = f"the job to resume was begun by version {old['version']}, this is {__version__}"
            raise InputError(message, path=self.folder)
        if old["model"]["digest"] != self.model["digest"]:
            was, now = old["model"]["name"], self.model["name"]
            raise InputError(f"the job to resume had another model: {was}, this is {now}", path=self.folder)
        for key, value in self.options.to_json().items():
            if (was := old["options"][key]) != value:
                raise InputError(f"the job to resume had {key} = {was!r}, this one has {value!r}", path=self.folder)
        files = {one["path"]: (one["bytes"], one["modified"]) for one in old["files"]}
        for file in self.files:
            if file.path not in files:
                raise InputError("the job to resume had not this file: tag it apart", path=file.path)
            if files.pop(file.path) != (file.bytes, file.modified):
                raise InputError("this file has changed since the job to resume was begun", path=file.path)
        if files:
            others = f" and {counted(len(files) - 1, 'other')}" if len(files) > 1 else ""
            raise InputError(f"the job to resume had this file{others} as well", path=next(iter(files)))

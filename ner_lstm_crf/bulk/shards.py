"""A slice tagged into its shard, which appears whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal, TypeAlias

from ner_lstm_crf.bulk.columns import Shape, arrow_type, fitted, is_unicode, joined, shape_of
from ner_lstm_crf.bulk.inputs import Slice, open_parquet
from ner_lstm_crf.bulk.rows import Batch, check_text_column, read_batches
from ner_lstm_crf.config import DecodingName, Precision
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.atomic import make_directory, replacing
from ner_lstm_crf.files.json import json_line
from ner_lstm_crf.tagging.script_tagger import ScriptTagger
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.text.annotation import Entity

ShardFormat: TypeAlias = Literal["parquet", "jsonl"]

ENTITIES = "entities"
"""The column of the entities."""


@dataclass(frozen=True, slots=True)
class BulkOptions:
    """What the shards depend on beside the files and the model.

    Attributes:
        text_column: The column, or the key, of the texts.
        output_format: The format of the shards.
        min_score: The least score of an entity, if there is one.
        decoding: How entities are found, see `Tagger`.
        precision: Number type of the LSTM, see `Tagger`.
        encoding: The encoding of text.
        shard_bytes: Bytes of a slice at most, where a file can be cut.
    """

    text_column: str = "text"
    output_format: ShardFormat = "parquet"
    min_score: float | None = None
    decoding: DecodingName = "viterbi"
    precision: Precision = "float32"
    encoding: str = "utf-8"
    shard_bytes: int = 32_000_000

    def to_json(self) -> dict[str, Any]:
        """The options as a JSON object."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Shard:
    """A finished shard.

    Attributes:
        name: Its path within the output.
        rows: The number of its rows.
        entities: The number of entities in them.
        bytes: Its size.
    """

    name: str
    rows: int
    entities: int
    bytes: int


def scan(part: Slice, options: BulkOptions) -> tuple[int, dict[str, Shape]]:
    """Read a slice as `tag_slice` does, to find what is wrong with it before anything is tagged.

    Returns:
        The number of its rows, and of JSON lines the shape of each key but the entities.

    Raises:
        InputError: As `read_batches` does; if a text, or a column, cannot be written in the format of the shards.
    """
    if part.kind == "parquet" and options.output_format == "jsonl":
        _check_for_json(open_parquet(part.path).schema_arrow, part.path)
    rows, shapes = 0, dict[str, Shape]()
    for batch in read_batches(part, options.text_column, options.encoding, texts_alone=True):
        rows += len(batch.texts)
        if options.output_format == "parquet" and part.kind == "jsonl":
            for line, text in zip(batch.lines, batch.texts, strict=True):
                if not is_unicode(text or ""):
                    message = "half of a surrogate pair cannot be written to Parquet: say --output-format jsonl"
                    raise InputError(message, path=part.path, line=line)
            for key, value in chain.from_iterable(row.items() for row in batch.rows):
                shapes[key] = joined(shapes.get(key, "null"), shape_of(value))
    shapes.pop(ENTITIES, None)
    return rows, shapes


def joined_shapes(all_shapes: Sequence[Mapping[str, Shape]]) -> dict[str, Shape]:
    """The columns of all slices of JSON lines, in the order in which they come."""
    columns = dict[str, Shape]()
    for shapes in all_shapes:
        for key, shape in shapes.items():
            columns[key] = joined(columns.get(key, "null"), shape)
    return columns


def tag_slice(
    tagger: Tagger | ScriptTagger,
    part: Slice,
    output: Path,
    options: BulkOptions,
    shapes: Mapping[str, Shape],
    expected: int | None = None,
) -> Shard:
    """Tag the rows of a slice and write them, with all their columns and their entities, into its shard.

    Args:
        tagger: The tagger.
        part: The slice.
        output: The folder of all shards.
        options: The options.
        shapes: The columns of JSON lines, see `scan`; all of the job, so that its shards have the same.
        expected: The number of rows that `scan` found; None if it is not known.

    Raises:
        InputError: As `read_batches` does; if the shard cannot be written, or the file has changed since `scan`.
    """
    tagger = tagger.fresh() if isinstance(tagger, ScriptTagger) else tagger
    path, rows, found = output / part.shard, 0, 0
    make_directory(path.parent)
    with replacing(path) as temporary, _writing(temporary, part, options, shapes) as write:
        for batch in read_batches(part, options.text_column, options.encoding):
            texts = [text or "" for text in batch.texts]
            tagged = zip(batch.texts, _entities(tagger, texts, options.min_score), strict=True)
            entities = [None if text is None else of_text for text, of_text in tagged]
            rows, found = rows + len(entities), found + sum(len(of_text or ()) for of_text in entities)
            write(batch, entities)
        if expected not in (None, rows):
            raise InputError(f"this file has changed: expected {expected:,} rows, found {rows:,}", path=part.path)
    return Shard(part.shard, rows, found, path.stat().st_size)


def _entities(tagger: Tagger | ScriptTagger, texts: Sequence[str], min_score: float | None) -> Iterator[list[Entity]]:
    """The entities of each text."""
    entities = list[Entity]()
    for portion in tagger.tag_portions(texts, min_score=min_score):
        entities += portion.entities()
        if portion.last:
            yield entities
            entities = []


Found: TypeAlias = Sequence[Entity] | None
"""The entities of a text; None for a text that is null."""

Write: TypeAlias = Callable[[Batch, Sequence[Found]], None]


@contextmanager
def _writing(path: Path, part: Slice, options: BulkOptions, shapes: Mapping[str, Shape]) -> Iterator[Write]:
    """A function that writes batches into a shard."""
    if options.output_format == "jsonl":
        with path.open("w", encoding="utf-8", newline="") as file:

            def write_lines(batch: Batch, entities: Sequence[Found]) -> None:
                """Write rows as JSON lines."""
                rows = batch.rows.to_pylist() if part.kind == "parquet" else batch.rows
                for row, found in zip(rows, entities, strict=True):
                    file.write(json_line(row | {ENTITIES: _as_json(found)}))

            yield write_lines
        return

    import pyarrow as pa
    import pyarrow.parquet as pq

    # 1. The columns: those of the file, of Parquet its own, and the entities in place of older ones.
    entity = {"text": pa.string(), "label": pa.string(), "start": pa.int64(), "end": pa.int64(), "score": pa.float64()}
    if part.kind == "parquet":
        given = open_parquet(part.path).schema_arrow
        check_text_column(given, part.path, options.text_column)
        metadata = _metadata(given)
        fields = [field for field in given if field.name != ENTITIES]
    else:
        columns = shapes if part.kind == "jsonl" else {options.text_column: "string"}
        metadata, fields = {}, [pa.field(key, arrow_type(shape)) for key, shape in columns.items()]
    schema = pa.schema([*fields, pa.field(ENTITIES, pa.list_(pa.struct(entity)))], metadata)

    def write_table(batch: Batch, entities: Sequence[Found]) -> None:
        """Write rows as a row group."""
        found = pa.array([*map(_as_json, entities)], schema.field(ENTITIES).type)
        if part.kind == "parquet":
            arrays = [batch.rows.column(number) for number, name in enumerate(given.names) if name != ENTITIES]
        else:
            arrays = [
                pa.array([fitted(row.get(one.name), columns[one.name]) for row in batch.rows], one.type)
                for one in fields
            ]
        writer.write_table(pa.Table.from_arrays([*arrays, found], schema=schema))

    with pq.ParquetWriter(path, schema) as writer:
        yield write_table


def _as_json(entities: Found) -> list[dict[str, Any]] | None:
    """Entities as objects of JSON."""
    return None if entities is None else [entity.to_json() for entity in entities]


def _metadata(schema: Any) -> dict[bytes, bytes]:
    """What pandas has noted of its frame, its index for one, but for the column that the entities take the place of.

    The notes of other programs may say that there are no other columns than those of the file, and stay behind.
    """
    content = (schema.metadata or {}).get(b"pandas")
    if content is None:
        return {}
    notes = json.loads(content)
    notes["columns"] = [column for column in notes["columns"] if column["name"] != ENTITIES]
    return {b"pandas": json.dumps(notes).encode()}


def _check_for_json(schema: Any, path: str) -> None:
    """Refuse columns of Parquet that JSON has no values for.

    Raises:
        InputError: If there are such.
    """
    from pyarrow import types

    def is_plain(kind: Any) -> bool:
        """True if JSON has values of this type of Arrow."""
        if types.is_list(kind) or types.is_large_list(kind) or types.is_dictionary(kind):
            return is_plain(kind.value_type)
        if types.is_struct(kind):
            return all(is_plain(kind.field(number).type) for number in range(kind.num_fields))
        tests = (types.is_null, types.is_boolean, types.is_integer, types.is_floating)
        return any(test(kind) for test in (*tests, types.is_string, types.is_large_string, types.is_string_view))

    for column in schema:
        if not is_plain(column.type):
            message = f"JSON lines cannot hold the column {column.name!r} of the type {column.type}"
            raise InputError(f"{message}: leave out --output-format jsonl", path=path)

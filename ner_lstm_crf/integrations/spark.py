"""Spark: a column of texts gets a column of entities, tagged where the rows are.

tagged = tag_spark(df, "text", "en")  # all columns of df, and `entities`

The driver reads the model once, to find mistakes before a job starts. Each Python worker then loads it from its path
when its first batch comes, and keeps it for the tasks that follow: a model is never sent with a task.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ner_lstm_crf.config import DecodingName, Precision
from ner_lstm_crf.errors import InputError, did_you_mean
from ner_lstm_crf.saving.model import SHIPPED, ModelDescription, model_directory
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.threads import one_thread

if TYPE_CHECKING:
    import pyarrow
    from pyspark.sql import DataFrame

ENTITIES = "array<struct<text: string, label: string, start: int, end: int, score: double>>"
"""The type of the new column; starts and ends count characters (code points) from 0, as Spark's `substring` does."""

_MODELS_OF_A_WORKER = 2  # kept loaded


def tag_spark(  # noqa: PLR0913  (one for each choice, as in `Tagger`)
    df: DataFrame,
    text_column: str,
    model: str | Path,
    *,
    output_column: str = "entities",
    min_score: float | None = None,
    labels: Sequence[str] | None = None,
    precision: Precision = "float32",
    decoding: DecodingName = "viterbi",
) -> DataFrame:
    """The rows of a DataFrame with the entities that `Tagger.tag` finds in a column of texts.

    It is lazy, as all of Spark: tagging begins when the result is written or counted. Rows stay in their partitions,
    in their order, so nothing is shuffled. Each Python worker tags on one thread.

    Args:
        df: The rows.
        text_column: The column of the texts. A text that is null has null for entities. Bytes of a text that are no
            UTF-8 are read as U+FFFD.
        model: The directory of a model, which every worker finds at the same absolute path; or "en" or "zh".
        output_column: The name of the new column, the last one; its type is `ENTITIES`.
        min_score: As in `Tagger.tag`.
        labels: The labels of entities that are kept; None for all.
        precision: As in `Tagger`.
        decoding: As in `Tagger`.

    Raises:
        TypeError: If `df` is no DataFrame of Spark, or `labels` is a string.
        ValueError: If there is no such decoding, or `min_score` is no probability.
        InputError: If pyspark, pandas or pyarrow is not installed; if there is no such column, or it holds no strings;
            if there is an output column already; if there is no such model, or it is damaged, or does not know one of
            the labels. In a worker, if its model is another than the driver's.
    """
    # 1. The columns. Spark tells names apart by their case only if it is told to.
    try:
        import pandas  # noqa: F401  (Spark asks for it)
        import pyarrow  # noqa: F401
        from pyspark.sql import DataFrame
        from pyspark.sql.types import StringType, StructType
    except ImportError as error:
        package = str(error.name).partition(".")[0]
        raise InputError(f"this needs the package {package}: pip install 'ner-lstm-crf[spark]'") from error
    if not isinstance(df, DataFrame):
        raise TypeError(f"expected a DataFrame of Spark, got {type(df).__name__}")
    exact = str(df.sparkSession.conf.get("spark.sql.caseSensitive")).lower() == "true"
    names = [name if exact else name.lower() for name in df.columns]
    text_name, output_name = (name if exact else name.lower() for name in (text_column, output_column))
    if names.count(text_name) != 1:
        number = "one column" if text_name in names else "a column"
        known = ", ".join(df.columns) or "none"
        raise InputError(f"expected {number} {text_column!r}, found {known}{did_you_mean(text_column, df.columns)}")
    if output_name in names:
        raise InputError(f"expected no column {output_column!r} yet, found one: output_column='...' names another")
    at = names.index(text_name)
    if not isinstance(df.schema[at].dataType, StringType):
        found = df.schema[at].dataType.simpleString()
        raise InputError(f"expected strings in column {text_column!r}, found {found}")
    # 2. The model, which is loaded here once, since what is wrong with it should be known now.
    folder = model_directory(model)
    tagger = Tagger.load(model, precision=precision, decoding=decoding)
    tagger.tag("", min_score=min_score)  # which checks the least score
    if isinstance(labels, str):
        raise TypeError(f"labels: expected a sequence of labels, got a string: [{labels!r}]")
    for label in labels or ():
        if label not in tagger.labels:
            near = did_you_mean(label, tagger.labels)
            raise InputError(f"labels: expected labels of {', '.join(tagger.labels)}, got {label!r:.80}{near}")
    source = str(model) if model in SHIPPED else str(folder.absolute())
    chosen = None if labels is None else frozenset(labels)
    work = _Work(at, source, ModelDescription.read(folder).digest, precision, decoding, min_score, chosen)
    # 3. Columns are known by their place in the worker, and get their names back by the schema: names may hold dots,
    #    and be there twice.
    schema = StructType([*df.schema.fields, *StructType.fromDDL(f"entities {ENTITIES}").fields])
    schema.fields[-1].name = schema.names[-1] = output_column
    placed = df.toDF(*(f"_{number}" for number in range(len(names))))
    return placed.mapInArrow(lambda batches: _tagged(batches, work), schema)


class _Work(NamedTuple):
    """What a worker is told: the place of the column of texts, and the arguments of `tag_spark`.

    Attributes:
        column: The place.
        model: The absolute path of the model, or the name of a shipped one.
        digest: Its digest.
        precision: As in `Tagger`.
        decoding: As in `Tagger`.
        min_score: As in `Tagger.tag`.
        labels: Those kept; None for all.
    """

    column: int
    model: str
    digest: str
    precision: Precision
    decoding: DecodingName
    min_score: float | None
    labels: frozenset[str] | None


def _tagged(batches: Iterable[pyarrow.RecordBatch], work: _Work) -> Iterator[pyarrow.RecordBatch]:
    """Each batch with the column of entities: what runs in a worker, over the rows of a task.

    Raises:
        InputError: If the model of the worker is another than the driver's.
    """
    import pyarrow as pa

    tagger = _tagger(work.model, work.digest, work.precision, work.decoding)
    for batch in batches:
        # 1. The texts; Spark does not look at what the bytes of a string are.
        texts = batch.column(work.column)
        try:
            read: list[str | None] = texts.to_pylist()
        except UnicodeDecodeError:
            content = texts.cast(pa.binary()).to_pylist()
            read = [None if text is None else text.decode(errors="replace") for text in content]
        # 2. The entities of those that are not null, on this thread alone.
        with one_thread():
            found = list(tagger.tag_many((text for text in read if text is not None), min_score=work.min_score))
        if work.labels is not None:
            found = [[one for one in entities if one.label in work.labels] for entities in found]
        # 3. As Arrow has lists: all entities one after the other, and where those of each text begin; no place is null.
        tagged, end = iter(found), 0
        starts = list[int | None]()
        for text in read:
            starts.append(None if text is None else end)
            end += 0 if text is None else len(next(tagged))
        flat = [one for entities in found for one in entities]
        fields = {
            "text": pa.array([one.text for one in flat], pa.string()),
            "label": pa.array([one.label for one in flat], pa.string()),
            "start": pa.array([one.start for one in flat], pa.int32()),
            "end": pa.array([one.end for one in flat], pa.int32()),
            "score": pa.array([one.score for one in flat], pa.float64()),
        }
        of_texts = pa.ListArray.from_arrays(
            pa.array([*starts, end], pa.int32()), pa.StructArray.from_arrays([*fields.values()], [*fields])
        )
        yield pa.RecordBatch.from_arrays([*batch.columns, of_texts], [*batch.schema.names, "entities"])


@lru_cache(_MODELS_OF_A_WORKER)
def _tagger(model: str, digest: str, precision: Precision, decoding: DecodingName) -> Tagger:
    """The tagger of a worker, loaded when it is first asked for.

    Raises:
        InputError: If it is another than the driver's.
    """
    folder = model_directory(model)
    if ModelDescription.read(folder).digest != digest:
        raise InputError(
            "expected the model that the driver has, found another: do all have the same files?", path=model
        )
    return Tagger.load(model, precision=precision, decoding=decoding)

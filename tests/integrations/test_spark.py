"""A column of texts in Spark gets the entities of `Tagger.tag`, and nothing else changes, whatever dies meanwhile."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st

from ner_lstm_crf import Entity, InputError, Tagger
from ner_lstm_crf.integrations import spark as integration
from ner_lstm_crf.integrations.spark import ENTITIES, tag_spark
from ner_lstm_crf.saving.model import ModelDescription, model_directory

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [
    "Angela Merkel visited Rome.",
    None,
    "",
    "😀 Ada Lovelace wrote to Charles Babbage in London. 😀 She never went to Paris.",
    "Nothing to see here, as on any other day.",
    "他在北京。 Milo Frank joined the Bank of England in 1998.",
    "Oslo\u200b and Ber\u00adlin\n\n| Munich | Siemens |",
    "The University of Oxford signed an agreement with Siemens in Munich last week. " * 9,
]

# What pandas is asked for is not used.
pytestmark = pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    """The shipped tagger of English."""
    return Tagger.load("en")


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """Spark in this process, two tasks at a time, each tried up to four times; its Java ends with the tests."""
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("Spark needs Java 17, and there is no java")
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    folder = tmp_path_factory.mktemp("spark")
    silent = folder / "log4j2.properties"
    silent.write_text("rootLogger.level = off\n", encoding="ascii")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.chdir(folder)
        builder = SparkSession.builder.master("local[2,4]").appName("test")
        for name, value in {
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.local.dir": str(folder),
            "spark.sql.warehouse.dir": str(folder / "warehouse"),
            "spark.driver.memory": "1g",
            "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={silent.as_uri()} -XX:TieredStopAtLevel=1",
        }.items():
            builder = builder.config(name, value)
        session = builder.getOrCreate()
        gateway = session.sparkContext._gateway
        yield session
        session.stop()
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait()
        SparkContext._gateway = SparkContext._jvm = None


def entities(column: list[Any] | None) -> list[tuple[Any, ...]] | None:
    """The entities of a row, to compare."""
    return None if column is None else [(one.start, one.end, one.label, one.text, one.score) for one in column]


def expected(tagger: Tagger, texts: Iterable[str | None], **options: Any) -> list[list[tuple[Any, ...]] | None]:
    """The same of `Tagger.tag`, one text after the other; a text alone has scores that are rounded otherwise."""
    found = (None if text is None else tagger.tag(text, **options) for text in texts)
    return [
        None
        if of_text is None
        else [(*entity[:-1], pytest.approx(entity[-1], abs=1e-6)) for entity in entities(of_text)]
        for of_text in found
    ]


def numbered(spark: SparkSession, count: int, partitions: int) -> DataFrame:
    """Rows with a number and one of the texts."""
    from pyspark.sql.functions import array, col, lit

    texts = array(*(lit(text).cast("string") for text in TEXTS))
    return spark.range(0, count, 1, partitions).select(
        col("id").alias("number"), texts[col("id") % len(TEXTS)].alias("text")
    )


class TestAWorker:
    """What runs in a worker, without Spark."""

    @settings(max_examples=30, deadline=None)
    @given(
        batches=st.lists(st.lists(st.sampled_from(TEXTS) | st.none() | st.text(max_size=30), max_size=6), max_size=4),
        kind=st.sampled_from([pa.string(), pa.large_string()]),
    )
    def test_any_batches_get_the_entities_of_each_text(
        self, tagger: Tagger, batches: list[list[str | None]], kind: pa.DataType
    ) -> None:
        digest = ModelDescription.read(model_directory("en")).digest
        work = integration._Work(1, "en", digest, "float32", "viterbi", None, None)
        columns = [[pa.array(range(len(texts))), pa.array(texts, kind)] for texts in batches]
        given = [pa.RecordBatch.from_arrays(one, ["a", "b"]) for one in columns]
        tagged = list(integration._tagged(given, work))
        assert [one.columns[:2] for one in tagged] == columns
        for texts, batch in zip(batches, tagged, strict=True):
            batch.validate(full=True)
            found = [one if one is None else [Entity(**each) for each in one] for one in batch.column(2).to_pylist()]
            assert [*map(entities, found)] == expected(tagger, texts)


class TestResults:
    """The rows of a job."""

    @pytest.mark.parametrize(("rows_of_a_batch", "large"), [(1, "false"), (7, "true"), (10_000, "false")])
    def test_each_row_gets_what_tag_finds(
        self, spark: SparkSession, tagger: Tagger, rows_of_a_batch: int, large: str
    ) -> None:
        spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", rows_of_a_batch)
        spark.conf.set("spark.sql.execution.arrow.useLargeVarTypes", large)
        try:
            given = numbered(spark, 50, 3)
            tagged = tag_spark(given, "text", "en")
            assert tagged.schema.fields[-1].dataType.simpleString() == ENTITIES.replace(": ", ":").replace(", ", ",")
            rows = tagged.collect()
        finally:
            spark.conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")
            spark.conf.unset("spark.sql.execution.arrow.useLargeVarTypes")
        assert [row[:2] for row in rows] == [tuple(row) for row in given.collect()]
        assert [row.number for row in rows] == [*range(50)]
        assert [entities(row.entities) for row in rows] == expected(tagger, [row.text for row in rows])

    def test_the_options_are_those_of_the_tagger(
        self, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shutil.copytree(model_directory("en"), tmp_path / "own")
        monkeypatch.chdir(tmp_path)  # where no worker is
        options: dict[str, Any] = {"precision": "int8", "decoding": "posterior"}
        tagged = tag_spark(
            numbered(spark, 8, 1), "text", "own", output_column="names", min_score=0.2, labels=["PER", "ORG"], **options
        )
        tagger = Tagger.load("own", **options)
        found = expected(tagger, TEXTS, min_score=0.2)
        kept = [None if row is None else [one for one in row if one[2] != "LOC"] for row in found]
        assert kept != found
        assert [entities(row.names) for row in tagged.collect()] == kept

    def test_other_columns_stay_as_they_are(self, spark: SparkSession) -> None:
        given = spark.sql(
            """select 'Ada' as text, id, id as id, array(id) as `a.b`, map('x', id) as map, X'00ff' as bytes,
            cast(null as bigint) as none, 9007199254740993 + id as large, cast(1.25 as decimal(20, 3)) as decimal,
            timestamp'2020-06-01 12:34:56.789123' as time, timestamp_ntz'1900-01-01 00:00:00' as local, true as flag,
            date'0101-02-03' as date, named_struct('q', 1Y, 'r', named_struct('z', cast(null as string))) as struct,
            interval '1' day as interval, double('nan') as nan from range(0, 5, 1, 2)"""
        )
        tagged = tag_spark(given, "TEXT", "en")
        assert tagged.schema.fields[:-1] == given.schema.fields
        assert [repr(tuple(row[:-1])) for row in tagged.collect()] == [repr(tuple(row)) for row in given.collect()]

    def test_what_is_no_utf_8_is_read_as_replacement_characters(self, spark: SparkSession, tagger: Tagger) -> None:
        content = b"Anna\xff met Bob \xe5\x8c in Rome."
        given = spark.sql(f"select cast(X'{content.hex()}' as string) as text union all select null")
        rows = tag_spark(given, "text", "en").select("entities").collect()
        assert [entities(row.entities) for row in rows] == expected(tagger, [content.decode(errors="replace"), None])

    def test_no_rows_are_no_rows(self, spark: SparkSession) -> None:
        assert tag_spark(spark.sql("select 'a' as text where false"), "text", "en").collect() == []

    def test_the_program_of_the_documentation_runs(
        self, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        page = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
        (program,) = (one for one in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "tag_spark" in one)
        assert "spark.stop()" in program
        (tmp_path / "news").mkdir()
        spark.createDataFrame([(1, "Ada met Milo in Oslo.")], "id int, text string").write.parquet(
            str(tmp_path / "news" / "part")
        )
        given = program.replace("news/", f"{tmp_path}/news/").replace("tagged/", f"{tmp_path}/tagged/")
        exec(given.replace("spark.stop()", ""), {})
        assert "Oslo" in capfd.readouterr().out
        assert spark.read.parquet(str(tmp_path / "tagged")).columns == ["id", "text", "entities"]


class TestWorkers:
    """Python workers that die, that are used again, that find other files."""

    def test_a_killed_worker_costs_no_row_and_doubles_none(
        self, spark: SparkSession, tagger: Tagger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tag, marker = integration._tagged, str(tmp_path / "killed")

        def killed_once(batches: Any, work: Any) -> Iterator[Any]:
            """The first task that has given back some rows ends as if the system had run out of memory."""
            for number, batch in enumerate(tag(batches, work)):
                yield batch
                if number == 2:
                    try:
                        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
                    except FileExistsError:
                        continue
                    os.kill(os.getpid(), signal.SIGKILL)

        monkeypatch.setattr(integration, "_tagged", killed_once)
        spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", 4)
        try:
            rows = tag_spark(numbered(spark, 80, 4), "text", "en").collect()
        finally:
            spark.conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")
        assert Path(marker).exists()
        assert [row.number for row in rows] == [*range(80)]
        assert [entities(row.entities) for row in rows] == expected(tagger, [row.text for row in rows])

    def test_a_worker_loads_a_model_once(
        self, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tag, load, folder = integration._tagged, integration._tagger, str(tmp_path)

        def counted(batches: Any, work: Any) -> Iterator[Any]:
            """Each task writes down how often its worker has loaded a model for it."""
            before = load.cache_info().misses
            yield from tag(batches, work)
            with Path(folder, str(os.getpid())).open("a") as file:
                file.write(f"{load.cache_info().misses - before}\n")

        monkeypatch.setattr(integration, "_tagged", counted)
        tagged = tag_spark(numbered(spark, 16, 8), "text", "en", decoding="posterior")  # as in no other test
        assert tagged.count() == 16
        loads = {path.name: [*map(int, path.read_text().split())] for path in tmp_path.iterdir()}
        assert sum(map(len, loads.values())) == 8
        assert all(sum(of_worker) == 1 for of_worker in loads.values())
        assert len(loads) < 8

    def test_a_worker_that_finds_another_model_says_so(self, spark: SparkSession, tmp_path: Path) -> None:
        shutil.copytree(model_directory("en"), tmp_path / "model")
        tagged = tag_spark(numbered(spark, 1, 1), "text", tmp_path / "model")
        shutil.rmtree(tmp_path / "model")
        shutil.copytree(model_directory("zh"), tmp_path / "model")
        with pytest.raises(Exception, match="expected the model that the driver has, found another"):
            tagged.collect()


class TestMistakes:
    """What is wrong is said before a job starts."""

    @pytest.mark.parametrize(
        ("options", "kind", "said"),
        [
            ({"text_column": "txt"}, InputError, "expected a column 'txt', found id, text, Twice, twice.*mean text"),
            ({"text_column": "twice"}, InputError, "expected one column 'twice', found"),
            ({"text_column": "id"}, InputError, "expected strings in column 'id', found int"),
            ({"output_column": "TEXT"}, InputError, "expected no column 'TEXT' yet"),
            ({"model": "nowhere"}, InputError, "nowhere: expected the directory of a model"),
            ({"model": __file__}, InputError, "found a file"),
            ({"labels": ["PER", "PLACE"]}, InputError, "expected labels of LOC, ORG, PER, got 'PLACE'"),
            ({"labels": "PER"}, TypeError, "expected a sequence of labels, got a string"),
            ({"min_score": 2}, ValueError, "expected a probability from 0 to 1 as min_score"),
            ({"precision": "int4"}, InputError, "expected a precision"),
            ({"decoding": "greedy"}, ValueError, "expected a decoding"),
        ],
    )
    def test_a_mistake_is_named(
        self, spark: SparkSession, options: dict[str, Any], kind: type[Exception], said: str
    ) -> None:
        given = spark.sql("select 1 as id, 'Ada' as text, 'a' as Twice, 'b' as twice")
        with pytest.raises(kind, match=said):
            tag_spark(given, **{"text_column": "text", "model": "en"} | options)

    def test_case_counts_where_spark_is_told_so(self, spark: SparkSession) -> None:
        given = spark.sql("select 'Ada' as Text, 'Milo' as entities")
        spark.conf.set("spark.sql.caseSensitive", "true")
        try:
            with pytest.raises(InputError, match="expected a column 'text', found Text, entities, did you mean Text"):
                tag_spark(given, "text", "en")
            assert tag_spark(given, "Text", "en", output_column="Entities").columns == ["Text", "entities", "Entities"]
        finally:
            spark.conf.unset("spark.sql.caseSensitive")

    def test_only_a_dataframe_of_spark_will_do(self) -> None:
        with pytest.raises(TypeError, match="expected a DataFrame of Spark, got list"):
            tag_spark(["Ada"], "text", "en")  # type: ignore[arg-type]

    @pytest.mark.parametrize("package", ["pyspark", "pandas", "pyarrow"])
    def test_a_package_that_is_missing_is_named(self, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
            monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.setitem(sys.modules, package, None)
        call: Callable[..., object] = tag_spark
        with pytest.raises(InputError, match=rf"package {package}: pip install 'ner-lstm-crf\[spark\]'"):
            call(None, "text", "en")

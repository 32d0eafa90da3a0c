"""What bulk tagging costs, piece by piece, and what follows for a terabyte: the figures of docs/scale.md.

    python scripts/scale.py rates    # tagging, loading, reading and writing, small files: one process, one thread
    python scripts/scale.py spark    # the same texts by tag_spark, with one and two Python workers (needs Java 17)
    python scripts/scale.py ray      # the same texts by tag --engine ray, with one and two workers

All times are CPU times (with Spark: of its Java, and of its Python workers) unless they are said to be by the clock, so
that other work on the machine counts little. Texts are the sentences of two treebanks, put together to documents of
some 2,000 bytes, which is what a page of news has.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from locations import SHARED
from ner_lstm_crf.config import Precision
from ner_lstm_crf.files.json import json_line
from ner_lstm_crf.formats.options import ReadOptions
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.threads import one_thread
from treebanks import read_sentences_with_text

CORPORA = {"en": "uner-en_ewt", "zh": "uner-zh_gsdsimp"}
PRECISIONS: tuple[Precision, ...] = ("float32", "int8")
PARTS = ("train.iob2", "dev.iob2", "test.iob2")
DOCUMENT = 2000  # bytes, about
TERABYTE, HOUR = 1e12, 3600.0
FILES = 300  # small ones
LOAD = (
    "import sys; from ner_lstm_crf import Tagger; "
    "Tagger.load(sys.argv[1], precision=sys.argv[2]).tag('Ada met Milo in Oslo.')"
)
MEMORY = "; print(round(int(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0]) / 1000))"


def documents(folder: Path, joiner: str) -> list[str]:
    """The sentences of a treebank, joined to documents."""
    texts, parts, size = list[str](), list[str](), 0
    for part in PARTS:
        for _, text in read_sentences_with_text(folder / part, ReadOptions(read_tags=False)):
            parts.append(text)
            size += len(text.encode())
            if size >= DOCUMENT:
                texts.append(joiner.join(parts))
                parts, size = [], 0
    return texts + ([joiner.join(parts)] if parts else [])


def bytes_of(texts: Iterable[str]) -> int:
    """Their size in UTF-8."""
    return sum(len(text.encode()) for text in texts)


def cpu_seconds(call: Callable[[], object], repeats: int) -> float:
    """The median CPU time of a call, of this process; the first call only warms up."""
    call()
    seconds = list[float]()
    for _ in range(repeats):
        began = time.process_time()
        call()
        seconds.append(time.process_time() - began)
    return median(seconds)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table in Markdown, numbers to the right."""
    print(f"| {' | '.join(head)} |\n|---|{'--:|' * (len(head) - 1)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    print(flush=True)


def rates(corpora: Path, repeats: int) -> None:
    """Print what tagging, loading, reading, writing and small files cost."""
    texts = {name: documents(corpora / folder, " " if name == "en" else "") for name, folder in CORPORA.items()}
    # 1. Tagging: texts in, entities out; what most words are is remembered, as in any long run.
    rows = list[tuple[str, ...]]()
    for name, of_language in texts.items():
        size = bytes_of(of_language)
        for precision in PRECISIONS:
            tagger = Tagger.load(name, precision=precision)
            with one_thread():
                seconds = cpu_seconds(lambda: deque(tagger.tag_many(of_language), maxlen=0), repeats)  # noqa: B023
            hours = TERABYTE / (size / seconds) / HOUR
            rows.append((name, precision, f"{size / 1e6:.2f}", f"{size / seconds / 1e3:,.0f}", f"{hours:,.0f}"))
    table(("tagger", "precision", "MB of text", "kB/s of a core", "core-hours for a terabyte"), rows)
    # 2. Loading: a new process, to its first tagged sentence.
    rows = []
    for name in texts:
        for precision in PRECISIONS:
            spent = list[float]()
            for _ in range(repeats + 1):
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                subprocess.run([sys.executable, "-c", LOAD, name, precision], check=True)
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
            memory = subprocess.run(
                [sys.executable, "-c", LOAD + MEMORY, name, precision], check=True, stdout=subprocess.PIPE, text=True
            )
            rows.append((name, precision, f"{median(spent[1:]):.2f}", memory.stdout.strip()))
    table(("tagger", "precision", "seconds to start and load", "MB of memory"), rows)
    # 3. Reading and writing, texts and their entities.
    with TemporaryDirectory(prefix="scale-") as name:
        folder = Path(name)
        rows = [(what, *cells) for what, *cells in reading(folder, texts["en"], repeats)]
        table(("reading and writing, without tagging", "MB of text a second", "core-hours for a terabyte"), rows)
        table(("one file more", "ms"), small_files(folder, texts["en"][0], repeats))


def reading(folder: Path, texts: Sequence[str], repeats: int) -> Iterable[tuple[str, str, str]]:
    """For each way to read or write, MB of text a CPU second, and core-hours for a terabyte."""
    size, tagger = bytes_of(texts), Tagger.load("en")
    found = list(tagger.tag_many(texts))
    records = [
        {"text": text, "entities": [entity.to_json() for entity in entities]}
        for text, entities in zip(texts, found, strict=True)
    ]
    lines, packed, parquet = folder / "texts.jsonl", folder / "texts.jsonl.gz", folder / "texts.parquet"
    with lines.open("w", encoding="utf-8") as file:
        file.writelines(json_line({"text": text}) for text in texts)
    packed.write_bytes(gzip.compress(lines.read_bytes(), 6))
    pq.write_table(pa.table({"text": texts}), parquet)
    tagged = pa.table({"text": texts, "entities": [record["entities"] for record in records]})

    def read_lines(path: Path, opened: Callable[..., Any] = open) -> None:
        with opened(path, "rt", encoding="utf-8") as file:
            deque((json.loads(line)["text"] for line in file), maxlen=0)

    def write_lines() -> None:
        with (folder / "tagged.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(map(json_line, records))

    def read_parquet() -> None:
        for one in pq.ParquetFile(parquet).iter_batches():
            one.column(0).to_pylist()

    ways: dict[str, Callable[[], object]] = {
        "JSON lines, read": lambda: read_lines(lines),
        "JSON lines in gzip, read": lambda: read_lines(packed, gzip.open),
        "JSON lines with entities, written": write_lines,
        "Parquet, read": read_parquet,
        "Parquet with entities, written": lambda: pq.write_table(tagged, folder / "tagged.parquet"),
    }
    for what, call in ways.items():
        seconds = cpu_seconds(call, repeats)
        yield what, f"{size / seconds / 1e6:,.0f}", f"{TERABYTE / (size / seconds) / HOUR:,.1f}"


def small_files(folder: Path, text: str, repeats: int) -> Iterable[tuple[str, str]]:
    """Milliseconds that each file more takes to be opened and read, or written, with a text in it."""
    lines, parquet = folder / "lines", folder / "parquet"
    for one in (lines, parquet):
        one.mkdir()
    table_of_one = pa.table({"text": [text]})
    for number in range(FILES):
        (lines / f"{number}.jsonl").write_text(json_line({"text": text}), encoding="utf-8")
        pq.write_table(table_of_one, parquet / f"{number}.parquet")
    ways: dict[str, Callable[[], object]] = {
        "JSON lines, read": lambda: [json.loads(path.read_text(encoding="utf-8")) for path in lines.iterdir()],
        "Parquet, read": lambda: [pq.ParquetFile(path).read() for path in parquet.iterdir()],
        "Parquet, written": lambda: [
            pq.write_table(table_of_one, parquet / f"{number}.parquet") for number in range(FILES)
        ],
    }
    for what, call in ways.items():
        yield what, f"{1000 * cpu_seconds(call, repeats) / FILES:.2f}"


def spark(corpora: Path, copies: int) -> None:
    """Print what Spark adds, with one and with two Python workers."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    from pyspark.sql import SparkSession

    from ner_lstm_crf.integrations.spark import tag_spark

    texts = documents(corpora / CORPORA["en"], " ") * copies
    size, rows = bytes_of(texts), list[tuple[str, ...]]()
    with TemporaryDirectory(prefix="scale-") as name:
        source = Path(name) / "texts"
        source.mkdir()
        for part in range(8):
            pq.write_table(pa.table({"text": texts[part::8]}), source / f"{part}.parquet")
        for workers in (1, 2):
            session = (
                SparkSession.builder.master(f"local[{workers}]")
                .config("spark.ui.enabled", "false")
                .config("spark.log.level", "ERROR")
                .config("spark.sql.files.maxPartitionBytes", "200k")
                .getOrCreate()
            )
            tagged = tag_spark(session.read.parquet(str(source)), "text", "en")
            tagged.limit(1).collect()  # Java, and a worker with its model, are there
            before, began = of_children(), time.perf_counter()
            tagged.write.mode("overwrite").parquet(str(Path(name) / "tagged"))
            seconds = time.perf_counter() - began
            java, python = (after - early for after, early in zip(of_children(), before, strict=True))
            rows.append(
                (str(workers), f"{size / 1e6:.1f}", f"{size / python / 1e3:,.0f}", f"{java:.1f}", f"{seconds:.1f}")
            )
            session.stop()
    table(("workers", "MB of text", "kB/s of a worker's core", "CPU seconds of Java", "seconds by the clock"), rows)


def ray(corpora: Path, copies: int) -> None:
    """Print the rates of one and of two workers of Ray, from the first finished shard to the last."""
    from ner_lstm_crf.integrations.ray import connected, tag_files

    texts = documents(corpora / CORPORA["en"], " ") * copies
    size, rows = bytes_of(texts), list[tuple[str, ...]]()
    with TemporaryDirectory(prefix="scale-") as name:
        lines = Path(name) / "texts.jsonl"
        with lines.open("w", encoding="utf-8") as file:
            file.writelines(json_line({"text": text}) for text in texts)
        for workers in (1, 2):
            reports = list[tuple[float, int]]()

            def report(done: int, total: int | None) -> None:
                del total
                reports.append((time.perf_counter(), done))  # noqa: B023

            with connected():
                tag_files(lines, Path(name) / f"{workers}", "en", workers=workers, shard_bytes=250_000, tagging=report)
            (began, first), (ended, last) = reports[0], reports[-1]
            rate = (last - first) / (ended - began)
            rows.append((str(workers), f"{rate:,.0f}", f"{size * rate / len(texts) / 1e3:,.0f}"))
    table(("workers", "rows/s", "kB/s by the clock"), rows)


def of_children() -> tuple[float, float]:
    """CPU seconds of Java, and of the Python below it, those that have ended included; on Linux alone."""
    # 1. Name, parent and times of each process: what follows the name, which may hold anything, in brackets.
    found = dict[int, tuple[str, int, list[int]]]()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            head, _, rest = path.read_text(encoding="utf-8").rpartition(")")
        except OSError:  # it has ended meanwhile
            continue
        process, _, name = head.partition(" (")
        found[int(process)] = name, int(rest.split()[1]), [*map(int, rest.split()[11:15])]
    # 2. Those that come of this one.
    java = python = 0
    for number, (name, _, (user, system, user_of_ended, system_of_ended)) in found.items():
        above = number
        while above in found and above != os.getpid():
            above = found[above][1]
        if above != os.getpid() or number == os.getpid():
            continue
        if name == "java":
            java += user + system
        else:
            python += user + system + user_of_ended + system_of_ended
    return java / os.sysconf("SC_CLK_TCK"), python / os.sysconf("SC_CLK_TCK")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; the exit code is 0, or 2 if Java is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("rates", "spark", "ray"))
    parser.add_argument(
        "--corpora", type=Path, default=SHARED / "corpora", help="folder of uner-en_ewt, uner-zh_gsdsimp"
    )
    parser.add_argument("--repeats", type=int, default=3, help="samples of each figure, of which the median counts (3)")
    parser.add_argument("--copies", type=int, default=3, help="of the texts, for spark and ray (3)")
    args = parser.parse_args(arguments)
    if args.what == "rates":
        rates(args.corpora, args.repeats)
        return 0
    if args.what == "ray":
        ray(args.corpora, args.copies)
        return 0
    if shutil.which("java") is None:
        print("error: expected Java 17, found no java", file=sys.stderr)
        return 2
    spark(args.corpora, args.copies)
    return 0


if __name__ == "__main__":
    sys.exit(main())

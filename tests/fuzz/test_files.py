"""Files of every format, damaged in every way: they are read and counted right, or refused in one clear line.

pytest tests/fuzz/test_files.py --inputs 100000
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import json
import logging
import lzma
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from itertools import islice, pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TypeAlias

import pytest
from hypothesis import given, note, settings, strategies as st

from ner_lstm_crf.corpora.inspect import describe, inspect_files
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.text import stream_lines
from ner_lstm_crf.formats.conll import read_conll, replace_tags
from ner_lstm_crf.formats.options import ReadOptions, ReadReport
from ner_lstm_crf.formats.registry import FORMATS, convert, detect_format, read_sentences, write_sentences
from ner_lstm_crf.formats.text_json import text_of
from ner_lstm_crf.tags.labels import LabelMap
from ner_lstm_crf.text.annotation import Sentence

CORPORA = Path(__file__).resolve().parents[2] / "corpora"
SENTENCES, SECONDS = 6, 10

Mutation: TypeAlias = Callable[[bytes, Random], bytes]


# Seeds: the first sentences of the corpora in every form.


def _columns(sentences: Sequence[Sentence], row: Callable[[int, int, str, str], str], between: str = "\n") -> bytes:
    """Column files with any rows; `row` makes one of the numbers of sentence and token, the token and its tag."""
    blocks = []
    for index, sentence in enumerate(sentences, 1):
        tags = ["O"] * len(sentence.tokens)
        for start, end, label in sentence.spans:
            tags[start:end] = [f"B-{label}", *[f"I-{label}"] * (end - start - 1)]
        rows = enumerate(zip(sentence.words, tags, strict=True), 1)
        blocks.append("".join(row(index, number, word, tag) + "\n" for number, (word, tag) in rows))
    return between.join(blocks).encode()


@lru_cache(maxsize=1)
def seeds() -> dict[str, bytes]:
    """Files by the name they would have."""
    with TemporaryDirectory() as folder:
        return _seeds(Path(folder))


def _seeds(folder: Path) -> dict[str, bytes]:
    seeds = {}
    for language in ("en", "zh"):
        sentences = list(islice(read_conll(CORPORA / language / "train.conll", report=ReadReport()), SENTENCES))
        for name in FORMATS:
            path = folder / f"{language}-{name}{(FORMATS[name].suffixes or ('.jsonl',))[0]}"
            write_sentences(path, sentences, output_format=name)
            seeds[path.name] = path.read_bytes()
            if name == "brat":
                seeds[f"{language}-brat.txt"] = path.with_suffix(".txt").read_bytes()
        texts = [text_of(sentence) for sentence in sentences]
        tasks = [
            {
                "data": {"text": text.text},
                "annotations": [
                    {"result": [{"value": {"start": e.start, "end": e.end, "text": e.text, "labels": [e.label]}}]}
                    for e in text.entities[:1]
                ],
            }
            for text in texts
        ]
        spans = [
            {
                "text": text.text,
                "answer": answer,
                "spans": [{"start": s.start, "end": s.end, "label": s.label} for s in text.spans],
            }
            for text, answer in zip(texts, ["accept", "reject", "ignore"] * 2, strict=True)
        ]
        seeds |= {
            f"{language}-tasks.json": json.dumps(tasks, indent=1).encode(),
            f"{language}-answers.jsonl": "".join(json.dumps(one) + "\n" for one in spans).encode(),
            f"{language}-spaces.conll": _columns(sentences, lambda _, __, word, tag: f"{word} NN I-NP {tag}"),
            f"{language}-quoted.csv": b"Sentence,Word,Tag\n"
            + _columns(sentences, lambda at, _, word, tag: f'{at},"{word}",{tag}', between=""),
            f"{language}-plain.txt": "\n".join(text.text for text in texts).encode(),
            f"{language}-conllu.conllu": _columns(
                sentences, lambda _, at, word, tag: f"{at}\t{word}\t_\tX\t_\t_\t0\troot\t_\tSpaceAfter=No|name={tag}"
            ),
        }
    return seeds


# Mutations


PIECES = (
    *(
        b"\0",
        b"\r",
        b"\r\n",
        b"\n",
        b"\n\n",
        b"\t",
        b"\t\t",
        b" ",
        b",",
        b'"',
        b"\\",
        b"\x1b[2J",
        b"\x85",
        b"\xff",
        b"\x80",
    ),
    *("\ufeff".encode(), "\u2028".encode(), "\u200b".encode(), "\u3000".encode(), "é".encode("latin-1"), "😀".encode()),
    *(
        b"#",
        b"# ",
        b"## x\n",
        b"# newdoc\n",
        b"-DOCSTART-",
        b"_",
        b"O",
        b"B-",
        b"I-O",
        b"B-PER",
        b"L-PER",
        b"(PER*",
        b"*)",
        b"-",
    ),
    *(
        b"[",
        b"]",
        b"[[",
        b"{",
        b"}",
        b"](PER)",
        b"[a](B)",
        b"null",
        b"true",
        b"NaN",
        b"1e400",
        b"-1",
        b"0",
        b"9" * 5000,
    ),
    *(b'"\\ud800"', b"\\u12", b'"text": 3,', b'"answer": "reject",', b"[" * 3000, b'{"a":' * 3000, b"1-2\t", b"3.1\t"),
)
ENCODINGS = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "gb18030", "big5", "utf-8-sig", "cp1251")


def _insert(content: bytes, random: Random) -> bytes:
    at = random.randrange(len(content) + 1)
    return content[:at] + random.choice(PIECES) + content[at:]


def _flip(content: bytes, random: Random) -> bytes:
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 20))):
        if changed:
            changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _delete(content: bytes, random: Random) -> bytes:
    start = random.randrange(len(content) + 1)
    return content[:start] + content[start + random.choice((1, 2, 10, 100)) :]


def _truncate(content: bytes, random: Random) -> bytes:
    return content[: random.randrange(len(content) + 1)]


def _lines(content: bytes, random: Random) -> bytes:
    lines = content.splitlines(keepends=True) or [b""]
    one, other = random.randrange(len(lines)), random.randrange(len(lines))
    match random.randrange(6):
        case 0:
            lines.insert(one, lines[other])
        case 1:
            lines[one], lines[other] = lines[other], lines[one]
        case 2:
            del lines[one]
        case 3:
            lines[one] = lines[one].rstrip(b"\r\n")
        case 4:
            lines.insert(one, random.choice((b"\n", b" \n", b"\t\n", b"\r\n")))
        case _:
            lines = lines[one:] + lines[:one]
    return b"".join(lines)


def _cells(content: bytes, random: Random) -> bytes:
    lines = content.split(b"\n")
    at = random.randrange(len(lines))
    cells = lines[at].split(b"\t")
    cell = random.randrange(len(cells))
    match random.randrange(5):
        case 0:
            del cells[cell]
        case 1:
            cells.insert(cell, random.choice(PIECES))
        case 2:
            cells[cell] = random.choice(PIECES)
        case 3:
            cells[cell] = b""
        case _:
            return content.replace(b"\t", random.choice((b" ", b",", b"  ", b"\t\t", b";", b"\xc2\xa0")))
    lines[at] = b"\t".join(cells)
    return b"\n".join(lines)


def _replace(content: bytes, random: Random) -> bytes:
    old = random.choice(
        (b"\n", b"\n\n", b'"', b"[", b"]", b":", b"B-", b"I-", b"O", b"text", b"label", b"start", b"PER", b"1")
    )
    new = random.choice(PIECES)
    return content.replace(old, new if random.randrange(2) else b"", random.choice((1, -1)))[:200_000]


def _encode(content: bytes, random: Random) -> bytes:
    return content.decode("utf-8", "replace").encode(random.choice(ENCODINGS), "ignore")


def _compress(content: bytes, random: Random) -> bytes:
    return random.choice((gzip.compress, bz2.compress, lzma.compress))(content)


def _mark(content: bytes, random: Random) -> bytes:
    return random.choice((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF32_BE)) + content


MUTATIONS: tuple[Mutation, ...] = (
    _insert,
    _flip,
    _delete,
    _truncate,
    _lines,
    _cells,
    _replace,
    _encode,
    _compress,
    _mark,
)


# What must hold


@contextmanager
def in_time() -> Iterator[None]:
    """Fail if this takes too long."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"not ended after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def check_error(error: InputError, *paths: Path) -> None:
    """The message of a refusal is one line that names the file."""
    text = str(error)
    assert not any(character in text for character in "\n\r\x1b\0"), text
    names = [*paths, *(path.with_suffix(suffix) for path in paths for suffix in (".txt", ".ann"))]  # of brat
    assert any(text.startswith(f"{path}:") for path in names), text
    assert len(text) < 2000, text


def plain(sentences: Sequence[Sentence]) -> list[tuple[list[str], tuple[object, ...]]]:
    """The words and spans of those that have words: a sentence without any cannot be written in every format."""
    return [(sentence.words, sentence.spans) for sentence in sentences if sentence.tokens]


def check_counts(sentences: Sequence[Sentence], report: ReadReport, options: ReadOptions) -> None:
    """The report says of the sentences what they say themselves."""
    assert report.sentences == len(sentences) > 0
    assert report.tokens == sum(len(sentence.tokens) for sentence in sentences)
    assert report.documents == sentences[-1].document + 1
    labels = Counter(span.label for sentence in sentences for span in sentence.spans)
    renamed = Counter[str | None]()
    for label, count in report.labels.items():
        renamed[options.labels.renaming(label)] += count
    del renamed[None]
    assert labels == renamed
    assert all(token.end - token.start == len(token.text) for sentence in sentences for token in sentence.tokens)
    assert all(one.line is not None and one.line <= two.line for one, two in pairwise(sentences))  # type: ignore[operator]


def check_inspection(path: Path, options: ReadOptions, sentences: Sequence[Sentence]) -> None:
    """`inspect` counts what is read."""
    inspection = inspect_files([path], options)
    facts = inspection.files[0]
    assert (facts.sentences, facts.tokens) == (len(sentences), sum(len(one.tokens) for one in sentences))
    assert facts.per_label == Counter(span.label for one in sentences for span in one.spans)
    assert facts.lengths == Counter(len(one.tokens) for one in sentences)
    assert describe(inspection)
    json.dumps(inspection.to_json())


def check_converted(path: Path, target: Path, name: str, options: ReadOptions, sentences: Sequence[Sentence]) -> None:
    """Sentences written in another format are read again as the same."""
    try:
        convert(
            path,
            target,
            output_format=name,
            scheme="IOB2" if FORMATS[name].has_tags else None,
            options=options,
            report=ReadReport(),
        )
    except InputError as error:
        check_error(error, path, target)
        return
    again = replace(options, labels=LabelMap(), scheme="IOB2" if FORMATS[name].has_tags else None)
    if name in ("inline", "tokens") and options.read_tags:
        assert plain(read_sentences(target, again, report=ReadReport())) == plain(sentences)
    elif name == "conll":
        if options.read_tags and detect_format(path, options) is not FORMATS["conll"]:
            columns = replace(again, token_column=1, tag_column=2, separator="tab")
            assert plain(read_sentences(target, columns, report=ReadReport())) == plain(sentences)
    else:
        read = read_sentences(target, again, report=ReadReport())
        found = Counter(span.label for one in read for span in one.spans)
        assert found <= Counter(span.label for one in sentences for span in one.spans)


def check_tagging(path: Path, target: Path, options: ReadOptions) -> None:
    """A file is read as `tag` reads it: lines of text, and columns that are written again."""
    for _ in stream_lines(path, options.encoding):
        pass
    if detect_format(path, options) is not FORMATS["conll"]:
        return
    untagged = replace(options, read_tags=False, labels=LabelMap())
    sentences = list(read_conll(path, untagged, report=ReadReport()))
    replace_tags(path, target, [one.with_spans(()) for one in sentences], options=untagged)
    assert plain(list(read_conll(target, untagged, report=ReadReport()))) == plain(sentences)


def check(path: Path, target: Path, options: ReadOptions, use: str) -> None:
    """A file is read and counted right, and then put to a use; or refused."""
    try:
        report = ReadReport()
        sentences = read_sentences(path, options, report=report)
        report.warn(path, options, rewritten=True)
        check_counts(sentences, report, options)
        if use == "inspect":
            check_inspection(path, options, sentences)
        elif use == "tag":
            check_tagging(path, target, options)
        else:
            check_converted(path, target, use, options, sentences)
    except InputError as error:
        check_error(error, path, target)


OPTIONS = st.builds(
    ReadOptions,
    encoding=st.sampled_from(["utf-8"] * 12 + ["latin-1", "utf-16", "gb18030"]),
    token_unit=st.sampled_from([None, None, None, "word", "character"]),
    ill_formed=st.sampled_from(["conlleval", "conlleval", "strict", "error"]),
    labels=st.sampled_from([LabelMap(), LabelMap(), LabelMap.parse("PER"), LabelMap.parse(None, ["PER=LOC"])]),
    overlaps=st.sampled_from(["longest", "error"]),
    read_tags=st.sampled_from([True, True, True, False]),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the damaged ones."""
    return tmp_path_factory.mktemp("files")


NAMES = [
    f"{language}-{rest}"
    for language in ("en", "zh")
    for rest in (
        *(
            "conll.conll",
            "jsonl.jsonl",
            "cluener.jsonl",
            "doccano.jsonl",
            "label-studio.jsonl",
            "webanno.jsonl",
            "brat.ann",
            "brat.txt",
            "spacy.spacy",
            "tokens.jsonl",
            "inline.inline",
            "tasks.json",
            "prodigy.jsonl",
            "answers.jsonl",
        ),
        *("spaces.conll", "quoted.csv", "plain.txt", "conllu.conllu"),
    )
]


@given(
    name=st.sampled_from(NAMES),
    suffix=st.sampled_from([None, None, None, "", ".txt", ".conll", ".jsonl", ".inline", ".csv", ".spacy"]),
    mutations=st.lists(st.tuples(st.sampled_from(MUTATIONS), st.integers(0, 2**32 - 1)), max_size=4),
    options=OPTIONS,
    use=st.sampled_from(["inspect", "tag", *FORMATS]),
)
@settings.get_profile("fuzz")
def test_a_damaged_file_is_read_and_counted_right_or_refused_in_one_line(
    name: str,
    suffix: str | None,
    mutations: list[tuple[Mutation, int]],
    options: ReadOptions,
    use: str,
    folder: Path,
) -> None:
    """Read, then inspected, converted or read as `tag` does."""
    content = seeds()[name]
    for mutate, seed in mutations:
        content = mutate(content, Random(seed))
    path = folder / (name if suffix is None else f"x{suffix}")
    path.write_bytes(content)
    other = path.with_suffix({".ann": ".txt", ".txt": ".ann"}.get(path.suffix, ".other"))
    if "brat" in name and other.suffix != ".other":
        other.write_bytes(seeds()[f"{name.partition('-')[0]}-brat{other.suffix}"])
    note(repr(content)[:5000])
    logging.disable(logging.CRITICAL)
    try:
        with in_time():
            # What `tag` writes is read again as the file was: its name says so, too.
            ending = (FORMATS[use].suffixes or ("",))[0] if use in FORMATS else path.suffix
            check(path, folder / f"target{ending}", options, use)
    finally:
        logging.disable(logging.NOTSET)
        path.unlink()
        other.unlink(missing_ok=True)

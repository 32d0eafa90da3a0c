"""The reader against 21 published corpora: what was counted in each file, and what no file may lose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from ner_lstm_crf.corpora.inspect import inspect_files
from ner_lstm_crf.formats.conll import Conll, read_conll
from ner_lstm_crf.formats.options import ReadOptions, ReadReport, WriteOptions
from ner_lstm_crf.tags.labels import LabelMap
from ner_lstm_crf.tags.scheme import SCHEMES
from tests.real_corpora import EVERY_FILE, Facts

pytestmark = pytest.mark.real

Find = Callable[[str], Path]

READING = ReadOptions(labels=LabelMap.parse(None, ["O=ARTEFACT"]))  # a training file has tags B-O


@EVERY_FILE
def test_every_file_is_read_as_published_and_written_back(facts: Facts, corpus_file: Find, tmp_path: Path) -> None:
    source, report = corpus_file(facts.name), ReadReport()
    Conll().rewrite(source, tmp_path / "same", READING, WriteOptions(), report)
    assert report.scheme == facts.scheme
    assert (report.sentences, report.tokens) == (facts.sentences, facts.tokens)
    assert report.labels == facts.labels
    assert (report.widths, len(report.ragged)) == (facts.widths, facts.tokens - max(facts.widths.values()))
    assert len(report.ill_formed) == facts.ill_formed
    assert ((tmp_path / "same").read_bytes() == source.read_bytes()) == (
        facts.ill_formed == 0 and "O" not in facts.labels
    )


@EVERY_FILE
def test_spans_survive_bieo(facts: Facts, corpus_file: Find) -> None:
    bieo, own = SCHEMES["BIEO"], SCHEMES[facts.scheme]
    for sentence in read_conll(corpus_file(facts.name), replace(READING, scheme=facts.scheme), report=ReadReport()):
        if sentence.spans:
            tags = bieo.encode(sentence.spans, len(sentence.tokens))
            assert bieo.decode(tags, "error").spans == sentence.spans
            assert own.decode(own.encode(sentence.spans, len(tags)), "error").spans == sentence.spans


@pytest.mark.parametrize(
    ("names", "duplicates", "leaked"),
    [
        (["uner-en_ewt/train.iob2", "uner-en_ewt/dev.iob2", "uner-en_ewt/test.iob2"], [810], [(68, 5), (94, 5)]),
        (["anem/train.conll", "anem/test.conll"], [], [(104, 11)]),
        (["bc5cdr/train.tsv", "bc5cdr/dev.tsv", "bc5cdr/test.tsv"], [7, 12, 9], []),
    ],
    ids=["uner-en_ewt", "anem", "bc5cdr"],
)
def test_duplicates_and_leakage_are_those_published(
    names: list[str], duplicates: list[int], leaked: list[tuple[int, int]], corpus_file: Find
) -> None:
    """Those that were published, which are not of every file and every pair."""
    found = inspect_files([corpus_file(name) for name in names], READING)
    assert [facts.duplicates for facts in found.files[: len(duplicates)]] == duplicates
    assert [(pair.sentences, pair.long_sentences) for pair in found.overlap[: len(leaked)]] == leaked


@pytest.mark.parametrize(
    ("name", "documents"),
    [("wikigold/wikigold.conll", 145), ("sec-filings/train.conll", 5), ("sec-filings/test.conll", 3)],
)
def test_documents_end_where_the_files_say(name: str, documents: int, corpus_file: Find) -> None:
    report = ReadReport()
    numbers = [sentence.document for sentence in read_conll(corpus_file(name), report=report)]
    assert report.documents == documents
    assert all(after - before in (0, 1) for before, after in pairwise(numbers))


def words(path: Path) -> list[str]:
    return [word for sentence in read_conll(path, report=ReadReport()) for word in sentence.words]


@pytest.mark.parametrize(("name", "blank"), [("btc/f.conll", ["", " ", ""]), ("btc/h.conll", ["", "", "", " "])])
def test_tokens_that_look_blank_are_kept(name: str, blank: list[str], corpus_file: Find) -> None:
    assert [word for word in words(corpus_file(name)) if not word.strip()] == blank


@pytest.mark.parametrize(
    ("name", "character", "tokens"),
    [
        ("uner-sv_talbanken/test.iob2", " ", 46),
        ("wnut17/dev.conll", "\u200b", 1),
        ("wnut17/dev.conll", "\ufeff", 1),
        ("germeval2014/test.tsv", "\u00ad", 9),
    ],
)
def test_characters_that_trip_other_readers_are_kept(name: str, character: str, tokens: int, corpus_file: Find) -> None:
    assert sum(character in word for word in words(corpus_file(name))) == tokens


def test_chinese_words_as_characters(corpus_file: Find) -> None:
    path, options = corpus_file("uner-zh_gsdsimp/test.iob2"), ReadOptions(token_unit="character")
    for by_word, by_character in zip(read_conll(path), read_conll(path, options), strict=True):
        text = "".join("".join(by_word.words).split())
        assert "".join(by_character.words) == text
        assert {len(word) for word in by_character.words} == {1}
        assert ["".join(by_word.words[start:end]) for start, end, _ in by_word.spans] == [
            entity.text for entity in by_character.entities(text)
        ]

"""The corpora that ship with the project are what their README says."""

from __future__ import annotations

import re
import shutil
from collections import Counter, defaultdict
from pathlib import Path

import pytest

import build_corpora
from ner_lstm_crf.config import TokenUnit
from ner_lstm_crf.formats.inline import Inline, format_inline
from ner_lstm_crf.formats.options import ReadOptions, ReadReport
from ner_lstm_crf.tags.scheme import get_scheme
from ner_lstm_crf.text.annotation import Sentence
from tests.conftest import ROOT

CORPORA = ROOT / "corpora"
UNITS: dict[str, TokenUnit] = {"en": "word", "zh": "character"}
LEAST = {"en": 400, "zh": 300}
ABBREVIATIONS = re.compile(r"(?:[A-Za-z]\.)+|\d+\.|St\.|Mr\.|Mrs\.|Dr\.|dr\.|Jr\.|Ltd\.|Inc\.|Corp\.|Co\.|No\.|vs\.|o'")

PUNCTUATED = re.compile(r"[.,;:!?\"()'’…]$|^[\"(\[$€£]")
CLITIC = re.compile(r"\w(?:'s|n't|'re|'ve|'ll|'d|'m)$", re.IGNORECASE)


def source(language: str) -> list[Sentence]:
    options = ReadOptions(token_unit=UNITS[language])
    return list(Inline().read(CORPORA / language / "source.txt", options, ReadReport()))


def columns(path: Path) -> list[list[tuple[str, str]]]:
    """Read a built file by the letter of its format, without the readers of the package."""
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n\n")
    return [[tuple(line.split("\t")) for line in block.split("\n")] for block in text[:-2].split("\n\n")]


def folded(words: list[str]) -> str:
    return " ".join(words).casefold()


@pytest.mark.parametrize("language", UNITS)
def test_there_are_as_many_sentences_as_promised(language: str) -> None:
    assert len(source(language)) >= LEAST[language]


@pytest.mark.parametrize("language", UNITS)
def test_every_label_occurs_often_and_no_other(language: str) -> None:
    counts = Counter(span.label for sentence in source(language) for span in sentence.spans)
    assert set(counts) == {"PER", "LOC", "ORG", "MISC"}
    assert min(counts.values()) >= 30


@pytest.mark.parametrize("language", UNITS)
def test_no_sentence_is_there_twice_in_the_source_or_across_the_splits(language: str) -> None:
    counts = Counter(folded(sentence.words) for sentence in source(language))
    assert [text for text, count in counts.items() if count > 1] == []
    built = [
        {folded([w for w, _ in s]) for s in columns(CORPORA / language / f"{n}.conll")}
        for n in ("train", "dev", "test")
    ]
    assert sum(map(len, built)) == len(set().union(*built)) == len(counts)


@pytest.mark.parametrize("language", UNITS)
def test_hard_cases_are_there(language: str) -> None:
    sentences = source(language)
    labels = defaultdict(set)
    for sentence in sentences:
        for span in sentence.spans:
            labels[folded(sentence.words[span.start : span.end])].add(span.label)
    neighbours = [(a, b) for s in sentences for a, b in zip(s.spans, s.spans[1:], strict=False) if a.end == b.start]
    assert sum(len(found) > 1 for found in labels.values()) >= 5, "names with more than one label"
    assert sum(a.label == b.label for a, b in neighbours) >= 5, "entities of one label that touch"
    assert sum(a.label != b.label for a, b in neighbours) >= 5, "entities of two labels that touch"
    assert sum(not s.spans for s in sentences) >= len(sentences) // 20, "sentences without an entity"
    assert sum(bool(s.spans) and s.spans[0].start == 0 for s in sentences) >= 20, "entities at the start"


@pytest.mark.parametrize("language", UNITS)
def test_the_test_split_has_known_and_unknown_names(language: str) -> None:
    splits = build_corpora.split(source(language))
    names = {name: {folded(s.words[a:b]) for s in splits[name] for a, b, _ in s.spans} for name in ("train", "test")}
    known = len(names["test"] & names["train"]) / len(names["test"])
    assert 0.25 < known < 0.75


def test_lower_case_mentions_are_there() -> None:
    names = [s.words[span.start] for s in source("en") for span in s.spans]
    assert sum(name.islower() for name in names) >= 50


def test_english_tokens_are_those_of_the_penn_treebank() -> None:
    glued = [
        (sentence.line, word)
        for sentence in source("en")
        for word in sentence.words
        if (PUNCTUATED.search(word) and re.search(r"\w", word) and not ABBREVIATIONS.fullmatch(word))
        or CLITIC.search(word)
    ]
    assert glued == []


def test_the_look_at_tokens_sees_what_is_glued() -> None:
    assert all(PUNCTUATED.search(word) for word in ("Rome.", "well,", '"We', "(Norway", "$3", "cats'"))
    assert all(CLITIC.search(word) for word in ("Anna's", "don't", "i'm"))


@pytest.mark.parametrize("language", UNITS)
def test_the_built_files_hold_the_sentences_of_the_source(language: str) -> None:
    written = Counter((tuple(s.words), s.spans) for s in source(language))
    built = Counter()
    for name in ("train", "dev", "test"):
        for sentence in columns(CORPORA / language / f"{name}.conll"):
            tags = [tag for _, tag in sentence]
            built[tuple(word for word, _ in sentence), get_scheme("IOB2").decode(tags, "error").spans] += 1
    assert built == written


@pytest.mark.parametrize("language", UNITS)
def test_the_source_is_written_as_the_formatter_writes_it(language: str) -> None:
    lines = (CORPORA / language / "source.txt").read_text(encoding="utf-8").split("\n")
    for sentence in source(language):
        assert sentence.line is not None
        assert lines[sentence.line - 1] == format_inline(sentence, UNITS[language])


def test_built_files_and_the_counts_in_the_readme_are_up_to_date() -> None:
    assert build_corpora.main(["--check"]) == 0


def test_the_check_finds_what_differs_and_the_build_mends_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(CORPORA, tmp_path / "corpora")
    text = (folder / "en" / "source.txt").read_text(encoding="utf-8")
    (folder / "en" / "source.txt").write_text(text + "[Oslo](LOC) again\n", encoding="utf-8")
    before = (folder / "README.md").read_text(encoding="utf-8")
    assert build_corpora.main(["--check", "--corpora", str(folder)]) == 1
    assert "README.md: differs from its source" in capsys.readouterr().err
    assert (folder / "README.md").read_text(encoding="utf-8") == before
    assert build_corpora.main(["--corpora", str(folder)]) == 0
    assert (folder / "README.md").read_text(encoding="utf-8") != before
    assert build_corpora.main(["--check", "--corpora", str(folder)]) == 0


def test_a_malformed_source_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shutil.copytree(CORPORA, tmp_path / "corpora")
    (folder / "en" / "source.txt").write_text("fine\n[Oslo\n", encoding="utf-8")
    assert build_corpora.main(["--check", "--corpora", str(folder)]) == 2
    assert "source.txt:2: expected ']'" in capsys.readouterr().err

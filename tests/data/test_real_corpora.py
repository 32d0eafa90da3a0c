"""The reader against 21 published corpora: what their ATTRIBUTION.md says of each file, and what no file may lose."""

from __future__ import annotations

import re
from ast import literal_eval
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from ner_lstm_crf.data.columns import ColumnOptions
from ner_lstm_crf.data.conll import read_conll
from ner_lstm_crf.data.inspection import inspect_files
from ner_lstm_crf.data.report import ReadReport
from ner_lstm_crf.data.rewriting import convert_columns
from ner_lstm_crf.data.schemes import SCHEMES
from tests.conftest import SHARED

pytestmark = pytest.mark.real

ROW = re.compile(r"\| (?P<file>\S+\.(?:conll|tsv|iob2)) \|")
ILL_FORMED = {  # tags that no spans have in the file's own scheme
    *("uner-da_ddt/test.iob2", "uner-da_ddt/train.iob2", "uner-hr_set/dev.iob2"),
    *("uner-sr_set/dev.iob2", "uner-sr_set/train.iob2"),
}


@dataclass(frozen=True)
class Facts:
    """A row of the table in a corpus's ATTRIBUTION.md."""

    name: str
    scheme: str
    sentences: int
    tokens: int
    per_label: dict[str, int]
    ill_formed: int
    widths: dict[int, int]


def table(attribution: Path) -> list[Facts]:
    text = attribution.read_text(encoding="utf-8")
    scheme = re.search(r"Tag scheme: (\w+)", text)
    assert scheme
    rows = []
    for line in text.splitlines():
        if ROW.match(line):
            name, *_, sentences, tokens, entities, illegal, widths = (
                cell.strip() for cell in line.strip("|").split("|")
            )
            labels = (label.rsplit(" ", 1) for label in entities.partition(": ")[2].split(", "))
            slips = sum(literal_eval(illegal).values()) if illegal != "none" and scheme[1] == "IOB2" else 0
            rows.append(
                Facts(
                    f"{attribution.parent.name}/{name}",
                    scheme[1],
                    int(sentences),
                    int(tokens),
                    {label: int(count) for label, count in labels},
                    slips,
                    {int(width): count for width, count in literal_eval(widths).items()},
                )
            )
    return rows


FILES = [facts for path in sorted((SHARED / "corpora").glob("*/ATTRIBUTION.md")) for facts in table(path)]


def test_there_are_21_corpora(corpora):
    assert len({facts.name.partition("/")[0] for facts in FILES}) == 21
    on_disk = {f"{p.parent.name}/{p.name}" for p in corpora.glob("*/*") if p.suffix in (".conll", ".tsv", ".iob2")}
    assert {facts.name for facts in FILES} == on_disk


@pytest.mark.parametrize("facts", FILES, ids=lambda facts: facts.name)
def test_every_file_is_read_as_published_and_written_back(facts, corpora, tmp_path):
    source, report = corpora / facts.name, ReadReport()
    convert_columns(source, tmp_path / "same", report=report)
    assert report.scheme == facts.scheme
    assert (report.sentences, report.tokens) == (facts.sentences, facts.tokens)
    assert report.labels == facts.per_label
    assert (report.widths, len(report.ragged)) == (facts.widths, facts.tokens - max(facts.widths.values()))
    assert len(report.ill_formed) == facts.ill_formed
    assert (facts.name in ILL_FORMED) == (facts.ill_formed > 0)
    assert ((tmp_path / "same").read_bytes() == source.read_bytes()) == (facts.name not in ILL_FORMED)


@pytest.mark.parametrize("facts", FILES, ids=lambda facts: facts.name)
def test_spans_survive_bieo(facts, corpora):
    bieo, own = SCHEMES["BIEO"], SCHEMES[facts.scheme]
    for sentence in read_conll(corpora / facts.name, ColumnOptions(scheme=facts.scheme), report=ReadReport()):
        if sentence.spans:
            tags = bieo.encode(sentence.spans, len(sentence.tokens))
            assert bieo.decode(tags, "error").spans == sentence.spans
            assert own.decode(own.encode(sentence.spans, len(tags)), "error").spans == sentence.spans


def test_duplicates_and_leakage_are_those_published(corpora):
    ewt = inspect_files([corpora / "uner-en_ewt" / f"{split}.iob2" for split in ("train", "dev", "test")])
    assert ewt.files[0].duplicates == 810
    assert [(pair.sentences, pair.long_sentences) for pair in ewt.overlap[:2]] == [(68, 5), (94, 5)]
    assert set(ewt.files[0].per_label) - set(ewt.files[1].per_label) == {"OTH", "O"}
    anem = inspect_files([corpora / "anem" / "train.conll", corpora / "anem" / "test.conll"])
    assert (anem.overlap[0].sentences, anem.overlap[0].long_sentences) == (104, 11)
    bc5cdr = inspect_files([corpora / "bc5cdr" / f"{split}.tsv" for split in ("train", "dev", "test")])
    assert [facts.duplicates for facts in bc5cdr.files] == [7, 12, 9]


def test_documents_end_where_the_files_say(corpora):
    for name, documents in (
        ("wikigold/wikigold.conll", 145),
        ("sec-filings/train.conll", 5),
        ("sec-filings/test.conll", 3),
    ):
        report = ReadReport()
        numbers = [sentence.document for sentence in read_conll(corpora / name, report=report)]
        assert report.documents == documents
        assert all(after - before in (0, 1) for before, after in pairwise(numbers))


def test_tokens_that_trip_other_readers(corpora):
    def words(name: str) -> list[str]:
        return [word for sentence in read_conll(corpora / name, report=ReadReport()) for word in sentence.words]

    assert [word for word in words("btc/f.conll") if not word.strip()] == ["", " ", ""]
    assert [word for word in words("btc/h.conll") if not word.strip()] == ["", "", "", " "]
    assert sum(" " in word for word in words("uner-sv_talbanken/test.iob2")) == 46
    wnut = words("wnut17/dev.conll")
    assert sum("\u200b" in word for word in wnut) == sum("\ufeff" in word for word in wnut) == 1
    assert sum(word.count("\u00ad") for word in words("germeval2014/test.tsv")) == 10


def test_chinese_words_as_characters(corpora):
    path, options = corpora / "uner-zh_gsdsimp" / "test.iob2", ColumnOptions(unit="character")
    for by_word, by_character in zip(read_conll(path), read_conll(path, options), strict=True):
        text = "".join("".join(by_word.words).split())
        assert "".join(by_character.words) == text
        assert {len(word) for word in by_character.words} == {1}
        assert ["".join(by_word.words[start:end]) for start, end, _ in by_word.spans] == [
            entity.text for entity in by_character.entities(text)
        ]

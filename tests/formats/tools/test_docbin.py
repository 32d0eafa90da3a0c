"""spaCy's DocBin: its tokens, sentences and missing annotation, and files that are none."""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

import pytest
import spacy
from spacy.tokens import DocBin as SpacyDocBin

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.formats.options import ReadOptions, ReadReport
from ner_lstm_crf.formats.registry import convert, detect_format, read_sentences, write_sentences
from ner_lstm_crf.tags.labels import LabelMap
from ner_lstm_crf.text.annotation import Sentence, Span, Unknown

NLP = spacy.blank("en")


def docs(path: Path) -> list[spacy.tokens.Doc]:
    return list(SpacyDocBin().from_disk(path).get_docs(NLP.vocab))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A document of two sentences and one of tokens that nobody annotated."""
    known, unknown = NLP("Ada didn't sing.\n\n😀 Milo of Oslo did."), NLP("Bo left.")
    known.ents = [known.char_span(0, 3, "PER"), known.char_span(20, 24, "PER"), known.char_span(28, 32, "LOC")]
    SpacyDocBin(docs=[known, unknown]).to_disk(tmp_path / "x.spacy")
    return tmp_path / "x.spacy"


@pytest.mark.parametrize("name", ["x.spacy", "x.bin", "x"])
def test_documents_are_read_with_the_tokens_of_spacy(name: str, file: Path) -> None:
    path = file.rename(file.with_name(name))
    report = ReadReport()
    assert detect_format(path).name == "spacy"
    first, second, third = read_sentences(path, ReadOptions(labels=LabelMap.parse(None, ["LOC=PLACE"])), report=report)
    assert first.words == ["Ada", "did", "n't", "sing", "."]
    assert second.words == ["😀", "Milo", "of", "Oslo", "did", "."]
    assert second.spans == (Span(1, 2, "PER"), Span(3, 4, "PLACE"))
    assert third.unknown == (Unknown(0), Unknown(1), Unknown(2))
    assert (first.document, second.document, third.document) == (0, 0, 1)
    assert (report.labels, report.unknown) == ({"PER": 2, "LOC": 1}, [2, 2, 2])
    assert read_sentences(path, ReadOptions(read_tags=False))[2].unknown == ()


def test_missing_annotation_stays_missing_on_the_way_through_columns(file: Path, tmp_path: Path) -> None:
    convert(file, tmp_path / "x.conll")
    assert (tmp_path / "x.conll").read_text().endswith("-DOCSTART-\tO\n\nBo\t?\nleft\t?\n.\t?\n\n")
    convert(tmp_path / "x.conll", tmp_path / "y.spacy")
    assert [[token.ent_iob_ for token in doc] for doc in docs(tmp_path / "y.spacy")][2] == ["", "", ""]
    with pytest.raises(InputError, match=r"unknown cannot stand in JSON lines of texts.*conll, tokens, spacy can"):
        convert(file, tmp_path / "x.jsonl")


def test_spacy_can_train_on_what_is_written(tmp_path: Path) -> None:
    from spacy.training import Corpus

    sentences = [Sentence.from_words(["Ada", "sings", "."], [Span(0, 1, "PER")]), Sentence.from_words(["Bo", "left"])]
    write_sentences(tmp_path / "x.spacy", sentences)
    examples = list(Corpus(tmp_path / "x.spacy")(NLP))
    assert [example.get_aligned_ner() for example in examples] == [["U-PER", "O", "O"], ["O", "O"]]


@pytest.mark.parametrize("content", [b"", b"no documents", zlib.compress(b"no msgpack"), zlib.compress(b"\x80")])
def test_files_that_are_none_of_spacy_are_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.spacy").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.spacy: expected spaCy's documents \(DocBin\), found") as caught:
        read_sentences(tmp_path / "x.spacy")
    assert "\n" not in str(caught.value)


def test_a_small_file_does_not_become_any_number_of_bytes(tmp_path: Path) -> None:
    (tmp_path / "x.spacy").write_bytes(zlib.compress(bytes(2**26)))
    with pytest.raises(InputError, match="more than 200 times as large as their file"):
        read_sentences(tmp_path / "x.spacy")


def test_without_spacy_the_extra_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spacy.tokens", None)
    with pytest.raises(InputError, match=r"pip install 'ner-lstm-crf\[spacy\]'"):
        read_sentences(file)


@pytest.mark.parametrize("word", ["", "\ud83d"])
def test_a_token_that_spacy_does_not_take_is_refused(word: str, tmp_path: Path) -> None:
    sentences = [Sentence.from_words(["Ada", word])]
    with pytest.raises(InputError, match=r"x\.spacy: the token '.*' cannot stand in spaCy's documents"):
        write_sentences(tmp_path / "x.spacy", sentences)
    assert not (tmp_path / "x.spacy").exists()


def test_documents_are_not_written_to_standard_output(file: Path) -> None:
    with pytest.raises(InputError, match=r"standard output: spaCy's documents are no text: name a file"):
        convert(file, "-")


def test_entities_that_stand_in_a_span_group_are_named(tmp_path: Path) -> None:
    doc, path = NLP("Ada met Milo."), tmp_path / "x.spacy"
    doc.spans["sc"] = [doc.char_span(0, 3, "PER"), doc.char_span(8, 12, "PER")]
    SpacyDocBin(docs=[doc, NLP("It rains.")]).to_disk(path)
    with pytest.raises(
        InputError, match=r"x\.spacy: expected entities in doc\.ents, found none but 2 spans in doc\.spans"
    ):
        read_sentences(path)
    assert len(read_sentences(path, ReadOptions(read_tags=False))) == 2  # to be tagged
    doc.ents = spacy.util.filter_spans(doc.spans["sc"])
    SpacyDocBin(docs=[doc]).to_disk(path)
    assert read_sentences(path)[0].spans == (Span(0, 1, "PER"), Span(2, 3, "PER"))

"""Files in which not every tag is known: `?`, and alternatives such as `B-PER|O`."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ner_lstm_crf.corpora.inspect import describe, inspect_files
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.evaluation.evaluate import score_sentences
from ner_lstm_crf.formats.options import ReadOptions, ReadReport
from ner_lstm_crf.formats.registry import convert, read_sentences, write_sentences
from ner_lstm_crf.tags.labels import LabelMap
from ner_lstm_crf.tags.scheme import SCHEMES
from ner_lstm_crf.tags.tag_set import TagSet
from ner_lstm_crf.text.annotation import Sentence, Span, Unknown

ANY = ReadOptions(several_tags="any")
COLUMNS = "Ada\tB-PER\nFox\tI-PER\nmet\tO\nMilo\t?\nin\tO\nRome\tB-LOC|O\n.\tO\n\n"


def written(tmp_path: Path, text: str, name: str = "train.conll") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_known_is_known_and_the_rest_is_not(tmp_path):
    report = ReadReport()
    (sentence,) = read_sentences(written(tmp_path, COLUMNS), ANY, report=report)
    assert sentence.spans == (Span(0, 2, "PER"),)
    assert sentence.unknown == (Unknown(3), Unknown(5, frozenset({"S-LOC", "O"})))
    assert sentence.labels == {"PER", "LOC"}
    assert (report.scheme, report.unknown) == ("IOB2", [4, 6])


def test_several_tags_are_alternatives_only_where_that_is_said(tmp_path):
    path = written(tmp_path, COLUMNS)
    with pytest.raises(InputError, match=r"train\.conll:6: column 2: .*any reads that it is not known"):
        read_sentences(path)
    (sentence,) = read_sentences(path, ReadOptions(several_tags="first"))
    assert sentence.unknown == (Unknown(3),)
    assert sentence.spans == (Span(0, 2, "PER"), Span(5, 6, "LOC"))


def test_an_unknown_tag_may_be_renamed_to_o(tmp_path):
    path = written(tmp_path, COLUMNS.replace("B-LOC|O", "O"))
    (sentence,) = read_sentences(path, ReadOptions(labels=LabelMap.parse(None, ["?=O"])))
    assert sentence.unknown == ()


@pytest.mark.parametrize("text", [COLUMNS, COLUMNS.replace("\t", " "), COLUMNS.replace("Fox\tI-PER", "Fox\t?")])
def test_a_file_that_keeps_its_scheme_is_written_as_it_was(text, tmp_path):
    path = written(tmp_path, text)
    convert(path, tmp_path / "same.conll", options=ANY)
    assert (tmp_path / "same.conll").read_text(encoding="utf-8") == text


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", ["new.conll", "new.jsonl"])
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_sentences_are_read_back_from_every_scheme(scheme, name, tmp_path, data):
    bioes = st.sampled_from(["O", "B-PER", "I-PER", "E-PER", "S-PER", "S-LOC"])
    unknown = data.draw(
        st.lists(st.none() | st.frozensets(bioes, min_size=2).map(lambda tags: tags | {"O", "S-LOC"}), max_size=3)
    )
    words = ["Ada", "met", *(f"word{number}" for number in range(len(unknown)))]
    tokens = Sentence.from_words(words).tokens
    sentence = Sentence(
        tokens, (Span(0, 1, "PER"),), unknown=tuple(Unknown(2 + at, tags) for at, tags in enumerate(unknown))
    )
    path = tmp_path / name
    write_sentences(path, [sentence], scheme=scheme, output_format="tokens" if name.endswith("jsonl") else None)
    (again,) = read_sentences(path, ReadOptions(scheme=scheme, several_tags="any"))
    assert again.words == words
    assert again.spans[0] == Span(0, 1, "PER")
    # Whatever may be true of the sentence may be true of what is read.
    names, of_bioes = TagSet(SCHEMES["BIOES"], ["LOC", "PER"]).names, SCHEMES["BIOES"]
    known = [[tag] for tag in of_bioes.encode(again.spans, len(words))]
    for token, tags in again.unknown:
        known[token] = sorted(names if tags is None else tags)
    for truth in product(*(names if one.tags is None else sorted(one.tags) for one in sentence.unknown)):
        tags = ["S-PER", "O", *truth]
        if not of_bioes.decode(tags).ill_formed:
            spans = SCHEMES[scheme].decode(SCHEMES[scheme].encode(of_bioes.decode(tags).spans, len(words))).spans
            assert all(map(list.__contains__, known, of_bioes.encode(spans, len(words)))), truth


def test_tags_beside_unknown_ones_say_nothing_of_the_scheme(tmp_path):
    text = "met\t?\nFox\tI-PER\n.\tO\n\n" * 3 + "Ada\tB-PER\nFox\tI-PER\n.\tO\n\n"
    report = ReadReport()
    read_sentences(written(tmp_path, text), report=report)
    assert report.scheme == "IOB2"
    assert "ill-formed" not in (report.evidence or "")
    assert report.ill_formed == []


def test_a_file_of_mostly_unknown_tags_has_its_column_found(tmp_path):
    text = "".join(f"word{number}\t?\n" for number in range(50)) + "Rome\tB-LOC\nfell\tO\n\n"
    (sentence,) = read_sentences(written(tmp_path, text))
    assert sentence.spans == (Span(50, 51, "LOC"),)
    assert len(sentence.unknown) == 50


def test_labels_without_prefixes_may_be_unknown(tmp_path):
    text = "Ada\tPER\nmet\tO\nMilo\t?\nin\tO\nRome\tLOC\n.\tO\n\n" * 3
    path = written(tmp_path, text)
    first, *_ = read_sentences(path)
    assert first.unknown == (Unknown(2),)
    convert(path, tmp_path / "same.conll")
    assert (tmp_path / "same.conll").read_text(encoding="utf-8") == text


def test_labels_are_renamed_and_dropped_within_alternatives(tmp_path):
    text = "Ada\tB-PER\nmet\tO\nMilo\tB-person|B-PER\nin\tO\nRome\tB-LOC|O\n.\tO\n\n"
    options = ReadOptions(several_tags="any", labels=LabelMap.parse("PER", ["person=PER"]))
    (sentence,) = read_sentences(written(tmp_path, text), options)
    assert (sentence.spans, sentence.unknown) == ((Span(0, 1, "PER"), Span(2, 3, "PER")), ())


def test_the_characters_of_an_unknown_word_are_unknown(tmp_path):
    text = "Ada\tB-PER\nmet\tO\nMi\tB-PER|O\n.\tO\n\n"
    (sentence,) = read_sentences(written(tmp_path, text), ReadOptions(several_tags="any", token_unit="character"))
    assert sentence.spans == (Span(0, 3, "PER"),)
    assert sentence.unknown == (Unknown(6, frozenset({"B-PER", "O"})), Unknown(7, frozenset({"E-PER", "O"})))


def test_running_text_cannot_say_that_a_tag_is_unknown(tmp_path):
    path = written(tmp_path, COLUMNS)
    for target in ("new.jsonl", "new.inline"):
        with pytest.raises(InputError, match=r"unknown cannot stand in .* \(line 1 of its source\): conll, tokens"):
            convert(path, tmp_path / target, options=ANY)
    convert(path, tmp_path / "new.jsonl", options=ANY, output_format="tokens")
    assert json.loads((tmp_path / "new.jsonl").read_text(encoding="utf-8"))["ner_tags"][3] == "?"


def test_inspect_counts_them(tmp_path):
    inspection = inspect_files([written(tmp_path, COLUMNS)], ANY)
    assert "  unknown     2 tokens whose tag is not known: lines 4, 6" in describe(inspection).splitlines()
    assert inspection.to_json()["files"][0]["unknown"] == [4, 6]


def test_scores_leave_out_gold_sentences_with_unknown_tokens(caplog):
    known = Sentence.from_words(["Ada", "met", "Milo"], [(0, 1, "PER"), (2, 3, "PER")])
    unknown = Sentence(known.tokens, known.spans[:1], unknown=(Unknown(2),))
    evaluation = score_sentences([known, unknown], [known, known.with_spans([])], ill_formed_lines=())
    assert (evaluation.micro.gold, evaluation.micro.f1) == (2, 1.0)
    assert "gold: 1 sentence has tokens of unknown tags: left out" in caplog.text
    with pytest.raises(InputError, match="expected predictions, found tokens whose tags are unknown"):
        score_sentences([known], [unknown])


def test_a_sentence_knows_its_unknown_tokens():
    tokens = Sentence.from_words(["Ada", "met", "Milo"]).tokens
    sentence = Sentence(tokens, (Span(0, 1, "PER"),), unknown=(Unknown(2),))
    assert repr(sentence) == "<Sentence of 3 tokens, 1 unknown: [Ada](PER) met Milo>"
    assert sentence.with_spans([]).unknown == ()
    for unknown, message in (
        ((Unknown(0),), "in no span"),
        ((Unknown(3),), "within the sentence"),
        ((Unknown(2), Unknown(2)), "sorted"),
        ((Unknown(2, frozenset({"U-PER"})),), "tags of BIOES"),
        ((Unknown(2, frozenset()),), "tags of BIOES"),
    ):
        with pytest.raises(ValueError, match=message):
            Sentence(tokens, (Span(0, 1, "PER"),), unknown=unknown)
    with pytest.raises(TypeError, match="expected unknown tokens such as"):
        Sentence(tokens, unknown=(2,))


@given(st.lists(st.sampled_from("OESX?"), min_size=1, max_size=30), st.integers(1, 8))
def test_pieces_keep_unknown_tokens_and_cut_between_no_two_of_them(kinds, longest):
    tokens = Sentence.from_words([f"w{at}" for at in range(len(kinds))]).tokens
    spans = tuple(Span(at, at + 1, "PER") for at, kind in enumerate(kinds) if kind == "E")
    unknown = tuple(Unknown(at) for at, kind in enumerate(kinds) if kind == "?")
    pieces = list(Sentence(tokens, spans, unknown=unknown).pieces(longest))
    start, found = 0, []
    for piece in pieces:
        found += [start + one.token for one in piece.unknown]
        assert start == 0 or not (kinds[start] == kinds[start - 1] == "?")
        start += len(piece)
    assert found == [one.token for one in unknown]
    assert start == len(kinds)


def test_labels_that_are_not_annotated_may_be_wherever_there_is_an_o():
    tokens = Sentence.from_words(["Ada", "met", "Milo", "."]).tokens
    of_org = frozenset({"O", "B-ORG", "I-ORG", "E-ORG", "S-ORG"})
    sentence = Sentence(tokens, (Span(0, 1, "PER"),), unknown=(Unknown(2, frozenset({"O", "S-LOC"})), Unknown(3)))
    found = sentence.with_unannotated(["ORG"])
    assert found.spans == sentence.spans
    assert found.unknown == (Unknown(1, of_org), Unknown(2, of_org | {"S-LOC"}), Unknown(3))
    assert sentence.with_unannotated([]) == sentence
    with pytest.raises(TypeError, match="expected a list of labels"):
        sentence.with_unannotated("ORG")

from __future__ import annotations

import gzip
import logging
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.formats.columns import ReadOptions
from ner_lstm_crf.formats.conll import read_conll
from ner_lstm_crf.formats.raw_sentences import DOCUMENT_START
from ner_lstm_crf.formats.rewriting import convert_columns, replace_tags, write_conll
from ner_lstm_crf.tags.labels import LabelMap
from ner_lstm_crf.tags.scheme import SCHEMES
from ner_lstm_crf.text.annotation import Sentence, Span

EVERYTHING = (
    "\ufeff-DOCSTART- -X- O O\r\n\r\n# a  comment\nAda  NNP\tI-NP B-PER \nKing NNP I-NP I-PER\n\n \t\n"
    "   Rome NNP I-NP B-LOC x y\nand CC O O\n\n-DOCSTART- -X- O O\n\nfell VBD I-VP O"
)


def convert(text: str, to: str | None, folder: Path, **options: object) -> str:
    source, target = folder / "in.conll", folder / "out.conll"
    source.write_text(text, encoding="utf-8", newline="")
    convert_columns(source, target, to, options=ReadOptions(**options))
    with target.open(encoding="utf-8", newline="") as stream:
        return stream.read()


def test_its_own_scheme_gives_the_same_bytes(tmp_path):
    assert convert(EVERYTHING, "IOB2", tmp_path) == EVERYTHING
    assert convert(EVERYTHING, None, tmp_path) == EVERYTHING


def test_another_scheme_changes_the_tags_alone(tmp_path):
    expected = EVERYTHING.replace("I-PER", "E-PER").replace("B-LOC", "S-LOC")
    assert convert(EVERYTHING, "IOBES", tmp_path) == expected


@pytest.mark.parametrize("scheme", SCHEMES)
def test_there_and_back_again(scheme, tmp_path):
    text = convert(EVERYTHING, scheme, tmp_path)
    assert convert(text, "IOB2", tmp_path, scheme=scheme) == EVERYTHING


def test_ragged_rows_ranges_and_other_layers_are_kept(tmp_path):
    text = "# text = im Haus\n1-2\tim\tX\n1\tin\tO\n2\tdem\tB-LOC\tB-LOC\tann\n3\tHaus\tI-LOC\n\n"
    assert convert(text, "IOE2", tmp_path) == text.replace("dem\tB-LOC", "dem\tI-LOC").replace(
        "Haus\tI-LOC", "Haus\tE-LOC"
    )


def test_tags_that_say_the_same_keep_their_spelling(tmp_path):
    text = "Ada\tB_PER\nKing\tI_PER\nsings\tO\n"
    assert convert(text, "IOB2", tmp_path) == text
    assert convert(text, "BIEO", tmp_path) == "Ada\tB_PER\nKing\tE-PER\nsings\tO\n"


def test_labels_without_prefixes(tmp_path):
    text = "Ada\tPER\nKing\tPER\nin\tO\nRome\tLOC\n"
    assert convert(text, None, tmp_path) == text
    assert convert(text, "IOB2", tmp_path) == "Ada\tB-PER\nKing\tI-PER\nin\tO\nRome\tB-LOC\n"


def test_tags_within_features(tmp_path):
    row = "{}\t{}\t_\tX\t_\t_\t0\troot\t_\t{}\n"
    text = (
        row.format(1, "Ada", "name=B-PER|SpaceAfter=No")
        + row.format(2, "King", "name=I-PER")
        + row.format(3, "sings", "_")
    )
    assert convert(text, "IOB2", tmp_path) == text
    assert convert(text, "BIEO", tmp_path) == text.replace("I-PER", "E-PER")


def test_labels_are_mapped_on_the_way(tmp_path):
    text = "Ada\tB-person\nKing\tI-person\nJazz\tB-OTH\n"
    assert convert(text, None, tmp_path, labels=LabelMap.parse(None, ["person=PER", "OTH=O"])) == (
        "Ada\tB-PER\nKing\tI-PER\nJazz\tO\n"
    )


def test_ill_formed_tags_are_written_as_they_were_understood(tmp_path):
    assert convert("a\tO\nb\tI-PER\nc\tB-PER\n", "IOB2", tmp_path) == "a\tO\nb\tB-PER\nc\tB-PER\n"


def test_characters_repeat_the_other_columns_and_count_anew(tmp_path):
    text = "# text = 我爱北京\n1\t我\tO\tPN\n2\t爱\tO\n3\t北京\tB-LOC\tNR"
    assert convert(text, None, tmp_path, token_unit="character") == (
        "# text = 我爱北京\n1\t我\tO\tPN\n2\t爱\tO\n3\t北\tB-LOC\tNR\n4\t京\tI-LOC\tNR\n"
    )


def test_what_io_cannot_say_is_said_aloud(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        assert convert("a\tB-PER\nb\tB-PER\n", "IO", tmp_path) == "a\tI-PER\nb\tI-PER\n"
    assert "1 entities touch another of the same label, which IO cannot tell apart" in caplog.text


def test_packed_and_encoded_files_stay_so(tmp_path):
    source, target = tmp_path / "in.conll.gz", tmp_path / "out.conll.gz"
    source.write_bytes(gzip.compress("Zoë B-PER\nKöln I-PER\n".encode("latin-1")))
    convert_columns(source, target, "BIEO", options=ReadOptions(encoding="latin-1"))
    assert gzip.decompress(target.read_bytes()) == "Zoë B-PER\nKöln E-PER\n".encode("latin-1")


def test_a_file_may_be_converted_in_place(tmp_path):
    path = tmp_path / "x.conll"
    path.write_text("a B-PER\nb I-PER\n\n" * 5000)
    convert_columns(path, path, "BIEO")
    assert path.read_text() == "a B-PER\nb E-PER\n\n" * 5000


def test_a_bad_row_leaves_no_half_written_file(tmp_path):
    with pytest.raises(InputError, match=r"in\.conll:3: expected at least 2 columns, found 1: 'EU'"):
        convert("Ada O\n\nEU\n", "BIEO", tmp_path, scheme="IOB2")
    assert not (tmp_path / "out.conll").exists()


def tagged(text: str, folder: Path, spans: list[list[Span]], **options: object) -> str:
    source, target = folder / "in.conll", folder / "out.conll"
    source.write_text(text, encoding="utf-8", newline="")
    chosen = ReadOptions(**options)
    read = read_conll(source, replace(chosen, read_tags=False))
    replace_tags(source, target, (s.with_spans(new) for s, new in zip(read, spans, strict=True)), options=chosen)
    return target.read_text(encoding="utf-8")


def test_predictions_take_the_place_of_the_tags(tmp_path):
    text = "# one\nAda NN B-PER\nsings VB O\n\n-DOCSTART- O O\n\nRome NN foo\n"
    expected = "# one\nAda NN O\nsings VB B-X\n\n-DOCSTART- O O\n\nRome NN B-LOC\n"
    assert tagged(text, tmp_path, [[Span(1, 2, "X")], [Span(0, 1, "LOC")]], tag_column=3) == expected


def test_a_file_without_tags_gets_a_column(tmp_path):
    assert tagged("Ada\nsings\n\nRome", tmp_path, [[Span(0, 1, "PER")], []]) == "Ada B-PER\nsings O\n\nRome O"
    assert tagged("1\tAda\t_\n2\tsings\t_\n", tmp_path, [[Span(0, 1, "PER")]]) == "1\tAda\t_\tB-PER\n2\tsings\t_\tO\n"


def test_no_column_is_added_to_rows_of_unequal_width(tmp_path):
    with pytest.raises(
        InputError, match=r"in\.conll:3: expected 1 column, as most rows have, to add one .* 'New York'"
    ):
        tagged("Ada\n\nNew York\nsings\n", tmp_path, [[], []])


def test_predictions_over_characters(tmp_path):
    assert (
        tagged("北京\tO\n好\tO\n", tmp_path, [[Span(0, 2, "LOC")]], token_unit="character")
        == "北\tB-LOC\n京\tI-LOC\n好\tO\n"
    )
    assert tagged("北京\n好\n", tmp_path, [[Span(0, 2, "LOC")]], token_unit="character") == "北 B-LOC\n京 I-LOC\n好 O\n"


def test_places_of_characters_in_words_stay(tmp_path):
    text, spans = "科0\tO\n技1\tO\n王0\tO\n", [[Span(2, 3, "PER")]]
    for token_unit in ("word", "character"):
        assert tagged(text, tmp_path, spans, token_unit=token_unit) == "科0\tO\n技1\tO\n王0\tB-PER\n"


def test_sentences_that_are_not_those_of_the_file_are_refused(tmp_path):
    source = tmp_path / "in.conll"
    source.write_text("a O\n\nb O\n")
    sentences = list(read_conll(source))
    for wrong in (sentences[:1], [*sentences, sentences[0]], [sentences[0], Sentence.from_words(["b", "c"])]):
        with pytest.raises(ValueError, match="expected"):
            replace_tags(source, tmp_path / "out.conll", wrong)
    assert not (tmp_path / "out.conll").exists()


WORDS = st.text(st.characters(exclude_characters="\t\n\0", codec="utf-8"), max_size=6)
LABELS = st.sampled_from(["PER", "creative-work", "PER.NOM", "组织", "two words", "O", "B"])


@st.composite
def sentences(draw: st.DrawFn) -> Sentence:
    words = draw(st.lists(WORDS.filter(lambda word: not DOCUMENT_START.match(word)), min_size=1, max_size=6))
    cuts = sorted(draw(st.sets(st.integers(0, len(words)), max_size=6)))
    spans = [Span(start, end, draw(LABELS)) for start, end in pairwise(cuts) if draw(st.booleans())]
    return Sentence.from_words(words, spans)


@given(
    written=st.lists(sentences(), min_size=1, max_size=4),
    scheme=st.sampled_from([name for name in SCHEMES if name != "IO"]),
    suffix=st.sampled_from(["", ".gz"]),
)
def test_what_is_written_is_read_back(written, scheme, suffix, tmp_path_factory):
    path = tmp_path_factory.mktemp("conll") / f"x.conll{suffix}"
    written = [replace(sentence, document=index // 2) for index, sentence in enumerate(written)]
    write_conll(path, written, scheme=scheme)
    options = ReadOptions(token_column=1, tag_column=2, separator="tab", scheme=scheme)
    read = list(read_conll(path, options))
    assert [(s.tokens, s.spans, s.document) for s in read] == [(s.tokens, s.spans, s.document) for s in written]


@pytest.mark.parametrize("word", ["a\tb", "a\nb", "\0", "-DOCSTART-", "\ud800"])
def test_tokens_that_could_not_be_read_back_are_refused(word, tmp_path):
    with pytest.raises(InputError, match="cannot"):
        write_conll(tmp_path / "x.conll", [Sentence.from_words([word])])


def test_labels_that_could_not_be_read_back_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"'a\\tb' cannot stand in a column"):
        write_conll(tmp_path / "x.conll", [Sentence.from_words(["a"], [Span(0, 1, "a\tb")])])
    with pytest.raises(InputError, match="'two words' cannot stand in a column"):
        tagged("Ada O\n", tmp_path, [[Span(0, 1, "two words")]])


def test_labels_without_prefixes_are_mapped_to_such(tmp_path):
    text = "Ada\tPER\nKing\tPER\nmet\tO\nReuters\torganization-media/newspaper\nagain\tO\n"
    for rule, old, new in (
        ("PER=Person", "PER", "Person"),
        ("organization-media/newspaper=ORG", "organization-media/newspaper", "ORG"),
    ):
        converted = convert(text, None, tmp_path, labels=LabelMap.parse(None, [rule]))
        assert converted == text.replace(old, new)
    assert convert("Ada\tPER\nmet\tO\n", "IOB2", tmp_path) == "Ada\tB-PER\nmet\tO\n"


def test_languages_before_tokens_stay(tmp_path):
    text = "en:Ada\tO\nen:sings\tO\n"
    assert tagged(text, tmp_path, [[Span(0, 1, "PER")]]) == "en:Ada\tB-PER\nen:sings\tO\n"
    assert tagged("zh:北京\tO\nzh:好\tO\n", tmp_path, [[Span(0, 2, "LOC")]], token_unit="character") == (
        "zh:北\tB-LOC\nzh:京\tI-LOC\nzh:好\tO\n"
    )

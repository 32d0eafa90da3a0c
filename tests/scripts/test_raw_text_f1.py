"""scripts/raw_text_f1.py: F1 on raw text beside F1 on gold tokens, of a shipped tagger on made files."""

from __future__ import annotations

from pathlib import Path

import pytest

import raw_text_f1
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.text.annotation import Sentence, Span

MERKEL = (
    "# text = Angela Merkel visited Rome.\n"
    "1\tAngela\tB-PER\n2\tMerkel\tI-PER\n3\tvisited\tO\n4\tRome\tB-LOC\n5\t.\tO\n\n"
)
OTHERWISE_SPELT = "# text = She saw Oslo.\n1\tShe\tO\n2\tsaw\tO\n3\tBergen\tB-LOC\n4\t.\tO\n\n"


@pytest.fixture(scope="module")
def english() -> Tagger:
    return Tagger.load("en")


@pytest.fixture
def path(tmp_path: Path, english: Tagger, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A column file, beside a tagger that need not be loaded."""
    monkeypatch.setattr(Tagger, "load", lambda _: english)
    folder = tmp_path / "news"
    folder.mkdir()
    return folder / "test.iob2"


def row(path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    """The cells of the only row, under those of the head."""
    assert raw_text_f1.main(["en", str(path), *options]) == 0
    head, line = capsys.readouterr().out.splitlines()
    assert head.split() == ["file", "sentences", "gold", "tokens", "raw", "text"]
    return line.split()


def test_both_scores(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text(MERKEL, encoding="utf-8")
    assert row(path, capsys) == ["news/test.iob2", "1", "100.00", "100.00"]
    assert row(path, capsys, "--labels", "PER") == ["news/test.iob2", "1", "66.67", "66.67"]  # Rome is one too many


def test_each_score_stands_in_its_column(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_text(MERKEL, encoding="utf-8")
    monkeypatch.setattr(Tagger, "tag_many", lambda _, texts: ([] for _ in texts))
    assert row(path, capsys)[2:] == ["100.00", "0.00"]


def test_a_sentence_without_text_is_left_out_and_one_of_other_tokens_is_reported(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    without_text = MERKEL.partition("\n")[2]
    path.write_text(MERKEL + OTHERWISE_SPELT + without_text, encoding="utf-8")
    assert raw_text_f1.main(["en", str(path)]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines()[-1].split()[1:] == ["1", "100.00", "100.00"]
    assert shown.err == f"{path}: left out 1 sentences whose tokens are not those of their text\n"


def test_spans_are_counted_in_characters_of_the_text() -> None:
    sentence = Sentence.from_words(["(", "New", "York", ")"], [Span(1, 3, "LOC")])
    assert raw_text_f1.in_characters("(New  York)", sentence) == (Span(1, 10, "LOC"),)
    assert raw_text_f1.in_characters("(New Jersey)", sentence) is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            MERKEL.replace("# text", "# words"),
            "expected sentences with their text in a comment, '# text = ...', found none",
        ),
        (OTHERWISE_SPELT, "expected sentences whose tokens are those of their text, found 1 others"),
        (None, "no such file"),
    ],
)
def test_a_file_without_what_is_compared_is_refused(
    text: str | None, complaint: str, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit, match="2"):
        raw_text_f1.main(["en", str(path)])
    shown = capsys.readouterr()
    assert shown.err.splitlines()[-1].endswith(f"error: {path}: {complaint}")
    assert shown.out == ""


def test_a_model_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        raw_text_f1.main([str(tmp_path / "none"), "test.iob2"])
    assert f"error: {tmp_path / 'none'}: expected the directory of a model" in capsys.readouterr().err

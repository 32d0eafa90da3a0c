"""scripts/check_tokenizer.py: that its counts are right, and that the tokenizer agrees with treebanks."""

from __future__ import annotations

from pathlib import Path

import pytest

import check_tokenizer

COLUMNS = (
    "corpus",
    "part",
    "sentences",
    "tokens",
    "cut_as",
    "recall",
    "precision",
    "f1",
    "token_f1",
    "exact",
    "sentence_f1",
)


def corpus(folder: Path, *sentences: tuple[str, str]) -> Path:
    lines = ["# newdoc id = 1"]
    for text, words in sentences:
        lines += [f"# text = {text}", *(f"{i}\t{word}\tO" for i, word in enumerate(words.split(), start=1)), ""]
    path = folder / "uner-xx" / "dev.iob2"
    path.parent.mkdir()
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def row(path: Path, **options: str) -> dict[str, str]:
    return dict(zip(COLUMNS, check_tokenizer.compare_file(path, **options), strict=True))


def test_counts_are_those_counted_by_hand(tmp_path):
    path = corpus(tmp_path, ("Ann's here.", "Ann 's here ."), ("It is Ann-Lee.", "It is Ann-Lee ."))
    assert row(path) == {
        "corpus": "uner-xx",
        "part": "dev",
        "sentences": "2",
        "tokens": "8",
        "cut_as": "keep",
        **dict.fromkeys(("recall", "precision", "f1", "token_f1", "exact", "sentence_f1"), "100.00"),
    }
    split = row(path, hyphens="split")  # Ann - Lee: two ends too many, one token lost, three wrong
    assert (split["recall"], split["precision"], split["exact"]) == ("100.00", "80.00", "50.00")
    assert split["token_f1"] == f"{100 * 2 * 7 / (8 + 10):.2f}"


def test_unspaced_text_is_read_as_characters(tmp_path):
    found = row(corpus(tmp_path, ("我爱巴黎。", "我 爱 巴黎 。"), ("你呢？", "你 呢 ？")))
    assert (found["cut_as"], found["recall"], found["sentence_f1"]) == ("characters", "100.00", "100.00")
    assert found["precision"] == f"{100 * 7 / 8:.2f}"


def test_tokens_that_are_not_those_of_the_text_are_reported(tmp_path, capsys):
    path = corpus(tmp_path, ("a cat sat", "a dog sat"), ("a b c", "a b c"))
    assert row(path)["sentences"] == "1"
    assert "are not those of the text: a cat sat" in capsys.readouterr().err


def test_the_table(tmp_path, capsys):
    corpus(tmp_path, ("So it is .", "So it is ."))
    assert check_tokenizer.main([str(tmp_path), "--parts", "dev"]) == 0
    header, line = capsys.readouterr().out.splitlines()
    assert header.split()[:3] == ["corpus", "part", "sentences"]
    assert line.split()[:4] == ["uner-xx", "dev", "1", "4"]


def test_what_cannot_be_compared_is_refused(tmp_path, capsys):
    path = corpus(tmp_path, ("So it is .", "So it is ."))
    with pytest.raises(SystemExit, match="2"):
        check_tokenizer.main([str(tmp_path), "--parts", "test"])
    assert f"expected files like uner-*/dev.iob2 in {tmp_path}, found none" in capsys.readouterr().err
    path.write_text("1\tSo\tO\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="2"):
        check_tokenizer.main([str(tmp_path), "--parts", "dev"])
    shown = capsys.readouterr()
    assert f"{path}: expected sentences with their text in a comment" in shown.err
    assert shown.out == ""


def test_sentences_are_joined_within_their_document(tmp_path):
    path = corpus(tmp_path, ("So it", "So it"), ("is.", "is ."))
    assert row(path)["sentence_f1"] == f"{100 * 2 * 1 / (2 + 1):.2f}"  # one end found, of two
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("# text = is.", "# newdoc id = 2\n# text = is."), encoding="utf-8")
    assert row(path)["sentence_f1"] == "100.00"


def test_without_a_folder_it_reads_what_lies_beside_the_checkout(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    read: list[Path] = []
    monkeypatch.setattr(Path, "glob", lambda self, pattern: read.append(self) or [])
    with pytest.raises(SystemExit):
        check_tokenizer.main([])
    assert set(read) == {Path(check_tokenizer.__file__).resolve().parents[2] / "shared" / "corpora"}


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "recall", "precision", "sentence_f1"),
    [
        ("uner-en_ewt/dev.iob2", 99.8, 99.6, 86),
        ("uner-en_pud/test.iob2", 99.9, 99.9, 99.5),
        ("uner-pt_bosque/dev.iob2", 99.8, 99.8, 91),
        ("uner-zh_gsdsimp/dev.iob2", 100, 60, 99),
        ("uner-tl_trg/test.iob2", 100, 100, 100),
    ],
)
def test_agreement_with_treebanks(corpora, name, recall, precision, sentence_f1):
    found = row(corpora / name)
    assert float(found["recall"]) >= recall
    assert float(found["precision"]) >= precision
    assert float(found["sentence_f1"]) >= sentence_f1

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "check_tokenizer.py"
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


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_tokenizer", SCRIPT)
    module = sys.modules["check_tokenizer"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def corpus(folder: Path, *sentences: tuple[str, str]) -> Path:
    lines = ["# newdoc id = 1"]
    for text, words in sentences:
        lines += [f"# text = {text}", *(f"{i}\t{word}\tO" for i, word in enumerate(words.split(), start=1)), ""]
    path = folder / "uner-xx" / "dev.iob2"
    path.parent.mkdir()
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def row(script: ModuleType, path: Path, **options: str) -> dict[str, str]:
    return dict(zip(COLUMNS, script.compare_file(path, **options), strict=True))


def test_counts_are_those_counted_by_hand(script, tmp_path):
    path = corpus(tmp_path, ("Ann's here.", "Ann 's here ."), ("It is Ann-Lee.", "It is Ann-Lee ."))
    assert row(script, path) == {
        "corpus": "uner-xx",
        "part": "dev",
        "sentences": "2",
        "tokens": "8",
        "cut_as": "keep",
        **dict.fromkeys(("recall", "precision", "f1", "token_f1", "exact", "sentence_f1"), "100.00"),
    }
    split = row(script, path, compounds="split")  # Ann - Lee: two ends too many, one token lost, three wrong
    assert (split["recall"], split["precision"], split["exact"]) == ("100.00", "80.00", "50.00")
    assert split["token_f1"] == f"{100 * 2 * 7 / (8 + 10):.2f}"


def test_unspaced_text_is_read_as_characters(script, tmp_path):
    found = row(script, corpus(tmp_path, ("我爱巴黎。", "我 爱 巴黎 。"), ("你呢？", "你 呢 ？")))
    assert (found["cut_as"], found["recall"], found["sentence_f1"]) == ("characters", "100.00", "100.00")
    assert found["precision"] == f"{100 * 7 / 8:.2f}"


def test_tokens_that_do_not_spell_the_text_are_told(script, tmp_path, capsys):
    path = corpus(tmp_path, ("a cat sat", "a dog sat"), ("a b c", "a b c"))
    assert row(script, path)["sentences"] == "1"
    assert "do not spell the text: a cat sat" in capsys.readouterr().err


def test_the_table(script, tmp_path, capsys):
    corpus(tmp_path, ("So it is .", "So it is ."))
    assert script.main([str(tmp_path), "--parts", "dev"]) == 0
    header, line = capsys.readouterr().out.splitlines()
    assert header.split()[:3] == ["corpus", "part", "sentences"]
    assert line.split()[:4] == ["uner-xx", "dev", "1", "4"]
    with pytest.raises(SystemExit):
        script.main([str(tmp_path), "--parts", "test"])


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
def test_agreement_with_treebanks(script, corpora, name, recall, precision, sentence_f1):
    found = row(script, corpora / name)
    assert float(found["recall"]) >= recall
    assert float(found["precision"]) >= precision
    assert float(found["sentence_f1"]) >= sentence_f1

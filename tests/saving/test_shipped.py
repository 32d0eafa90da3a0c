"""The taggers that come with the package."""

from __future__ import annotations

from pathlib import Path

import pytest
from ner_lstm_crf.saving.shipped import SHIPPED, model_directory

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.tagging.tagger import Tagger

MOST_MEGABYTES = {"en": 15, "zh": 8}


@pytest.mark.parametrize("name", SHIPPED)
def test_each_is_there_small_and_described(name: str) -> None:
    directory = model_directory(name)
    files = [path for path in directory.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= MOST_MEGABYTES[name] * 1e6
    card = (directory / "README.md").read_text(encoding="utf-8")
    for part in (
        "## Scores",
        "CC BY-SA 4.0",
        "Known weaknesses",
        f"scripts/train_shipped.py {name}",
        f"uner-{name}_pud",
    ):
        assert part in card
    assert Tagger.load(name).labels == ("LOC", "ORG", "PER")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "en",
            "Angela Merkel visited Paris with Barack Obama.",
            {"PER": ["Angela Merkel", "Barack Obama"], "LOC": ["Paris"]},
        ),
        ("en", "angela merkel lives in germany", {"LOC": ["germany"]}),
        ("zh", "毛泽东出生于湖南。", {"PER": ["毛泽东"], "LOC": ["湖南"]}),
        ("zh", "毛澤東出生於湖南。", {"PER": ["毛澤東"], "LOC": ["湖南"]}),
    ],
)
def test_names_that_everybody_knows_are_found(name: str, text: str, expected: dict[str, list[str]]) -> None:
    found = Tagger.load(name).tag(text)
    for label, names in expected.items():
        assert [entity.text for entity in found if entity.label == label] == names


def test_a_path_is_a_path_and_what_is_nowhere_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert model_directory(tmp_path) == tmp_path
    monkeypatch.chdir(tmp_path)
    (tmp_path / "en").mkdir()
    assert model_directory("en") != Path("en")
    assert model_directory("./en") == Path("en")
    with pytest.raises(InputError, match=r"nowhere: expected the directory of a model, or 'en' or 'zh'"):
        model_directory("nowhere")


@pytest.mark.parametrize("name", ["de", "EN", "en/", "no/such/folder"])
def test_what_is_neither_a_name_nor_a_directory_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="expected the directory of a model, or 'en' or 'zh': found no such directory"):
        Tagger.load(name)


@pytest.mark.parametrize("name", SHIPPED)
def test_each_written_again_is_the_same(name: str, tmp_path: Path) -> None:
    Tagger.load(name).save(tmp_path, compact=True)
    for file in ("config.json", "vocabulary.json", "model.safetensors"):
        assert (tmp_path / file).read_bytes() == (model_directory(name) / file).read_bytes()

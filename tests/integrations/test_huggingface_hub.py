"""Models on the hub, by the real `huggingface_hub` and a hub on localhost: what goes there comes back."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ner_lstm_crf import Data, InputError, Sentence, Tagger, train
from ner_lstm_crf.cli.main import main
from ner_lstm_crf.formats.registry import write_sentences
from tests.integrations.hub_server import TOKEN, Hub, running_hub

huggingface_hub = pytest.importorskip("huggingface_hub")
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content:DeprecationWarning")  # how huggingface_hub uploads

Make = Callable[..., list[Sentence]]
SMALL: dict[str, Any] = {"hidden_size": 8, "word_size": 8, "char_filters": 4, "epochs": 2, "adversarial_epsilon": 0.0}
NOBODY = "http://127.0.0.1:9"  # where nobody listens
MODEL = {"config.json", "vocabulary.json", "frozen.safetensors", "network-1.safetensors"}


@pytest.fixture(scope="module")
def folder(make_sentences: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a trained model, with its card and figures."""
    path = tmp_path_factory.mktemp("trained") / "my-model"
    data = Data(make_sentences(40), make_sentences(8, seed=1))
    train(data, "small", path, test=make_sentences(9, seed=2), progress=False, **SMALL)
    return path


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A hub that `huggingface_hub` takes for the only one."""
    with running_hub() as running:
        constants = "huggingface_hub.constants"
        template = f"{running.address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(f"{constants}.ENDPOINT", running.address)
        monkeypatch.setattr(f"{constants}.HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(f"{constants}.HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(f"{constants}.HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setattr(f"{constants}.HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield running
        huggingface_hub.close_session()


def test_a_tagger_goes_to_the_hub_and_comes_back(
    hub: Hub, folder: Path, make_sentences: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    tagger, sentences = Tagger.load(folder), make_sentences(20, seed=3)
    address = tagger.push_to_hub("ada/tagger", token=TOKEN, licence="mit", commit_message="The first")
    assert address == f"{hub.address}/ada/tagger"
    assert set(hub.files("ada/tagger")) == {".gitattributes", "README.md", *MODEL}
    assert [message for message, _ in hub.repositories["ada/tagger"]] == ["initial commit", "The first"]
    hub.files("ada/tagger")["pytorch_model.bin"] = b"pickled"  # which nobody fetches
    again = Tagger.from_pretrained("ada/tagger")
    assert list(again.tag_sentences(sentences)) == list(tagger.tag_sentences(sentences))
    assert hub.fetched() == MODEL
    # The cache has it, also when the hub cannot be reached.
    before = len(hub.requests)
    Tagger.from_pretrained("ada/tagger", revision=hub.commit_id("ada/tagger", 1))
    assert not any("/resolve/" in path for _, path in hub.requests[before:])
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", NOBODY)
    assert Tagger.from_pretrained("ada/tagger").labels == tagger.labels
    # What `load` takes is no repository.
    for local in (folder, str(folder), "en"):
        assert Tagger.from_pretrained(local).model.tags.labels == Tagger.load(local).labels


def test_another_model_takes_the_place_of_the_old_one_in_one_commit(
    hub: Hub, folder: Path, make_sentences: Make
) -> None:
    tagger = Tagger.load(folder)
    tagger.push_to_hub("tagger", token=TOKEN)
    first = hub.commit_id("ada/tagger", 1)
    files = hub.files("ada/tagger")
    files |= {"network-2.safetensors": b"old", "transformer-0123456789ab/config.json": b"{}", "notes.txt": b"kept"}
    tagger.push_to_hub("ada/tagger", token=TOKEN, quantize=True)
    assert len(hub.repositories["ada/tagger"]) == 3
    assert set(hub.files("ada/tagger")) == {".gitattributes", "README.md", "notes.txt", *MODEL}
    sizes = [sum(map(len, files.values())) for _, files in hub.repositories["ada/tagger"][1:]]
    assert sizes[1] < sizes[0]
    # Each revision is what it was.
    text = " ".join(make_sentences(1)[0].words)
    del files["network-2.safetensors"], files["transformer-0123456789ab/config.json"]
    assert Tagger.from_pretrained("ada/tagger", revision=first).tag(text) == tagger.tag(text)


def test_a_private_repository_needs_a_token(hub: Hub, folder: Path) -> None:
    Tagger.load(folder).push_to_hub("ada/tagger", token=TOKEN, private=True)
    assert hub.private == {"ada/tagger"}
    with pytest.raises(InputError, match=r"ada/tagger: found no such repository, or one that is closed: .*token="):
        Tagger.from_pretrained("ada/tagger")
    assert Tagger.from_pretrained("ada/tagger", token=TOKEN).labels == ("LOC", "PER")


@pytest.mark.parametrize("name", sorted(MODEL))
def test_a_model_that_is_not_what_was_uploaded_is_refused(hub: Hub, folder: Path, name: str) -> None:
    Tagger.load(folder).push_to_hub("ada/tagger", token=TOKEN)
    files = hub.files("ada/tagger")
    other = {"config.json": (b'"LOC"', b'"GPE"'), "vocabulary.json": (b"often", b"offen")}
    if name in other:
        assert other[name][0] in files[name]
        files[name] = files[name].replace(*other[name], 1)
    else:
        files[name] = files[name][:-1] + bytes([files[name][-1] ^ 1])
    with pytest.raises(InputError, match="the model is damaged"):
        Tagger.from_pretrained("ada/tagger")


def test_what_the_hub_does_not_have_is_said(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tagger = Tagger.load(folder)
    with pytest.raises(InputError, match="no/such: found no such repository"):
        Tagger.from_pretrained("no/such")
    tagger.push_to_hub("ada/tagger", token=TOKEN)
    with pytest.raises(InputError, match="ada/tagger: expected a branch, tag or commit of this repository"):
        Tagger.from_pretrained("ada/tagger", revision="v2")
    hub.repositories["ada/other"] = [("", {"README.md": b"", "model.safetensors": b"x" * 100})]
    with pytest.raises(InputError, match=r"ada/other: expected a model, found no config\.json"):
        Tagger.from_pretrained("ada/other")
    hub.repositories["ada/bert"] = [("", {"config.json": b'{"model_type": "bert"}', "model.safetensors": b"x" * 100})]
    with pytest.raises(
        InputError, match=r"config.json: expected the configuration of a model with format 'ner_lstm_crf'"
    ):
        Tagger.from_pretrained("ada/bert")
    assert not any("model.safetensors" in path for _, path in hub.requests)
    hub.files("ada/tagger").pop("frozen.safetensors")
    with pytest.raises(InputError, match="expected a model, but this file is missing"):
        Tagger.from_pretrained("ada/tagger")
    for name in ("a/b/c", "my models/one", ""):
        with pytest.raises(InputError):
            Tagger.from_pretrained(name)
    with pytest.raises(InputError, match=r"(?i)ada/tagger: .*invalid username or password"):
        tagger.push_to_hub("ada/tagger", token="hf_wrong")
    with pytest.raises(InputError, match=r"license.* must be one of"):
        tagger.push_to_hub("ada/tagger", token=TOKEN, licence="my own")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", NOBODY)
    with pytest.raises(InputError, match=r"^ada/new: "):
        Tagger.from_pretrained("ada/new")
    with pytest.raises(InputError, match=r"^ada/new: "):
        tagger.push_to_hub("ada/new", token=TOKEN)


def card_on(hub: Hub, repository: str) -> Any:
    """The card as `huggingface_hub` reads it."""
    return huggingface_hub.ModelCard(hub.files(repository)["README.md"].decode())


def test_the_card_tells_the_hub_what_the_run_found(hub: Hub, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    tagger = Tagger.load(folder)
    facts: dict[str, Any] = {"licence": "cc-by-4.0", "language": ["en", "de"], "datasets": ["conll2003"]}
    with caplog.at_level(logging.WARNING, "ner_lstm_crf"):
        tagger.push_to_hub("ada/tagger", token=TOKEN, **facts)
    assert "ada/tagger: the card is not complete: TODO: where the data come from" in caplog.text
    card = card_on(hub, "ada/tagger")
    assert (card.data.license, card.data.language, card.data.datasets) == tuple(facts.values())
    assert (card.data.library_name, card.data.pipeline_tag) == ("ner_lstm_crf", "token-classification")
    assert {"ner", "crf"} <= set(card.data.tags)
    # The scores are those of the run.
    test = json.loads((folder / "summary.json").read_text())["runs"][0]["test"]
    found = {result.metric_type: result.metric_value for result in card.data.eval_results}
    assert found == {name: round(test[name], 4) for name in ("f1", "precision", "recall")}
    assert card.data.model_name == "my-model"
    assert re.search(rf"F1 with its 95% interval .*: {test['f1']:.4f} \[0\.\d+, [01]\.\d+\]", card.text)
    assert "tagger = Tagger.from_pretrained('ada/tagger')" in card.text
    assert card.text.rstrip().endswith("## Licence\n\ncc-by-4.0")
    assert "read_config('settings.toml')" in card.text


def test_a_card_of_ones_own_goes_along_and_what_has_none_gets_one(hub: Hub, folder: Path, tmp_path: Path) -> None:
    tagger = Tagger.load(folder)
    tagger.save(tmp_path / "mine")
    (tmp_path / "mine" / "README.md").write_text("---\nlicense: mit\ntags: [news]\n---\n# Mine\nCafé\n", "utf-8")
    Tagger.load(tmp_path / "mine").push_to_hub("ada/mine", token=TOKEN)
    card = card_on(hub, "ada/mine")
    assert (card.data.license, card.data.tags, card.data.library_name) == ("mit", ["news"], "ner_lstm_crf")
    assert card.text == "# Mine\nCafé\n"
    Tagger(tagger.model).push_to_hub("ada/bare", token=TOKEN, licence="mit")
    assert "Finds LOC, PER in text, whose tokens are words." in card_on(hub, "ada/bare").text
    assert card_on(hub, "ada/bare").data.license == "mit"


def test_the_card_of_several_seeds_has_their_deviation_and_the_command(make_sentences: Make, tmp_path: Path) -> None:
    for name, count, seed in (("train", 40, 0), ("dev", 8, 1), ("test", 9, 2)):
        write_sentences(tmp_path / f"{name}.conll", make_sentences(count, seed=seed))
    options = ["--preset", "small", "--epochs", "2", "--hidden-size", "8", "--seeds", "2", "--output", f"{tmp_path}/m"]
    files = [word for name in ("train", "dev", "test") for word in (f"--{name}", f"{tmp_path}/{name}.conll")]
    assert main(["train", *files, *options, "--overwrite"]) == 0
    card = (tmp_path / "m" / "README.md").read_text(encoding="utf-8")
    summary = json.loads((tmp_path / "m" / "summary.json").read_text())
    for part in ("test", "dev"):
        figures = summary[f"{part}_f1"]
        mean, deviation = figures["mean"], figures["deviation"]
        assert f"F1 on {part} over 2 seeds, mean and deviation: {mean:.4f} ± {deviation:.4f}." in card
    command = "ner-lstm-crf train --train train.conll --dev dev.conll --test test.conll --preset small --epochs 2"
    assert f"```sh\n{command} --hidden-size 8 --seeds 2 --output m\n```" in card
    assert str(tmp_path) not in card
    assert huggingface_hub.ModelCard(card).data.model_name == "m"


def test_a_program_with_the_address_of_the_hub_in_its_environment(folder: Path, tmp_path: Path) -> None:
    program = """
from ner_lstm_crf import Tagger
import sys
Tagger.load(sys.argv[1]).push_to_hub("ada/tagger", private=True)
print([entity.text for entity in Tagger.from_pretrained("ada/tagger").tag("Anna met Boris in Oslo.")])
"""
    with running_hub() as hub:
        settings = {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path), "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1"}
        done = subprocess.run(
            [sys.executable, "-c", program, str(folder)],
            env=os.environ | settings,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{[entity.text for entity in Tagger.load(folder).tag('Anna met Boris in Oslo.')]}\n"
        assert hub.fetched() == MODEL


def test_the_programs_of_the_page_run(
    hub: Hub, make_sentences: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In order, in one folder, on made files and the hub on localhost."""
    for name, count in (("train", 40), ("dev", 8), ("test", 8)):
        write_sentences(tmp_path / f"{name}.jsonl", make_sentences(count, seed=count), output_format="tokens")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "datasets")
    monkeypatch.setattr("ner_lstm_crf.training.trainer._MAX_REPEATS", 1)
    page = Path(__file__).parents[2] / "docs" / "huggingface.md"
    programs = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert len(programs) == 2
    for program in programs:
        exec(program, {})
    assert "'B-LOC', 'I-LOC', 'B-PER', 'I-PER'] {'tokens': [" in capsys.readouterr().out
    assert hub.private == {"ada/my-model"}
    assert card_on(hub, "ada/my-model").data.datasets == ["conll2003"]


def test_load_names_the_way_to_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"found no such directory .Tagger.from_pretrained fetches"):
        Tagger.load("ada/my-model")
    (tmp_path / "ada").mkdir()
    with pytest.raises(InputError, match=r"found no such directory$"):
        Tagger.load("ada/my-model")

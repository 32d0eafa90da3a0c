"""Finding an encoder: folders, the hub's cache, and what is said where there is none."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.transformer import subtokens as pretrained
from ner_lstm_crf.features.transformer.subtokens import pretrained_folder, quiet_transformers


def encoder_files(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text("{}", encoding="utf-8")
    return folder


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub's client, without a network."""
    constants = pytest.importorskip("huggingface_hub.constants")
    pytest.importorskip("transformers")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


@pytest.mark.parametrize("weights", ["model.safetensors", "model-00001-of-00002.safetensors"])
def test_a_folder_is_taken_as_it_is(tmp_path: Path, weights: str) -> None:
    folder = encoder_files(tmp_path / "encoder", "config.json", weights)
    assert pretrained_folder(folder) == pretrained_folder(str(folder)) == folder


@pytest.mark.parametrize(
    ("files", "missing"),
    [
        (["config.json"], "weights"),
        (["config.json", "pytorch_model.bin"], "weights"),  # pickled
        (["model.safetensors"], "configuration"),
        ([], "configuration"),
    ],
)
def test_a_folder_that_lacks_something(tmp_path: Path, files: list[str], missing: str) -> None:
    folder = encoder_files(tmp_path / "encoder", *files)
    with pytest.raises(InputError, match=missing) as raised:
        pretrained_folder(folder)
    assert str(raised.value).startswith(f"{folder}: expected an encoder's {missing}")


@pytest.mark.parametrize("name", ["/no/such/folder", "./encoder", "a/b/c"])
def test_a_missing_folder_is_not_sought_on_the_hub(name: str) -> None:
    with pytest.raises(InputError, match="found no folder"):
        pretrained_folder(name)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "encoder").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="found no folder"):
        pretrained_folder(tmp_path / "encoder")


def test_a_hub_name_comes_from_the_cache_without_a_network(hub_cache: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    folder = hub_cache / "models--someone--encoder" / "snapshots" / commit
    encoder_files(folder, "config.json", "model.safetensors")
    refs = hub_cache / "models--someone--encoder" / "refs"
    refs.mkdir()
    (refs / "main").write_text(commit, encoding="utf-8")
    assert pretrained_folder("someone/encoder") == folder


def test_a_hub_name_out_of_reach(hub_cache: Path) -> None:
    with pytest.raises(InputError, match="'someone/encoder' is no folder, and the Hugging Face hub") as raised:
        pretrained_folder("someone/encoder")
    assert "\n" not in str(raised.value)


def test_the_package_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'ner-lstm-crf\[transformers\]'"):
        pretrained_folder(encoder_files(tmp_path, "config.json", "model.safetensors"))


def test_quiet_restores_what_it_changes() -> None:
    library = pytest.importorskip("transformers.utils.logging")
    before = library.get_verbosity(), library.is_progress_bar_enabled()
    with contextlib.suppress(KeyError), quiet_transformers():
        assert library.get_verbosity() == library.ERROR
        assert not library.is_progress_bar_enabled()
        raise KeyError
    assert (library.get_verbosity(), library.is_progress_bar_enabled()) == before


def test_nothing_imports_transformers_before_it_is_used() -> None:
    code = (
        "import sys, ner_lstm_crf.features.transformer.subtokens, ner_lstm_crf.model.embedding.transformer\n"
        "assert not {'transformers', 'tokenizers', 'huggingface_hub'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

"""Other processes write where a model lies: while it is being loaded, and after it was."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ner_lstm_crf.config import Config
from ner_lstm_crf.runs.data import Data, resolve_defaults
from ner_lstm_crf.runs.run import prepare_trainer
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.text.annotation import Sentence
from tests.encoders import configured, write_encoder

Make = Callable[..., list[Sentence]]


def overwritten(path: Path) -> None:
    """Give every byte of a file another value, as `cp` does with the file of another model."""
    content = path.read_bytes()
    with path.open("r+b") as file:
        file.write(bytes(byte ^ 0x55 for byte in content))


def emptied(path: Path) -> None:
    path.open("wb").close()


@pytest.mark.parametrize("change", [overwritten, emptied])
@pytest.mark.parametrize("transformer", [False, True])
def test_a_loaded_tagger_has_memory_of_its_own(
    make_sentences: Make, tiny: Config, tmp_path: Path, change: Callable[[Path], None], transformer: bool
) -> None:
    """A file that is changed in its place, or cut, changes no answer and ends no process."""
    if transformer:
        pytest.importorskip("transformers")
    config = configured(tiny, write_encoder(tmp_path / "encoder", 1)) if transformer else tiny
    sentences = make_sentences(30)
    prepare_trainer(resolve_defaults(Data(sentences), config.model), config).model.save(tmp_path / "model")
    model = Model.load(tmp_path / "model")
    expected = [tensor.clone() for network in model.networks for tensor in network.state_dict().values()]
    before = list(Tagger(model).tag_sentences(sentences))
    for path in (tmp_path / "model").rglob("*"):
        if path.is_file():
            change(path)
    assert list(Tagger(model).tag_sentences(sentences)) == before
    now = [tensor for network in model.networks for tensor in network.state_dict().values()]
    assert all(bool((one == other).all()) for one, other in zip(now, expected, strict=True))


def save_in_turn(models: list[Model], directory: Path, pause: float) -> None:
    """Save these models into a directory, one after the other."""
    for model in models:
        model.save(directory)
        time.sleep(pause)


@pytest.mark.parametrize("transformer", [False, True])
def test_a_model_that_is_written_meanwhile_is_loaded_as_the_old_or_the_new_one(
    make_sentences: Make, tiny: Config, tmp_path: Path, transformer: bool
) -> None:
    """One process saves two models in turn, of other words and of one and two networks; another loads all the time."""
    first, second = (Model.build(make_sentences(10, seed=seed), tiny.model) for seed in (0, 1))
    second = replace(second, networks=second.networks * 2)
    if transformer:  # in a folder of its own, which the next save removes
        pytest.importorskip("transformers")
        second = Model.build(make_sentences(10), configured(tiny, write_encoder(tmp_path / "encoder", 1)).model)
    directory = tmp_path / "model"
    first.save(directory)
    models, pause = ([first, second] * 4, 0.2) if transformer else ([first, second] * 30, 0.0)
    process = multiprocessing.get_context("fork").Process(target=save_in_turn, args=(models, directory, pause))
    process.start()
    found = set()
    while process.is_alive():
        model = Model.load(directory)
        found.add((len(model.networks), len(model.features)))
    process.join()
    assert process.exitcode == 0
    assert len(found) == 2

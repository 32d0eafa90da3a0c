"""Settings under which a command of scripts/benchmark.py takes a second."""

from __future__ import annotations

import pytest
import torch

from ner_lstm_crf.config import Config, ModelConfig, TrainingConfig

TINY = Config(
    model=ModelConfig(word_size=6, char_size=4, char_filters=5, casing_size=2, hidden_size=7),
    training=TrainingConfig(batch_size=8, min_steps=0),
)


@pytest.fixture(autouse=True)
def threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def tiny():
    """So little work that a command takes a second."""
    from benchmark import Settings

    return Settings(
        threads=(1,),
        quick=True,
        repeats=2,
        shapes=((3, 6, 4), (2, 1, 3)),
        sentences=40,
        size=20_000,
        types=500,
        corpus=None,
        made=(60, 30),
        vectors=None,
        config=TINY,
    )

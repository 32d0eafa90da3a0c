"""scripts/benchmark.py as a module, and settings under which it takes a second."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from ner_lstm_crf.config import Config, ModelConfig, TrainingConfig

SCRIPT = Path(__file__).parents[2] / "scripts" / "benchmark.py"
TINY = Config(
    model=ModelConfig(word_size=6, char_size=4, char_filters=5, casing_size=2, hidden_size=7),
    training=TrainingConfig(batch_sentences=8, least_steps=0),
)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark", SCRIPT)
    module = sys.modules["benchmark"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def measure(script):
    return sys.modules["benchmarks.measure"]


@pytest.fixture(scope="module")
def text(script):
    return sys.modules["benchmarks.text"]


@pytest.fixture(autouse=True)
def threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def tiny(script):
    """So little work that a command takes a second."""
    return script.Settings(
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

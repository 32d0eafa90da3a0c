"""The library in a program: whatever that has set in torch and Python, the results are the same, and stay its own."""

from __future__ import annotations

import decimal
import gc
import hashlib
import logging
import random
import socket
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from ner_lstm_crf.config import Config
from ner_lstm_crf.evaluation.evaluate import evaluate_model
from ner_lstm_crf.model.generators import dropout, explicit
from ner_lstm_crf.runs.data import Data, read_with_transformer, resolve_defaults
from ner_lstm_crf.runs.run import prepare_trainer
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.text.annotation import Sentence
from tests.encoders import configured, write_encoder
from tests.made import changed


def life(directory: Path, data: Data, config: Config) -> str:
    """Train for an epoch, save, load, go on, tag and score; a digest of all that comes out."""
    resolved = read_with_transformer(resolve_defaults(data, config.model), config.model, directory)
    trainer = prepare_trainer(resolved, config)
    report = next(trainer.epochs())
    state = {name: tensor.copy() for name, tensor in trainer.state().items()}
    with trainer.optimizer.averaged_weights():
        trainer.model.save(directory / "model")
    resumed = prepare_trainer(resolved, config)
    resumed.restore(state)
    second = next(resumed.epochs())
    Tagger.load(directory / "model").save(directory / "small", quantize=True)
    tagger = Tagger.load(directory / "small")
    text = " ".join(" ".join(sentence.words) for sentence in data.train)
    found = tagger.tag(text[:300]), tagger.tag(text), list(tagger.tag_many([text[:200]] * 3)), tagger.tag_tokens(["A"])
    scores = evaluate_model(tagger.model, data.dev).evaluation
    weights = [*tagger.model.networks[0].state_dict().values(), *state.values(), *resumed.state().values()]
    results = repr((report.loss, report.dev, second.loss, second.dev, found, scores))
    return hashlib.sha256(results.encode() + b"".join(np.asarray(one).tobytes() for one in weights)).hexdigest()


KINDS = {
    "words": {"weight_decay": 0.01, "word_dropout": 0.1, "char_dropout": 0.2, "recurrent_dropout": 0.1},
    "adversarial": {"adversarial_epsilon": 0.1, "optimizer": "sgd", "layers": 2, "output_dropout": 0.2},
    "labelwise": {"crf_loss": "labelwise", "ema_decay": 0.0},
    "characters": {"token_unit": "character", "bigram_dropout": 0.1, "lexicon_dropout": 0.1},
    "frozen transformer": {},
    "fine-tuned transformer": {},
}


@pytest.fixture(scope="module", params=KINDS)
def lived(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    make_sentences: Callable[..., list[Sentence]],
    tiny: Config,
) -> tuple[Callable[[], str], str]:
    """A function that lives a life of one kind, and what comes of it by default."""
    kind, sentences = request.param, make_sentences(80)
    config = changed(tiny, **KINDS[kind])
    if "transformer" in kind:
        pytest.importorskip("transformers")
        encoder = write_encoder(tmp_path_factory.mktemp("encoder") / "encoder", 1)
        config = configured(tiny, encoder, fine_tune=kind.startswith("fine"))
        sentences = sentences[:12]
    elif kind == "characters":
        words = [[character for word in sentence.words for character in word] for sentence in sentences]
        sentences = [Sentence.from_words(characters, [(0, 3, "PER")]) for characters in words]
        config = changed(config, bigram_size=6, lexicon_size=4)
    lexicon = {"Oslo": "place", "met": ""} if kind == "characters" else None
    data = Data(train=sentences[10:], dev=sentences[:10], vectors=None, lexicon=lexicon)

    def live() -> str:
        return life(tmp_path_factory.mktemp("life"), data, config)

    return live, live()


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def another_device() -> Iterator[None]:
    torch.set_default_device("meta")
    try:
        with torch.device("meta"):
            yield
    finally:
        torch.set_default_device(None)


@contextmanager
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@contextmanager
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def python_settings() -> Iterator[None]:
    """The settings of programs beside torch, all of them at once."""
    limit, precision, level = sys.getrecursionlimit(), decimal.getcontext().prec, logging.getLogger().level
    sys.setrecursionlimit(400)
    decimal.getcontext().prec = 2
    socket.setdefaulttimeout(0.001)
    gc.disable()
    logging.getLogger().setLevel(logging.DEBUG)
    try:
        with np.errstate(all="raise"), warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    finally:
        sys.setrecursionlimit(limit)
        decimal.getcontext().prec = precision
        socket.setdefaulttimeout(None)
        gc.enable()
        logging.getLogger().setLevel(level)


SETTINGS: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "nothing": nullcontext,
    "float64": lambda: default_dtype(torch.float64),
    "bfloat16": lambda: default_dtype(torch.bfloat16),
    "another device": another_device,
    "no gradients": torch.no_grad,
    "inference mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "deterministic algorithms": deterministic,
    "three threads": three_threads,
    "settings of Python": python_settings,
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_results_are_the_same_whatever_the_program_has_set(
    lived: tuple[Callable[[], str], str], setting: str, request: pytest.FixtureRequest
) -> None:
    live, by_default = lived
    if setting == "three threads" and "fine-tuned" in request.node.name:
        pytest.skip("a transformer that is trained uses all threads of torch; their number changes the rounding")
    torch.manual_seed(5)
    random.seed(5)
    np.random.seed(5)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    with SETTINGS[setting]():
        threads, dtype, mode = torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled()
        assert live() == by_default
        assert (threads, dtype, mode) == (torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled())
    # The program's random numbers go on as if nothing had happened.
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before[1:]


def test_trainings_in_several_threads_are_as_each_alone(lived: tuple[Callable[[], str], str]) -> None:
    live, alone = lived

    def draw() -> list[float]:
        generator = torch.manual_seed(7)  # torch's own
        return [torch.rand(1, generator=generator).item() for _ in range(2000)]

    numbers = draw()
    with ThreadPoolExecutor(3) as pool:
        lives, draws = [pool.submit(live) for _ in range(2)], pool.submit(draw)
        assert draws.result() == numbers
        assert [one.result() for one in lives] == [alone, alone]


class TestExplicit:
    @pytest.mark.parametrize(
        "module",
        [
            lambda: nn.Linear(30, 20),
            lambda: nn.LSTM(20, 10),
            lambda: nn.Embedding(9, 30, padding_idx=0),
            lambda: nn.Conv1d(7, 8, 3),
            lambda: nn.MultiheadAttention(8, 2),
        ],
    )
    def test_new_modules_have_the_weights_that_torch_draws_with_the_same_seed(
        self, module: Callable[[], nn.Module]
    ) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            expected = module().state_dict()
            state = torch.get_rng_state()
            with default_dtype(torch.float64), explicit(torch.Generator().manual_seed(3)):
                weights = module().state_dict()
            assert torch.equal(torch.get_rng_state(), state)
        assert all(torch.equal(weights[name], expected[name]) for name in expected)

    def test_without_a_generator_weights_are_left_without_values(self) -> None:
        with explicit(None):
            weight = torch.full((3,), 2.0)
            assert nn.init.normal_(weight) is weight.uniform_() is weight
        assert weight.tolist() == [2, 2, 2]

    def test_dropout_is_that_of_torch_with_the_same_seed(self) -> None:
        values = torch.randn(50, 40)
        for rate in (0.0, 0.1, 0.5):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(3)
                expected = functional.dropout(values, rate)
            assert torch.equal(dropout(values, rate, torch.Generator().manual_seed(3)), expected)
            with explicit(torch.Generator().manual_seed(3)):
                assert torch.equal(functional.dropout(values, rate), expected)
                assert functional.dropout(values, rate, training=False) is values

    def test_attention_with_dropout_is_its_mean_over_many_draws(self) -> None:
        source = torch.Generator().manual_seed(1)
        query, key, value = (torch.randn(1, 2, 5, 4, generator=source) for _ in range(3))
        mask = torch.tensor([True, True, True, False, True]).expand(5, 5)
        expected = functional.scaled_dot_product_attention(query, key, value, mask)
        with explicit(source):
            many = [functional.scaled_dot_product_attention(query, key, value, mask, 0.2) for _ in range(4000)]
            assert torch.equal(functional.scaled_dot_product_attention(query, key, value, mask), expected)
        assert not torch.equal(many[0], many[1])
        torch.testing.assert_close(torch.stack(many).mean(0), expected, atol=0.05, rtol=0)

"""Whatever tensors the kernels get, they give a result or a ValueError, and touch nothing beyond the tensors.

The tests run twice: as they are, and in a process whose kernels were built with AddressSanitizer and UBSan, which end
it at the first read or write that is out of bounds.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor

import build_kernels
from ner_lstm_crf import kernels
from ner_lstm_crf.features.vectors import LARGEST
from ner_lstm_crf.inference.sentence_network import _Direction
from ner_lstm_crf.model import crf
from ner_lstm_crf.model.embedding.characters import CharCnn
from ner_lstm_crf.model.embedding.intnet import IntNet
from ner_lstm_crf.model.embedding.table import EmbeddingTable
from ner_lstm_crf.training.sparse_adamw import SparseAdamW
from tests.crf_paths import over_tensors

SANITIZED = "SANITIZED_KERNELS"  # the folder of such kernels
LEVELS = ("generic", "x86-64-v3", "x86-64-v4")
OF_THIS_PROCESSOR = kernels.levels()
SPECIAL = (0.0, -1e4, 1e30, -1e30, 3e38, 1e-38, float("nan"), float("inf"), float("-inf"))
FAR = (-1, 0, -(2**63), 2**63 - 1, 2**62, 2**31, 2**32 + 1)

seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module", params=LEVELS, autouse=True)
def level(request: pytest.FixtureRequest) -> Iterator[None]:
    """Use the kernels of one level of the processor, from the folder that is given, with two threads."""
    threads = torch.get_num_threads()
    if request.param not in kernels.levels():
        pytest.skip("not a level of this processor")
    if (built := os.environ.get(SANITIZED)) and not any(Path(built, "built").glob(f"*-{request.param}.so")):
        pytest.skip("built for other levels")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "levels", lambda: (request.param,))
        if SANITIZED in os.environ:
            patch.setattr(kernels, "_FOLDER", Path(os.environ[SANITIZED]))
        forget()
        torch.set_num_threads(2)
        assert kernels.available_for(torch.zeros(1))
        yield
    torch.set_num_threads(threads)
    forget()


def forget() -> None:
    kernels.kernel.cache_clear()
    kernels._library.cache_clear()


class Draw:
    """Tensors that are mostly right."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.dtype = self.one_of(torch.float32, torch.float64)
        self.is_wild = self.happens(0.5)  # or every argument is as it should be

    @contextmanager
    def right_or_refused(self) -> Iterator[None]:
        """Arguments may be refused that are not as they should be, those only."""
        try:
            yield
        except (ValueError, IndexError, NotImplementedError, TypeError):  # the last by torch, before a kernel is called
            if not self.is_wild:
                raise

    def one_of(self, *choices: object) -> object:
        return choices[self.random.integers(len(choices))]

    def happens(self, share: float) -> bool:
        return bool(self.random.random() < share)

    def size(self, most: int = 40) -> int:
        return int(self.one_of(1, 2, self.random.integers(1, most)))

    def floats(self, *shape: int) -> Tensor:
        """Numbers, perhaps with some that are none, in memory of any strides."""
        values = self.random.normal(scale=float(self.one_of(1, 30)), size=shape)
        if self.is_wild and values.size:
            for _ in range(self.random.integers(4)):
                values.flat[self.random.integers(values.size)] = self.one_of(*SPECIAL)
        tensor = torch.from_numpy(values).to(self.dtype)
        layout = self.random.integers(4)
        if layout == 0 and tensor.ndim > 1:
            tensor = tensor.transpose(0, 1).contiguous().transpose(0, 1)
        elif layout == 1:
            tensor = torch.stack([tensor, tensor], -1)[..., 0]
        elif layout == 2 and tensor.ndim > 1:
            tensor = tensor[:1].expand(tensor.shape)
        return tensor

    def ints(self, low: int, high: int, *shape: int) -> Tensor:
        """Whole numbers from `low` to `high` - 1, perhaps with one that is far away."""
        values = self.random.integers(low, max(high, low + 1), shape)
        if self.is_wild and values.size and self.happens(0.3):
            values.flat[self.random.integers(values.size)] = self.one_of(*FAR, high, low - 1)
        return torch.from_numpy(values)

    def reshaped(self, tensor: Tensor) -> Tensor:
        """The tensor; rarely one of another shape or type, or none on this device."""
        if not self.is_wild or self.happens(0.95):
            return tensor
        changes: tuple[Callable[[], Tensor], ...] = (
            lambda: tensor[:-1],
            lambda: tensor[..., :-1],
            lambda: tensor.unsqueeze(0),
            lambda: tensor.to(self.one_of(torch.int32, torch.float32, torch.float64, torch.float16)),  # type: ignore[call-overload, no-any-return]
            lambda: torch.cat([tensor, tensor]),
            lambda: tensor.to("meta"),
            lambda: tensor[:0],
        )
        return changes[self.random.integers(len(changes))]()


@settings.get_profile("fuzz")
@given(seeds)
def test_the_functions_of_a_crf_give_their_shape_or_refuse(seed: int) -> None:
    draw = Draw(seed)
    sentences, tokens, tags = draw.size(8), draw.size(), draw.size()
    if draw.happens(0.05):
        sentences, tokens, tags = 40, 60, 20  # shared by threads
    emissions = draw.reshaped(draw.floats(sentences, tokens, tags))
    emissions.requires_grad_(emissions.is_floating_point())
    path, lengths = draw.reshaped(draw.ints(0, tags, sentences, tokens)), draw.ints(1, tokens + 1, sentences)
    tables = [draw.reshaped(draw.floats(*shape)) for shape in ((tags,), (tags, tags), (tags,))]
    arguments = emissions, draw.reshaped(lengths), *tables
    with draw.right_or_refused():
        likelihood = crf.log_likelihood(emissions, path, *arguments[1:])
        assert likelihood.shape == emissions.shape[:1]
        if likelihood.requires_grad:
            likelihood.sum().backward()
            assert emissions.grad is not None
        by_token = crf.labelwise_log_likelihood(emissions, path, *arguments[1:])
        assert by_token.shape == emissions.shape[:1]
        if by_token.requires_grad:
            by_token.sum().backward()
        assert over_tensors("marginals", *arguments).shape == emissions.shape
        best = over_tensors("viterbi", *arguments)
        assert best.shape == emissions.shape[:2]
        assert best.min() >= 0
        assert best.max() < tags
        k = draw.one_of(0, -1) if draw.is_wild and draw.happens(0.1) else draw.one_of(1, 2, 5, 40)
        paths, scores = over_tensors("k_best", *arguments, k)
        assert scores.shape == paths.shape[:2]
        assert paths.shape == (len(emissions), scores.shape[1], emissions.shape[1])
        assert paths.min() >= 0
        assert paths.max() < tags


@settings.get_profile("fuzz")
@given(seeds)
def test_sums_over_paths_and_spans_give_their_shape_or_refuse(seed: int) -> None:
    draw = Draw(seed)
    sentences, tokens, tags, count = draw.size(8), draw.size(), draw.size(), draw.size(9) - 1
    if draw.happens(0.05):
        sentences, tokens, tags = 40, 60, 20  # shared by threads
    emissions, lengths = draw.floats(sentences, tokens, tags), draw.ints(1, tokens + 1, sentences)
    tables = [draw.reshaped(draw.floats(*shape)) for shape in ((tags,), (tags, tags), (tags,))]
    # Spans within their sentences, but for wild numbers.
    sentence, shares = draw.ints(0, sentences, count), torch.from_numpy(draw.random.random((2, count)))
    length = lengths[sentence.clamp(0, sentences - 1)].clamp(1, tokens)
    first = (shares[0] * length).long()
    stop = first + 1 + (shares[1] * (length - first)).long() + draw.ints(0, 1, count)
    spans = draw.reshaped(torch.stack([sentence, first, stop, draw.ints(0, tags, count)], 1))
    reading = draw.reshaped(draw.ints(-1, tags, tags)), draw.reshaped(draw.ints(0, 8, tags, tags))
    arguments = draw.reshaped(emissions), draw.reshaped(lengths), *tables
    with draw.right_or_refused():
        probabilities = over_tensors("span_probabilities", *arguments, spans, *reading)
        assert probabilities.shape == spans.shape[:1]
        assert ((probabilities >= 0) & (probabilities <= 1) | probabilities.isnan()).all()
        found, probabilities = over_tensors("probable_spans", *arguments, *reading, float(draw.one_of(1e-3, 0.1, 1.0)))
        assert found.shape == (*probabilities.shape, 4)
        assert over_tensors("entropy", *arguments).shape == arguments[0].shape[:1]
        arguments[0].requires_grad_()
        allowed = draw.reshaped(torch.from_numpy(draw.random.random((sentences, tokens, tags)) < 0.5))
        log_z = crf.log_partition(*arguments, draw.one_of(None, allowed))
        assert log_z.shape == arguments[0].shape[:1]
        log_z.sum().backward()
        assert arguments[0].grad is not None


@settings.get_profile("fuzz")
@given(seeds)
def test_an_encoder_of_characters_gives_its_shape_or_refuses(seed: int) -> None:
    draw = Draw(seed)
    known, words, width = draw.size(), draw.size() - 1, int(draw.random.integers(1, 8))
    sizes_of = {"size": draw.size(8), "filters": draw.size(), "widths": (width, 1), "dropout": 0.0}
    cnn = draw.one_of(CharCnn(known, **sizes_of), IntNet(known, **sizes_of, blocks=2)).to(draw.dtype)
    lengths = draw.ints(1, 9, words)
    count = int(lengths.clamp(0, 99).sum()) + cnn.gap * words
    characters, sizes = draw.reshaped(draw.ints(0, known, count)), draw.reshaped(lengths)
    with draw.right_or_refused():
        vectors = cnn((characters, sizes))
        assert vectors.shape == (len(sizes), cnn.size)
        for numbers in (characters, sizes):
            numbers.fill_(60_000)  # what was checked is a copy
        vectors.sum().backward()


@settings.get_profile("fuzz")
@given(seeds)
def test_an_lstm_of_one_sentence_writes_all_of_its_states_and_no_more(seed: int) -> None:
    draw = Draw(seed)
    draw.dtype = torch.float32
    tokens, size, units = draw.size(), draw.size(), draw.size(80)
    shapes = (4 * units, size), (4 * units, units), (8 * units,)
    weights = [draw.floats(*shape).nan_to_num().clip(-LARGEST, LARGEST).numpy() for shape in shapes]
    if draw.happens(0.5):
        weights[1] = weights[1].clip(-65_000, 65_000).astype(np.float16).astype(np.float32)
    out = np.full((tokens, units + 2), 7, np.float32)
    _Direction.of(*weights, draw.happens(0.5)).write(draw.floats(tokens, size).contiguous().numpy(), out[:, 1:-1])
    assert (out[:, [0, -1]] == 7).all()
    states = out[:, 1:-1]
    assert ((abs(states) <= 1) | np.isnan(states)).all()


@settings.get_profile("fuzz")
@given(seeds)
def test_the_optimizer_of_embeddings_changes_their_rows_or_refuses(seed: int) -> None:
    draw = Draw(seed)
    table = EmbeddingTable(2 + draw.size(), draw.size()).to(draw.dtype)
    table.draw()
    optimizer = SparseAdamW({"word": table}, 0.01, 0.1)
    with draw.right_or_refused():
        for _ in range(draw.random.integers(1, 6)):
            ids = draw.ints(0, len(table.trainable), draw.size())
            optimizer.catch_up({"word": ids})
            (table(ids) * draw.floats(table.size)).sum().backward()
            optimizer.gradients()
            optimizer.step(0.01, 0.9)
        if draw.is_wild and draw.happens(0.3):
            table.trainable.data = draw.floats(draw.size(), table.size)
        optimizer.catch_up()
        assert table.trainable.shape == optimizer.averages[0].shape


@pytest.mark.slow
@pytest.mark.skipif(SANITIZED in os.environ, reason="this is that process")
def test_no_kernel_reads_or_writes_beyond_its_tensors(
    tmp_path: Path, level: None, request: pytest.FixtureRequest
) -> None:
    inputs = request.config.getoption("inputs")
    # The levels are made of nearly the same C: a short run has the best one alone.
    levels = OF_THIS_PROCESSOR if inputs > 100 else OF_THIS_PROCESSOR[:1]
    if request.node.callspec.id != levels[0]:
        pytest.skip("one process has all levels that are wanted")
    # 1. Build the kernels with the sanitizers.
    command = build_kernels.compiler() or ["cc"]
    preloaded = []  # the sanitizer looks for C++'s exceptions, which torch throws, when it is loaded
    for library in ("libasan.so", "libstdc++.so"):
        asked = [*command, f"-print-file-name={library}"]
        preloaded.append(subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip())
    if not all(Path(library).is_absolute() for library in preloaded):
        pytest.skip("no C compiler with AddressSanitizer on this machine")
    folder = tmp_path / build_kernels.KERNELS
    shutil.copytree(Path(kernels.__file__).parent, folder, ignore=shutil.ignore_patterns("built", "__pycache__"))
    build_kernels.build(tmp_path, sanitize=True, levels=levels)
    # 2. Run the other tests of this file with them.
    environment = os.environ | {
        "LD_PRELOAD": ":".join(preloaded),
        "ASAN_OPTIONS": "detect_leaks=0",  # Python frees little at its end
        SANITIZED: str(folder),
    }
    tests = [sys.executable, "-m", "pytest", "-q", "-x", "-s", "-p", "no:cacheprovider", f"--inputs={inputs}", __file__]
    done = subprocess.run(tests, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[:3000]
    assert int(re.findall(r"(\d+) passed", done.stdout)[-1]) == 5 * len(levels)

"""`benchmark.py crf`: the CRF alone, on scores drawn at random over sentences of T/2 to T tokens.

    crf/loss/BxTxK        log-likelihood, with the gradient of emissions and of the three score tables
    crf/viterbi/BxTxK     the best path of each sentence
    crf/marginals/BxTxK   each token's distribution over tags
    crf/labelwise/BxTxK   the label-wise log-likelihood, with the same gradients as the loss
    crf/k-best/BxTxK      the ten best paths of each sentence
    crf/spans/BxTxK       every span that is there with a probability of 0.3 or more, where tags are those of IOB2: more
                          than one in two tokens, under scores drawn at random

The baseline is `torchcrf.CRF`; it has no more than loss and Viterbi, so that of the others is plain torch for what
training needs, and plain numpy for k best paths and spans: the portable paths of this package. `over_loss` is the time
of our marginals over that of our loss.

The floor of the last three is what they extend, by this package: the loss, Viterbi, the marginals. That of the first
three is the arithmetic alone. A recursion over a sentence multiplies a vector of K values with a K x K table for
each token: 2 K^2 operations. The loss takes three such products per token (forward, backward, gradient of the
transitions), marginals two, and Viterbi one, with a sum and a maximum in place of a product and a sum. The floor is one
product of two square matrices with as many multiply-adds, their side rounded down to a multiple of 16: the shape in
which the processor is fastest. For all but Viterbi it also has the exponentials of the emissions. Padding is not
counted. A recursion hardly reaches it: each step waits for the one before, K is seldom a multiple of what the
processor takes at once, and a maximum cannot be fused with a sum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchcrf import CRF

from benchmarks.measure import Result, Samples, WrongAnswerError, interleave, ratio, say
from ner_lstm_crf import crf, kernels
from ner_lstm_crf.crf import ScoreTables
from ner_lstm_crf.model import crf as training
from ner_lstm_crf.tags.scheme import SCHEMES
from ner_lstm_crf.tags.tag_set import TagSet

__all__ = ["SHAPES", "Problem", "check", "make_problem", "run"]

VECTOR = 16  # float32 values that the widest registers hold
SHAPES = ((32, 25, 13), (32, 50, 17), (64, 128, 33), (8, 512, 73))
PATHS = 10  # how many best paths
LEAST = 0.3  # probability of a span
EXTENDED = {"labelwise": "loss", "k-best": "viterbi", "spans": "marginals"}  # what is the floor of what
Value = TypeVar("Value")
TOLERANCE = 1e-3  # of float32 sums over some hundred tokens, relative to values of the size of 1 or more


@dataclass(frozen=True, slots=True)
class Problem:
    """The input of all contenders; shapes and letters as in `ner_lstm_crf.crf`."""

    emissions: Tensor
    tags: Tensor
    lengths: Tensor
    mask: Tensor
    layer: CRF

    @property
    def tables(self) -> tuple[Tensor, Tensor, Tensor]:
        """Start, transitions, end."""
        return self.layer.start_transitions, self.layer.transitions, self.layer.end_transitions

    @property
    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.int64], ScoreTables]:
        """Emissions, lengths and score tables as arrays, where they lie."""
        tables = ScoreTables(*(table.detach().numpy() for table in self.tables))
        return self.emissions.detach().numpy(), self.lengths.numpy(), tables

    @property
    def leaves(self) -> tuple[Tensor, ...]:
        """All that takes a gradient."""
        return self.emissions, *self.tables

    @property
    def reading(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Label number of each tag (K,), events between two tags (K, K): those of the first K tags of IOB2."""
        count = len(self.tables[0])
        tags = TagSet(SCHEMES["IOB2"], [str(number) for number in range(count // 2)] or ["0"])
        return tags.label_numbers()[:count], tags.events()[:count, :count]

    @property
    def tokens(self) -> int:
        """Real tokens, padding aside."""
        return int(self.lengths.sum())


def make_problem(shape: tuple[int, int, int], seed: int = 0) -> Problem:
    """Scores of the standard normal distribution, one sentence of full length and the others of half to all of it."""
    batch, longest, count = shape
    random = torch.Generator().manual_seed(seed)
    lengths = torch.randint((longest + 1) // 2, longest + 1, (batch,), generator=random)
    lengths[0] = longest
    mask = torch.arange(longest) < lengths.unsqueeze(1)
    layer = CRF(count, batch_first=True)
    with torch.no_grad():
        for table in layer.parameters():
            table.copy_(torch.randn(table.shape, generator=random))
    emissions = torch.randn(batch, longest, count, generator=random).requires_grad_()
    tags = torch.randint(0, count, (batch, longest), generator=random) * mask
    return Problem(emissions, tags, lengths, mask, layer)


def run(shapes: Sequence[tuple[int, int, int]], repeats: int, threads: int) -> list[Result]:
    """Check and time every shape.

    Raises:
        WrongAnswerError: If a contender's answer is wrong.
    """
    torch.set_num_threads(threads)
    results = []
    for shape in shapes:
        name = "x".join(map(str, shape))
        say(f"crf {name}")
        problem = make_problem(shape)
        check(problem)
        samples = interleave(_contenders(problem), repeats)
        results += _results(name, samples, threads)
    return results


def _contenders(problem: Problem) -> dict[str, Callable[[], object]]:
    reading = problem.reading
    return {
        "ours/loss": lambda: _descend(problem, _our_loss),
        "baseline/loss": lambda: _descend(problem, _torchcrf_loss),
        "floor/loss": _floor(problem, products=3, exponentials=True),
        "ours/viterbi": lambda: _our_paths(problem),
        "baseline/viterbi": lambda: _torchcrf_paths(problem),
        "floor/viterbi": _floor(problem, products=1, exponentials=False),
        "ours/marginals": lambda: _our_marginals(problem),
        "baseline/marginals": lambda: _torch_marginals(problem.emissions, problem.lengths, problem.tables),
        "floor/marginals": _floor(problem, products=2, exponentials=True),
        "ours/labelwise": lambda: _descend(problem, _labelwise_loss),
        "baseline/labelwise": _portable(lambda: _descend(problem, _labelwise_loss)),
        "ours/k-best": lambda: _best_paths(problem),
        "baseline/k-best": _portable(lambda: _best_paths(problem)),
        "ours/spans": lambda: _probable_spans(problem, reading),
        "baseline/spans": _portable(lambda: _probable_spans(problem, reading)),
    }


def _results(name: str, samples: dict[str, Samples], threads: int) -> list[Result]:
    results = []
    for work in ("loss", "viterbi", "marginals", *EXTENDED):
        extra = {"over_loss": ratio(samples["ours/marginals"], samples["ours/loss"])} if work == "marginals" else {}
        floor = samples[f"ours/{EXTENDED[work]}" if work in EXTENDED else f"floor/{work}"]
        ours, baseline = samples[f"ours/{work}"], samples[f"baseline/{work}"]
        results.append(Result(f"crf/{work}/{name}", ours, baseline, floor, threads=threads, extra=extra))
    return results


def _portable(work: Callable[[], Value]) -> Callable[[], Value]:
    """The same work in plain numpy or torch, as where no kernels were compiled."""

    def without_kernels() -> Value:
        with patch.object(kernels, "available_for", return_value=False):
            return work()

    return without_kernels


def _our_loss(problem: Problem) -> Tensor:
    """The summed negative log-likelihood by this package."""
    return -training.log_likelihood(problem.emissions, problem.tags, problem.lengths, *problem.tables).sum()


def _torchcrf_loss(problem: Problem) -> Tensor:
    loss: Tensor = -problem.layer(problem.emissions, problem.tags, mask=problem.mask, reduction="sum")
    return loss


def _descend(problem: Problem, loss: Callable[[Problem], Tensor]) -> Tensor:
    """Forward and backward; the loss."""
    for leaf in problem.leaves:
        leaf.grad = None
    value = loss(problem)
    value.backward()  # type: ignore[no-untyped-call]
    return value.detach()


def _with_gradients(problem: Problem, loss: Callable[[Problem], Tensor]) -> list[Tensor]:
    """The loss and all gradients; that of transitions is 0 where sentences are one token long."""
    value = _descend(problem, loss)
    return [value, *(torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in problem.leaves)]


def _our_paths(problem: Problem) -> Tensor:
    return torch.from_numpy(crf.viterbi(*problem.arrays))


def _torchcrf_paths(problem: Problem) -> list[list[int]]:
    with torch.no_grad():
        paths: list[list[int]] = problem.layer.decode(problem.emissions, mask=problem.mask)
    return paths


def _our_marginals(problem: Problem) -> Tensor:
    return torch.from_numpy(crf.marginals(*problem.arrays))


def _labelwise_loss(problem: Problem) -> Tensor:
    return -training.labelwise_log_likelihood(problem.emissions, problem.tags, problem.lengths, *problem.tables).sum()


def _best_paths(problem: Problem) -> tuple[Tensor, Tensor]:
    paths, scores = crf.k_best(*problem.arrays, PATHS)
    return torch.from_numpy(paths), torch.from_numpy(scores)


def _probable_spans(
    problem: Problem, reading: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    return crf.probable_spans(*problem.arrays, *reading, LEAST)


def _floor(problem: Problem, *, products: int, exponentials: bool) -> Callable[[], None]:
    """As many multiply-adds as the recursions take, without recursion (see the head of this file)."""
    emissions = torch.rand(problem.tokens, len(problem.tables[0]))
    side = int((products * emissions.numel() * emissions.shape[1]) ** (1 / 3))
    side = max(1, side // VECTOR * VECTOR)
    left, right = torch.rand(side, side), torch.rand(side, side)
    product, exponential = torch.empty_like(left), torch.empty_like(emissions)

    def work() -> None:
        torch.mm(left, right, out=product)
        if exponentials:
            torch.exp(emissions, out=exponential)

    return work


def check(problem: Problem) -> None:
    """See that all contenders give the same answers.

    Raises:
        WrongAnswerError: If they do not, saying in what.
    """
    ours, theirs = _with_gradients(problem, _our_loss), _with_gradients(problem, _torchcrf_loss)
    names = ("loss", "gradient of emissions", "gradient of start", "gradient of transitions", "gradient of end")
    for name, mine, other in zip(names, ours, theirs, strict=True):
        _agree(name, mine, other)
    longest = problem.emissions.shape[1]
    best = torch.tensor([path + [0] * (longest - len(path)) for path in _torchcrf_paths(problem)])
    _agree("scores of the best paths", _score(problem, _our_paths(problem)), _score(problem, best))
    tables = tuple(table.double() for table in problem.tables)
    portable = _torch_marginals(problem.emissions.double(), problem.lengths, tables)
    _agree("marginals", _our_marginals(problem), portable)
    _check_what_torchcrf_lacks(problem)


def _check_what_torchcrf_lacks(problem: Problem) -> None:
    """The same for label-wise loss, k best paths and probable spans, whose baseline is plain numpy or torch."""
    reading = problem.reading
    portable = _portable(lambda: (_with_gradients(problem, _labelwise_loss), _best_paths(problem)))
    (losses, (_, best)), (spans, probabilities) = portable(), _portable(lambda: _probable_spans(problem, reading))()
    # 1. The label-wise loss and its gradients.
    names = ("emissions", "start", "transitions", "end")
    for name, mine, other in zip(("", *names), _with_gradients(problem, _labelwise_loss), losses, strict=True):
        _agree(f"label-wise loss{name and f', gradient of {name}'}", mine, other)
    # 2. The k best paths: their scores, by both and by the definition.
    paths, scores = _best_paths(problem)
    again = torch.stack([_score(problem, paths[:, rank]) for rank in range(PATHS)], 1)
    _agree(
        "scores of k best paths",
        again.where(scores.isfinite(), best.double()).nan_to_num(neginf=0),
        best.nan_to_num(neginf=0),
    )
    _agree("scores of k best paths", scores.nan_to_num(neginf=0), best.nan_to_num(neginf=0))
    # 3. Probable spans. One next to the bound may be missing on one side: it counts as if it stood on the bound.
    ours, theirs = (
        dict(zip(map(tuple, which.tolist()), values.tolist(), strict=True))
        for which, values in (_probable_spans(problem, reading), (spans, probabilities))
    )
    each = sorted(ours | theirs)
    ours_values, their_values = (torch.tensor([found.get(span, LEAST) for span in each]) for found in (ours, theirs))
    _agree("probabilities of spans", ours_values, their_values)


@torch.no_grad()
def _torch_marginals(emissions: Tensor, lengths: Tensor, tables: tuple[Tensor, ...]) -> Tensor:
    """Each token's distribution over tags (B, T, K), 0 on padding, in plain torch."""
    start, transitions, end = tables
    padding = ~training.token_mask(lengths, emissions.shape[1])
    probabilities = training.log_marginals(emissions, lengths, start, transitions, end).exp()
    return probabilities.masked_fill(padding.unsqueeze(2), 0.0)


def _agree(what: str, ours: Tensor, theirs: Tensor) -> None:
    if not theirs.numel():
        return
    error = float(((ours.double() - theirs.double()).abs() / theirs.double().abs().clamp(min=1)).max())
    if not error <= TOLERANCE:
        raise WrongAnswerError(
            f"{what}: expected what the reference gives within {TOLERANCE}, got an error of {error:.2g}"
        )


@torch.no_grad()
def _score(problem: Problem, paths: Tensor) -> Tensor:
    """The score of each sentence's path (B,), in float64."""
    start, transitions, end = (table.double() for table in problem.tables)
    emitted = problem.emissions.double().gather(2, paths.unsqueeze(2)).squeeze(2)
    between = transitions[paths[:, :-1], paths[:, 1:]] * problem.mask[:, 1:]
    last = paths.gather(1, problem.lengths.unsqueeze(1) - 1).squeeze(1)
    return (emitted * problem.mask).sum(1) + between.sum(1) + start[paths[:, 0]] + end[last]

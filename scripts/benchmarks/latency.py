"""`benchmark.py latency`: one text of 20 tokens at a time, in every precision that the processor has.

    latency/float32           one caller after another
    latency/float32/rested    each call after 20 ms of rest, as a service is called
    latency/float32/8-callers 8 threads call one tagger; the time of a text is that of all over their number

The baseline is `handrolled.HandRolled` on the tokens of the same texts, called in the same way; the floor is the bare
LSTM on one sentence. Torch has one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import cycle
from pathlib import Path

import torch

from benchmarks.floor import BareLstm
from benchmarks.measure import Fresh, Result, Samples, interleave, say
from benchmarks.tagging import SHORT, short_texts, taggers, usual_code
from benchmarks.training import Prepared

__all__ = ["CALLERS", "run"]

CALLERS = 8
REST = 0.02  # seconds
_TEXTS = 4  # of each caller in a sample


def run(prepared: Prepared, model: Path, calls: int) -> list[Result]:
    """Time the calls.

    Args:
        prepared: The data and settings of the baseline; texts of its `corpus.test` are tagged.
        model: Directory of our model.
        calls: Samples of each contender.
    """
    torch.set_num_threads(1)
    say("latency")
    texts, baseline = short_texts(prepared.corpus), usual_code(prepared)
    contenders: dict[str, Callable[[str], object]] = {
        precision: tagger.tag for precision, tagger in taggers(model).items()
    }
    contenders["baseline"] = lambda text: baseline.tag([text.split()])
    floor = BareLstm(prepared.config.model, [(1, SHORT)])
    contenders["floor"] = lambda _: floor.tag()
    with ThreadPoolExecutor(CALLERS) as pool:
        ways: dict[str, Callable[[Callable[[str], object]], Callable[[], object] | Fresh]] = {
            "": lambda tag: _next(tag, texts),
            "/rested": lambda tag: _rested(_next(tag, texts)),
            f"/{CALLERS}-callers": lambda tag: partial(_together, pool, tag, texts),
        }
        results = []
        for way, called in ways.items():
            samples = interleave({name: called(tag) for name, tag in contenders.items()}, calls, least_seconds=0)
            if way.endswith("callers"):
                samples = {name: _of_one(one) for name, one in samples.items()}
            sides = samples["baseline"], samples["floor"]
            names = [name for name in contenders if name not in ("baseline", "floor")]
            results += [Result(f"latency/{name}{way}", samples[name], *sides, threads=1) for name in names]
    return results


def _next(tag: Callable[[str], object], texts: Sequence[str]) -> Callable[[], object]:
    """A call with one text after another."""
    following = cycle(texts)
    return lambda: tag(next(following))


def _rested(call: Callable[[], object]) -> Fresh:
    """The same after a rest, which is not measured."""

    def rest() -> Callable[[], object]:
        time.sleep(REST)
        return call

    return Fresh(rest)


def _together(pool: ThreadPoolExecutor, tag: Callable[[str], object], texts: Sequence[str]) -> None:
    """Each caller tags some texts, all at once."""

    def some(caller: int) -> None:
        for number in range(_TEXTS):
            tag(texts[(caller * _TEXTS + number) % len(texts)])

    list(pool.map(some, range(CALLERS)))


def _of_one(samples: Samples) -> Samples:
    return Samples(tuple(seconds / (CALLERS * _TEXTS) for seconds in samples.seconds))

"""Requests that wait together are tagged together."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from ner_lstm_crf import Tagger
from ner_lstm_crf.serving.batching import Batcher, BusyError

TEXTS = [f"Angela Merkel visited Rome and Milo Frank {'again ' * number}in Oslo." for number in range(40)]


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return Tagger.load("en")


def with_batcher(tagger: Tagger, use: Callable[[Batcher], Any], **settings: Any) -> Any:
    """The result of a coroutine that uses a batcher."""
    limits = {"batch_characters": 100_000, "most_characters": 1_000_000} | settings

    async def run() -> Any:
        batcher = Batcher(tagger, **limits)
        try:
            return await use(batcher)
        finally:
            batcher.close()
            assert batcher.characters == 0

    return asyncio.run(run())


def test_requests_that_come_at_once_are_tagged_in_two_batches_as_if_alone(tagger: Tagger) -> None:
    batches = list[int]()

    async def all_at_once(batcher: Batcher) -> list[Any]:
        return await asyncio.gather(*(batcher.tag([text]) for text in TEXTS))

    found = with_batcher(tagger, all_at_once, tagged=batches.append)
    assert [one for (one,) in found] == [tagger.tag(text) for text in TEXTS]
    assert sum(batches) == len(TEXTS)
    assert len(batches) <= 2


def test_a_batch_holds_no_more_characters_than_it_may(tagger: Tagger) -> None:
    batches = list[int]()

    async def all_at_once(batcher: Batcher) -> list[Any]:
        return await asyncio.gather(*(batcher.tag(["Rome " * 10] * 2) for _ in range(10)))

    with_batcher(tagger, all_at_once, tagged=batches.append, batch_characters=220)
    assert max(batches) == 4
    assert sum(batches) == 20


def test_what_cannot_be_tagged_spoils_no_other(tagger: Tagger) -> None:
    async def all_at_once(batcher: Batcher) -> list[Any]:
        first = asyncio.create_task(batcher.tag(["Rome"]))
        await asyncio.sleep(0)
        bad: Any = [["no", "text"]]
        others = [batcher.tag(["Milo Frank"]), batcher.tag(bad), batcher.tag(["Oslo"])]
        return [await first, *await asyncio.gather(*others, return_exceptions=True)]

    _, before, bad, after = with_batcher(tagger, all_at_once)
    assert isinstance(bad, TypeError)
    assert before == [tagger.tag("Milo Frank")]
    assert after == [tagger.tag("Oslo")]


def test_more_than_may_wait_is_refused_at_once_and_room_comes_back(tagger: Tagger) -> None:
    async def too_much(batcher: Batcher) -> list[Any]:
        waiting = [asyncio.create_task(batcher.tag(["x" * 400])) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError) as refused:
            await batcher.tag(["x" * 400])
        assert refused.value.seconds >= 1
        await asyncio.gather(*waiting)
        return await batcher.tag(["x" * 5000])  # nobody waits: any size

    assert with_batcher(tagger, too_much, most_characters=1000) == [[]]


def test_one_that_leaves_is_not_waited_for(tagger: Tagger) -> None:
    counts = list[int]()

    async def leave(batcher: Batcher) -> Any:
        first = asyncio.create_task(batcher.tag(["Rome"]))
        await asyncio.sleep(0)
        gone, stays = (asyncio.create_task(batcher.tag([text] * 3)) for text in ("Oslo", "Milo Frank"))
        await asyncio.sleep(0)
        gone.cancel()
        await first
        return await stays

    assert with_batcher(tagger, leave, tagged=counts.append) == [tagger.tag("Milo Frank")] * 3
    assert counts == [1, 3]


def test_a_function_has_its_turn_and_its_error_reaches_who_asked(tagger: Tagger) -> None:
    async def ask(batcher: Batcher) -> Any:
        answers = batcher.call(lambda: 7, 3), batcher.call(lambda: 1 // 0, 3), batcher.tag(["Rome"])
        return await asyncio.gather(*answers, return_exceptions=True)

    seven, error, entities = with_batcher(tagger, ask)
    assert seven == 7
    assert isinstance(error, ZeroDivisionError)
    assert entities == [tagger.tag("Rome")]


def test_it_goes_on_in_another_loop_and_after_its_end(tagger: Tagger) -> None:
    """As in a program that calls the application by `asyncio.run`, request by request."""
    batcher = Batcher(tagger, batch_characters=1000, most_characters=10_000)
    for text in ("Rome", "Milo Frank", "Milo Frank visited Rome. " * 30, "Oslo"):
        assert asyncio.run(asyncio.wait_for(batcher.tag([text]), 30)) == [tagger.tag(text)]
        batcher.close()
    assert batcher.characters == 0


def test_a_batch_that_takes_long_does_not_stop_the_loop(tagger: Tagger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is slow by its characters, by its texts, or by its tagger."""
    threads = list[str]()
    monkeypatch.setattr(
        tagger, "tag_many", lambda texts: threads.append(threading.current_thread().name) or iter(texts)
    )

    async def one_after_the_other(batcher: Batcher) -> None:
        await batcher.tag(["Rome"])  # the first one, of which nobody knows
        for texts in (["Rome"], ["A " * 600], ["A"] * 40):
            batcher._rate = 50_000.0  # characters a second, of a batch before
            await batcher.tag(texts)
        batcher._rate = 100.0  # as with a transformer
        await batcher.tag(["Rome"])

    with_batcher(tagger, one_after_the_other)
    here = [name == threading.main_thread().name for name in threads]
    assert here == [False, True, False, False, False]

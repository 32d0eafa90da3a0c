"""Requests that arrive together are tagged in one batch.

While a batch is tagged, requests wait; all that wait when it is done are the next batch, up to a size. So a request
that comes alone waits for nothing, and many that come at once share the work: the more there are, the larger the
batches. What waits is bounded. Beyond that a request is refused at once, and told when to come again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import ceil
from time import perf_counter
from typing import TypeVar

from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.text.annotation import Entity

Result = TypeVar("Result")

_FIRST_RATE = 50_000  # characters a second, a guess until the first batch
_SHORT_SECONDS, _SHORT_TEXTS = 0.02, 32  # a batch that is expected to take less is tagged without another thread


class BusyError(Exception):
    """Too much waits already.

    Attributes:
        seconds: When there will be room again, by the speed of late.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many requests wait: come again in {seconds} s")
        self.seconds = seconds


@dataclass(eq=False, slots=True)
class Waiting:
    """A request that waits.

    Attributes:
        work: Its texts; or a function to call in place of tagging.
        characters: What it counts in the queue.
        answer: Receives the entities of each text, or what the function returns.
    """

    work: Sequence[str] | Callable[[], object]
    characters: int
    answer: asyncio.Future[object]


class Batcher:
    """Tags the texts of requests in batches, on one thread of its own; short ones where it is called.

    Args:
        tagger: The tagger.
        batch_characters: Characters of a batch; a longer request is a batch of its own.
        most_characters: Characters that may wait; a request that finds nobody waiting is never refused.
        tagged: Called with the number of texts of each batch.

    Attributes:
        tagger: The tagger.
        characters: Characters that wait, or are being tagged.
    """

    def __init__(
        self,
        tagger: Tagger,
        *,
        batch_characters: int,
        most_characters: int,
        tagged: Callable[[int], object] = lambda _: None,
    ) -> None:
        self.tagger, self.characters = tagger, 0
        self._batch_characters, self._most_characters, self._tagged = batch_characters, most_characters, tagged
        self._waiting = deque[Waiting]()
        self._thread: ThreadPoolExecutor | None = None
        self._running: asyncio.Task[None] | None = None
        self._rate = 0.0  # characters a second, of the last batch

    async def tag(self, texts: Sequence[str]) -> list[list[Entity]]:
        """The entities of each text.

        Raises:
            BusyError: If too much waits.
        """
        return await self._enqueue(texts, sum(map(len, texts)))  # type: ignore[return-value]

    async def call(self, function: Callable[[], Result], characters: int) -> Result:
        """The result of a function that uses the tagger, called in its turn; what it raises.

        Raises:
            BusyError: If too much waits.
        """
        return await self._enqueue(function, characters)  # type: ignore[return-value]

    async def _enqueue(self, work: Sequence[str] | Callable[[], object], characters: int) -> object:
        """Wait for a turn."""
        characters += 1  # empty texts must not pile up either
        if self.characters and self.characters + characters > self._most_characters:
            raise BusyError(max(1, ceil(self.characters / (self._rate or _FIRST_RATE))))
        one = Waiting(work, characters, asyncio.get_running_loop().create_future())
        self.characters += characters
        self._waiting.append(one)
        if self._running is None or self._running.done():  # or cancelled, if its loop has ended
            self._running = asyncio.create_task(self._run())
        return await one.answer

    async def _run(self) -> None:
        """Tag batch after batch until nobody waits."""
        while self._waiting:
            # 1. What waits, up to the size of a batch; nothing for those that have left meanwhile.
            batch, size = list[Waiting](), 0
            while self._waiting and (not batch or size + self._waiting[0].characters <= self._batch_characters):
                batch.append(self._waiting.popleft())
                size += batch[-1].characters
            present = [one for one in batch if not one.answer.done()]
            began = perf_counter()
            try:
                # 2. All texts at once; and what is no text, one by one.
                texts = [one for one in present if not callable(one.work)]
                count = sum(len(one.work) for one in texts)  # type: ignore[arg-type, misc]
                is_short = size <= _SHORT_SECONDS * self._rate and count <= _SHORT_TEXTS
                await self._answer(texts, partial(self._entities, texts), here=is_short)
                for one in present:
                    if callable(one.work):
                        await self._answer([one], partial(_alone, one.work))
            finally:
                # 3. Room for others, and how fast it came.
                self.characters -= size
            if present:
                self._rate = size / max(perf_counter() - began, 1e-6)
            # 4. Some turns of the loop: answers are sent, and what came meanwhile is read, to be the next batch.
            for _ in range(4):
                await asyncio.sleep(0)

    async def _answer(
        self, requests: Sequence[Waiting], compute: Callable[[], Sequence[object]], *, here: bool = False
    ) -> None:
        """Give each request its result; if that fails each is tried by itself.

        Args:
            requests: The requests.
            compute: Computes their results.
            here: True to compute them on this thread, else on the batcher's.
        """
        if not requests:
            return
        try:
            if here:
                results = compute()
            else:
                self._thread = self._thread or ThreadPoolExecutor(1, thread_name_prefix="ner-lstm-crf-batches")
                results = await asyncio.get_running_loop().run_in_executor(self._thread, compute)
        except Exception as error:  # it belongs to whoever asked
            if len(requests) > 1:  # one must not spoil the others
                for one in requests:
                    await self._answer([one], partial(self._entities, [one]))
            elif not requests[0].answer.done():
                requests[0].answer.set_exception(error)
            return
        for one, result in zip(requests, results, strict=True):
            if not one.answer.done():
                one.answer.set_result(result)

    def _entities(self, requests: Sequence[Waiting]) -> list[list[list[Entity]]]:
        """For each request the entities of each of its texts."""
        texts = [text for one in requests for text in one.work]  # type: ignore[union-attr]
        self._tagged(len(texts))
        found = self.tagger.tag_many(texts)
        return [[next(found) for _ in one.work] for one in requests]  # type: ignore[union-attr]

    def close(self) -> None:
        """End the thread when it has done its work; what comes later has another one."""
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None


def _alone(function: Callable[[], object]) -> list[object]:
    """The result of a function, as that of a batch of one."""
    return [function()]

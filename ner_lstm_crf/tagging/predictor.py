"""Sentences to spans: in batches of like length whatever their order, over vectors that are computed once per word.

    chunk of about 32,000 tokens -> word types -> their cached vectors
        -> batches of sentences of like length -> emissions -> tags -> spans

A chunk is large enough to fill batches of like length, and small enough that memory stays flat and the first result
comes soon. Where torch may use several threads, each computes batches of its own, and the next chunk is encoded
meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from threading import Lock
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from ner_lstm_crf.config import Precision
from ner_lstm_crf.features.batch import RaggedSentences, WordTypes
from ner_lstm_crf.features.token_feature import Ids
from ner_lstm_crf.isolation import computing
from ner_lstm_crf.model.cpu import Map, one_thread, worker_map
from ner_lstm_crf.model.inference import InferenceNetwork
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.tags.scheme import DecodedTags

Item = TypeVar("Item")

CHUNK_TOKENS = 32_768
BATCH_SENTENCES = 256
BATCH_TOKENS = 4096
# Word types whose vectors are cached, beside those of the last chunk; with 158 values each, 30 to 50 MB, for each
# network of the model.
CACHED_TYPES = 50_000


@dataclass(eq=False, slots=True)
class Chunk(Generic[Item]):
    """Sentences that are tagged together.

    Attributes:
        items: The items that they were read from: sentences, or parts of texts.
        words: The tokens of all sentences, end to end.
        lengths: Tokens of each sentence, which may be 0.
    """

    items: list[Item] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)


def chunks(items: Iterable[tuple[Item, Sequence[str], Sequence[int]]]) -> Iterator[Chunk[Item]]:
    """Cut a stream into chunks of about `CHUNK_TOKENS` tokens, in order; a longer item is a chunk of its own.

    Args:
        items: Each item with its words and the lengths of its sentences.
    """
    chunk = Chunk[Item]()
    for item, words, lengths in items:
        chunk.items.append(item)
        chunk.words.extend(words)
        chunk.lengths.extend(lengths)
        if len(chunk.words) + len(chunk.items) >= CHUNK_TOKENS:  # a stream of empty texts must not pile up either
            yield chunk
            chunk = Chunk[Item]()
    if chunk.items:
        yield chunk


class Predictor:
    """Finds the spans of sentences.

    Args:
        model: The model, whose networks are put into evaluation mode. Their weights may change between calls.
        precision: Number type of the encoder, see `InferenceNetwork`; all else is float32.
        word_types: Word types that encoded sentences refer to; if not given new ones, which are cleared when they are
            many.

    Raises:
        InputError: If the processor lacks the precision.
    """

    def __init__(self, model: Model, precision: Precision = "float32", *, word_types: WordTypes | None = None) -> None:
        self.model, self.precision = model, precision
        self._is_own = word_types is None
        self._word_types = WordTypes(model.features) if word_types is None else word_types
        self._network = InferenceNetwork(model.networks, self._word_types, precision)
        self._lock = Lock()

    def __reduce__(self) -> tuple[object, ...]:
        return Predictor, (self.model, self.precision)

    def decode(self, chunk: Chunk[Item]) -> list[DecodedTags]:
        """Spans of the sentences of one small chunk, on the calling thread: none to start, and none to wait for."""
        with one_thread():
            return next(self._decode([(chunk, *self._encode(chunk))], map))[1]

    def stream(self, chunks: Iterable[Chunk[Item]]) -> Generator[tuple[Chunk[Item], list[DecodedTags]], None, None]:
        """Spans of the sentences of many chunks, in the order given; at most one chunk is read ahead."""
        with worker_map() as run:
            yield from self._decode(((chunk, *self._encode(chunk)) for chunk in chunks), run)

    def _encode(self, chunk: Chunk[Any]) -> tuple[RaggedSentences, list[Tensor]]:
        """Sentences as numbers, and vectors of their word types, which stay valid if these are cleared later."""
        with computing(), one_thread(), self._lock:  # several threads of the caller may tag with one predictor
            if self._is_own and len(self._word_types) > CACHED_TYPES:
                self._word_types.clear()
            sentences = self.model.features.encode(chunk.words, chunk.lengths, self._word_types)
            return sentences, self._network.type_vectors(sentences.types)

    def _decode(
        self, encoded: Iterable[tuple[Item, RaggedSentences, list[Tensor]]], run: Map
    ) -> Iterator[tuple[Item, list[DecodedTags]]]:
        """Each item with the spans of its sentences, computed batch by batch with `run`."""
        computing: deque[tuple[Item, RaggedSentences, Ids, Iterator[None]]] = deque()
        for started in chain(encoded, [None]):
            # 1. Start the batches of this chunk; all write their tags into one array.
            if started is not None:
                item, sentences, vectors = started
                tags = np.zeros(len(sentences.types), np.int64)
                batches = sentences.tagging_batches(sentences=BATCH_SENTENCES, tokens=BATCH_TOKENS)
                results = run(partial(self._decode_batch, sentences, vectors, tags), batches)
                computing.append((item, sentences, tags, results))
            # 2. Read the tags of the chunk before, if other threads compute this one meanwhile; else of this one.
            while len(computing) > (run is not map and started is not None):
                item, sentences, tags, results = computing.popleft()
                deque(results, maxlen=0)  # waits for all of them; raises what they raised
                yield item, self.model.tags.decode_all(tags, sentences.lengths)

    def _decode_batch(self, sentences: RaggedSentences, vectors: list[Tensor], tags: Ids, numbers: Ids) -> None:
        """Write the tags of the sentences with these numbers (B,) into `tags` (N,), the array of all tokens."""
        with computing(), torch.inference_mode():
            batch, positions, real = sentences.tagging_batch(*numbers)
            best = self._network.decode(vectors, batch).numpy()  # (B, T)
        tags[positions[real]] = best[real]


def predict(model: Model, sentences: RaggedSentences) -> list[DecodedTags]:
    """Spans of each encoded sentence and its ill-formed tags (none with a CRF), in the order given.

    The networks may be in training, and are again afterwards.
    """
    were_training = [network.training for network in model.networks]
    predictor = Predictor(model, word_types=sentences.word_types)
    try:
        with computing():
            vectors = predictor._network.type_vectors(sentences.types)
        with worker_map() as run:
            return next(predictor._decode([(None, sentences, vectors)], run))[1]
    finally:
        for network, was_training in zip(model.networks, were_training, strict=True):
            network.train(was_training)

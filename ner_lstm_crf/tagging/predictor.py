"""Sentences to spans: batches of like length, whatever the order they come in, over vectors that are computed once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate, pairwise
from threading import Lock
from typing import Generic, TypeAlias, TypeVar

import numpy as np
import torch
from torch import Tensor

from ner_lstm_crf.config import Precision
from ner_lstm_crf.features.batch import EncodedSentence
from ner_lstm_crf.features.ragged import RaggedSentences
from ner_lstm_crf.features.word_types import Ids, WordTypes
from ner_lstm_crf.model.inference import InferenceNetwork
from ner_lstm_crf.model.threads import Future, LazyFuture, Workers, one_thread
from ner_lstm_crf.model.type_vectors import TypeVectorCache
from ner_lstm_crf.progress import Progress, silent
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.tags.scheme import DecodedTags

__all__ = ["Predictor", "Window", "predict", "windows"]

Item = TypeVar("Item")
Submit: TypeAlias = Callable[[Callable[[], None]], Future[None]]

# Enough tokens to fill batches of like length, few enough that memory stays flat and the first result comes soon.
WINDOW_TOKENS = 32_768
BATCH_SENTENCES = 256
BATCH_TOKENS = 4096
# Distinct forms whose vectors are remembered, beside those of the last window; with 158 values each, 30 to 50 MB, for
# each network of the model.
KNOWN_FORMS = 50_000


@dataclass(eq=False)
class Window(Generic[Item]):
    """Sentences that are tagged together.

    Attributes:
        items: What the caller cut them from.
        words: The tokens of all of them, end to end.
        lengths: How many tokens each has; some may have none.
    """

    items: list[Item] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)


def windows(items: Iterable[Item], add: Callable[[Window[Item], Item], None]) -> Iterator[Window[Item]]:
    """Cut a stream into windows of about `WINDOW_TOKENS` tokens, in order; a longer item is a window of its own.

    Args:
        items: What is to be tagged.
        add: Adds an item, its words and the lengths of its sentences to a window.
    """
    window = Window[Item]()
    for item in items:
        add(window, item)
        if len(window.words) + len(window.items) >= WINDOW_TOKENS:  # a stream of empty texts must not pile up either
            yield window
            window = Window[Item]()
    if window.items:
        yield window


class Predictor:
    """Finds the spans of sentences.

    Args:
        model: The model, which is put into evaluation mode. Its weights may change between calls, unless it is
            several networks as one.
        precision: What the encoder computes in, see `InferenceNetwork`; all else is float32.
        table: The forms that encoded sentences refer to; one of its own if not given, which is cleared when it is full.

    Raises:
        InputError: If the processor lacks the precision.
    """

    def __init__(self, model: Model, precision: Precision = "float32", *, table: WordTypes | None = None) -> None:
        self.model, self.precision = model, precision
        featurizer = model.featurizer
        self._is_own = table is None
        self._table = featurizer.new_table() if table is None else table
        self._network = InferenceNetwork(model.network, precision)
        self._vectors = [
            TypeVectorCache(member.embedding, self._table, self._network.dtype) for member in model.network.members
        ]
        self._lock = Lock()

    def __reduce__(self) -> tuple[object, ...]:
        return Predictor, (self.model, self.precision)

    def decode(self, window: Window[Item]) -> list[DecodedTags]:
        """The spans of the sentences of one small window: with no thread to start, and none to wait for."""
        with one_thread():
            return self._read(self._start(*self._encoded(window), LazyFuture))

    def stream(self, windows: Iterable[Window[Item]]) -> Generator[tuple[Window[Item], list[DecodedTags]], None, None]:
        """The spans of the sentences of many windows, in the order given; one window is read ahead."""
        pending: deque[tuple[Window[Item], _Running]] = deque()
        with Workers() as workers:
            for window in windows:
                pending.append((window, self._start(*self._encoded(window), workers.submit)))
                if len(pending) > (workers.threads > 1):
                    first, running = pending.popleft()
                    yield first, self._read(running)
            for window, running in pending:
                yield window, self._read(running)

    def decode_all(self, sentences: Sequence[Sequence[str]], progress: Progress = silent) -> list[DecodedTags]:
        """The spans of many sentences, each given as its words, all at hand."""
        found: list[DecodedTags] = []
        for _, decoded in self.stream(windows(sentences, _add_words)):
            found += decoded
            progress(len(found), len(sentences))
        return found

    def tags(self, sentences: RaggedSentences, progress: Progress = silent) -> Ids:
        """The tag ids of sentences encoded with `table`, end to end (N,)."""
        with Workers() as workers:
            return self._start(sentences, self._vectors_of(sentences.forms), workers.submit).wait(progress)

    def _encoded(self, window: Window[Item]) -> tuple[RaggedSentences, list[Tensor]]:
        """Sentences as numbers, and vectors of their forms, which stay valid if the table is cleared later."""
        featurizer = self.model.featurizer
        words, lengths = window.words, window.lengths
        if self.model.network.training:
            self.model.network.eval()
        with self._lock:
            if self._is_own and len(self._table) > KNOWN_FORMS:
                self._table.clear()
            forms = self._table.rows(words)
            vectors = self._vectors_of(forms)
            subtokens = None
            if featurizer.subtokenizer is not None:
                edges = pairwise(accumulate(lengths, initial=0))
                subtokens = [featurizer.subtokenizer.encode(words[start:end]) for start, end in edges]
            counts = np.array(lengths, np.int64)
            bigrams = featurizer.bigram_ids(self._table, forms, counts)
            lexicon = featurizer.lexicon_ids(self._table, forms, counts)
        return RaggedSentences(forms, counts, subtokens, bigrams=bigrams, lexicon=lexicon), vectors

    def _vectors_of(self, forms: Ids) -> list[Tensor]:
        """What each member of the network says of these forms by themselves (R, D each)."""
        return [vectors.of(forms) for vectors in self._vectors]

    def _start(self, sentences: RaggedSentences, vectors: list[Tensor], submit: Submit) -> _Running:
        """Begin to compute the tags of all sentences."""
        self._network.refresh()
        tags = np.zeros(len(sentences.forms), np.int64)
        jobs = []
        for numbers in sentences.batches(sentences=BATCH_SENTENCES, tokens=BATCH_TOKENS):
            jobs.append((len(numbers), submit(partial(self._compute, sentences, vectors, numbers, tags))))
        return _Running(sentences, tags, jobs)

    def _compute(self, sentences: RaggedSentences, vectors: list[Tensor], numbers: Ids, tags: Ids) -> None:
        """Write the tags of the sentences of one batch to their places."""
        places, real = sentences.places(numbers)
        with torch.inference_mode():
            best = self._network.decode(vectors, sentences.batch(numbers, places)).numpy()
        tags[places[real]] = best[real]

    def _read(self, running: _Running) -> list[DecodedTags]:
        return self.model.featurizer.tag_set.decode_all(running.wait(), running.sentences.lengths)


@dataclass(frozen=True, slots=True)
class _Running:
    """Sentences whose tags are being computed.

    Attributes:
        sentences: The sentences.
        tags: Where their tags will be (N,).
        jobs: The batches, each with its number of sentences.
    """

    sentences: RaggedSentences
    tags: Ids
    jobs: Sequence[tuple[int, Future[None]]]

    def wait(self, progress: Progress = silent) -> Ids:
        """The tags, when all are there (N,)."""
        done, total = 0, len(self.sentences.lengths)
        for count, job in self.jobs:
            job.result()
            done += count
            progress(done, total)
        return self.tags


def predict(model: Model, sentences: Sequence[EncodedSentence], *, progress: Progress = silent) -> list[DecodedTags]:
    """The spans of each sentence and its ill-formed tags (none with a CRF), in the order given.

    The network may be in training, and then goes on with it.
    """
    featurizer, flat, network = model.featurizer, RaggedSentences.of_encoded(sentences), model.network
    was_training = network.training
    network.eval()
    try:
        tags = Predictor(model, table=featurizer.table).tags(flat, progress)
    finally:
        network.train(was_training)
    return featurizer.tag_set.decode_all(tags, flat.lengths)


def _add_words(window: Window[Sequence[str]], words: Sequence[str]) -> None:
    window.items.append(words)
    window.words.extend(words)
    window.lengths.append(len(words))

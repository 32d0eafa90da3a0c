"""Sentences to spans: in batches of like length whatever their order, over vectors that are computed once per word.

    chunk of about 32,000 tokens -> word types -> their cached vectors
        -> batches of sentences of like length -> emissions -> spans (see `decoding`)

Emissions of a long sentence come from windows (`features.batch.rows_of`), each token's from the window where it has
most context; its tags are those of the best path over the whole sentence. A sentence with barriers, which no entity
holds, is read as a whole, too, and the best path is found of each piece between them; outside the pieces all is `O`.
The probability of an entity is that in its sentence, or in its piece: as if nothing stood before and after.

A chunk is large enough to fill batches of like length, and small enough that memory stays flat and the first result
comes soon. Where several threads may be used, each computes batches of its own, and the next chunk is encoded
meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from operator import attrgetter
from threading import Lock
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ner_lstm_crf.config import Precision
from ner_lstm_crf.crf import ScoreTables
from ner_lstm_crf.features.batch import MOST_TOKENS, Batch, RaggedSentences, WordTypes, like_lengths
from ner_lstm_crf.features.token_feature import Ids
from ner_lstm_crf.inference.engine import engine_for, is_fixed
from ner_lstm_crf.isolation import computing
from ner_lstm_crf.progress import Progress, silent
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.tagging.decoding import Decoding, Emissions, Reader, TagScores
from ner_lstm_crf.tags.scheme import DecodedTags
from ner_lstm_crf.threads import Map, one_thread, worker_map

Item = TypeVar("Item")

CHUNK_TOKENS = 32_768
BATCH_SENTENCES = 256
BATCH_TOKENS = 4096
# Word types whose vectors are cached, beside those of the last chunk; with 158 values each, 30 to 50 MB, for each
# network of the model.
CACHED_TYPES = 50_000
# Without probabilities, as training and evaluation need spans.
UNSCORED = Decoding(scored=False)


@dataclass(eq=False, slots=True)
class Chunk(Generic[Item]):
    """Sentences that are tagged together.

    Attributes:
        items: The items that they were read from: sentences, or parts of texts.
        words: The tokens of all sentences, end to end.
        lengths: Tokens of each sentence, which may be 0.
        barriers: What no entity holds, as tokens from the first to the last (exclusive); an empty one, from a token to
            itself, is a place that no entity goes over.
        touching: True for each word that the next one touches (N,); empty if that is not known, or not read.
    """

    items: list[Item] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    barriers: list[tuple[int, int]] = field(default_factory=list)
    touching: list[bool] = field(default_factory=list)


def chunks(
    items: Iterable[tuple[Item, Sequence[str], Sequence[int], Sequence[tuple[int, int]]]],
    touching: Callable[[Item], Iterable[bool]] | None = None,
) -> Iterator[Chunk[Item]]:
    """Cut a stream into chunks of about `CHUNK_TOKENS` tokens, in order; a longer item is a chunk of its own.

    Args:
        items: Each item with its words, the lengths of its sentences, and its barriers.
        touching: Gives `Chunk.touching` of an item; None if that is not read.
    """
    chunk = Chunk[Item]()
    for item, words, lengths, barriers in items:
        before = len(chunk.words)
        if barriers:
            chunk.barriers.extend((before + first, before + final) for first, final in barriers)
        chunk.items.append(item)
        chunk.words.extend(words)
        chunk.lengths.extend(lengths)
        if touching is not None:
            chunk.touching.extend(touching(item))
        if len(chunk.words) + len(chunk.items) >= CHUNK_TOKENS:  # a stream of empty texts must not pile up either
            yield chunk
            chunk = Chunk[Item]()
    if chunk.items:
        yield chunk


class Predictor:
    """Finds the spans of sentences.

    Args:
        model: The model, whose networks are put into evaluation mode. Their weights may change between calls.
        precision: What the encoder computes in, see `engine_for`; all else is float32.
        word_types: Word types that encoded sentences refer to; if not given new ones, which are cleared when they are
            many.

    Raises:
        InputError: If the processor or the model lacks the precision.
    """

    def __init__(self, model: Model, precision: Precision = "float32", *, word_types: WordTypes | None = None) -> None:
        self.model, self.precision = model, precision
        self._is_own = word_types is None
        self._word_types = WordTypes(model.features) if word_types is None else word_types
        self._engine = engine_for(model, self._word_types, precision)
        self._lock = Lock()
        self._scores: TagScores | None = None

    def __reduce__(self) -> tuple[object, ...]:
        return Predictor, (self.model, self.precision)

    def chunks(
        self, items: Iterable[tuple[Item, Sequence[str], Sequence[int], Sequence[tuple[int, int]]]]
    ) -> Iterator[Chunk[Item]]:
        """The chunks of a stream, see `chunks`; the items are sentences or portions, which know what touches."""
        return chunks(items, attrgetter("touching") if self.model.features.reads_touching else None)

    def decode(self, chunk: Chunk[Item], decoding: Decoding = UNSCORED) -> list[DecodedTags]:
        """Spans of the sentences of one small chunk, on the calling thread: none to start, and none to wait for."""
        with one_thread():
            if len(chunk.lengths) == 1 and not chunk.barriers and 0 < chunk.lengths[0] <= MOST_TOKENS:
                return [self._decode_sentence(chunk, decoding)]
            return next(self._decode([(chunk, *self._encode(chunk))], map, decoding))[1]

    def stream(
        self, chunks: Iterable[Chunk[Item]], decoding: Decoding = UNSCORED
    ) -> Generator[tuple[Chunk[Item], list[DecodedTags]], None, None]:
        """Spans of the sentences of many chunks, in the order given; at most one chunk is read ahead."""
        with worker_map() as run:
            yield from self._decode(((chunk, *self._encode(chunk)) for chunk in chunks), run, decoding)

    def scores(self, chunk: Chunk[Any]) -> tuple[Emissions, ScoreTables]:
        """What the network says of one small chunk, on the calling thread: emissions of all tokens (N, K), tables."""
        emissions = self._for_tokens(chunk, self._engine.emissions)
        return emissions, ScoreTables(*(table.copy() for table in self._engine.tables))

    def vectors(self, chunk: Chunk[Any]) -> NDArray[np.float32]:
        """The encoder's output for all tokens of one small chunk (N, D); see `Engine.encoded`."""
        return self._for_tokens(chunk, self._engine.encoded)

    def _decode_sentence(self, chunk: Chunk[Any], decoding: Decoding) -> DecodedTags:
        """What `_decode` finds in a chunk of one sentence that is read at once, without what puts several together."""
        with computing():
            sentence, vectors = self._read(chunk)
            batch = sentence.single_batch()
            emissions = self._engine.emissions(vectors, batch)  # (1, T, K)
            return decoding.of_sentence(self._tag_scores(), emissions)

    def _for_tokens(
        self, chunk: Chunk[Any], compute: Callable[[list[Any], Batch], NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        """A row for each token of a chunk (N, D), computed batch by batch (B, T, D)."""
        with one_thread():
            sentences, vectors, _ = self._encode(chunk)
            rows = np.zeros((len(sentences.types), 0), np.float32)
            with computing():
                for batch_of in self._batches(sentences):
                    batch, positions, counts = sentences.tagging_batch(*batch_of)
                    computed = compute(vectors, batch)
                    if not rows.shape[1]:
                        rows = np.zeros((len(rows), computed.shape[2]), np.float32)
                    rows[positions[counts]] = computed[counts]
            return rows

    def _encode(self, chunk: Chunk[Any]) -> tuple[RaggedSentences, list[Any], Ids]:
        """Sentences as numbers; vectors of their word types, which stay valid if these are cleared later; pieces."""
        with computing(), one_thread():
            sentences, vectors = self._read(chunk)
            return sentences, vectors, pieces_of(sentences, chunk.barriers)

    def _read(self, chunk: Chunk[Any]) -> tuple[RaggedSentences, list[Any]]:
        """Sentences as numbers, and the vectors of their word types."""
        with self._lock:  # several threads of the caller may tag with one predictor
            if self._is_own and len(self._word_types) > CACHED_TYPES:
                self._word_types.clear()
            encode = self.model.features.encode
            sentences = encode(chunk.words, chunk.lengths, self._word_types, touching=chunk.touching)
            return sentences, self._engine.type_vectors(sentences.types)

    def _decode(
        self, encoded: Iterable[tuple[Item, RaggedSentences, list[Any], Ids]], run: Map, decoding: Decoding
    ) -> Iterator[tuple[Item, list[DecodedTags]]]:
        """Each item with the spans of its sentences, computed batch by batch with `run`."""
        waiting: deque[tuple[Item, RaggedSentences, Ids, Reader, Emissions | None, Iterator[None]]] = deque()
        for started in chain(encoded, [None]):
            # 1. Start the batches of this chunk; what all of them find goes into one reader.
            if started is not None:
                item, sentences, vectors, pieces = started
                reader = decoding.reader(self._tag_scores(), len(sentences.types))
                kept = self._room(sentences) if len(pieces) else None
                results = run(partial(self._decode_batch, sentences, vectors, reader, kept), self._batches(sentences))
                waiting.append((item, sentences, pieces, reader, kept, results))
            # 2. Read the spans of the chunk before, if other threads compute this one meanwhile; else of this one.
            while len(waiting) > (run is not map and started is not None):
                item, sentences, pieces, reader, kept, results = waiting.popleft()
                deque(results, maxlen=0)  # waits for all of them; raises what they raised
                if kept is not None:
                    self._decode_pieces(pieces, kept, reader)
                yield item, reader.decoded(sentences.lengths, pieces[:, :2] if len(pieces) else None)

    def _decode_batch(
        self,
        sentences: RaggedSentences,
        vectors: list[Any],
        reader: Reader | None,
        kept: Emissions | None,
        batch_of: tuple[Ids, int],
    ) -> None:
        """Let `reader` read one batch, and write its emissions into `kept` (N, K), the array of all tokens."""
        with computing():
            batch, positions, counts = sentences.tagging_batch(*batch_of)
            emissions = self._engine.emissions(vectors, batch)  # (B, T, K)
            if kept is not None:
                kept[positions[counts]] = emissions[counts]
            if reader is not None:
                reader.read(emissions, batch.lengths, positions, counts)

    def _decode_pieces(self, pieces: Ids, kept: Emissions, reader: Reader) -> None:
        """Let `reader` read the sentences that are decoded in pieces.

        Args:
            pieces: The result of `pieces_of` (P, 3).
            kept: The emissions of all tokens (N, K).
            reader: What it has read of these sentences is forgotten.
        """
        starts, ends, decoded = pieces.T
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            reader.clear(start, end)
        starts, lengths = starts[decoded > 0], (ends - starts)[decoded > 0]
        for numbers, longest in like_lengths(lengths, sentences=BATCH_SENTENCES, tokens=BATCH_TOKENS):
            steps = np.arange(longest)
            positions = np.minimum(starts[numbers, None] + steps, len(kept) - 1)
            real = steps < lengths[numbers, None]
            with computing():
                reader.read(kept[positions], lengths[numbers], positions, real)

    def _tag_scores(self) -> TagScores:
        """The scores of the tags beside emissions, made anew when the engine has others, as in training."""
        tables, temperature, scores = self._engine.tables, self.model.temperature, self._scores
        if scores is None or scores.tables is not tables or scores.temperature != temperature:
            scores = self._scores = TagScores.of(self.model.tags, tables, temperature)
        return scores

    def _batches(self, sentences: RaggedSentences) -> list[tuple[Ids, int]]:
        """Batches of a size that suits the engine."""
        most = min(BATCH_SENTENCES, self._engine.batch_sentences), min(BATCH_TOKENS, self._engine.batch_tokens)
        return sentences.tagging_batches(sentences=most[0], tokens=most[1])

    def _room(self, sentences: RaggedSentences) -> Emissions:
        """An array for the emissions of all tokens of some sentences (N, K)."""
        return np.zeros((len(sentences.types), len(self.model.tags)), np.float32)


def pieces_of(sentences: RaggedSentences, barriers: Sequence[tuple[int, int]]) -> Ids:
    """The pieces of the sentences that are not decoded as they are read: of long ones, and of those with barriers.

    Args:
        sentences: All sentences.
        barriers: See `Chunk`.

    Returns:
        (P, 3): for each piece its first token, the token behind the last, and 1, or 0 if a barrier holds it.
    """
    if not barriers and len(sentences.rows.lengths) == len(sentences):
        return np.zeros((0, 3), np.int64)
    # 1. Cut the tokens at the ends of sentences and of barriers.
    ends = sentences.lengths.cumsum()
    first, final = np.array([*barriers, (0, 0)], np.int64).T
    edges = np.unique(np.concatenate([[0], ends, first, final]))
    # 2. The depth of barriers over each piece: one more from the start of each on, one less from its end on.
    change = np.zeros(len(edges), np.int64)
    np.add.at(change, np.searchsorted(edges, first), 1)
    np.add.at(change, np.searchsorted(edges, final), -1)
    is_free = change.cumsum()[:-1] == 0
    # 3. Sentences of one piece that is free are decoded as they are read, unless they are long.
    sentence = np.searchsorted(ends, edges[:-1], side="right")
    windows = np.bincount(sentences.rows.sentences, minlength=len(sentences))
    several = (np.bincount(sentence, minlength=len(sentences)) > 1) | (windows > 1)
    chosen = several[sentence] | ~is_free
    pieces: Ids = np.stack([edges[:-1], edges[1:], is_free], axis=1)[chosen].astype(np.int64)
    return pieces


def predict(model: Model, sentences: RaggedSentences) -> list[DecodedTags]:
    """Spans of each encoded sentence and its ill-formed tags (none with a CRF), in the order given; no probabilities.

    The networks may be in training, and are again afterwards.
    """
    networks = () if is_fixed(model) else model.networks
    were_training = [network.training for network in networks]
    predictor = Predictor(model, word_types=sentences.word_types)
    try:
        with computing():
            vectors = predictor._engine.type_vectors(sentences.types)
        with worker_map() as run:
            encoded = [(None, sentences, vectors, pieces_of(sentences, []))]
            return next(predictor._decode(encoded, run, UNSCORED))[1]
    finally:
        for network, was_training in zip(networks, were_training, strict=True):
            network.train(was_training)


def emissions_of(
    model: Model, sentences: RaggedSentences, progress: Progress = silent
) -> tuple[Emissions, ScoreTables]:
    """The emissions of all tokens of encoded sentences (N, K), and the score tables that decoding reads with them.

    Of several networks both are the mean. The networks are in evaluation mode afterwards.

    Args:
        model: The model.
        sentences: The sentences.
        progress: Called with the batches that are done.
    """
    predictor = Predictor(model, word_types=sentences.word_types)
    with computing():
        vectors = predictor._engine.type_vectors(sentences.types)
    kept = predictor._room(sentences)
    with worker_map() as run:
        batches = predictor._batches(sentences)
        done = run(partial(predictor._decode_batch, sentences, vectors, None, kept), batches)
        for number, _ in enumerate(done, 1):  # waits for all of them
            progress(number, len(batches))
    return kept, predictor._engine.tables

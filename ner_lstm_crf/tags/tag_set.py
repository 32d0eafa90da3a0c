"""Spans ⇄ tag ids: the tags of a model, which are those of one scheme for some labels."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ner_lstm_crf.tags.partial import Tags, encode_partial
from ner_lstm_crf.tags.scheme import BREAKS, OUTSIDE, DecodedTags, Scheme
from ner_lstm_crf.text.annotation import Span, Unknown

TagIds: TypeAlias = NDArray[np.int64]

# Longer runs of tags are rare and would fill the memory with runs that do not come again; so would very many runs.
_LONGEST_CACHED, _MOST_CACHED = 16, 4096
_NO_SPANS = DecodedTags(())


class AllowedTransitions(NamedTuple):
    """The automaton of a scheme as tables over K tags, as a CRF needs it.

    Attributes:
        start: True if tag k may start a sentence (K,).
        transitions: True if tag j may follow tag i, [i, j] (K, K).
        end: True if tag k may end a sentence (K,).
    """

    start: NDArray[np.bool_]
    transitions: NDArray[np.bool_]
    end: NDArray[np.bool_]


class TagSet:
    """The tags of a scheme for some labels, numbered from 0; id 0 is `O`.

    Args:
        scheme: The tag scheme.
        labels: The labels, in the order of their tags.

    Attributes:
        scheme: The tag scheme.
        labels: The labels.
        names: The tag of each id: `O`, then for each label the tags of the scheme's prefixes (K,).

    Example:
        >>> from ner_lstm_crf.tags.scheme import SCHEMES
        >>> tags = TagSet(SCHEMES["BIEO"], ["LOC"])
        >>> tags.names, tags.encode([Span(1, 3, "LOC")], 4).tolist()
        (('O', 'B-LOC', 'I-LOC', 'E-LOC'), [0, 1, 3, 0])
    """

    def __init__(self, scheme: Scheme, labels: Iterable[str]) -> None:
        self.scheme, self.labels = scheme, tuple(labels)
        suffixes = [f"-{label}" if label else "" for label in self.labels]
        self.names = (OUTSIDE, *(prefix + suffix for suffix in suffixes for prefix in scheme.prefixes))
        self._ids = {name: number for number, name in enumerate(self.names)}
        self._cache: dict[tuple[int, ...], DecodedTags] = {}
        self._rows: dict[Tags, NDArray[np.bool_]] = {}
        self._events: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        """The number of tags K."""
        return len(self.names)

    def allowed_transitions(self) -> AllowedTransitions:
        """The tags that may start a sentence, follow each other and end it; computed anew on each call."""
        states, outside = [self.scheme.state(name) for name in self.names], self.scheme.state(OUTSIDE)
        allowed = [[not before.event(after) & BREAKS for after in states] for before in states]
        start = [not outside.event(after) & BREAKS for after in states]
        end = [not before.event(outside) & BREAKS for before in states]
        return AllowedTransitions(np.array(start), np.array(allowed), np.array(end))

    def events(self) -> NDArray[np.int64]:
        """What happens between two neighbouring tags, [from, to] (K, K): `CLOSES`, `OPENS` and `BREAKS`, added.

        Row and column 0, of `O`, are also those before and behind a sentence. A new array on each call.
        """
        if self._events is None:
            states = [self.scheme.state(name) for name in self.names]
            self._events = np.array([[before.event(after) for after in states] for before in states], np.int64)
        return self._events.copy()

    def label_numbers(self) -> NDArray[np.int64]:
        """The position of each tag's label in `labels` (K,); -1 for `O`."""
        numbers = np.arange(len(self.labels)).repeat(len(self.scheme.prefixes))
        return np.concatenate([[-1], numbers]).astype(np.int64)

    def encode(self, spans: Iterable[Span], length: int) -> TagIds:
        """The tag ids of a sentence of `length` tokens (T,).

        Raises:
            ValueError: If a span's label is not among the labels, or the spans do not fit, as in `Scheme.encode`.
        """
        names = self.scheme.encode(spans, length)
        try:
            return np.array([self._ids[name] for name in names], np.int64)
        except KeyError as error:
            raise ValueError(f"expected tags of the labels {', '.join(self.labels)}, got {error}") from None

    def allowed(self, spans: Iterable[Span], unknown: Iterable[Unknown], length: int) -> NDArray[np.bool_]:
        """True for the tags that each token of a partly known sentence may have (T, K).

        Args:
            spans: The spans that are known.
            unknown: The unknown tokens.
            length: The number of tokens T.

        Raises:
            ValueError: As `encode`.

        Example:
            >>> from ner_lstm_crf.tags.scheme import SCHEMES
            >>> TagSet(SCHEMES["IO"], ["LOC"]).allowed([Span(0, 1, "LOC")], [Unknown(1)], 3).tolist()
            [[False, True], [True, True], [True, False]]
        """
        cells = encode_partial(self.scheme, spans, unknown, length)
        return np.array([self._row(tags) for tags in cells], np.bool_).reshape(length, len(self))

    def _row(self, tags: Tags) -> NDArray[np.bool_]:
        """True for these tags (K,)."""
        if (row := self._rows.get(tags)) is None:
            row = np.full(len(self), tags is None)
            try:
                row[[self._ids[name] for name in tags or ()]] = True
            except KeyError as error:
                raise ValueError(f"expected tags of the labels {', '.join(self.labels)}, got {error}") from None
            self._rows[tags] = row
        return row

    def decode(self, ids: NDArray[np.integer]) -> DecodedTags:
        """The spans of one sentence's tag ids (T,), and the positions of the tags that break the scheme."""
        return self.decode_all(ids, np.array([len(ids)]))[0]

    def decode_all(
        self, ids: NDArray[np.integer], lengths: NDArray[np.integer], cuts: NDArray[np.integer] | None = None
    ) -> list[DecodedTags]:
        """The spans of each of many sentences.

        A sentence reads as if an `O` stood before and after it, so each run of other tags can be read by itself, and
        the same few runs (`B`, `B E`, `B I E` of each label) come again and again: each is read once.

        Args:
            ids: The tag ids of all sentences end to end (N,).
            lengths: The number of tokens of each sentence (S,).
            cuts: Tokens before which a span ends, as before a sentence.

        Returns:
            For each sentence its spans, counted from its own start, and the positions of tags that break the scheme.
        """
        all_tags, begin, decoded = ids.tolist(), 0, list[DecodedTags]()
        limits = [] if cuts is None else np.unique(cuts).tolist()
        for length in lengths.tolist():
            tags = all_tags[begin : begin + length]
            begin += length
            if not any(tags):
                decoded.append(_NO_SPANS)
                continue
            spans, ill_formed, start = list[Span](), list[int](), 0
            first = begin - length
            inner = [limit - first for limit in limits[bisect_right(limits, first) : bisect_left(limits, begin)]]
            for limit in (*inner, length):
                while start < limit:
                    # 1. A run of tags other than O, with the O behind it if there is one: if a span lacks its end,
                    #    that O breaks the scheme.
                    if not tags[start]:
                        start += 1
                        continue
                    stop = start + 1
                    while stop < limit and tags[stop]:
                        stop += 1
                    run = tuple(tags[start : min(stop + 1, limit)])
                    # 2. Decode it, or look it up.
                    if (of_run := self._cache.get(run)) is None:
                        of_run = self.scheme.decode([self.names[tag] for tag in run])
                        if len(run) <= _LONGEST_CACHED and len(self._cache) < _MOST_CACHED:
                            self._cache[run] = of_run
                    spans += [Span(first + start, end + start, label) for first, end, label in of_run.spans]
                    ill_formed += [position + start for position in of_run.ill_formed]
                    start = stop
            decoded.append(DecodedTags(tuple(spans), tuple(ill_formed)))
        return decoded

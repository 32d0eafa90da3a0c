"""Tag ids of many sentences to their spans, at the cost of the entities rather than of the tokens.

Most tokens are in no entity. A sentence reads as if an `O` stood before and after it, so each run of other tags can be
read by itself, and the same few runs (`B`, `B E`, `B I E` of each label) come again and again: each is read once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter

import numpy as np

from ner_lstm_crf.features.word_types import Ids
from ner_lstm_crf.tags.scheme import DecodedTags, Scheme
from ner_lstm_crf.text.annotation import Span

__all__ = ["SpanDecoder"]

# Longer runs are rare, and would fill the memory with what is not seen again; so would very many different ones.
_LONGEST_REMEMBERED, _MOST_REMEMBERED = 16, 4096
_NOTHING = DecodedTags(())


class SpanDecoder:
    """Reads the tag ids of flat sentences; what it finds is what `Scheme.decode` finds in each.

    Args:
        scheme: The scheme of the tags.
        tags: The tag of each id; id 0 is `O`.

    Example:
        >>> from ner_lstm_crf.tags.scheme import SCHEMES
        >>> reader = SpanDecoder(SCHEMES["BIEO"], ("O", "B-LOC", "I-LOC", "E-LOC"))
        >>> reader.read(np.array([0, 1, 3, 0, 0, 1]), np.array([4, 1, 0, 1]))[0].spans
        (Span(start=1, end=3, label='LOC'),)
    """

    def __init__(self, scheme: Scheme, tags: Sequence[str]) -> None:
        self._scheme, self._tags = scheme, tuple(tags)
        self._known: dict[tuple[int, ...], DecodedTags] = {}

    def read(self, tags: Ids, lengths: Ids) -> list[DecodedTags]:
        """The spans of each sentence, counted from its own start, and the positions of tags that break the scheme.

        Args:
            tags: The tag ids of all sentences end to end (N,).
            lengths: Tokens of each sentence (S,).
        """
        found = [_NOTHING] * len(lengths)
        for sentence, runs in groupby(_runs(tags, lengths), key=itemgetter(0)):
            spans, ill_formed = list[Span](), list[int]()
            for _, offset, ids in runs:
                decoded = self._decode(ids)
                spans += [Span(start + offset, end + offset, label) for start, end, label in decoded.spans]
                ill_formed += [place + offset for place in decoded.ill_formed]
            found[sentence] = DecodedTags(tuple(spans), tuple(ill_formed))
        return found

    def _decode(self, ids: tuple[int, ...]) -> DecodedTags:
        """What a run means, counted from its start."""
        decoded = self._known.get(ids)
        if decoded is None:
            decoded = self._scheme.decode([self._tags[tag] for tag in ids])
            if len(ids) <= _LONGEST_REMEMBERED and len(self._known) < _MOST_REMEMBERED:
                self._known[ids] = decoded
        return decoded


def _runs(tags: Ids, lengths: Ids) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    """The longest runs of tags other than `O`, in order: sentence, place within it, tag ids.

    The `O` after a run, where there is one, belongs to it: a span that lacks its end is a fault of that `O`.
    """
    ends = lengths.cumsum()
    inside = np.flatnonzero(tags)
    sentences = np.searchsorted(ends, inside, side="right")
    begins = np.ones(len(inside) + 1, np.bool_)
    begins[1:-1] = (np.diff(inside) > 1) | (np.diff(sentences) > 0)
    edges = np.flatnonzero(begins)
    first, last = edges[:-1], edges[1:] - 1
    sentences, starts = sentences[first], inside[first]
    stops = np.minimum(inside[last] + 2, ends[sentences])
    offsets = starts - (ends - lengths)[sentences]
    for sentence, offset, start, stop in zip(*map(np.ndarray.tolist, (sentences, offsets, starts, stops)), strict=True):
        yield sentence, offset, tuple(tags[start:stop].tolist())

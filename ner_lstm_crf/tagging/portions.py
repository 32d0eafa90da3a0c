"""The portions of texts with the entities that were found in them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from ner_lstm_crf.tagging.decoding import at_least
from ner_lstm_crf.tagging.predictor import Chunk
from ner_lstm_crf.tags.scheme import DecodedTags
from ner_lstm_crf.text.annotation import Entity, Sentence, Span
from ner_lstm_crf.text.sentences import Portion


class TaggedPortion(NamedTuple):
    """A part of a text with its entities.

    Attributes:
        portion: The part.
        spans: The entities that begin in it, over the tokens of the portion.
        scores: The probability of each.
        first: The index of its first token that is in no portion before.
        end: The index of the token that the next portion's new tokens begin with; no entity goes over it.
        ill_formed: The new tokens whose tags break the scheme.
    """

    portion: Portion
    spans: list[Span]
    scores: list[float]
    first: int
    end: int
    ill_formed: list[int]

    @property
    def last(self) -> bool:
        """True if the text ends here."""
        return self.portion.last

    @property
    def stop(self) -> int:
        """The offset in the text at which it ends."""
        portion = self.portion
        if self.last or not self.end:
            return portion.offset + (len(portion.normal.source) if self.last else 0)
        return portion.offsets(self.end - 1, self.end - 1)[1]

    def source(self, start: int) -> str:
        """The text from the offset `start`, where the portion before ended, to its end."""
        offset = self.portion.offset
        return self.portion.normal.source[max(start - offset, 0) : self.stop - offset]

    def entities(self) -> list[Entity]:
        """The entities, with their offsets in the whole text."""
        portion, found = self.portion, list[Entity]()
        for (first, end, label), score in zip(self.spans, self.scores, strict=True):
            start, stop = portion.offsets(first, end - 1)
            source = portion.normal.source[start - portion.offset : stop - portion.offset]
            found.append(Entity(start, stop, label, source, score))
        return found

    def sentences(self) -> list[Sentence]:
        """The sentences with their entities; the offsets of tokens are those in the whole text."""
        portion, found = self.portion, list[Sentence]()
        scored = deque(zip(self.spans, self.scores, strict=True))
        inner = (edge for edge in portion.edges if self.first < edge < self.end)
        for start, end in pairwise(dict.fromkeys([self.first, *inner, self.end])):
            tokens = tuple(portion.tokens(start, end))
            spans, scores = list[Span](), list[float]()
            while scored and scored[0][0].start < end:
                (first, stop, label), score = scored.popleft()
                spans.append(Span(first - start, stop - start, label))
                scores.append(score)
            found.append(Sentence(tokens, tuple(spans), scores=tuple(scores)))
        return found


def tagged_portions(
    decoded_chunks: Iterable[tuple[Chunk[Portion], list[DecodedTags]]], min_score: float = 0.0
) -> Iterator[TaggedPortion]:
    """Each portion with its entities.

    Where a sentence is cut, the tokens around the cut are in two portions. An entity belongs to the one in which it
    begins, and the new tokens of the next one begin behind it.

    Args:
        decoded_chunks: The chunks with their spans, which have scores.
        min_score: The least score of an entity that is kept; the others are left out at the end, so that they change
            nothing else.
    """
    done = 0  # tokens of the next portion that an entity of this one has taken
    for chunk, decoded in decoded_chunks:
        remaining = iter(decoded)
        for portion in chunk.items:
            first, end, broken = portion.first + done, portion.end, list[int]()
            spans, scores = list[Span](), list[float]()
            for offset, (of_sentence, of_tags, of_spans) in zip(portion.edges[:-1], remaining, strict=False):
                broken += [offset + token for token in of_tags if first <= offset + token < portion.end]
                for (start, stop, label), score in zip(of_sentence, of_spans, strict=True):
                    if first <= offset + start < portion.end:
                        spans.append(Span(offset + start, min(offset + stop, portion.sure), label))
                        scores.append(score)
            if spans:
                end = max(end, spans[-1].end)
            done = end - portion.end if portion.is_cut else 0
            yield TaggedPortion(portion, *at_least(min_score, spans, scores), min(first, end), end, broken)

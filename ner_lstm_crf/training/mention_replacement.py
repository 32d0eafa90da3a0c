"""Training sentences with other entities in them, so that contexts are learnt and not names alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from ner_lstm_crf.features.batch import EncodedSentence, Featurizer, of_all
from ner_lstm_crf.text.annotation import Span

__all__ = ["MentionReplacement"]


class MentionReplacement:
    """Puts other entities of the same label in the place of some (Dai and Adel 2020, "mention replacement").

    An entity brings its tokens and, of what a frozen transformer made of it, what that said where it stood.

    Args:
        sentences: The training data, with gold tags; those with sub-tokens, which a transformer is still to read, are
            neither changed nor drawn from.
        featurizer: What encoded them.
        rate: Share of the entities that are replaced; the new one may be the same.
    """

    def __init__(self, sentences: Sequence[EncodedSentence], featurizer: Featurizer, rate: float) -> None:
        self._sentences, self._featurizer, self._rate = sentences, featurizer, rate
        self._spans: dict[int, tuple[Span, ...]] = {}
        self._mentions: dict[str, list[tuple[int, Span]]] = {}
        for number, sentence in enumerate(sentences if rate else ()):
            if sentence.tags is None or sentence.subtokens is not None:
                continue
            if spans := featurizer.tag_set.decode(sentence.tags).spans:
                self._spans[number] = spans
            for span in spans:
                self._mentions.setdefault(span.label, []).append((number, span))

    def __call__(self, number: int, random: np.random.Generator) -> EncodedSentence:
        """The training sentence of that number, some of its entities replaced."""
        sentence, spans = self._sentences[number], self._spans.get(number)
        if spans is None:
            return sentence
        drawn = random.random(len(spans)) < self._rate
        if not drawn.any():
            return sentence
        pieces, moved, done, grown = list[tuple[EncodedSentence, int, int]](), list[Span](), 0, 0
        for span, replaced in zip(spans, drawn, strict=True):
            source, there = self._drawn(span.label, random) if replaced else (sentence, span)
            pieces += [(sentence, done, span.start), (source, there.start, there.end)]
            start, length = span.start + grown, there.end - there.start
            moved.append(Span(start, start + length, span.label))
            done, grown = span.end, grown + length - (span.end - span.start)
        return self._joined([*pieces, (sentence, done, len(sentence))], moved)

    def _drawn(self, label: str, random: np.random.Generator) -> tuple[EncodedSentence, Span]:
        mentions = self._mentions[label]
        number, span = mentions[random.integers(len(mentions))]
        return self._sentences[number], span

    def _joined(self, pieces: Sequence[tuple[EncodedSentence, int, int]], spans: Sequence[Span]) -> EncodedSentence:
        """One sentence of parts of others, each from its start to its end, and its entities."""
        forms = np.concatenate([source.forms[start:end] for source, start, end in pieces])
        contextual = of_all(
            None if source.contextual is None else source.contextual[start:end] for source, start, end in pieces
        )
        joined = self._featurizer.from_forms(forms, None if contextual is None else torch.cat(contextual))
        return replace(joined, tags=self._featurizer.tag_set.encode(spans, len(forms)))

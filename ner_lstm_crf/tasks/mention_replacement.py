"""Training sentences with other entities in them, so that contexts are learnt and not names alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ner_lstm_crf.data.annotation import Span
from ner_lstm_crf.features.batch import Encoded, Featurizer

__all__ = ["MentionReplacement"]


class MentionReplacement:
    """Puts other entities of the same label in the place of some (Dai and Adel 2020, "mention replacement").

    An entity brings its tokens and their tags; of what a frozen transformer made of it, what that said where it stood.

    Args:
        sentences: The training data, with gold tags; those with sub-tokens, which a transformer in training is to
            read, are neither changed nor drawn from.
        featurizer: What encoded them.
        rate: Share of the entities that are replaced; the new one may be the same.
    """

    def __init__(self, sentences: Sequence[Encoded], featurizer: Featurizer, rate: float) -> None:
        self._sentences, self._featurizer, self._rate = sentences, featurizer, rate
        self._spans: list[tuple[Span, ...]] = []
        self._mentions: dict[str, list[tuple[int, Span]]] = {}
        for number, sentence in enumerate(sentences):
            spans = () if sentence.tags is None or sentence.subtokens else featurizer.decode(sentence.tags).spans
            self._spans.append(spans)
            for span in spans:
                self._mentions.setdefault(span.label, []).append((number, span))

    def __call__(self, number: int, random: np.random.Generator) -> Encoded:
        """The training sentence of that number, some of its entities replaced."""
        sentence, spans = self._sentences[number], self._spans[number]
        replaced = [span for span, drawn in zip(spans, random.random(len(spans)), strict=True) if drawn < self._rate]
        if not replaced:
            return sentence
        pieces, done = list[tuple[Encoded, int, int]](), 0
        for span in replaced:
            mentions = self._mentions[span.label]
            other, there = mentions[random.integers(len(mentions))]
            pieces += [(sentence, done, span.start), (self._sentences[other], there.start, there.end)]
            done = span.end
        return self._joined([*pieces, (sentence, done, len(sentence))])

    def _joined(self, pieces: Sequence[tuple[Encoded, int, int]]) -> Encoded:
        """One sentence of parts of others, each from its start to its end."""
        contextual = [source.contextual[start:end] for source, start, end in pieces if source.contextual is not None]
        return self._featurizer.from_forms(
            np.concatenate([source.forms[start:end] for source, start, end in pieces]),
            np.concatenate([source.tags[start:end] for source, start, end in pieces if source.tags is not None]),
            torch.cat(contextual) if contextual else None,
        )

"""A pretrained encoder, where one is installed: its vectors are what they should be, whatever else is in the batch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from ner_lstm_crf.features.transformer.subtokens import SubTokenizer, collate_subtokens
from ner_lstm_crf.model.embedding.transformer import PretrainedEncoder

pytest.importorskip("transformers")

SENTENCES = [
    ["Marta", "Keller", "flew", "to", "Reykjavík", "."],
    [],
    ["Oslo"],
    ["The", "river", "rose", ",", "\u200b", "and", "the", "mill", "at", "Åsgård-by-the-Sea", "closed", "early", "."]
    * 60,
]


def test_a_real_encoder(minilm: Path) -> None:
    tokenizer, model = SubTokenizer.from_pretrained(minilm), PretrainedEncoder.from_pretrained(minilm)
    sentences = [tokenizer.encode(words) for words in SENTENCES]
    together = model(collate_subtokens(sentences))
    assert together.shape == (4, 780, 384)
    for rows, sentence in zip(together, sentences, strict=True):
        alone = model(collate_subtokens([sentence]))
        torch.testing.assert_close(rows[: sentence.tokens], alone[0], atol=2e-5, rtol=1e-4)


def test_a_real_encoder_reads_context(minilm: Path) -> None:
    tokenizer, model = SubTokenizer.from_pretrained(minilm), PretrainedEncoder.from_pretrained(minilm)
    sentences = [["she", "robbed", "the", "bank"], ["he", "robbed", "the", "bank"], ["reeds", "on", "the", "bank"]]
    vectors = model(collate_subtokens([tokenizer.encode(words) for words in sentences]))[:, 3]
    robbed, again, river = nn.functional.normalize(vectors, dim=1)
    assert robbed @ again > robbed @ river + 0.05

"""A transformer so small that a test can train beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import torch

from ner_lstm_crf.config import Config
from ner_lstm_crf.features.transformer.subtokens import Framing, SubTokens, cut_windows, quiet_transformers

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def windows_of(pieces: Sequence[Sequence[int]], framing: Framing) -> SubTokens:
    """The windows of tokens that share no sub-token; `pieces` are the ids of each token's own."""
    owners = [(id_, token) for token, ids in enumerate(pieces) for id_ in ids]
    return cut_windows([id_ for id_, _ in owners], [token for _, token in owners], [1] * len(owners), framing)


def write_encoder(folder: Path, seed: int) -> Path:
    """A BERT with random weights that spells every word."""
    import transformers

    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{letter}" for letter in LETTERS), "."]
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    sizes = {"hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    config = transformers.BertConfig(vocab_size=len(pieces), max_position_embeddings=64, initializer_range=0.5, **sizes)
    with quiet_transformers(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        transformers.BertModel(config).save_pretrained(folder)
        transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


def configured(tiny: Config, encoder: Path, *, fine_tune: bool = False, epochs: int = 3) -> Config:
    """The configuration of a small network beside the encoder."""
    model = dataclasses.replace(
        tiny.model, transformer=str(encoder), transformer_layers=1, transformer_size=6, fine_tune=fine_tune
    )
    training = dataclasses.replace(
        tiny.training, epochs=epochs, batch_size=2, learning_rate=0.02, transformer_learning_rate=1e-3
    )
    return Config(model=model, training=training)

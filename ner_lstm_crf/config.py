"""What can be set: the model, its training, and the named presets.

Each field says what it means, its unit, and where its default comes from.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

from ner_lstm_crf.errors import InputError

__all__ = ["PRESETS", "Config", "ModelConfig", "TrainingConfig", "preset", "read_config"]

HeadName = Literal["crf", "softmax"]
CrfLoss = Literal["sequence", "labelwise"]
Unit = Literal["word", "character"]
Optimizer = Literal["adamw", "sgd"]
Schedule = Literal["linear", "inverse", "constant"]
Reduction = Literal["token", "sentence", "sum"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """The shape of the network. Sizes count values per token, rates are probabilities.

    Attributes:
        scheme: The tag scheme the network is trained in; files may use any other.
        head: "crf", or "softmax", which picks one tag per token by itself.
        crf_loss: "sequence", the log-likelihood of the whole tag sequence (Lafferty et al. 2001), or "labelwise", the
            sum of each token's log marginal (Kakade, Teh and Roweis 2002). Ignored by the softmax head.
        unit: What a token is in raw text: a "word", or a "character" (Chinese corpora).
        word_size: Size of a word embedding; that of the pretrained vectors where they are given.
        char_size: Size of a character embedding (Ma and Hovy 2016: 30).
        char_filters: Filters of the char-CNN for each width; 0 leaves the char-CNN out.
        char_widths: Widths of the char-CNN's filters, in characters.
        casing_size: Size of the embedding of a word's casing and shape (8: Reimers and Gurevych 2017); 0 for none.
        hidden_size: LSTM units per direction.
        layers: Stacked BiLSTM layers.
        word_dropout: Share of tokens whose word is replaced by the unknown word (Lample et al. 2016).
        char_dropout: Dropout on the char-CNN's output.
        input_dropout: Variational dropout on the encoder's input (Gal and Ghahramani 2016).
        recurrent_dropout: Share of hidden-to-hidden weights dropped in each batch (Merity et al. 2018).
        output_dropout: Variational dropout on the encoder's output.
        transformer: Folder or hub name of a `transformers` encoder joined to the embeddings; None for none.
        transformer_layers: How many of its last layers are averaged.
        transformer_size: Size its output is projected to; 0 leaves it as it is.
        fine_tune: Whether the transformer is trained too.
    """

    scheme: str = "BIEO"
    head: HeadName = "crf"
    crf_loss: CrfLoss = "sequence"
    unit: Unit = "word"
    word_size: int = 100
    char_size: int = 30
    char_filters: int = 50
    char_widths: tuple[int, ...] = (3,)
    casing_size: int = 8
    hidden_size: int = 200
    layers: int = 1
    word_dropout: float = 0.05
    char_dropout: float = 0.25
    input_dropout: float = 0.5
    recurrent_dropout: float = 0.25
    output_dropout: float = 0.5
    transformer: str | None = None
    transformer_layers: int = 4
    transformer_size: int = 150
    fine_tune: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How the network is trained.

    Attributes:
        epochs: Passes over the training data.
        batch_sentences: Most sentences in one batch.
        batch_tokens: Most tokens in one batch, padding included; a longer sentence is a batch of its own.
        optimizer: "adamw" (Loshchilov and Hutter 2019) or "sgd".
        learning_rate: The highest learning rate.
        transformer_learning_rate: That of a fine-tuned transformer.
        momentum: Momentum of SGD.
        weight_decay: Decoupled weight decay of AdamW; L2 penalty of SGD.
        schedule: "linear" down to zero over all epochs, "inverse" (lr / (1 + decay * epoch), Ma and Hovy 2016), or
            "constant".
        decay: The decay of the "inverse" schedule, per epoch.
        warmup: Share of all steps over which the learning rate rises from zero.
        reduction: What the loss of a batch is divided by: its tokens, its sentences, or nothing. A published learning
            rate means nothing without it: SGD with 0.015 on a sum is 0.15 on the mean of ten sentences.
        clip_norm: Largest norm of the gradient; 0 for no clipping.
        ema_decay: Decay per step of the averaged weights that are evaluated and kept; 0 for the weights themselves.
        patience: Epochs without a better dev F1 after which training stops; 0 never stops early.
        freeze_vectors: Whether pretrained word vectors stay as they are.
        seed: Seed of everything random.
    """

    epochs: int = 15
    batch_sentences: int = 32
    batch_tokens: int = 2048
    optimizer: Optimizer = "adamw"
    learning_rate: float = 1.5e-3
    transformer_learning_rate: float = 3e-5
    momentum: float = 0.0
    weight_decay: float = 0.01
    schedule: Schedule = "linear"
    decay: float = 0.05
    warmup: float = 0.02
    reduction: Reduction = "sentence"
    clip_norm: float = 1.0
    ema_decay: float = 0.995
    patience: int = 0
    freeze_vectors: bool = False
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A model and how it is trained."""

    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)


PRESETS: Mapping[str, Config] = {
    # The best F1 within minutes on two cores.
    "fast": Config(),
    # Ma and Hovy 2016, table 1 and section 3: 30 filters of width 3, 100 units per direction, SGD at 0.015 decayed by
    # 0.05 per epoch, momentum 0.9, batch 10, norm clipping at 5, dropout 0.5. The loss is the mean over the sentences:
    # with momentum 0.9 that is the same step as 0.015 on the sum of a batch of ten without momentum.
    "paper": Config(
        model=ModelConfig(
            char_filters=30,
            casing_size=0,
            hidden_size=100,
            word_dropout=0.0,
            char_dropout=0.5,
            input_dropout=0.5,
            recurrent_dropout=0.0,
            output_dropout=0.5,
        ),
        training=TrainingConfig(
            epochs=50,
            batch_sentences=10,
            batch_tokens=100_000,
            optimizer="sgd",
            learning_rate=0.015,
            momentum=0.9,
            weight_decay=0.0,
            schedule="inverse",
            decay=0.05,
            warmup=0.0,
            reduction="sentence",
            clip_norm=5.0,
            ema_decay=0.0,
            patience=15,
        ),
    ),
}


def preset(name: str) -> Config:
    """The preset of that name.

    Raises:
        InputError: If there is none.
    """
    if name not in PRESETS:
        raise InputError(f"expected a preset, one of {', '.join(PRESETS)}, got '{name}'")
    return PRESETS[name]


def read_config(path: str | Path, base: Config | None = None) -> Config:
    """`base` (the default configuration) with what the TOML file's tables `[model]` and `[training]` set.

    Raises:
        InputError: If the file is no TOML, or holds an unknown table or key, or a value of the wrong type.
    """
    try:
        tables = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"expected a readable TOML file: {error}", path=path) from error
    return merge_config(base or Config(), tables, path=path)


def merge_config(base: Config, tables: Mapping[str, Any], *, path: str | Path | None = None) -> Config:
    """`base` with the values of `{"model": {...}, "training": {...}}`, each checked by name and type.

    Raises:
        InputError: If a table or key is unknown, or a value has the wrong type.
    """
    unknown = sorted(set(tables) - {"model", "training"})
    if unknown:
        raise InputError(f"expected the tables [model] and [training], found '{unknown[0]}'", path=path)
    return Config(
        model=_merge(base.model, tables.get("model", {}), "model", path),
        training=_merge(base.training, tables.get("training", {}), "training", path),
    )


def _merge(base: T, values: Mapping[str, Any], table: str, path: str | Path | None) -> T:
    types = get_type_hints(type(base))
    for key, value in values.items():
        if key not in types:
            known = ", ".join(entry.name for entry in fields(base))
            raise InputError(f"unknown key '{key}' in [{table}], expected one of {known}", path=path)
        if not _fits(value, types[key]):
            raise InputError(f"[{table}] {key}: expected {_wanted(types[key])}, got {value!r}", path=path)
    return replace(base, **{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})

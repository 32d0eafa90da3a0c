"""Named entity recognition with a char-CNN, a bidirectional LSTM and a CRF.

The pipeline is the package; each file knows only what lies to its left:

  str ─tokenize─▶ Sentence ─collate─▶ Batch ─network─▶ emissions (B,T,K) ─head.decode─▶ tag ids ─scheme─▶ Span ─▶ Entity

Training takes that way; tagging, where a word's vector never changes, makes that of each distinct word once:

  Sentence ─flat─▶ InferenceBatch ─form_network─▶ emissions

    data/        strings and spans: annotation, tag schemes, files, the tokenizer
    features/    strings become numbers: vocabularies, vectors, batches
    model/       tensors: embeddings, encoder, heads, network
    tasks/       what people come for: train, evaluate, compare, tag
    cli/         the command line, the only place that prints

Example:
    >>> from ner_lstm_crf import Tagger
    >>> tagger = Tagger.load("en")  # it comes with the package; or the directory of a model
    >>> tagger.tag("Angela Merkel visited Rome.")
    [Entity(start=0, end=13, label='PER', text='Angela Merkel'), Entity(start=22, end=26, label='LOC', text='Rome')]

The names below are imported when they are first used: reading a file need not wait for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ner_lstm_crf.config import PRESETS, Config, ModelConfig, TrainingConfig, preset, read_config
    from ner_lstm_crf.errors import InputError
    from ner_lstm_crf.evaluation.metrics import Evaluation, Score, evaluate_spans
    from ner_lstm_crf.evaluation.significance import f1_difference, f1_interval
    from ner_lstm_crf.features.lexicon import builtin_words, read_lexicon
    from ner_lstm_crf.features.vectors.builtin import character_vectors
    from ner_lstm_crf.features.vectors.vectors import Vectors, read_vectors
    from ner_lstm_crf.formats.columns import ReadOptions
    from ner_lstm_crf.formats.conll import read_conll
    from ner_lstm_crf.formats.registry import convert, read_sentences, write_sentences
    from ner_lstm_crf.progress import Progress
    from ner_lstm_crf.runs.data import Data, split_dev
    from ner_lstm_crf.runs.run import train_run
    from ner_lstm_crf.tagging.tagger import Tagger
    from ner_lstm_crf.tags.labels import LabelMap
    from ner_lstm_crf.tags.scheme import SCHEMES, Scheme, get_scheme
    from ner_lstm_crf.text.annotation import Entity, Sentence, Span, Token
    from ner_lstm_crf.text.sentences import sentences
    from ner_lstm_crf.text.tokenizer import tokenize
    from ner_lstm_crf.training.trainer import EpochReport

__version__ = "0.1.0"

_HOMES = {
    "text.annotation": ("Token", "Span", "Sentence", "Entity"),
    "text.tokenizer": ("tokenize",),
    "text.sentences": ("sentences",),
    "tags.scheme": ("SCHEMES", "Scheme", "get_scheme"),
    "formats.columns": ("ReadOptions",),
    "tags.labels": ("LabelMap",),
    "formats.conll": ("read_conll",),
    "formats.registry": ("read_sentences", "write_sentences", "convert"),
    "features.vectors.vectors": ("Vectors", "read_vectors"),
    "features.vectors.builtin": ("character_vectors",),
    "features.lexicon": ("builtin_words", "read_lexicon"),
    "config": ("Config", "ModelConfig", "TrainingConfig", "PRESETS", "preset", "read_config"),
    "progress": ("Progress",),
    "errors": ("InputError",),
    "runs.data": ("Data", "split_dev"),
    "runs.run": ("train_run",),
    "training.trainer": ("EpochReport",),
    "evaluation.metrics": ("Evaluation", "Score", "evaluate_spans"),
    "evaluation.significance": ("f1_interval", "f1_difference"),
    "tagging.tagger": ("Tagger",),
}
_MODULE_OF = {name: f"{__name__}.{module}" for module, names in _HOMES.items() for name in names}

__all__ = [
    "Token",
    "Span",
    "Sentence",
    "Entity",
    "tokenize",
    "sentences",
    "SCHEMES",
    "Scheme",
    "get_scheme",
    "ReadOptions",
    "LabelMap",
    "read_conll",
    "read_sentences",
    "write_sentences",
    "convert",
    "Vectors",
    "read_vectors",
    "character_vectors",
    "builtin_words",
    "read_lexicon",
    "Config",
    "ModelConfig",
    "TrainingConfig",
    "PRESETS",
    "preset",
    "read_config",
    "Progress",
    "InputError",
    "Data",
    "split_dev",
    "train_run",
    "EpochReport",
    "Evaluation",
    "Score",
    "evaluate_spans",
    "f1_interval",
    "f1_difference",
    "Tagger",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562)."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

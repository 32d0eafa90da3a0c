"""Named entity recognition with a char-CNN, a bidirectional LSTM and a CRF.

The pipeline is the package; each file knows only what lies to its left:

  str ─tokenize─▶ Sentence ─collate─▶ Batch ─network─▶ emissions (B,T,K) ─head.decode─▶ tag ids ─scheme─▶ Span ─▶ Entity

Training takes that way; tagging, where a word's vector never changes, makes that of each distinct word once:

  Sentence ─flat─▶ FormBatch ─form_network─▶ emissions

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
    from ner_lstm_crf.config import Config, ModelConfig, TrainingConfig
    from ner_lstm_crf.data.annotation import Entity, Sentence, Span, Token
    from ner_lstm_crf.data.columns import ColumnOptions
    from ner_lstm_crf.data.conll import read_conll
    from ner_lstm_crf.data.formats import convert, read_sentences, write_sentences
    from ner_lstm_crf.data.labels import LabelMap
    from ner_lstm_crf.data.schemes import SCHEMES, Scheme, get_scheme
    from ner_lstm_crf.data.splitter import sentences
    from ner_lstm_crf.data.tokenizer import tokenize
    from ner_lstm_crf.errors import InputError
    from ner_lstm_crf.features.character_vectors import character_vectors
    from ner_lstm_crf.features.lexicon_words import general_words, read_lexicon
    from ner_lstm_crf.features.vectors import Vectors, read_vectors
    from ner_lstm_crf.presets import PRESETS, preset, read_config
    from ner_lstm_crf.progress import Progress
    from ner_lstm_crf.tasks.evaluation import Evaluation, Score, evaluate_spans
    from ner_lstm_crf.tasks.run_data import Data, hold_out
    from ner_lstm_crf.tasks.runs import train_run
    from ner_lstm_crf.tasks.significance import f1_difference, f1_interval
    from ner_lstm_crf.tasks.tagger import Tagger
    from ner_lstm_crf.tasks.training import EpochReport

__version__ = "0.1.0"

_HOMES = {
    "data.annotation": ("Token", "Span", "Sentence", "Entity"),
    "data.tokenizer": ("tokenize",),
    "data.splitter": ("sentences",),
    "data.schemes": ("SCHEMES", "Scheme", "get_scheme"),
    "data.columns": ("ColumnOptions",),
    "data.labels": ("LabelMap",),
    "data.conll": ("read_conll",),
    "data.formats": ("read_sentences", "write_sentences", "convert"),
    "features.vectors": ("Vectors", "read_vectors"),
    "features.character_vectors": ("character_vectors",),
    "features.lexicon_words": ("general_words", "read_lexicon"),
    "config": ("Config", "ModelConfig", "TrainingConfig"),
    "presets": ("PRESETS", "preset", "read_config"),
    "progress": ("Progress",),
    "errors": ("InputError",),
    "tasks.run_data": ("Data", "hold_out"),
    "tasks.runs": ("train_run",),
    "tasks.training": ("EpochReport",),
    "tasks.evaluation": ("Evaluation", "Score", "evaluate_spans"),
    "tasks.significance": ("f1_interval", "f1_difference"),
    "tasks.tagger": ("Tagger",),
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
    "ColumnOptions",
    "LabelMap",
    "read_conll",
    "read_sentences",
    "write_sentences",
    "convert",
    "Vectors",
    "read_vectors",
    "character_vectors",
    "general_words",
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
    "hold_out",
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

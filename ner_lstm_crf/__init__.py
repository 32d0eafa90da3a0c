"""Named entity recognition with a char-CNN, a bidirectional LSTM and a CRF.

Training (`ner-lstm-crf train`; B sentences, T tokens, K tags):

    file ──formats──▶ Sentence ──features──▶ Batch ──model──▶ emissions (B, T, K) ──head──▶ loss ──training──▶ weights

Tagging (`Tagger.tag`), where the vector of each distinct word is computed once:

    str ──text──▶ tokens ──features, model──▶ emissions (B, T, K) ──head──▶ tags ──tags──▶ Span ──▶ Entity

Each room imports only from those below it:

    cli/         the command line, the only place that prints results
    serving/     taggers over HTTP, with a page to try them
    curation/    which sentences to annotate next, which annotations may be wrong
    runs/        training runs in directories: history, resuming, several seeds, comparison
    explanation/ what a model found and why, to look at
    training/    the training loop and the optimizer
    evaluation/  precision, recall, F1, intervals and tests
    tagging/     text in, entities out
    saving/      a model on disk
    model/       tensors: LSTM, heads, network
    crf/         what follows from the scores of a CRF: best paths, probabilities
    features/    strings become ids become vectors, one file per token feature
    corpora/     public corpora; statistics of any annotated file
    formats/     annotated files become sentences, and back
    tags/        spans become tags, and back
    files/       files as bytes, text and JSON
    text/        text becomes tokens and sentences
    config.py    every setting and the presets
    kernels/     loops in C
    isolation.py what a program around the library does with torch and with processes
    threads.py   the library's own threads

`train(Data.read("train.conll"), "fast", "my-model")` trains a tagger.

Example:
    >>> from ner_lstm_crf import Tagger
    >>> tagger = Tagger.load("en")  # it comes with the package; or the directory of a model
    >>> [(entity.text, entity.label) for entity in tagger.tag("Angela Merkel visited Rome.")]
    [('Angela Merkel', 'PER'), ('Rome', 'LOC')]

The public names are imported when they are first used: reading a file need not wait for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # isort: off  (one line a module; `as` tells type checkers that a name is public)
    from ner_lstm_crf.config import (
        PRESETS as PRESETS,
        Config as Config,
        ModelConfig as ModelConfig,
        TrainingConfig as TrainingConfig,
        preset as preset,
        read_config as read_config,
    )
    from ner_lstm_crf.curation.selection import select as select
    from ner_lstm_crf.curation.suspects import find_suspects as find_suspects
    from ner_lstm_crf.errors import InputError as InputError
    from ner_lstm_crf.evaluation.metrics import (
        Evaluation as Evaluation,
        Score as Score,
        evaluate_spans as evaluate_spans,
    )
    from ner_lstm_crf.evaluation.significance import f1_difference as f1_difference, f1_interval as f1_interval
    from ner_lstm_crf.features.gazetteer import builtin_names as builtin_names, read_names as read_names
    from ner_lstm_crf.features.lexicon import builtin_words as builtin_words, read_lexicon as read_lexicon
    from ner_lstm_crf.features.vectors import (
        Vectors as Vectors,
        builtin_character_vectors as builtin_character_vectors,
        builtin_lexicon_vectors as builtin_lexicon_vectors,
        read_vectors as read_vectors,
    )
    from ner_lstm_crf.formats.conll import read_conll as read_conll
    from ner_lstm_crf.formats.options import ReadOptions as ReadOptions
    from ner_lstm_crf.formats.registry import (
        convert as convert,
        read_sentences as read_sentences,
        write_sentences as write_sentences,
    )
    from ner_lstm_crf.integrations.huggingface import read_dataset as read_dataset, to_dataset as to_dataset
    from ner_lstm_crf.progress import Progress as Progress
    from ner_lstm_crf.runs.data import Data as Data, split_dev as split_dev
    from ner_lstm_crf.runs.run import Run as Run
    from ner_lstm_crf.runs.train import train as train
    from ner_lstm_crf.tagging.analysis import Analysis as Analysis
    from ner_lstm_crf.tagging.constraints import Constraints as Constraints, Gazetteer as Gazetteer
    from ner_lstm_crf.tagging.tagger import Tagger as Tagger
    from ner_lstm_crf.tags.labels import LabelMap as LabelMap
    from ner_lstm_crf.tags.scheme import SCHEMES as SCHEMES, Scheme as Scheme, get_scheme as get_scheme
    from ner_lstm_crf.text.annotation import (
        Entity as Entity,
        Sentence as Sentence,
        Span as Span,
        Token as Token,
        Unknown as Unknown,
    )
    from ner_lstm_crf.text.sentences import sentences as sentences
    from ner_lstm_crf.text.tokenizer import tokenize as tokenize
    from ner_lstm_crf.training.trainer import EpochReport as EpochReport

__version__ = "0.1.0"

_HOMES = {
    "text.annotation": ("Token", "Span", "Sentence", "Entity", "Unknown"),
    "text.tokenizer": ("tokenize",),
    "text.sentences": ("sentences",),
    "tags.scheme": ("SCHEMES", "Scheme", "get_scheme"),
    "tags.labels": ("LabelMap",),
    "formats.options": ("ReadOptions",),
    "formats.conll": ("read_conll",),
    "formats.registry": ("read_sentences", "write_sentences", "convert"),
    "features.vectors": ("Vectors", "read_vectors", "builtin_character_vectors", "builtin_lexicon_vectors"),
    "features.gazetteer": ("builtin_names", "read_names"),
    "features.lexicon": ("builtin_words", "read_lexicon"),
    "config": ("Config", "ModelConfig", "TrainingConfig", "PRESETS", "preset", "read_config"),
    "progress": ("Progress",),
    "errors": ("InputError",),
    "integrations.huggingface": ("read_dataset", "to_dataset"),
    "runs.data": ("Data", "split_dev"),
    "runs.run": ("Run",),
    "runs.train": ("train",),
    "training.trainer": ("EpochReport",),
    "evaluation.metrics": ("Evaluation", "Score", "evaluate_spans"),
    "evaluation.significance": ("f1_interval", "f1_difference"),
    "curation.selection": ("select",),
    "curation.suspects": ("find_suspects",),
    "tagging.tagger": ("Tagger",),
    "tagging.analysis": ("Analysis",),
    "tagging.constraints": ("Constraints", "Gazetteer"),
}
_MODULE_OF = {name: f"{__name__}.{module}" for module, names in _HOMES.items() for name in names}

__all__ = list(_MODULE_OF)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562)."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = getattr(import_module(_MODULE_OF[name]), name)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        from ner_lstm_crf.errors import NEEDS_TORCH

        raise ImportError(f"{name}: {NEEDS_TORCH}", name="torch") from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})

"""What a run learns from."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np

from ner_lstm_crf.config import ModelConfig, TokenUnit
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.lexicon import builtin_words, check_lexicon
from ner_lstm_crf.features.vectors.vectors import Vectors, builtin_character_vectors
from ner_lstm_crf.saving.model import ModelDescription, model_directory
from ner_lstm_crf.text.annotation import Sentence
from ner_lstm_crf.text.scripts import script_language
from ner_lstm_crf.text.token_unit import CHARACTER_SHARE, share_of_characters
from ner_lstm_crf.text.tokenizer import check_characters

__all__ = [
    "Data",
    "are_chinese",
    "split_dev",
    "warn_of_other_tokens",
    "resolve_defaults",
]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Data:
    """What a run learns from and is measured on. Sentences without a token are left out of it.

    Attributes:
        train: Training sentences; whatever gives them, they are kept as a tuple.
        dev: What the best epoch is chosen by; may be empty, and is kept so too.
        vectors: Pretrained word vectors; or "builtin", those of `builtin_character_vectors` where tokens are
            characters, else none; None for none.
        initial: The directory of a trained model to start from, or "en" or "zh", a shipped tagger; None to begin anew.
            Then the configuration's model is that of the tagger, `Tagger.load(initial).model.config`.
        contextual: The file with what a frozen transformer makes of the tokens of `train` and then of `dev`; None where
            it has not read them (see `read_with_transformer`).
        lexicon: Words to look for in the text where tokens are characters, each with its category, "" for none; or
            "builtin", those of `builtin_words`; None for no lexicon.
    """

    train: Sequence[Sentence] = field(repr=False)
    dev: Sequence[Sentence] = field(default=(), repr=False)
    vectors: Vectors | Literal["builtin"] | None = "builtin"
    initial: str | Path | None = None
    contextual: Path | None = None
    lexicon: Mapping[str, str] | Literal["builtin"] | None = "builtin"

    def __post_init__(self) -> None:
        for part in ("train", "dev"):
            given: object = getattr(self, part)
            if isinstance(given, str) or not isinstance(given, Iterable):
                raise TypeError(f"expected sentences as {part}, got {type(given).__name__}: see read_sentences")
            sentences = tuple(given)
            if other := next((one for one in sentences if not isinstance(one, Sentence)), None):
                raise TypeError(f"expected sentences as {part}, got {type(other).__name__} among them")
            object.__setattr__(self, part, tuple(sentence for sentence in sentences if sentence.tokens))

    def fingerprints(self) -> dict[str, str]:
        """SHA-256 of each part, by what it is called, to know the same data again; "" of a part that is not there."""
        return {
            "model to start from": ""
            if self.initial is None
            else ModelDescription.read(model_directory(self.initial)).digest,
            "training data": _fingerprint(map(_content, self.train)),
            "dev data": _fingerprint(map(_content, self.dev)),
            "vectors": self._fingerprint_of_vectors(),
            "lexicon": self._fingerprint_of_lexicon(),
        }

    def _fingerprint_of_vectors(self) -> str:
        if self.vectors is None or isinstance(self.vectors, str):
            return self.vectors or ""
        return _fingerprint([repr(self.vectors.words), np.ascontiguousarray(self.vectors.matrix)])

    def _fingerprint_of_lexicon(self) -> str:
        if self.lexicon is None or isinstance(self.lexicon, str):
            return self.lexicon or ""
        return _fingerprint(f"{word}\t{category}\n" for word, category in sorted(self.lexicon.items()))


def _content(sentence: Sentence) -> str:
    return repr((sentence.words, [tuple(span) for span in sentence.spans]))


def _fingerprint(parts: Iterable[str | np.ndarray]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode(errors="surrogatepass") if isinstance(part, str) else part.data)
    return digest.hexdigest()


def split_dev(sentences: Sequence[Sentence]) -> tuple[list[Sentence], list[Sentence]]:
    """Set every tenth sentence aside: (the rest, those set aside).

    Raises:
        InputError: If there are fewer than ten.
    """
    if len(sentences) < 10:
        raise InputError(f"expected at least 10 sentences to set a tenth aside for dev, found {len(sentences)}")
    held = [sentence for number, sentence in enumerate(sentences, 1) if number % 10 == 0]
    rest = [sentence for number, sentence in enumerate(sentences, 1) if number % 10]
    return rest, held


def resolve_defaults(data: Data, config: ModelConfig) -> Data:
    """The data with the general vectors and lexicon in place of "builtin" where tokens are characters, else with none.

    A model to start from keeps those it has: beside one, "builtin" is none too.

    Raises:
        InputError: If there is a lexicon that a network of this shape, or the model to start from, would not look at;
            if vectors or a lexicon are something else.
    """
    anew = data.initial is None
    if isinstance(data.vectors, str) and data.vectors == "builtin":
        data = replace(data, vectors=builtin_character_vectors() if config.token_unit == "character" and anew else None)
    elif not (data.vectors is None or isinstance(data.vectors, Vectors)):
        raise InputError(f"vectors: expected those of a file, 'builtin' or None, got {data.vectors!r:.40}")
    if isinstance(data.lexicon, str) and data.lexicon == "builtin":
        return replace(data, lexicon=builtin_words() if config.uses_lexicon and anew else None)
    if data.lexicon is None:
        return data
    if not isinstance(data.lexicon, Mapping):
        raise InputError(f"a lexicon: expected words and their categories, 'builtin' or None, got {data.lexicon!r:.40}")
    if not anew:
        raise InputError("a lexicon: expected none beside a model to start from, whose own stays")
    check_lexicon(config)
    return data


def warn_of_other_tokens(data: Data, token_unit: TokenUnit) -> None:
    """Log that the tokens are not those of a model of this unit: it would cut text into what it has not learnt."""
    if token_unit == "character":
        try:
            for sentence in chain(data.train, data.dev):
                check_characters(sentence.words)
        except InputError as error:
            _log.warning("%s", error.message)
    elif share_of_characters(data.train) >= CHARACTER_SHARE and are_chinese(data.train):
        _log.warning(
            "expected words, found tokens of one character: "
            "preset('fast', token_unit='character') is for such (--token-unit character)"
        )


def are_chinese(sentences: Sequence[Sentence]) -> bool:
    """Whether the first sentences are written in Han characters."""
    return script_language(" ".join(sentence.words) for sentence in sentences[:1000]) == "zh"

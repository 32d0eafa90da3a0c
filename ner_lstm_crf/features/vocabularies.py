"""All that a model has a vector for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.bigrams import Bigrams
from ner_lstm_crf.features.lexicon import Lexicon
from ner_lstm_crf.features.vocabulary import Vocabulary, WordVocabulary

__all__ = ["Vocabularies"]

_NAMES = ("words", "characters", "bigrams", "lexicon")


@dataclass(frozen=True, slots=True)
class Vocabularies:
    """What has rows in the tables of a network.

    Attributes:
        words: The words.
        characters: The characters of words.
        bigrams: Pairs of neighbouring characters; None where they are not looked at.
        lexicon: Words to look for in the text; None for none.
    """

    words: WordVocabulary
    characters: Vocabulary
    bigrams: Bigrams | None = None
    lexicon: Lexicon | None = None

    def to_json(self) -> dict[str, Any]:
        """What `from_json` makes the same vocabularies of."""
        all_of_them = {name: getattr(self, name) for name in _NAMES}
        return {name: one.to_json() for name, one in all_of_them.items() if one is not None}

    @classmethod
    def from_json(cls, value: Any) -> Vocabularies:
        """The vocabularies that `to_json` wrote.

        Raises:
            InputError: If the value is something else.
        """
        if not isinstance(value, dict) or not {"words", "characters"} <= set(value) <= set(_NAMES):
            raise InputError("expected the vocabularies 'words' and 'characters', and perhaps 'bigrams' and 'lexicon'")
        return cls(
            WordVocabulary.from_json(value["words"]),
            Vocabulary.from_json(value["characters"]),
            Bigrams.from_json(value["bigrams"]) if "bigrams" in value else None,
            Lexicon.from_json(value["lexicon"]) if "lexicon" in value else None,
        )

"""All that a model has a vector for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.bigrams import Bigrams
from ner_lstm_crf.features.vocabulary import Vocabulary, WordVocabulary

__all__ = ["Vocabularies"]


@dataclass(frozen=True, slots=True)
class Vocabularies:
    """What has rows in the tables of a network.

    Attributes:
        words: The words.
        characters: The characters of words.
        bigrams: Pairs of neighbouring characters; None where they are not looked at.
    """

    words: WordVocabulary
    characters: Vocabulary
    bigrams: Bigrams | None = None

    def to_json(self) -> dict[str, Any]:
        """What `from_json` makes the same vocabularies of."""
        bigrams = {} if self.bigrams is None else {"bigrams": self.bigrams.to_json()}
        return {"words": self.words.to_json(), "characters": self.characters.to_json(), **bigrams}

    @classmethod
    def from_json(cls, value: Any) -> Vocabularies:
        """The vocabularies that `to_json` wrote.

        Raises:
            InputError: If the value is something else.
        """
        if not isinstance(value, dict) or not {"words", "characters"} <= set(value) <= {
            "words",
            "characters",
            "bigrams",
        }:
            raise InputError("expected the vocabularies 'words' and 'characters', and perhaps 'bigrams'")
        return cls(
            WordVocabulary.from_json(value["words"]),
            Vocabulary.from_json(value["characters"]),
            Bigrams.from_json(value["bigrams"]) if "bigrams" in value else None,
        )

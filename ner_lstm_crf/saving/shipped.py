"""The taggers that come with the package: which there are, where they lie, and which of them suits a text.

Each is the directory of a model with its card, `shipped/LANGUAGE/`, made by `scripts/train_shipped.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.text.scripts import has_han

__all__ = ["SHIPPED", "language_of", "model_directory"]

_FOLDER = Path(__file__).parents[1] / "shipped"
SHIPPED = ("en", "zh")
"""The names of the shipped taggers: English and Chinese."""

_SAMPLE = 10_000  # characters of a text that are looked at
_HAN_SHARE = 0.2  # of all letters: a Chinese text may hold many Latin names, an English one few Chinese


def model_directory(name: str | Path) -> Path:
    """The directory of the model `name`: of a shipped tagger ("en", "zh"), or the path itself ("./en").

    Raises:
        InputError: If there is no such directory.
    """
    if name in SHIPPED:
        return _FOLDER / str(name)
    directory = Path(name)
    if not directory.is_dir():
        taggers = " or ".join(f"'{shipped}'" for shipped in SHIPPED)
        raise InputError(f"expected the directory of a model, or {taggers}: found no such directory", path=directory)
    return directory


def language_of(texts: Iterable[str]) -> str:
    """Which shipped tagger suits these texts, by their script: "zh" for Han characters, else "en".

    Example:
        >>> language_of(["王小明从北京飞往巴黎。"]), language_of(["He wrote 北京 on a map of Beijing."])
        ('zh', 'en')
    """
    letters = [char for text in texts for char in text[:_SAMPLE] if char.isalpha()]
    han = sum(map(has_han, letters))
    return "zh" if han and han >= _HAN_SHARE * len(letters) else "en"

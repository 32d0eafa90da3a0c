"""The taggers that come with the package.

Each is the directory of a model with its card, `shipped/LANGUAGE/`, made by `scripts/train_shipped.py`.
"""

from __future__ import annotations

from pathlib import Path

from ner_lstm_crf.errors import InputError

__all__ = ["SHIPPED", "model_directory"]

_FOLDER = Path(__file__).parents[1] / "shipped"
SHIPPED = ("en", "zh")
"""The names of the shipped taggers: English and Chinese."""


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

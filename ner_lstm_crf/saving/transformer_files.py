"""A transformer's files in the directory of a model: a folder named by what is in it, so that none is mistaken.

transformer-0123456789ab/    what `transformers` writes of an encoder and its tokenizer
"""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path
from weakref import WeakKeyDictionary

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.transformer.encoder import TransformerEmbedding
from ner_lstm_crf.features.transformer.subtokens import SubTokenizer
from ner_lstm_crf.files.atomic import seal

__all__ = ["check_transformer", "name_of", "remember_transformer", "remove_other_transformers", "save_transformer"]

_NAME = re.compile(r"transformer-[0-9a-f]{12}")
_DRAFT = ".transformer.new"

# The folders of frozen transformers, by name: what cannot change need not be written to know what it is called.
_known: WeakKeyDictionary[TransformerEmbedding, str] = WeakKeyDictionary()


def save_transformer(transformer: TransformerEmbedding, subtokenizer: SubTokenizer, directory: Path) -> str:
    """Write the files of a transformer into the directory of a model, unless they are there.

    Other transformers in it are left alone.

    Returns:
        The name of their folder.

    Raises:
        InputError: If they cannot be written.
    """
    name = _known.get(transformer)
    if name is not None and _is_whole(directory / name):
        return name
    draft = directory / _DRAFT
    shutil.rmtree(draft, ignore_errors=True)
    try:
        name = _write(transformer, subtokenizer, draft)
        if not _is_whole(directory / name):
            shutil.rmtree(directory / name, ignore_errors=True)
            draft.rename(directory / name)
    except Exception as error:  # on a full disk transformers, tokenizers and safetensors each raise their own
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"the transformer could not be written, the old model is unharmed: {reason}", path=directory
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    remember_transformer(transformer, name)
    return name


def remember_transformer(transformer: TransformerEmbedding, name: str) -> None:
    """Note the name of the folder that a transformer was written to or read from, for as long as it cannot change."""
    if not transformer.fine_tune:
        _known[transformer] = name


def check_transformer(directory: Path, name: object) -> Path:
    """The folder of that name in the directory of a model.

    Raises:
        InputError: If it is missing, or its files are not those that were written.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(
            f"the model is damaged: expected the name of its transformer's folder, found {name!r}", path=directory
        )
    folder = directory / name
    if not folder.is_dir():
        raise InputError("expected the transformer of a model, but this folder is missing", path=folder)
    if not _is_whole(folder):
        raise InputError("the model is damaged: the files of its transformer have changed", path=folder)
    return folder


def remove_other_transformers(directory: Path, name: str | None) -> None:
    """Remove the transformers that the model in the directory no longer has: all but the folder `name`."""
    for folder in directory.glob("transformer-*"):
        if _NAME.fullmatch(folder.name) and folder.name != name:
            shutil.rmtree(folder, ignore_errors=True)  # what cannot be removed does no harm


def _write(transformer: TransformerEmbedding, subtokenizer: SubTokenizer, folder: Path) -> str:
    """Write the files into a folder that is not there yet; returns the name it should have."""
    folder.mkdir()
    transformer.save(folder)
    subtokenizer.save(folder)
    seal(*_files(folder))
    return name_of(folder)


def _is_whole(folder: Path) -> bool:
    """Whether the folder is there, with the files that its name stands for."""
    try:
        return folder.is_dir() and name_of(folder) == folder.name
    except OSError:
        return False


def name_of(folder: Path) -> str:
    """The name of a folder with these files: SHA-256 of their names and contents, cut."""
    digest = hashlib.sha256()
    for path in _files(folder):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return f"transformer-{digest.hexdigest()[:12]}"


def _files(folder: Path) -> list[Path]:
    """All files but hidden ones, which file managers leave behind."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))

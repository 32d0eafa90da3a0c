"""Folders of features in the directory of a model: the files of a transformer, under a name made of their content."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Container
from pathlib import Path

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.token_feature import TokenFeature
from ner_lstm_crf.files.atomic import remove_temp_files, seal, temporary_path

_NAME = re.compile(r"[a-z]+-[0-9a-f]{12}")
_SUFFIXES = (".json", ".jinja", ".model", ".safetensors", ".txt")  # nothing that is pickled, no code


def save_folder(feature: TokenFeature, directory: Path) -> str:
    """Write the files of a feature into the directory of a model, unless they are there.

    Returns:
        The name of their folder.

    Raises:
        InputError: If they cannot be written.
    """
    name = feature.saved_as
    if name is not None and _is_whole(directory / name):
        return name
    remove_temp_files(directory)
    with temporary_path(directory / feature.name) as temporary:
        try:
            temporary.mkdir()
            mode = temporary.stat().st_mode & 0o666  # of a new file, as of a new folder but for the right to run it
            feature.write_files(temporary)
            for path in _files(temporary):
                seal(path, mode)
            name = f"{feature.name}-{folder_digest(temporary)}"
            if not _is_whole(directory / name):
                shutil.rmtree(directory / name, ignore_errors=True)
                temporary.rename(directory / name)
        except Exception as error:  # on a full disk transformers, tokenizers and safetensors each raise their own
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            message = f"the files of the {feature.name} could not be written, the old model is unharmed: {reason}"
            raise InputError(message, path=directory) from error
    if not feature.files_change:
        feature.saved_as = name
    return name


def check_folder(directory: Path, name: object) -> Path:
    """The folder of that name in the directory of a model.

    Raises:
        InputError: If it is missing, or its files are not those that were written.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(f"the model is damaged: expected the name of a folder, found {name!r:.80}", path=directory)
    folder = directory / name
    if not folder.is_dir():
        raise InputError("expected the files of a model, but this folder is missing", path=folder)
    for path in folder.rglob("*"):
        if not path.is_dir() and not path.name.startswith(".") and not (path.is_file() and path.suffix in _SUFFIXES):
            raise InputError(f"the model is damaged: expected {', '.join(_SUFFIXES)} alone in its folder", path=path)
    if not _is_whole(folder):
        raise InputError("the model is damaged: files in this folder have changed", path=folder)
    return folder


def remove_other_folders(directory: Path, names: Container[str], features: Container[str]) -> None:
    """Remove the folders of such features that the model in the directory does not have any more: all but `names`."""
    for folder in directory.iterdir():
        if _NAME.fullmatch(folder.name) and folder.name not in names and folder.name.split("-")[0] in features:
            shutil.rmtree(folder, ignore_errors=True)  # what cannot be removed does no harm


def folder_digest(folder: Path) -> str:
    """SHA-256 of the names and contents of the files in a folder, cut to 12 digits; hidden files do not count.

    Raises:
        OSError: If one cannot be read.
    """
    digest = hashlib.sha256()
    for path in _files(folder):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()[:12]


def _is_whole(folder: Path) -> bool:
    """True if the folder exists with the files that its name stands for."""
    try:
        return folder.is_dir() and folder.name.endswith(f"-{folder_digest(folder)}")
    except OSError:
        return False


def _files(folder: Path) -> list[Path]:
    """All files but hidden ones, which file managers leave behind."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))

"""Where a pretrained `transformers` encoder lies: a folder as it is, a hub name by way of the hub's own cache.

`transformers` is an optional part of the installation and slow to import, so nothing here imports it before it is used.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from ner_lstm_crf.errors import InputError

__all__ = ["pretrained_folder", "quiet_transformers", "unreadable"]

logger = logging.getLogger("ner_lstm_crf")

# What an encoder needs of a repository on the hub; the weights as safetensors, or, where there are none, as PyTorch's.
_SMALL_FILES = ["*.json", "*.txt", "*.model"]
_WEIGHTS = (["model*.safetensors"], ["pytorch_model*.bin"])


def pretrained_folder(name: str | os.PathLike[str]) -> Path:
    """The folder that holds the encoder called `name`: weights, configuration and tokenizer.

    A folder of that name is taken as it is and the network left alone. Otherwise `name` is looked up on the Hugging
    Face hub, which downloads it once; without a network its cached copy serves.

    Args:
        name: A folder, or a name on the hub such as `bert-base-cased` or `FacebookAI/xlm-roberta-base`.

    Raises:
        InputError: If `transformers` is not installed, if there is no such folder and no such name on the hub or in
            its cache, or if what was found has no configuration or no weights.
    """
    if find_spec("transformers") is None:
        raise InputError("transformer embeddings need another package: pip install 'ner-lstm-crf[transformers]'")
    folder = Path(name)
    if not folder.is_dir():
        folder = _from_hub(os.fspath(name))
    for what, patterns in (("configuration", ["config.json"]), ("weights", [*_WEIGHTS[0], *_WEIGHTS[1]])):
        if not any(any(folder.glob(pattern)) for pattern in patterns):
            raise InputError(f"expected an encoder's {what} ({' or '.join(patterns)}) in this folder", path=folder)
    return folder


def _from_hub(name: str) -> Path:
    is_path = name.startswith((".", "/", "~")) or name.count("/") > 1 or "\\" in name or Path(name).exists()
    if is_path:
        raise InputError(f"expected the folder of a transformers encoder, found no folder '{name}'")
    from huggingface_hub import snapshot_download  # optional

    for weights in _WEIGHTS:
        try:
            with quiet_transformers():
                wanted = [*_SMALL_FILES, *weights]
                folder = Path(snapshot_download(name, allow_patterns=wanted, ignore_patterns=["*/*"]))
        except Exception as error:  # the classes of the hub's client differ from version to version
            raise InputError(
                f"'{name}' is no folder, and the Hugging Face hub did not give an encoder of that name: {_brief(error)}"
            ) from error
        if any(any(folder.glob(pattern)) for pattern in weights):
            logger.info("transformer %s: %s", name, folder)
            return folder
    return folder


def unreadable(error: Exception, folder: Path, what: str) -> NoReturn:
    """Raise the InputError that says `folder` has no readable `what` (such as "weights"), for the reason `error`."""
    raise InputError(f"expected an encoder's {what}, could not read them: {_brief(error)}", path=folder) from error


def _brief(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep `transformers` and the hub's client from drawing bars and logging reports within the `with` block.

    What those reports would say is checked by the callers, who raise InputError.
    """
    from transformers.utils import logging as library  # optional, slow

    verbosity, bars = library.get_verbosity(), library.is_progress_bar_enabled()
    library.set_verbosity_error()
    library.disable_progress_bar()  # the hub's as well
    try:
        yield
    finally:
        library.set_verbosity(verbosity)
        if bars:
            library.enable_progress_bar()

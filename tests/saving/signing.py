"""Models whose files are changed and signed again: the digest is right, the content is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from ner_lstm_crf.saving.model import _digest
from ner_lstm_crf.saving.tensors import Array, TensorFile


def sign(directory: Path, config: dict[str, Any]) -> None:
    """Write this config.json with a digest of all files as they are now."""
    config = {name: value for name, value in config.items() if name != "digest"}
    networks = sorted(directory.glob("network-*.safetensors"))
    weights = [arrays_of(path) for path in (directory / "frozen.safetensors", *networks)]
    text = json.dumps(config, ensure_ascii=False)
    digest = _digest(text, (directory / "vocabulary.json").read_text(encoding="utf-8"), weights)
    (directory / "config.json").write_text(json.dumps(config | {"digest": digest}), encoding="utf-8")


def arrays_of(path: Path) -> dict[str, Array]:
    """The tensors of a file."""
    with path.open("rb") as stream:
        return TensorFile.open(stream, path).read()


def config_of(directory: Path) -> dict[str, Any]:
    """The content of config.json."""
    config: dict[str, Any] = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    return config


def change_weights(directory: Path, name: str, **tensors: Tensor | None) -> None:
    """Change tensors of a file of weights, "." in names as "__", and sign the model again; None leaves one out."""
    path = directory / name
    changed = load_file(path) | {key.replace("__", "."): tensor for key, tensor in tensors.items()}
    save_file({key: tensor for key, tensor in changed.items() if tensor is not None}, path)
    sign(directory, config_of(directory))

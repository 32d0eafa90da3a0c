"""Loops in C that torch has no fast operation for, one shared library per processor level and number type.

`scripts/build_kernels.py` compiles them when the package is installed; nothing is compiled later. Where they are
missing, or were built from other sources than those beside them (new code, not installed again), the callers take the
portable path in torch, which gives the same results, slower.
"""

from __future__ import annotations

import ctypes
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

__all__ = ["kernel", "serves"]

_LEVELS = {"AVX512": ("x86-64-v4", "x86-64-v3"), "AVX2": ("x86-64-v3",)}
_BITS = {torch.float32: 32, torch.float64: 64}
_FUNCTIONS: dict[tuple[str, torch.dtype], Any] = {}
_KERNELS = {  # which file each function is in, and how many arguments it takes: addresses and numbers of 64 bits
    "crf_marginals": ("crf_sums", 12),
    "crf_viterbi": ("crf_viterbi", 12),
    "crf_log_likelihood": ("crf_sums", 16),
    "crf_gradient": ("crf_sums", 12),
    "char_cnn_forward": ("char_cnn", 9),
    "char_cnn_backward": ("char_cnn", 9),
    "word_rows_catch_up": ("word_rows", 12),
    "word_rows_step": ("word_rows", 12),
}


def serves(tensor: Tensor) -> bool:
    """Whether there are kernels for such a tensor: on the CPU, of float32 or float64, kernels compiled."""
    return tensor.device.type == "cpu" and _load("crf_sums", tensor.dtype) is not None


def kernel(name: str, dtype: torch.dtype) -> Any:
    """The function `name` for tensors of `dtype`, for this processor.

    Raises:
        ValueError: If there is none; see `serves`.
    """
    return _FUNCTIONS.get((name, dtype)) or _function(name, dtype)


def _function(name: str, dtype: torch.dtype) -> Any:
    file, arguments = _KERNELS[name]
    library = _load(file, dtype)
    if library is None:
        raise ValueError(f"expected float32 or float64 and a machine that has the kernels, got {dtype}")
    function = library[name]
    function.argtypes = [ctypes.c_int64] * arguments
    function.restype = ctypes.c_int
    return _FUNCTIONS.setdefault((name, dtype), function)


@cache
def _load(file: str, dtype: torch.dtype) -> ctypes.CDLL | None:
    if dtype not in _BITS:
        return None
    folder = Path(__file__).parent / "built"
    if not _is_current(folder):
        return None
    for level in (*_LEVELS.get(torch.backends.cpu.get_cpu_capability(), ()), "generic"):
        path = folder / f"{file}-{_BITS[dtype]}-{level}.so"
        if path.is_file():
            try:
                # torch is imported by now, and its OpenMP with it: the library shares its threads.
                return ctypes.CDLL(str(path))
            except OSError:  # built elsewhere
                continue
    return None


@cache
def _is_current(folder: Path) -> bool:
    """Whether the libraries were built from the sources as they are: others may take other arguments."""
    digest = hashlib.sha256()
    for path in sorted(folder.parent.glob("*.[ch]")):
        digest.update(path.read_bytes())
    built_from = folder / "sources.sha256"
    return built_from.is_file() and built_from.read_text(encoding="ascii") == digest.hexdigest()

"""Loops in C that torch has no fast operation for, one shared library per processor level and number type.

`scripts/build_kernels.py` compiles them when the package is installed; nothing is compiled later. Where they are
missing (no C compiler then, or another kind of processor) the callers take the portable path in torch, which gives the
same results, slower.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

import torch

__all__ = ["available", "kernel"]

_LEVELS = {"AVX512": ("x86-64-v4", "x86-64-v3"), "AVX2": ("x86-64-v3",)}
_BITS = {torch.float32: 32, torch.float64: 64}


def kernel(name: str, dtype: torch.dtype) -> ctypes.CDLL | None:
    """The library of a kernel for tensors of `dtype`, for this processor; None where there is none."""
    return _load(name, dtype)


def available() -> bool:
    """Whether the kernels were compiled for this machine."""
    return _load("crf", torch.float32) is not None


@cache
def _load(name: str, dtype: torch.dtype) -> ctypes.CDLL | None:
    if dtype not in _BITS:
        return None
    folder = Path(__file__).parent
    for level in (*_LEVELS.get(torch.backends.cpu.get_cpu_capability(), ()), "generic"):
        path = folder / f"{name}-{_BITS[dtype]}-{level}.so"
        if path.is_file():
            try:
                # torch is imported by now, and its OpenMP with it: the library shares its threads.
                return ctypes.CDLL(str(path))
            except OSError:  # built elsewhere
                continue
    return None

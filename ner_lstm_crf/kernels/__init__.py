"""Loops in C for which torch has no fast operation, and the functions that find them.

    vector.h          vectors of the processor's width; exp
    crf.h             the scores of a CRF, and the loops that its recursions share
    crf_posteriors.h  forward-backward
    crf_sums.c        likelihood and partition with their gradients, posteriors
    crf_labelwise.c   likelihood token by token, with its gradients
    crf_spans.c       the probability of spans
    crf_best.h        the best scores of paths, which the next two search
    crf_viterbi.c     the best path
    crf_k_best.c      the k best paths
    char_cnn.c        the char-CNN as sums of table rows, and its gradient
    sparse_adamw.c    AdamW for the rows of an embedding table that a batch reads

`scripts/build_kernels.py` compiles them when the package is installed, one shared library per processor level and
number type; nothing is compiled later. If they are missing, or were compiled from other sources than those in this
folder (new code, not installed again), the callers take the portable path in torch, which gives the same results,
slower. Start with `available_for` and `kernel`.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_log = logging.getLogger(__name__)

_FOLDER = Path(__file__).parent
_LEVELS = {"AVX512": ("x86-64-v4", "x86-64-v3"), "AVX2": ("x86-64-v3",)}
_BITS = {torch.float32: 32, torch.float64: 64}
_KERNELS = {  # the file of each function, and the number of its arguments: addresses and numbers of 64 bits
    "crf_marginals": ("crf_sums", 12),
    "crf_viterbi": ("crf_viterbi", 12),
    "crf_k_best": ("crf_k_best", 14),
    "crf_log_likelihood": ("crf_sums", 16),
    "crf_labelwise": ("crf_labelwise", 16),
    "crf_gradient": ("crf_sums", 12),
    "crf_span_probabilities": ("crf_spans", 16),
    "crf_probable_spans": ("crf_spans", 18),
    "char_cnn_forward": ("char_cnn", 9),
    "char_cnn_backward": ("char_cnn", 9),
    "sparse_adamw_catch_up": ("sparse_adamw", 12),
    "sparse_adamw_step": ("sparse_adamw", 12),
}


def available_for(tensor: Tensor) -> bool:
    """True if the kernels can read this tensor: it is on the CPU, of float32 or float64, and they were compiled."""
    return tensor.device.type == "cpu" and _library("crf_sums", tensor.dtype) is not None


@cache
def kernel(name: str, dtype: torch.dtype) -> Any:
    """The C function `name` for tensors of `dtype`, compiled for this processor.

    Raises:
        ValueError: If there is none; see `available_for`.
    """
    file, arguments = _KERNELS[name]
    library = _library(file, dtype)
    if library is None:
        raise ValueError(f"expected float32 or float64 and a machine that has the kernels, got {dtype}")
    function = library[name]
    function.argtypes = [ctypes.c_int64] * arguments
    function.restype = ctypes.c_int
    return function


@cache
def _say_that_old(folder: Path) -> None:
    """Log, once, that libraries are not used."""
    _log.warning("%s: compiled from other sources, not used, which is slower: install the package again", folder)


@cache
def _library(file: str, dtype: torch.dtype) -> ctypes.CDLL | None:
    """The library that was compiled from `file` for the best level of this processor, or None."""
    if dtype not in _BITS:
        return None
    # 1. Were the libraries compiled from these sources? Others may take other arguments.
    digest = hashlib.sha256()
    for path in sorted(_FOLDER.glob("*.[ch]")):
        digest.update(path.read_bytes())
    compiled_from = _FOLDER / "built" / "sources.sha256"
    if not compiled_from.is_file():
        return None
    if compiled_from.read_text(encoding="ascii") != digest.hexdigest():
        _say_that_old(compiled_from.parent)
        return None
    # 2. The first level that loads.
    for level in (*_LEVELS.get(torch.backends.cpu.get_cpu_capability(), ()), "generic"):
        path = _FOLDER / "built" / f"{file}-{_BITS[dtype]}-{level}.so"
        if path.is_file():
            try:
                # torch is imported by now, and its OpenMP with it: the library shares its threads.
                return ctypes.CDLL(str(path))
            except OSError:  # compiled on another machine
                continue
    return None

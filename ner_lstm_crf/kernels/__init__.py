"""Loops in C for which neither numpy nor torch has a fast operation, and the functions that find them.

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
    lstm.c            an LSTM over one sentence
    intnet.c          IntNet word by word, and its gradient
    sparse_adamw.c    AdamW for the rows of an embedding table that a batch reads

`scripts/build_kernels.py` compiles them when the package is installed, one shared library per processor level and
number type; nothing is compiled later. If they are missing, or were compiled from other sources than those in this
folder (new code, not installed again), the callers take the portable path in numpy or torch, which gives the same
results, slower. They get addresses, so it is the same to them whose memory that is. Start with `available_for` and
`kernel`.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
from collections.abc import Hashable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ner_lstm_crf.isolation import end_threads_of

_log = logging.getLogger(__name__)

_FOLDER = Path(__file__).parent
_BITS = {"float32": 32, "float64": 64}
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
    "intnet_forward": ("intnet", 16),
    "intnet_backward": ("intnet", 20),
    "lstm_sentence": ("lstm", 12),
    "sparse_adamw_catch_up": ("sparse_adamw", 12),
    "sparse_adamw_step": ("sparse_adamw", 12),
}


def available_for(values: Any) -> bool:
    """True if the kernels can read this array of numpy or tensor of torch.

    It is on the CPU, of float32 or float64, and they were compiled.
    """
    device = getattr(values, "device", "cpu")  # numpy 1 has none
    return str(device) == "cpu" and _library("crf_sums", values.dtype) is not None


@cache
def kernel(name: str, dtype: Hashable) -> Any:
    """The C function `name` for values of `dtype`, one of numpy or torch, compiled for this processor.

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
def levels() -> tuple[str, ...]:
    """The levels of this processor (x86-64 psABI), the best first."""
    # What numpy found, as its own loops do: the names are those of its versions before and since 2.4.
    extensions = np.show_config(mode="dicts").get("SIMD Extensions", {})
    has = {*extensions.get("baseline", ()), *extensions.get("found", ())}
    is_v4 = not has.isdisjoint({"X86_V4", "AVX512_SKX"})
    is_v3 = is_v4 or "X86_V3" in has or {"AVX2", "FMA3"} <= has
    return ("x86-64-v4",) * is_v4 + ("x86-64-v3",) * is_v3 + ("generic",)


def level_in_use() -> str | None:
    """The level of the kernels that are used, of `levels`; None for the portable path."""
    library = _library("crf_sums", np.dtype(np.float32))
    return None if library is None else Path(library._name).stem.removeprefix("crf_sums-32-")


@cache
def _library(file: str, dtype: Hashable) -> ctypes.CDLL | None:
    """The library that was compiled from `file` for the best level of this processor, or None."""
    bits = _BITS.get(str(dtype).removeprefix("torch."))
    if bits is None:
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
    for level in levels():
        path = _FOLDER / "built" / f"{file}-{bits}-{level}.so"
        if path.is_file():
            try:
                # If torch is imported by now, the library shares the threads of its OpenMP; else it has its own.
                library = ctypes.CDLL(str(path))
            except OSError:  # compiled on another machine
                continue
            end_threads_of(library)
            return library
    return None

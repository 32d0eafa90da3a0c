"""The kernels are found where they were compiled from the sources that are installed, and only there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ner_lstm_crf import kernels


def test_the_kernels_were_compiled() -> None:
    assert kernels.available_for(torch.zeros(1, 1, 1))
    assert kernels.available_for(torch.zeros(1, 1, 1, dtype=torch.float64))
    assert not kernels.available_for(torch.zeros(1, 1, 1, dtype=torch.bfloat16))
    assert not kernels.available_for(torch.zeros(1, 1, 1, device="meta"))
    assert kernels.available_for(np.zeros(1, np.float32))
    assert kernels.available_for(np.zeros(1))
    assert not kernels.available_for(np.zeros(1, np.float16))
    assert not kernels.available_for(np.zeros(1, np.dtype(np.float32).newbyteorder()))


@pytest.mark.parametrize("name", kernels._KERNELS)
def test_each_function_is_found_in_its_library(name: str) -> None:
    for dtype in (torch.float32, torch.float64, np.dtype(np.float32), np.dtype(np.float64)):
        assert kernels.kernel(name, dtype) is kernels.kernel(name, dtype)
    with pytest.raises(ValueError, match=r"expected float32 or float64 .*, got torch\.float16"):
        kernels.kernel(name, torch.float16)


@pytest.mark.parametrize("change", ["another header", "changed", "no digest", None])
def test_libraries_of_other_sources_are_not_loaded(
    change: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = Path(shutil.copytree(Path(kernels.__file__).parent, tmp_path / "kernels"))
    if change == "another header":
        (folder / "two.h").write_text("int two(void);")
    elif change == "changed":
        (folder / "char_cnn.c").write_text("")
    elif change == "no digest":
        (folder / "built" / "sources.sha256").unlink()
    monkeypatch.setattr(kernels, "_FOLDER", folder)
    library = kernels._library.__wrapped__("crf_sums", torch.float32)
    assert (library is None) == (change is not None)
    assert ("compiled from other sources" in caplog.text) == (change in ("another header", "changed"))


@pytest.mark.parametrize("level", ["x86-64-v3", "generic"])
def test_kernels_of_lesser_processors_agree(level: str) -> None:
    """The tests of kernels hold for those too that this processor would not choose."""
    if level not in kernels.levels()[1:]:
        pytest.skip("not a lesser level of this processor")
    chosen = {
        "kernels/test_kernels.py": ("test_the_kernels_were_compiled",),
        "model/test_crf.py": (
            "test_kernels_agree_with_plain_torch_for_any_scores",
            "test_no_path_beats_the_kernels_viterbi",
            "test_kernels_agree_with_torchcrf",
            "test_tensors_of_any_layout_are_read_where_they_lie",
        ),
        "crf/test_partition.py": ("test_kernels_agree_with_plain_numpy_for_any_scores",),
        "crf/test_spans.py": ("test_kernels_agree_with_plain_numpy_for_any_scores_and_any_reading",),
        "model/test_crf_labelwise.py": ("test_the_labelwise_kernel_agrees_with_plain_torch_for_any_scores",),
        "crf/test_k_best.py": ("test_kernels_find_what_plain_numpy_finds",),
        "model/embedding/test_characters.py": ("test_looked_up_scores_are_those_of_convolutions",),
        "model/embedding/test_intnet.py": ("test_words_in_a_row_equal_words_by_themselves",),
        "inference/test_sentence_network.py": ("test_states_are_those_of_torch",),
        "training/test_sparse_adamw.py": ("test_rows_end_where_adamw_takes_them",),
    }
    folder = Path(__file__).parents[1]
    tests = [f"{file}::{name}" for path, names in chosen.items() for file in folder.glob(path) for name in names]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    # What numpy finds beside the lesser levels is kept from it.
    names = {"x86-64-v4": ("X86_V4", "AVX512"), "x86-64-v3": ("X86_V3", "AVX2")}
    hidden = [name for more in kernels.levels()[: kernels.levels().index(level)] for name in names[more]]
    found = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    environment = os.environ | {"NPY_DISABLE_CPU_FEATURES": " ".join(x for x in found if x.startswith(tuple(hidden)))}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

"""The kernels are found where they were compiled from the sources that are installed, and only there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ner_lstm_crf import kernels


def test_the_kernels_were_compiled() -> None:
    assert kernels.available_for(torch.zeros(1, 1, 1))
    assert kernels.available_for(torch.zeros(1, 1, 1, dtype=torch.float64))
    assert not kernels.available_for(torch.zeros(1, 1, 1, dtype=torch.bfloat16))


@pytest.mark.parametrize("name", kernels._KERNELS)
def test_each_function_is_found_in_its_library(name: str) -> None:
    for dtype in (torch.float32, torch.float64):
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


@pytest.mark.parametrize("capability", ["avx2", "default"])
def test_kernels_of_lesser_processors_agree(capability: str) -> None:
    """The tests of kernels hold for those too that this processor would not choose."""
    chosen = {
        "kernels/test_kernels.py": ("test_the_kernels_were_compiled",),
        "model/test_crf.py": (
            "test_kernels_agree_with_plain_torch_for_any_scores",
            "test_no_path_beats_the_kernels_viterbi",
            "test_kernels_agree_with_torchcrf",
            "test_tensors_of_any_layout_are_read_where_they_lie",
        ),
        "model/test_crf_partition.py": ("test_kernels_agree_with_plain_torch_for_any_scores",),
        "model/test_crf_spans.py": ("test_kernels_agree_with_plain_torch_for_any_scores_and_any_reading",),
        "model/test_crf_labelwise.py": ("test_the_labelwise_kernel_agrees_with_plain_torch_for_any_scores",),
        "model/test_crf_k_best.py": ("test_kernels_find_what_plain_torch_finds",),
        "features/test_char*.py": ("test_looked_up_scores_are_those_of_convolutions",),
        "training/test_sparse_adamw.py": ("test_rows_end_where_adamw_takes_them",),
    }
    folder = Path(__file__).parents[1]
    tests = [f"{file}::{name}" for path, names in chosen.items() for file in folder.glob(path) for name in names]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"ATEN_CPU_CAPABILITY": capability}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

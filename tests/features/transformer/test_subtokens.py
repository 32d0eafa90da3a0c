"""Words to sub-tokens, for each kind of tokenizer, against the tokenizer's own alignment."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.transformer import subtokens
from ner_lstm_crf.features.transformer.subtokens import SubTokenizer

transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")

SPECIAL = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]"}
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def fast(model: Any, pre_tokenizer: Any, normalizer: Any = None, **options: Any) -> Any:
    """A tokenizer of `transformers` around a model of `tokenizers`, framing texts as BERT does."""
    backend = tokenizers.Tokenizer(model)
    backend.pre_tokenizer = pre_tokenizer
    if normalizer is not None:
        backend.normalizer = normalizer
    special = [(token, model.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    backend.post_processor = tokenizers.processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=special)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=backend, **SPECIAL, **options)


def wordpiece() -> Any:
    """Like BERT's: pieces after the first begin with ##, and what it cannot spell is unknown."""
    pieces = [*SPECIAL.values(), "the", "rome", "##s", *LETTERS, *(f"##{letter}" for letter in LETTERS), ".", "-", "中"]
    model = tokenizers.models.WordPiece({piece: id_ for id_, piece in enumerate(pieces)}, unk_token="[UNK]")
    return fast(model, tokenizers.pre_tokenizers.BertPreTokenizer(), tokenizers.normalizers.BertNormalizer())


def byte_pairs(*, add_prefix_space: bool) -> Any:
    """Like RoBERTa's: the space before a word is part of its first piece, and any string can be spelled."""
    pieces = [*SPECIAL.values(), *sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()), "Ġt", "Ġth", "Ġthe"]
    merges = [("Ġ", "t"), ("Ġt", "h"), ("Ġth", "e")]
    model = tokenizers.models.BPE({piece: id_ for id_, piece in enumerate(pieces)}, merges)
    pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    return fast(model, pre_tokenizer, add_prefix_space=add_prefix_space)


def unigrams() -> Any:
    """Like XLM-RoBERTa's: a word begins with ▁."""
    pieces = [*SPECIAL.values(), "▁", "▁the", "▁rome", "s", *LETTERS]
    scores = [0.0, 0.0, 0.0, 0.0, -2.0, -1.0, -1.0, -1.5, *(-3.0 for _ in LETTERS)]
    model = tokenizers.models.Unigram(list(zip(pieces, scores, strict=True)), unk_id=0)
    return fast(model, tokenizers.pre_tokenizers.Metaspace())


# Each tokenizer, and the one whose alignment of words is the reference.
KINDS = {
    "wordpiece": (wordpiece(), wordpiece()),
    "byte pairs": (byte_pairs(add_prefix_space=False), byte_pairs(add_prefix_space=True)),
    "byte pairs, spaced": (byte_pairs(add_prefix_space=True), byte_pairs(add_prefix_space=True)),
    "unigrams": (unigrams(), unigrams()),
}

# Words as corpora have them: any characters, among them some that tokenizers drop; no space in front.
words = st.one_of(
    st.sampled_from(["the", "Rome", "Romes", "U.N.-based", "\u200b", "", "中", "中国", "[SEP]", "\xad", "e\u0301"]),
    st.text(LETTERS, min_size=1, max_size=8),
    st.text(max_size=6).filter(lambda text: not text[:1].isspace()),
)


@pytest.mark.parametrize("kind", KINDS)
@given(sentence=st.lists(words, min_size=1, max_size=12))
@settings(deadline=None, max_examples=60)
def test_alignment_equals_the_tokenizers_own(kind: str, sentence: list[str]) -> None:
    tokenizer, reference = KINDS[kind]
    cut = SubTokenizer(tokenizer, window=10_000).encode(sentence)
    expected = reference(sentence, is_split_into_words=True, split_special_tokens=True)
    pieces: list[list[int]] = [[] for _ in sentence]
    for id_, word in zip(expected["input_ids"], expected.word_ids(), strict=True):
        if word is not None:
            pieces[word].append(id_)
    pieces = [ids or cut.ids[cut.targets == t].tolist() for t, ids in enumerate(pieces)]
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    assert cut.ids.tolist() == [[cls, *chain.from_iterable(pieces), sep]]
    owners = [t for t, ids in enumerate(pieces) for _ in ids]
    assert cut.targets.tolist() == [[-1, *owners, -1]]


@pytest.mark.parametrize("kind", ["wordpiece", "byte pairs", "unigrams"])
@pytest.mark.parametrize("word", ["", "\u200b", "\ud800", "\x00"])
def test_a_token_of_which_nothing_is_left_has_a_subtoken(kind: str, word: str) -> None:
    cut = SubTokenizer(KINDS[kind][0]).encode(["the", word, "the"])
    assert (cut.targets == 1).sum() >= 1
    assert cut.targets.max() == 2


def test_an_empty_word_is_unknown() -> None:
    cut = SubTokenizer(wordpiece()).encode(["the", "", "\u200b"])
    assert cut.ids.tolist() == [[1, 4, 0, 0, 2]]


def test_words_are_encoded_as_within_a_text() -> None:
    tokenizer = byte_pairs(add_prefix_space=False)
    within = tokenizer.convert_tokens_to_ids("Ġthe")
    assert SubTokenizer(tokenizer).encode(["the", "the"]).ids[0, 1:-1].tolist() == [within, within]


@pytest.mark.parametrize("text", ["[SEP]", "[PAD]"])
def test_text_cannot_name_a_special_subtoken(text: str) -> None:
    tokenizer = wordpiece()
    inner = SubTokenizer(tokenizer).encode([text]).ids[0, 1:-1].tolist()
    assert not set(inner) & {tokenizer.sep_token_id, tokenizer.pad_token_id}


def test_an_empty_sentence_has_no_window() -> None:
    cut = SubTokenizer(wordpiece()).encode([])
    assert cut.ids.shape == (0, 0)
    assert cut.tokens == 0


def test_a_huge_token_spreads_over_windows() -> None:
    cut = SubTokenizer(byte_pairs(add_prefix_space=False), window=32).encode(["the", "x" * 5000, "the"])
    assert len(cut.ids) > 5000 // 30
    assert [(cut.targets == t).sum() for t in range(3)] == [1, 5001, 1]  # "Ġ" and the letters


def test_what_is_forgotten_is_learned_again(monkeypatch: pytest.MonkeyPatch) -> None:
    sentences = [list(LETTERS[start : start + 3]) for start in range(0, 24, 2)]
    expected = [SubTokenizer(wordpiece()).encode(sentence).ids.tolist() for sentence in sentences]
    monkeypatch.setattr(subtokens, "_MOST_CACHED", 2)
    tokenizer = SubTokenizer(wordpiece())
    assert [tokenizer.encode(sentence).ids.tolist() for sentence in sentences] == expected
    assert len(tokenizer._cache) <= 3


@pytest.mark.parametrize("window", [0, 1, 2])
def test_a_window_needs_room_for_a_subtoken(window: int) -> None:
    with pytest.raises(InputError, match=f"expected a window of more than 2 sub-tokens, got {window}"):
        SubTokenizer(wordpiece(), window=window)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An encoder's folder; only its tokenizer and configuration are read here."""
    transformers.BertConfig(vocab_size=70, max_position_embeddings=48).save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"")
    wordpiece().save_pretrained(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("model_max_length", "positions", "expected"),
    [(32, 48, 32), (48, 48, 48), (None, 48, 46), (100, 48, 46), (None, None, 512), (8192, 8192, 512), (128, None, 128)],
)
def test_the_window_is_what_the_encoder_allows(
    folder: Path, model_max_length: int | None, positions: int | None, expected: int
) -> None:
    for name, key, value in (
        ("tokenizer_config.json", "model_max_length", model_max_length),
        ("config.json", "max_position_embeddings", positions or 0),
    ):
        stored = json.loads((folder / name).read_text(encoding="utf-8"))
        stored.pop(key, None)
        (folder / name).write_text(json.dumps(stored | ({} if value is None else {key: value})), encoding="utf-8")
    assert SubTokenizer.from_pretrained(folder).window == expected


def test_the_window_may_be_chosen(folder: Path) -> None:
    assert SubTokenizer.from_pretrained(folder, window=16).window == 16
    with pytest.raises(InputError, match="expected a window of at most 46 sub-tokens, got 47"):
        SubTokenizer.from_pretrained(folder, window=47)


def test_saved_and_loaded_it_encodes_the_same(folder: Path, tmp_path: Path) -> None:
    tokenizer = SubTokenizer.from_pretrained(folder, window=12)
    sentence = ["Romes", "the", "", "abcdefgh", "[SEP]", "ij"]
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("config.json", "model.safetensors"):
        (copy / name).write_bytes((folder / name).read_bytes())
    tokenizer.save(copy)
    loaded = SubTokenizer.from_pretrained(copy)
    assert loaded.framing == tokenizer.framing
    assert loaded.encode(sentence).ids.tolist() == tokenizer.encode(sentence).ids.tolist()


def test_a_folder_without_tokenizer(folder: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    with pytest.raises(InputError, match="tokenizer") as raised:
        SubTokenizer.from_pretrained(folder)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["tokenizer.json", "config.json"])
def test_a_damaged_folder(folder: Path, name: str) -> None:
    (folder / name).write_text('{"model_type": ', encoding="utf-8")
    with pytest.raises(InputError, match="tokenizer files") as raised:
        SubTokenizer.from_pretrained(folder)
    assert str(raised.value).startswith(str(folder))
    assert "\n" not in str(raised.value)


def test_a_real_tokenizer(minilm: Path) -> None:
    tokenizer = SubTokenizer.from_pretrained(minilm)
    reference = transformers.AutoTokenizer.from_pretrained(minilm)
    sentence = [
        "Ms.",
        "Okonkwo-Lindqvist",
        "of",
        "the",
        "U.N.",
        "flew",
        "to",
        "Reykjavík",
        "or",
        "北京",
        ",",
        "she",
        "'s",
    ]
    expected = reference(sentence, is_split_into_words=True)
    assert tokenizer.framing.window == 512
    assert tokenizer.encode(sentence).ids.tolist() == [expected["input_ids"]]
    owners = [-1 if word is None else word for word in expected.word_ids()]
    assert tokenizer.encode(sentence).targets.tolist() == [owners]
    assert (tokenizer.encode(["x-" * 2500]).targets == 0).sum() == 5000  # its tokenizer.json asks for truncation

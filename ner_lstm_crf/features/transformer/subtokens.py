"""Tokens become the sub-tokens of a pretrained encoder: ids in windows that fit it, each aligned to its token.

    words ─encode─▶ SubTokens ─collate─▶ SubTokenBatch ─TransformerEmbedding─▶ (B, T, D)

Each word is encoded by itself, with the space before it that a word within a text has. That is what every tokenizer of
`transformers` does under `is_split_into_words=True` (a test compares them), so a distinct word needs to be encoded only
once: words repeat, and a look-up takes a fraction of the tokenizer's time. It also works for tokenizers that report no
alignment. A word of which the tokenizer leaves nothing (U+200B, "") becomes its unknown sub-token, so each token has at
least one.

A text longer than the encoder's window is cut into overlapping windows (`cut_windows`). Nothing is truncated.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.transformer.pretrained import pretrained_folder, quiet_transformers, unreadable
from ner_lstm_crf.features.transformer.windows import Framing, SubTokens, cut_windows

__all__ = ["SubTokenizer"]

# The widest window unless the caller asks for more: attention costs the square of it, and most encoders end here.
_WINDOW = 512
# Distinct words remembered (some 100 bytes each), so that an endless stream of texts needs no endless memory.
_REMEMBERED = 250_000


class SubTokenizer:
    """The tokenizer of a pretrained encoder, applied to words.

    The first sight of a word costs the tokenizer's time (about 20 µs), every further one that of a look-up; it forgets
    all when it has seen 250,000 distinct ones.

    Args:
        tokenizer: A tokenizer of `transformers`, fast or not.
        window: Most sub-tokens in one window, special ones included.

    Raises:
        InputError: If the window leaves no room for a sub-token beside the special ones.

    Example:
        >>> tokenizer = SubTokenizer.from_pretrained("bert-base-cased")  # doctest: +SKIP
        >>> tokenizer.encode(["Angela", "Merkel"]).targets  # doctest: +SKIP
        array([[-1,  0,  1,  1, -1]], dtype=int32)
    """

    def __init__(self, tokenizer: Any, *, window: int = _WINDOW) -> None:
        self._tokenizer = tokenizer
        self._lead = self._lead_of_words()
        self.framing = Framing(window, *self._special())
        if self.framing.capacity < 1:
            raise InputError(
                f"expected a window of more than {window - self.framing.capacity} sub-tokens, got {window}"
            )
        self._unknown = self._unknown_piece()
        self._known: dict[str, Sequence[int]] = {}

    @classmethod
    def from_pretrained(cls, name: str | os.PathLike[str], *, window: int | None = None) -> SubTokenizer:
        """The tokenizer of the encoder `name`, a folder or a name on the Hugging Face hub.

        Args:
            name: See `pretrained_folder`.
            window: Most sub-tokens in one window; None for what the encoder allows, but at most 512.

        Raises:
            InputError: If there is no such encoder (see `pretrained_folder`), if it has no tokenizer, or if the window
                is wider than the encoder allows.
        """
        folder = pretrained_folder(name)
        from transformers import AutoConfig, AutoTokenizer  # optional, slow

        try:
            with quiet_transformers():
                tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
                config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        except Exception as error:  # whatever a damaged file makes it raise
            unreadable(error, folder, "tokenizer files")
        if set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):  # made up, for want of files
            raise InputError("expected an encoder's tokenizer (tokenizer.json, or vocab.txt and the like)", path=folder)
        widest = _widest(tokenizer.model_max_length, getattr(config, "max_position_embeddings", None))
        if window is not None and window > widest:
            raise InputError(f"expected a window of at most {widest} sub-tokens, got {window}", path=folder)
        return cls(tokenizer, window=min(widest, _WINDOW) if window is None else window)

    @property
    def window(self) -> int:
        """Most sub-tokens in one window, special ones included."""
        return self.framing.window

    def encode(self, words: Sequence[str]) -> SubTokens:
        """The sub-tokens of one sentence."""
        return cut_windows(self._pieces(words), self.framing)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the tokenizer's files into `folder`; `from_pretrained` reads them, the window included."""
        self._tokenizer.model_max_length = self.window
        with quiet_transformers():
            self._tokenizer.save_pretrained(Path(folder))

    def _pieces(self, words: Sequence[str]) -> list[Sequence[int]]:
        try:
            return [self._known[word] for word in words]
        except KeyError:
            found = self._learn(set(words))
        return [found[word] for word in words]

    def _learn(self, words: set[str]) -> dict[str, Sequence[int]]:
        """The sub-tokens of each word, remembered from now on; returned too, since another thread may forget all."""
        found = {word: ids for word in words if (ids := self._known.get(word)) is not None}
        new = sorted(words - found.keys())
        pieces = self._ids([self._lead + word for word in new])
        found.update(zip(new, (ids or self._unknown for ids in pieces), strict=True))
        if len(self._known) + len(new) > _REMEMBERED:
            self._known.clear()
        self._known.update(found)
        return found

    def _ids(self, texts: Sequence[str], *, special: bool = False) -> list[list[int]]:
        """The ids of each text. One that reads like a special sub-token ("[SEP]") is still text."""
        encoded = self._tokenizer(
            [text.encode("utf-8", "replace").decode() for text in texts],  # lone surrogates, which it refuses
            add_special_tokens=special,
            split_special_tokens=True,
            return_attention_mask=False,
            verbose=False,
        )
        ids: list[list[int]] = encoded["input_ids"]
        return ids

    def _lead_of_words(self) -> str:
        """What to put before a word so that it is encoded as within a text: a space, if that makes a difference."""
        text, plain, spaced = self._ids(["the the", "the", " the"])
        return " " if spaced != plain and text == plain + spaced else ""

    def _special(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The ids of the special sub-tokens before and after a text."""
        (framed,), (bare,) = self._ids(["the"], special=True), self._ids(["the"])
        start = next(i for i in range(len(framed) + 1) if framed[i : i + len(bare)] == bare)
        return tuple(framed[:start]), tuple(framed[start + len(bare) :])

    def _unknown_piece(self) -> list[int]:
        names = ("unk_token_id", "mask_token_id", "eos_token_id", "pad_token_id")
        ids = (getattr(self._tokenizer, name, None) for name in names)
        return [next((id_ for id_ in ids if id_ is not None), 0)]


def _widest(model_max_length: int, positions: int | None) -> int:
    """The widest window: what the tokenizer says, a huge number if it does not know, or what the encoder allows."""
    if positions is None or positions <= 0:  # relative positions: no bound
        return model_max_length
    # Encoders of RoBERTa's kind have two positions more than they can use.
    return model_max_length if model_max_length <= positions else positions - 2

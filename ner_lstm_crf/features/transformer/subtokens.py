"""Tokens become the sub-tokens of a pretrained encoder: ids in windows that fit it, each aligned to its token.

    words ─SubTokenizer.encode─▶ SubTokens ─collate_subtokens─▶ SubTokenBatch ─PretrainedEncoder─▶ (B, T, D)

Each word is encoded by itself, with the space before it that a word within a text has. That is what every tokenizer of
`transformers` does under `is_split_into_words=True` (a test compares them), so a distinct word needs to be encoded only
once: words repeat, and a look-up takes a fraction of the tokenizer's time. It also works for tokenizers that report no
alignment. A word of which the tokenizer leaves nothing (U+200B, "") becomes its unknown sub-token, so each token has at
least one.

A text longer than the encoder's window is cut into overlapping windows (`cut_windows`). Nothing is truncated.

Letters: B sentences, T tokens of the longest, W windows, S sub-tokens of the longest, P sub-tokens that are pooled.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from ner_lstm_crf.errors import InputError

logger = logging.getLogger("ner_lstm_crf")

# What an encoder needs of a repository on the hub. Weights that are pickled could run code where they are read.
_SMALL_FILES = ["*.json", "*.txt", "*.model"]
_WEIGHTS = "model*.safetensors"


def pretrained_folder(name: str | os.PathLike[str]) -> Path:
    """The folder that holds the encoder called `name`: weights, configuration and tokenizer.

    A folder of that name is taken as it is and the network left alone. Otherwise `name` is looked up on the Hugging
    Face hub, which downloads it once; without a network its cached copy serves.

    Args:
        name: A folder, or a name on the hub such as `bert-base-cased` or `FacebookAI/xlm-roberta-base`.

    Raises:
        InputError: If `transformers` is not installed, if there is no such folder and no such name on the hub or in
            its cache, or if what was found has no configuration or no weights.
    """
    if find_spec("transformers") is None:
        raise InputError("transformer embeddings need another package: pip install 'ner-lstm-crf[transformers]'")
    folder = Path(name)
    if not folder.is_dir():
        folder = _from_hub(os.fspath(name))
    for what, pattern, more in (
        ("configuration", "config.json", ""),
        ("weights", _WEIGHTS, "; pickled ones, which may hold code, are not read"),
    ):
        if not any(folder.glob(pattern)):
            raise InputError(f"expected an encoder's {what} ({pattern}) in this folder{more}", path=folder)
    return folder


def _from_hub(name: str) -> Path:
    is_path = name.startswith((".", "/", "~")) or name.count("/") > 1 or "\\" in name or Path(name).exists()
    if is_path:
        raise InputError(f"expected the folder of a transformers encoder, found no folder '{name}'")
    from huggingface_hub import snapshot_download  # optional

    try:
        with quiet_transformers():
            folder = Path(snapshot_download(name, allow_patterns=[*_SMALL_FILES, _WEIGHTS], ignore_patterns=["*/*"]))
    except Exception as error:  # the classes of the hub's client differ from version to version
        raise InputError(
            f"'{name}' is no folder, and the Hugging Face hub did not give an encoder of that name: {_brief(error)}"
        ) from error
    logger.info("transformer %s: %s", name, folder)
    return folder


def unreadable(error: Exception, folder: Path, what: str) -> NoReturn:
    """Raise the InputError that says `folder` has no readable `what` (such as "weights"), for the reason `error`."""
    raise InputError(f"expected an encoder's {what}, could not read them: {_brief(error)}", path=folder) from error


def _brief(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep `transformers` and the hub's client from drawing bars and logging reports within the `with` block.

    What those reports would say is checked by the callers, who raise InputError.
    """
    from transformers.utils import logging as library  # optional, slow

    verbosity, bars = library.get_verbosity(), library.is_progress_bar_enabled()
    library.set_verbosity_error()
    library.disable_progress_bar()  # the hub's as well
    try:
        yield
    finally:
        library.set_verbosity(verbosity)
        if bars:
            library.enable_progress_bar()


Ints = npt.NDArray[np.int32]
Positions = npt.NDArray[np.int64]

# The widest window unless the caller asks for more: attention costs the square of it, and most encoders end here.
_WINDOW = 512
# Distinct words cached (some 100 bytes each), so that an endless stream of texts needs no endless memory.
_MOST_CACHED = 250_000


class SubTokenizer:
    """The tokenizer of a pretrained encoder, applied to words.

    The first time a word occurs it costs the tokenizer's time (about 20 µs), every further time that of a look-up. The
    cache is cleared when it holds 250,000 distinct words.

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
        self._cache: dict[str, Sequence[int]] = {}

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
        """The sub-tokens of each word."""
        try:
            return [self._cache[word] for word in words]
        except KeyError:
            pieces = {word: ids for word in set(words) if (ids := self._cache.get(word)) is not None}
        new = sorted(set(words) - pieces.keys())
        encoded = self._ids([self._lead + word for word in new])
        pieces.update(zip(new, (ids or self._unknown for ids in encoded), strict=True))
        if len(self._cache) + len(new) > _MOST_CACHED:
            self._cache.clear()
        self._cache.update(pieces)
        return [pieces[word] for word in words]  # not of the cache, which another thread may clear

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
        """The text to put before a word so that it is encoded as within a text: a space, if that makes a difference."""
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
    """The widest window: that of the tokenizer, a huge number if it does not know, or that of the encoder."""
    if positions is None or positions <= 0:  # relative positions: no bound
        return model_max_length
    # Encoders of RoBERTa's kind have two positions more than they can use.
    return model_max_length if model_max_length <= positions else positions - 2


@dataclass(frozen=True, slots=True, eq=False)
class SubTokens:
    """The sub-tokens of one sentence, in windows of equal length.

    Attributes:
        ids: (windows, length) sub-token ids, special ones included; no window for a sentence without tokens.
        targets: (windows, length) the token that each sub-token is pooled into, counted from 0; -1 for special ones and
            for those that are pooled in another window.
        tokens: Number of tokens. Each has at least one sub-token, and each of its sub-tokens is pooled exactly once.
        start: The position of the first token among those of all sentences.
    """

    ids: Ints
    targets: Ints
    tokens: int
    start: int = 0

    def part(self, start: int, tokens: int) -> SubTokens:
        """Those of some tokens of the sentence, with the windows that they are pooled in.

        Args:
            start: The position of the first token among those of all sentences.
            tokens: Number of tokens.
        """
        if tokens == self.tokens:
            return self
        targets = self.targets - np.int32(start - self.start)
        targets = np.where((targets >= 0) & (targets < tokens) & (self.targets >= 0), targets, np.int32(-1))
        needed = (targets >= 0).any(axis=1)
        return SubTokens(self.ids[needed], targets[needed], tokens, start)


@dataclass(frozen=True, slots=True)
class Framing:
    """The special sub-tokens that an encoder expects around a text.

    Attributes:
        window: Most sub-tokens in one window, special ones included.
        prefix: Ids of the special sub-tokens that begin a window: `[CLS]`.
        suffix: Ids of those that end it: `[SEP]`.
    """

    window: int
    prefix: tuple[int, ...] = ()
    suffix: tuple[int, ...] = ()

    @property
    def capacity(self) -> int:
        """Number of sub-tokens of the text that fit in a window."""
        return self.window - len(self.prefix) - len(self.suffix)


def cut_windows(pieces: Sequence[Sequence[int]], framing: Framing) -> SubTokens:
    """Put the sub-tokens of a sentence's tokens in windows.

    Windows overlap by at least a quarter. In an overlap the tokens up to its middle are pooled in the left window, the
    others in the right one: each where it has most context, about an eighth of a window or more on either side, unless
    the text ends there. A token is pooled in one window, unless it is longer than an overlap: then the mean may be
    over sub-tokens of several windows.

    Args:
        pieces: For each token the ids of its sub-tokens, at least one.
        framing: The window and its special sub-tokens.
    """
    if not pieces:
        return SubTokens(np.empty((0, 0), np.int32), np.empty((0, 0), np.int32), 0)
    counts = np.fromiter(map(len, pieces), np.int32, len(pieces))
    first = np.zeros(len(pieces) + 1, np.int32)
    np.cumsum(counts, out=first[1:])
    ids = np.fromiter(chain.from_iterable(pieces), np.int32, first[-1])
    owners = np.repeat(np.arange(len(pieces), dtype=np.int32), counts)
    blocks, targets = ids[None], owners[None]
    if len(ids) > framing.capacity:
        positions, pooled = _overlapping(framing.capacity, first, owners)
        blocks, targets = ids[positions], np.where(pooled, owners[positions], np.int32(-1))
    outside = (-1,) * len(framing.prefix), (-1,) * len(framing.suffix)
    return SubTokens(_framed(blocks, framing.prefix, framing.suffix), _framed(targets, *outside), len(pieces))


def _framed(rows: Ints, prefix: tuple[int, ...], suffix: tuple[int, ...]) -> Ints:
    framed = np.empty((len(rows), len(prefix) + rows.shape[1] + len(suffix)), np.int32)
    framed[:, : len(prefix)] = prefix
    framed[:, len(prefix) : len(prefix) + rows.shape[1]] = rows
    framed[:, len(prefix) + rows.shape[1] :] = suffix
    return framed


def _overlapping(capacity: int, first: Ints, owners: Ints) -> tuple[Positions, npt.NDArray[np.bool_]]:
    """Overlapping windows of a text.

    Args:
        capacity: Sub-tokens in a window. All windows are full: the last one is moved left until it ends with the text.
        first: The position of each token's first sub-token, and the end (T + 1,).
        owners: The token of each sub-token.

    Returns:
        Two arrays (windows, capacity): the positions of the sub-tokens, and True for those that are pooled there.
    """
    # 1. Where windows begin.
    overlap = min(max(capacity // 4, 1), capacity - 1)
    starts = np.arange(0, len(owners) - overlap, capacity - overlap)
    starts[-1] = len(owners) - capacity
    # 2. Where each begins to pool: in the middle of the overlap, moved to the nearest border of a token.
    begins, ends = starts[1:], starts[:-1] + capacity
    middles = (begins + ends + 1) // 2
    left, right = first[owners[middles]], first[owners[middles] + 1]
    nearest = np.where(middles - left <= right - middles, left, right)
    borders = np.where((nearest >= begins) & (nearest <= ends), nearest, middles)
    borders = np.concatenate(([0], np.maximum.accumulate(borders), [starts[-1] + capacity]))
    # 3. The sub-tokens of each window.
    positions = starts[:, None] + np.arange(capacity)
    return positions, (positions >= borders[:-1, None]) & (positions < borders[1:, None])


@dataclass(frozen=True, slots=True, eq=False)
class SubTokenBatch:
    """The windows of several sentences, the longest first.

    Attributes:
        ids: (W, S) int64 sub-token ids; 0 where a window is padded.
        mask: (W, S) bool, True where there is a sub-token.
        pooled: (W, S) bool, True where it is pooled into a token: P of them.
        targets: (P,) int64 the flat position b * T + t of that token, in the order of `pooled`'s rows.
        weights: (P,) float32, 1 over the number of sub-tokens of that token: the weighted sum is their mean.
        lengths: Of each window, in sub-tokens; falling.
        shape: (B, T).
    """

    ids: Positions
    mask: npt.NDArray[np.bool_]
    pooled: npt.NDArray[np.bool_]
    targets: Positions
    weights: npt.NDArray[np.float32]
    lengths: tuple[int, ...]
    shape: tuple[int, int]


def collate_subtokens(sentences: Sequence[SubTokens], longest: int | None = None) -> SubTokenBatch:
    """One batch of the windows of `sentences`, padded to the longest window.

    Args:
        sentences: The sentences, in the order B.
        longest: Tokens that sentences are padded to; those of the longest sentence if it is not given.
    """
    width = max((sentence.tokens for sentence in sentences), default=0) if longest is None else longest
    lengths = np.array([len(window) for sentence in sentences for window in sentence.ids], np.int64)
    order = np.argsort(-lengths, kind="stable")
    mask = np.arange(lengths.max(initial=0)) < lengths[order, None]  # (W, S)
    # The positions of each window's sub-tokens in the flat arrays of all windows, as they come.
    positions = ((np.cumsum(lengths) - lengths)[order, None] + np.arange(mask.shape[1]))[mask]
    nothing = np.empty(0, np.int64)
    ids = np.zeros(mask.shape, np.int64)
    ids[mask] = np.concatenate([nothing, *(sentence.ids.ravel() for sentence in sentences)])[positions]
    shifted = (np.where(one.targets < 0, -1, one.targets + np.int64(b * width)) for b, one in enumerate(sentences))
    targets = np.concatenate([nothing, *(one.ravel() for one in shifted)])[positions]
    pooled = np.zeros(mask.shape, np.bool_)
    pooled[mask] = targets >= 0
    targets = targets[targets >= 0]
    weights = 1 / np.bincount(targets)[targets] if len(targets) else np.empty(0)
    return SubTokenBatch(
        ids=ids,
        mask=mask,
        pooled=pooled,
        targets=targets,
        weights=weights.astype(np.float32),
        lengths=tuple(lengths[order].tolist()),
        shape=(len(sentences), width),
    )

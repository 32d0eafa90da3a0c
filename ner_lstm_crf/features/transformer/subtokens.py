"""Tokens become the sub-tokens of a pretrained encoder: ids in windows that fit it, each aligned to its token.

    words ─SubTokenizer.encode─▶ SubTokens ─collate_subtokens─▶ SubTokenBatch ─PretrainedEncoder─▶ (B, T, D)

A word between spaces is encoded by itself, with the space before it that a word within a text has. That is what every
tokenizer of `transformers` does under `is_split_into_words=True` (a test compares them), so a distinct word needs to be
encoded only once: words repeat, and a look-up takes a fraction of the tokenizer's time.

Tokens that touch, such as characters, are encoded together, as they stand in the text, and aligned by the offsets that
the tokenizer reports: by itself each would get the mark of a word's beginning (王小明: ▁王 ▁小 ▁明), which the encoder
has not seen within a text (▁王 小明). A sub-token over several tokens (小明) gives its vector to each. A slow tokenizer
reports no offsets: there each token is encoded by itself.

A token of which the tokenizer leaves nothing (U+200B, "") becomes its unknown sub-token, so each has at least one.

A text longer than the encoder's window is cut into overlapping windows (`cut_windows`). Nothing is truncated.

Letters: B sentences, T tokens of the longest, W windows, S sub-tokens of the longest, P sub-tokens that are pooled, Q
additions of one to a token.
"""

from __future__ import annotations

import logging
import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import accumulate
from operator import itemgetter
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
    """The tokenizer of a pretrained encoder, applied to tokens.

    The first time a word occurs it costs the tokenizer's time (about 20 µs), every further time that of a look-up. The
    cache is cleared when it holds 250,000 distinct words.

    Args:
        tokenizer: A tokenizer of `transformers`, fast or not.
        window: Most sub-tokens in one window, special ones included.

    Attributes:
        has_offsets: True if the tokenizer reports where its sub-tokens stand, so that tokens that touch are encoded
            together.

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
        self.has_offsets = bool(getattr(tokenizer, "is_fast", False))
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

    def encode(self, words: Sequence[str], touching: Sequence[bool] = ()) -> SubTokens:
        """The sub-tokens of one sentence.

        Args:
            words: The tokens (T,).
            touching: True for each token that no space parts from the next one, at least (T - 1,); none if not given.
        """
        # 1. The runs of tokens that touch, each as (start, end).
        last = len(words) - 1
        joins = touching if self.has_offsets else ()
        ends = [number + 1 for number in range(len(words)) if number == last or not joins or not joins[number]]
        runs = list(zip([0, *ends], ends, strict=False))
        # 2. The sub-tokens of words that stand alone, from the cache, and of the others.
        alone = iter(self._pieces([words[start] for start, end in runs if end - start == 1]))
        joined = iter(self._joined([words[start:end] for start, end in runs if end - start > 1]))
        # 3. All in order, each with the first token that it is of and the number of them.
        ids, targets, counts = list[int](), list[int](), list[int]()
        for start, end in runs:
            if end - start == 1:
                pieces = next(alone)
                ids += pieces
                targets += [start] * len(pieces)
                counts += [1] * len(pieces)
                continue
            for id_, first, final in next(joined):
                ids.append(id_)
                targets.append(start + first)
                counts.append(final - first)
        return cut_windows(ids, targets, counts, self.framing)

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

    def _joined(self, runs: Sequence[Sequence[str]]) -> list[list[tuple[int, int, int]]]:
        """The sub-tokens of each run of words that touch: the id, the first of its words and the end (exclusive)."""
        if not runs:
            return []
        encoded = self._encoded([self._lead + "".join(words) for words in runs], return_offsets_mapping=True)
        found = list[list[tuple[int, int, int]]]()
        for words, ids, offsets in zip(runs, encoded["input_ids"], encoded["offset_mapping"], strict=True):
            starts = list(accumulate(map(len, words), initial=len(self._lead)))[:-1]
            pieces, bare = list[tuple[int, int, int]](), set(range(len(words)))
            for id_, (start, end) in zip(ids, offsets, strict=True):
                # 1. The words that it covers; a mark without a character of its own is the next one's.
                first = max(bisect_right(starts, start) - 1, 0)
                final = max(bisect_left(starts, end), first + 1)
                bare.difference_update(range(first, final))
                # 2. A word of several tokens that the vocabulary cannot spell: perhaps it can some of them.
                if id_ == self._tokenizer.unk_token_id and final - first > 1:
                    alone = enumerate(self._pieces(words[first:final]), first)
                    pieces += [(part, number, number + 1) for number, parts in alone for part in parts]
                else:
                    pieces.append((id_, first, final))
            # 3. Words of which nothing is left.
            if bare:
                pieces += [(id_, number, number + 1) for number in sorted(bare) for id_ in self._unknown]
                pieces.sort(key=itemgetter(1))
            found.append(pieces)
        return found

    def _ids(self, texts: Sequence[str], *, special: bool = False) -> list[list[int]]:
        """The ids of each text."""
        ids: list[list[int]] = self._encoded(texts, add_special_tokens=special)["input_ids"]
        return ids

    def _encoded(self, texts: Sequence[str], *, add_special_tokens: bool = False, **options: bool) -> Any:
        """What the tokenizer makes of each text. One that reads like a special sub-token ("[SEP]") is still text."""
        return self._tokenizer(
            [text.encode("utf-8", "replace").decode() for text in texts],  # lone surrogates, which it refuses
            add_special_tokens=add_special_tokens,
            split_special_tokens=True,
            return_attention_mask=False,
            verbose=False,
            **options,
        )

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
        targets: (windows, length) the token that each sub-token is pooled into, counted from 0, the first one if there
            are several; -1 for special ones and for those that are pooled in another window.
        counts: (windows, length) the number of tokens, side by side, that it is pooled into; 0 where `targets` is -1.
        tokens: Number of tokens. Each has at least one sub-token, and each of its sub-tokens is pooled exactly once.
        start: The position of the first token among those of all sentences.
    """

    ids: Ints
    targets: Ints
    counts: Ints
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
        moved = self.targets - np.int32(start - self.start)
        targets = np.maximum(moved, 0)
        counts = np.minimum(moved + self.counts, tokens) - targets
        pooled = (self.counts > 0) & (counts > 0)
        targets, counts = np.where(pooled, targets, np.int32(-1)), np.where(pooled, counts, np.int32(0))
        needed = pooled.any(axis=1)
        return SubTokens(self.ids[needed], targets[needed], counts[needed], tokens, start)


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


def cut_windows(ids: Sequence[int], targets: Sequence[int], counts: Sequence[int], framing: Framing) -> SubTokens:
    """Put the sub-tokens of a sentence's tokens in windows.

    Windows overlap by at least a quarter. In an overlap the tokens up to its middle are pooled in the left window, the
    others in the right one: each where it has most context, about an eighth of a window or more on either side, unless
    the text ends there. A token is pooled in one window, unless it is longer than an overlap: then the mean may be
    over sub-tokens of several windows. Tokens that share a sub-token count as one.

    Args:
        ids: The sub-tokens (N,).
        targets: The first token that each is pooled into (N,); every token has at least one sub-token.
        counts: The number of tokens that each is pooled into (N,).
        framing: The window and its special sub-tokens.
    """
    if not ids:
        nothing = np.empty((0, 0), np.int32)
        return SubTokens(nothing, nothing, nothing, 0)
    flat = np.array(ids, np.int32), np.array(targets, np.int32), np.array(counts, np.int32)
    ends = np.maximum.accumulate(flat[1] + flat[2])
    blocks = flat[0][None], flat[1][None], flat[2][None]
    if len(ids) > framing.capacity:
        positions, pooled = _overlapping(framing.capacity, np.append(True, flat[1][1:] >= ends[:-1]))
        blocks = (
            flat[0][positions],
            np.where(pooled, flat[1][positions], np.int32(-1)),
            np.where(pooled, flat[2][positions], np.int32(0)),
        )
    before, after = len(framing.prefix), len(framing.suffix)
    return SubTokens(
        _framed(blocks[0], framing.prefix, framing.suffix),
        _framed(blocks[1], (-1,) * before, (-1,) * after),
        _framed(blocks[2], (0,) * before, (0,) * after),
        int(ends[-1]),
    )


def _framed(rows: Ints, prefix: tuple[int, ...], suffix: tuple[int, ...]) -> Ints:
    framed = np.empty((len(rows), len(prefix) + rows.shape[1] + len(suffix)), np.int32)
    framed[:, : len(prefix)] = prefix
    framed[:, len(prefix) : len(prefix) + rows.shape[1]] = rows
    framed[:, len(prefix) + rows.shape[1] :] = suffix
    return framed


def _overlapping(capacity: int, opens: npt.NDArray[np.bool_]) -> tuple[Positions, npt.NDArray[np.bool_]]:
    """Overlapping windows of a text.

    Args:
        capacity: Sub-tokens in a window. All windows are full: the last one is moved left until it ends with the text.
        opens: True for the sub-tokens that begin a token (N,).

    Returns:
        Two arrays (windows, capacity): the positions of the sub-tokens, and True for those that are pooled there.
    """
    # 1. Where windows begin.
    overlap = min(max(capacity // 4, 1), capacity - 1)
    starts = np.arange(0, len(opens) - overlap, capacity - overlap)
    starts[-1] = len(opens) - capacity
    # 2. Where each begins to pool: in the middle of the overlap, moved to the nearest border of a token.
    begins, ends = starts[1:], starts[:-1] + capacity
    middles = (begins + ends + 1) // 2
    borders = np.append(opens.nonzero()[0], len(opens))
    following = np.searchsorted(borders, middles, side="right")
    left, right = borders[following - 1], borders[following]
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
        sources: (Q,) int64 the place among these P, row after row, of each one that is added to a token; rising. A
            sub-token of several tokens is added to each.
        targets: (Q,) int64 the flat position b * T + t of that token.
        weights: (Q,) float32, 1 over the number of sub-tokens of that token: the weighted sum is their mean.
        lengths: Of each window, in sub-tokens; falling.
        shape: (B, T).
    """

    ids: Positions
    mask: npt.NDArray[np.bool_]
    pooled: npt.NDArray[np.bool_]
    sources: Positions
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
    counts = np.concatenate([nothing, *(one.counts.ravel() for one in sentences)])[positions]
    pooled = np.zeros(mask.shape, np.bool_)
    pooled[mask] = counts > 0
    targets, counts = targets[counts > 0], counts[counts > 0]
    # A sub-token of several tokens is added to the first of them, the second, and so on.
    sources = np.repeat(np.arange(len(counts)), counts)
    targets = targets[sources] + np.arange(len(sources)) - (np.cumsum(counts) - counts)[sources]
    weights = 1 / np.bincount(targets)[targets] if len(targets) else np.empty(0)
    return SubTokenBatch(
        ids=ids,
        mask=mask,
        pooled=pooled,
        sources=sources,
        targets=targets,
        weights=weights.astype(np.float32),
        lengths=tuple(lengths[order].tolist()),
        shape=(len(sentences), width),
    )

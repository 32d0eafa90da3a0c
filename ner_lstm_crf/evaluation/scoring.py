"""Score two files of the same sentences against each other, whatever tools wrote them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from os import PathLike
from typing import TypeVar

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.evaluation.metrics import Evaluation, evaluate_spans
from ner_lstm_crf.files.text import quoted
from ner_lstm_crf.formats.records import Record
from ner_lstm_crf.text.annotation import Sentence, Span

__all__ = ["ill_formed_by_sentence", "score_sentences", "score_texts"]

Item = TypeVar("Item", Sentence, Record)


def score_sentences(
    gold: Iterable[Sentence],
    predicted: Iterable[Sentence],
    *,
    gold_path: str | PathLike[str] = "gold",
    predicted_path: str | PathLike[str] = "prediction",
    ill_formed: Iterable[Sequence[int]] = (),
) -> Evaluation:
    """Compare the spans of two annotations of the same tokens.

    Args:
        gold: The sentences with their true spans.
        predicted: The same sentences with predicted spans.
        gold_path: Where the first came from, for messages.
        predicted_path: Where the second came from, for messages.
        ill_formed: The positions of the ill-formed tags of each predicted sentence; only counted.

    Raises:
        InputError: If the tokens or the number of sentences differ, at the first difference.
    """
    pairs = list(_aligned(gold, predicted, gold_path, predicted_path))
    return evaluate_spans((true for true, _ in pairs), (found for _, found in pairs), ill_formed=ill_formed)


def score_texts(
    gold: Sequence[Record],
    predicted: Sequence[Record],
    *,
    gold_path: str | PathLike[str] = "gold",
    predicted_path: str | PathLike[str] = "prediction",
) -> Evaluation:
    """Compare the entities of two annotations of the same texts, by their characters; texts stand for sentences.

    Raises:
        InputError: If the texts or their number differ, at the first difference.
    """
    pairs = list(_paired(gold, predicted, gold_path, predicted_path, "text"))
    for true, found in pairs:
        if true.text != found.text:
            message = f"expected the text of {_place(gold_path, true.line)}, found {quoted(found.text)}"
            raise InputError(message, path=predicted_path, line=found.line)
    return evaluate_spans((true.spans for true, _ in pairs), (found.spans for _, found in pairs))


def ill_formed_by_sentence(sentences: Sequence[Sentence], lines: Iterable[int]) -> list[list[int]]:
    """The lines of ill-formed tags (`ReadReport.ill_formed`), sorted into the sentences of their file.

    Raises:
        ValueError: If there are such lines, but a sentence does not know its own, or one stands before all of them.
    """
    found: list[list[int]] = [[] for _ in sentences]
    starts = [sentence.line for sentence in sentences if sentence.line is not None]
    for line in lines:
        if len(starts) != len(found):
            raise ValueError("expected sentences that know their lines")
        if line < starts[0]:
            raise ValueError(f"expected lines from {starts[0]}, where the first sentence begins, got {line}")
        found[bisect_right(starts, line) - 1].append(line)
    return found


def _aligned(
    gold: Iterable[Sentence],
    predicted: Iterable[Sentence],
    gold_path: str | PathLike[str],
    predicted_path: str | PathLike[str],
) -> Iterator[tuple[tuple[Span, ...], tuple[Span, ...]]]:
    for true, found in _paired(gold, predicted, gold_path, predicted_path, "sentence"):
        if len(true.tokens) != len(found.tokens) or true.words != found.words:
            mismatch = _mismatch(true.words, found.words)
            message = f"expected the tokens of {_place(gold_path, true.line)}, found {mismatch}"
            raise InputError(message, path=predicted_path, line=found.line)
        yield true.spans, found.spans


def _paired(
    gold: Iterable[Item],
    predicted: Iterable[Item],
    gold_path: str | PathLike[str],
    predicted_path: str | PathLike[str],
    what: str,
) -> Iterator[tuple[Item, Item]]:
    """Each item with its counterpart, refused if it has none."""
    for number, (true, found) in enumerate(zip_longest(gold, predicted), start=1):
        if found is None:
            raise InputError(f"{what} {number} has no counterpart in {predicted_path}", path=gold_path, line=true.line)
        if true is None:
            raise InputError(f"{what} {number} has no counterpart in {gold_path}", path=predicted_path, line=found.line)
        yield true, found


def _place(path: str | PathLike[str], line: int | None) -> str:
    return str(path) if line is None else f"{path}:{line}"


def _mismatch(true: Sequence[str], found: Sequence[str]) -> str:
    for number, (expected, came) in enumerate(zip(true, found, strict=False), start=1):
        if expected != came:
            return f"{came!r} instead of {expected!r} (token {number} of the sentence)"
    return f"{len(found)} instead of {len(true)}"

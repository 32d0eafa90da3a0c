"""Scores of a model on a test set, and of one annotated file against another, whatever tools wrote them."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TypeVar

from ner_lstm_crf.config import Precision
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.evaluation.metrics import Evaluation, evaluate_spans
from ner_lstm_crf.files.text import FilePath, quoted
from ner_lstm_crf.formats.text_json import AnnotatedText
from ner_lstm_crf.progress import Progress, silent
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.tagging.decoding import Decoding
from ner_lstm_crf.tagging.predictor import UNSCORED, Predictor
from ner_lstm_crf.tagging.tagger import SHORT_TEXT, Tagger
from ner_lstm_crf.tags.labels import fully_known
from ner_lstm_crf.tags.scheme import DecodedTags
from ner_lstm_crf.text.annotation import Sentence, Span

Item = TypeVar("Item", Sentence, AnnotatedText)


@dataclass(frozen=True, slots=True)
class TestResult:
    """One trained model on the test set.

    Attributes:
        evaluation: Its scores.
        spans: The spans that it predicts in each sentence.
        seconds: The time that took.
        tokens: The number of tokens tagged.
        scores: The probability of each span; () for each sentence if it was not asked for.
    """

    evaluation: Evaluation
    spans: tuple[tuple[Span, ...], ...]
    seconds: float
    tokens: int
    scores: tuple[tuple[float, ...], ...]


def evaluate_model(
    model: Model,
    test: Sequence[Sentence],
    *,
    precision: Precision = "float32",
    decoding: Decoding = UNSCORED,
    progress: Progress = silent,
) -> TestResult:
    """Tag the test sentences and score the result; a sentence without tokens counts, and has no spans.

    Args:
        model: The model.
        test: The sentences with their gold spans.
        precision: As in `Predictor`.
        decoding: How spans are found.
        progress: Receives the number of sentences done.

    Raises:
        InputError: If the processor lacks the precision.
        ValueError: If a sentence has unknown tokens.
    """
    if any(sentence.unknown for sentence in test):
        raise ValueError("expected sentences whose tokens are all known, got others")
    items = [(sentence, sentence.words, [len(sentence.tokens)], ()) for sentence in test]
    predictor = Predictor(model, precision)
    list(
        predictor.stream(predictor.chunks(items[:8]), decoding)
    )  # not timed: only the first call pays for what happens once
    began = time.perf_counter()
    decoded: list[DecodedTags] = []
    for _, of_chunk in predictor.stream(predictor.chunks(items), decoding):
        decoded += of_chunk
        progress(len(decoded), len(items))
    seconds = time.perf_counter() - began
    spans = tuple(tags.spans for tags in decoded)
    ill_formed = (tags.ill_formed for tags in decoded)
    evaluation = evaluate_spans((sentence.spans for sentence in test), spans, ill_formed=ill_formed)
    tokens = sum(len(sentence.tokens) for sentence in test)
    return TestResult(evaluation, spans, seconds, tokens, tuple(tags.scores for tags in decoded))


def evaluate_texts(
    model: Model,
    test: Sequence[AnnotatedText],
    *,
    precision: Precision = "float32",
    decoding: Decoding = UNSCORED,
    progress: Progress = silent,
) -> TestResult:
    """Tag running text, which is cut into tokens as in tagging, not at its gold entities, and score the result.

    Arguments and errors are as those of `evaluate_model`.

    Returns:
        The result; its spans count the characters of each text, and in its evaluation texts stand for sentences.
    """
    tagger, tokens = Tagger(model, precision, decoding=decoding.method), 0
    min_score = decoding.threshold if decoding.method == "posterior" else None
    spans: list[tuple[Span, ...]] = []
    scores: list[tuple[float, ...]] = []
    ill_formed: list[list[int]] = []
    tagger.tag(test[0].text[:SHORT_TEXT] if test else "")  # not timed: only the first call pays for what happens once
    began = time.perf_counter()
    in_text, broken, of_text = list[Span](), list[int](), list[float]()
    for portion in tagger.tag_portions((record.text for record in test), min_score=min_score):
        in_text += [Span(entity.start, entity.end, entity.label) for entity in portion.entities()]
        of_text += portion.scores
        broken += portion.ill_formed
        tokens += portion.end - portion.first
        if portion.last:
            spans.append(tuple(in_text))
            scores.append(tuple(of_text))
            ill_formed.append(broken)
            in_text, broken, of_text = [], [], []
            progress(len(spans), len(test))
    seconds = time.perf_counter() - began
    evaluation = evaluate_spans((record.spans for record in test), spans, ill_formed=ill_formed)
    return TestResult(evaluation, tuple(spans), seconds, tokens, tuple(scores))


def score_sentences(
    gold: Iterable[Sentence],
    predicted: Iterable[Sentence],
    *,
    gold_path: FilePath = "gold",
    predicted_path: FilePath = "prediction",
    ill_formed_lines: Iterable[int] = (),
) -> Evaluation:
    """Compare the spans of two annotations of the same tokens.

    Args:
        gold: The sentences with their true spans.
        predicted: The same sentences with predicted spans.
        gold_path: The file of the first, for messages.
        predicted_path: The file of the second, for messages.
        ill_formed_lines: The lines of ill-formed tags in the second (`ReadReport.ill_formed`); only counted.

    Gold sentences with unknown tokens are left out, with their predictions, and logged.

    Raises:
        InputError: If the tokens or the number of sentences differ, at the first difference; if predictions are
            unknown, or no gold sentence is known.
        ValueError: If there are lines of ill-formed tags, but the sentences do not know their own.
    """
    pairs = list(_paired(gold, predicted, gold_path, predicted_path, "sentence"))
    for reference, candidate in pairs:
        if reference.words != candidate.words:
            difference = _first_difference(reference.words, candidate.words)
            message = f"expected the tokens of {_location(gold_path, reference.line)}, found {difference}"
            raise InputError(message, path=predicted_path, line=candidate.line)
        if candidate.unknown:
            raise InputError(
                "expected predictions, found tokens whose tags are unknown", path=predicted_path, line=candidate.line
            )
    fully_known([reference for reference, _ in pairs], gold_path)
    # The line of a tag lies in the last sentence that begins at or before it.
    ill_formed: list[list[int]] = [[] for _ in pairs]
    starts = [candidate.line for _, candidate in pairs if candidate.line is not None]
    for line in ill_formed_lines:
        if len(starts) != len(pairs):
            raise ValueError("expected sentences that know their lines")
        if line < starts[0]:
            raise ValueError(f"expected lines from {starts[0]}, where the first sentence begins, got {line}")
        ill_formed[bisect_right(starts, line) - 1].append(line)
    measured = [number for number, (reference, _) in enumerate(pairs) if not reference.unknown]
    return evaluate_spans(
        (pairs[number][0].spans for number in measured),
        (pairs[number][1].spans for number in measured),
        ill_formed=[ill_formed[number] for number in measured],
    )


def score_texts(
    gold: Sequence[AnnotatedText],
    predicted: Sequence[AnnotatedText],
    *,
    gold_path: FilePath = "gold",
    predicted_path: FilePath = "prediction",
) -> Evaluation:
    """Compare the entities of two annotations of the same texts, by their characters; texts stand for sentences.

    Raises:
        InputError: If the texts or their number differ, at the first difference.
    """
    pairs = list(_paired(gold, predicted, gold_path, predicted_path, "text"))
    for reference, candidate in pairs:
        if reference.text != candidate.text:
            message = f"expected the text of {_location(gold_path, reference.line)}, found {quoted(candidate.text)}"
            raise InputError(message, path=predicted_path, line=candidate.line)
    return evaluate_spans((reference.spans for reference, _ in pairs), (candidate.spans for _, candidate in pairs))


def _paired(
    gold: Iterable[Item], predicted: Iterable[Item], gold_path: FilePath, predicted_path: FilePath, what: str
) -> Iterator[tuple[Item, Item]]:
    """Each item with its counterpart, refused if it has none."""
    for number, (reference, candidate) in enumerate(zip_longest(gold, predicted), start=1):
        if candidate is None:
            raise InputError(
                f"{what} {number} has no counterpart in {predicted_path}", path=gold_path, line=reference.line
            )
        if reference is None:
            raise InputError(
                f"{what} {number} has no counterpart in {gold_path}", path=predicted_path, line=candidate.line
            )
        yield reference, candidate


def _location(path: FilePath, line: int | None) -> str:
    return str(path) if line is None else f"{path}:{line}"


def _first_difference(words: Sequence[str], others: Sequence[str]) -> str:
    for number, (word, other) in enumerate(zip(words, others, strict=False), start=1):
        if word != other:
            return f"{other!r} instead of {word!r} (token {number} of the sentence)"
    return f"{len(others)} instead of {len(words)}"

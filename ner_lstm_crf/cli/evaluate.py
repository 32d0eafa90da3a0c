"""`ner-lstm-crf evaluate`."""

from __future__ import annotations

import argparse
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

from ner_lstm_crf.cli.options import READ_OPTIONS, READING, Parser, add_options, read_options, reading_words
from ner_lstm_crf.cli.output import say_next, show, show_json
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.evaluation.error_analysis import ErrorKind, SpanError, confusion, find_errors
from ner_lstm_crf.evaluation.metrics import text_table
from ner_lstm_crf.formats.text_json import AnnotatedText, TextFormat, text_of
from ner_lstm_crf.progress import Progress, silent
from ner_lstm_crf.runs.display import progress_bar, say
from ner_lstm_crf.text.annotation import Entity, Sentence, Span

if TYPE_CHECKING:
    from ner_lstm_crf.evaluation.calibration import Calibration, ScoredSpans
    from ner_lstm_crf.evaluation.evaluate import TestResult
    from ner_lstm_crf.evaluation.metrics import Evaluation, Score
    from ner_lstm_crf.saving.model import Model
    from ner_lstm_crf.tags.labels import LabelMap

Item: TypeAlias = Sentence | AnnotatedText
"""An item that is evaluated: a sentence of tokens, or a text."""

ERRORS_SHOWN = 10  # of each kind
_CONTEXT = 40  # characters shown before and after an error
_MOST_LABELS = 10  # of a table of labels by labels; of more, the pairs are listed
_NONE = "(none)"  # in the place of a label: no entity

EPILOG = """\
examples:
  ner-lstm-crf evaluate my-model test.conll
  ner-lstm-crf evaluate my-model test.conll --errors
  ner-lstm-crf evaluate my-model test.conll --labels PER,LOC,ORG --json
  ner-lstm-crf evaluate my-model test.conll --calibration --curve

An entity is right if its start, end and label are right. --labels and --rename hold for the file and for what the
model finds. The interval is that of other sentences of the same kind (bootstrap, 95%). A model trained on characters
splits the file's tokens into characters by itself. The texts of JSON lines are cut into tokens as in tagging, their
spans count characters, and each is one sentence in the table."""


def add_command(parser: Parser) -> None:
    """Add the command's options."""
    parser.description = "Evaluate a model on an annotated file: span precision, recall and F1."
    parser.epilog = EPILOG
    parser.add_argument("model", metavar="MODEL", help="directory of the model, or en or zh: the shipped taggers")
    parser.add_argument("file", metavar="FILE", help="annotated file")
    add_options(parser.add_argument_group(*READING), *READ_OPTIONS)
    parser.add_argument(
        "--calibration", action="store_true", help="show how far the scores of entities can be trusted as probabilities"
    )
    parser.add_argument(
        "--curve", action="store_true", help="show precision and recall by the least score of an entity"
    )
    add_options(
        parser, "--errors", "--show", "--min-score", "--decoding", "--threads", "--precision", "--device", "--json"
    )
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> None:
    """Tag the file and score the entities against its own."""
    from ner_lstm_crf.evaluation.metrics import evaluate_spans
    from ner_lstm_crf.tagging.decoding import THRESHOLD
    from ner_lstm_crf.tags.labels import warn_of_labels_never_gold

    # 1. Tag the file.
    trial = _read(args)
    gold = [one.spans for one in trial.items]
    least = THRESHOLD if args.decoding == "posterior" else 0.0
    least = least if args.min_score is None else args.min_score
    with progress_bar("tagging", unit=" sentences") as progress:
        result, found = trial.tag(least, scored=args.calibration or args.curve or least > 0, progress=progress)
    scores = result.evaluation
    if trial.labels or least > 0:
        chosen = evaluate_spans(gold, found.spans)
        scores = replace(chosen, ill_formed=scores.ill_formed, ill_formed_tags=scores.ill_formed_tags)
    counts = Counter(span.label for spans in gold for span in spans)
    warn_of_labels_never_gold(args.file, Counter(span.label for spans in found.spans for span in spans), counts)
    # 2. How far the scores of entities can be trusted, and what other least scores find.
    named = {name: one.calibration(gold) for name, one in trial.kinds(found, least)} if args.calibration else {}
    curve = [(at, evaluate_spans(gold, one.spans).micro) for at, one in trial.by_threshold(found, least)]
    more: dict[str, Any] = {"calibration": {name: one.to_json() for name, one in named.items()}} if named else {}
    if curve:
        more["curve"] = [{"min_score": threshold, **score.to_json()} for threshold, score in curve]
    # 3. The scores of the model, and the errors behind them.
    predicted = [one.with_spans(spans) for one, spans in zip(trial.items, found.spans, strict=True)]
    show_evaluation(scores, trial.items, predicted, args, seconds=result.seconds, **more)
    if not args.json:
        show_calibration(named, curve)
        say(f"{result.tokens:,} tokens tagged in {result.seconds:.2f} s")
        if not args.errors and args.show is None:
            say_next("evaluate", args.model, args.file, *reading_words(args), "--errors")


def _read(args: argparse.Namespace) -> _Trial:
    """The model and the annotated file.

    Raises:
        InputError: If one of them cannot be read, or they are given the wrong way round.
    """
    from ner_lstm_crf.evaluation.evaluate import evaluate_model, evaluate_texts
    from ner_lstm_crf.formats.options import ReadReport
    from ner_lstm_crf.formats.registry import detect_format, read_sentences
    from ner_lstm_crf.saving.model import SHIPPED, Model
    from ner_lstm_crf.tags.labels import fully_known, require_entities, warn_of_unknown_labels

    if Path(args.model).is_file() and (args.file in SHIPPED or Path(args.file).is_dir()):
        command = shlex.join(["ner-lstm-crf", "evaluate", args.file, args.model])
        raise InputError(f"expected the model first, then the file: {command}")
    model = Model.load(args.model)
    model.move(args.device)
    options = read_options(args, token_unit=model.config.token_unit, hyphens=model.config.hyphens)
    # Running text is cut into tokens as in tagging; cut at its entities, it would give them away.
    report = ReadReport()
    items: list[Item]
    evaluate: Callable[..., TestResult]
    file_format = detect_format(args.file, options)
    if isinstance(file_format, TextFormat):
        texts = file_format.read_texts(args.file, options, report=report)
        items, evaluate = [*texts], partial(evaluate_texts, test=texts)
    else:
        sentences = fully_known(read_sentences(args.file, options, report=report), args.file)
        items, evaluate = [*sentences], partial(evaluate_model, test=sentences)
    report.warn(args.file, options, labels=False)
    options.labels.warn_of_missing(f"{args.file}, {args.model}", {*report.names, *model.tags.labels})
    gold = [one.spans for one in items]
    require_entities(gold, args.file, options.labels)
    known = {name for label in model.tags.labels if (name := options.labels.renaming(label)) is not None}
    counts = Counter(span.label for spans in gold for span in spans)
    warn_of_unknown_labels(args.file, counts, known, "the model does not know")
    return _Trial(args, model, items, evaluate, options.labels)


@dataclass(frozen=True, slots=True)
class _Trial:
    """A model and the annotated file that it is evaluated on.

    Attributes:
        args: The arguments of the command.
        model: The model.
        items: The sentences or texts of the file.
        evaluate: Tags them with a model.
        labels: What `--labels` and `--rename` say. They hold for the model's entities, too: else every entity of a
            label that was dropped from the file would count as wrong.
    """

    args: argparse.Namespace
    model: Model
    items: list[Item]
    evaluate: Callable[..., TestResult]
    labels: LabelMap

    def tag(
        self, least: float, *, scored: bool = True, temperature: float | None = None, progress: Progress = silent
    ) -> tuple[TestResult, ScoredSpans]:
        """The entities that have at least this score, under the labels of the file."""
        from ner_lstm_crf.evaluation.calibration import ScoredSpans
        from ner_lstm_crf.tagging.decoding import Decoding

        model = self.model if temperature is None else replace(self.model, temperature=temperature)
        decoding = Decoding(self.args.decoding, least, scored=scored)
        result = self.evaluate(model, precision=self.args.precision, decoding=decoding, progress=progress)
        return result, ScoredSpans(result.spans, result.scores).renamed(self.labels).at_least(least)

    def kinds(self, found: ScoredSpans, least: float) -> Iterator[tuple[str, ScoredSpans]]:
        """The entities with what may be taken for their probability, by name; first with the probability itself."""
        from ner_lstm_crf.evaluation.calibration import stand_ins

        yield f"probability (temperature {self.model.temperature:g})", found
        if self.model.temperature != 1:
            yield "probability at temperature 1", self.tag(least, temperature=1.0)[1]
        sentences = [one for one in self.items if isinstance(one, Sentence)]
        if sentences and self.args.decoding == "viterbi":
            for name, one in stand_ins(self.model, sentences).items():
                yield name, one.renamed(self.labels).at_least(least)

    def by_threshold(self, found: ScoredSpans, least: float) -> Iterator[tuple[float, ScoredSpans]]:
        """Each least score with the entities that it leaves; none without `--curve`."""
        from ner_lstm_crf.evaluation.calibration import THRESHOLDS

        for threshold in THRESHOLDS if self.args.curve else ():
            yield threshold, self.tag(threshold)[1] if threshold < least else found.at_least(threshold)


def show_evaluation(
    evaluation: Evaluation,
    gold: Sequence[Item],
    predicted: Sequence[Item],
    args: argparse.Namespace,
    *,
    note: str = "",
    **more: object,
) -> None:
    """Print scores, the interval of their F1 and, if `--errors` or `--show` is given, the errors.

    Args:
        evaluation: The scores.
        gold: The sentences or texts with their true entities.
        predicted: The same with predicted ones.
        args: The arguments of the command; with `--json` one object is printed.
        note: A line to print below the scores.
        more: More values of that object.
    """
    from ner_lstm_crf.evaluation.significance import f1_interval

    interval, with_errors = f1_interval([evaluation]), args.errors or args.show is not None
    several = len(gold) > 1  # draws from one sentence are all the same, which would read as certainty
    if args.json:
        errors = errors_to_json(gold, predicted) if with_errors else {}
        show_json({**evaluation.to_json(), "interval": interval.to_json() if several else None, **more, **errors})
        return
    show(evaluation.table())
    if several:
        show(f"F1 {interval} (95%, bootstrap over sentences)")
    else:
        show(f"F1 {interval.value:.4f} (no interval: it takes more than one sentence)")
    if note:
        show(note)
    if with_errors:
        show_errors(gold, predicted, ERRORS_SHOWN if args.show is None else args.show)


def show_calibration(named: Mapping[str, Calibration], curve: Sequence[tuple[float, Score]]) -> None:
    """Print how far scores can be trusted, and precision and recall by the least score.

    Args:
        named: Kinds of scores by name; the first is the probability.
        curve: Each least score with its counts.
    """
    from ner_lstm_crf.evaluation.calibration import calibration_table

    if named:
        first = next(iter(named.values()))
        show(f"\n{calibration_table(named)}")
        perfect = f"{first.expected_error():.4f}"
        show(f"ECE of a model whose scores are perfect, on so many entities ({len(first.scores):,}): {perfect}")
        show(f"\n{first.table()}")
    if curve:
        rows = [("min score", "precision", "recall", "F1", "entities")]
        for threshold, score in curve:
            precision, recall, f1 = (f"{figure:.4f}" for figure in (score.precision, score.recall, score.f1))
            rows.append((f"{threshold:.2f}", precision, recall, f1, f"{score.predicted:,}"))
        show("\n" + text_table(rows, ">>>>>"))


def show_errors(gold: Sequence[Item], predicted: Sequence[Item], most: int) -> None:
    """Print which labels are taken for which, and the errors in context.

    Args:
        gold: The sentences or texts with their true entities.
        predicted: The same with predicted ones.
        most: The errors to show of each kind.
    """
    errors = find_errors(gold, predicted)
    if not errors:
        show("\nno errors")
        return
    show(f"\n{_confusion_table(confusion(gold, predicted))}")
    counts = Counter(error.kind for error in errors)
    for kind in get_args(ErrorKind):
        if counts[kind]:
            show(f"\n{kind}: {counts[kind]:,}{f', the first {most}' if 0 < most < counts[kind] else ''}")
        rows = [_error_row(error, gold) for error in islice((one for one in errors if one.kind == kind), most)]
        if rows:
            show(text_table([("  line", "gold", "predicted", "in"), *rows], "><<<"))


def _confusion_table(counts: Mapping[tuple[str | None, str | None], int]) -> str:
    """Gold labels down, predicted ones across; of many labels the pairs that are taken for each other, most first."""
    labels = sorted({label for pair in counts for label in pair if label is not None})
    if len(labels) > _MOST_LABELS:
        pairs = [(gold or _NONE, predicted or _NONE, f"{count:,}") for (gold, predicted), count in counts.items()]
        wrong = [pair for pair in pairs if pair[0] != pair[1]][: 2 * _MOST_LABELS]
        return text_table([("gold", "predicted", "times"), *wrong], "<<>")
    rows = [("gold \\ predicted", *labels, _NONE)]
    for gold in (*labels, None):
        cells = (counts.get((gold, predicted), 0) for predicted in (*labels, None))
        rows.append((gold or _NONE, *(f"{cell:,}" if cell else "." for cell in cells)))
    return text_table(rows, "<" + ">" * (len(labels) + 1))


def _error_row(error: SpanError, gold: Sequence[Item]) -> tuple[str, str, str, str]:
    """The line of an error (of a text of no file, its number), both entities, and what is around them."""
    one = gold[error.sentence]
    text = _text(one)
    entities = [_entity(one, span) for span in (error.gold, error.predicted)]
    start = min(entity.start for entity in entities if entity)
    end = max(entity.end for entity in entities if entity)
    before, after = text[max(start - _CONTEXT, 0) : start], text[end : end + _CONTEXT]
    context = f"{'…' * (start > _CONTEXT)}{before}[{text[start:end]}]{after}{'…' * (end + _CONTEXT < len(text))}"
    true, found = (f"{entity.label} {' '.join(entity.text.split())}" if entity else "-" for entity in entities)
    return str(one.line or error.sentence + 1), true, found, " ".join(context.split())


def _text(one: Item) -> str:
    """The text of an item; of a sentence its tokens."""
    return one.text if isinstance(one, AnnotatedText) else text_of(one).text


def _entity(one: Item, span: Span | None) -> Entity | None:
    """A span as an entity of its text; a sentence is a text of its own."""
    if span is None:
        return None
    if isinstance(one, AnnotatedText):
        return Entity(*span, one.text[span.start : span.end])
    return next(iter(text_of(one.with_spans([span])).entities), Entity(0, 0, span.label, ""))


def errors_to_json(gold: Sequence[Item], predicted: Sequence[Item]) -> dict[str, Any]:
    """All errors and the counts of labels taken for labels, as values for JSON; null stands for no entity."""
    errors = [
        {
            "kind": error.kind,
            "line": one.line,
            "sentence": error.sentence + 1,
            "text": _text(one),
            **{
                name: None if (entity := _entity(one, span)) is None else entity.to_json()
                for name, span in (("gold", error.gold), ("predicted", error.predicted))
            },
        }
        for error in find_errors(gold, predicted)
        for one in [gold[error.sentence]]
    ]
    labels = [
        {"gold": gold_label, "predicted": predicted_label, "count": count}
        for (gold_label, predicted_label), count in confusion(gold, predicted).items()
    ]
    return {"errors": errors, "confusion": labels}

"""`ner-lstm-crf evaluate`."""

from __future__ import annotations

import argparse
import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
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
from ner_lstm_crf.runs.display import progress_bar, say
from ner_lstm_crf.text.annotation import Entity, Sentence, Span

if TYPE_CHECKING:
    from ner_lstm_crf.evaluation.evaluate import TestResult
    from ner_lstm_crf.evaluation.metrics import Evaluation

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
    add_options(parser, "--errors", "--show", "--threads", "--precision", "--json")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> None:
    """Tag the file and score the entities against its own."""
    from ner_lstm_crf.evaluation.evaluate import evaluate_model, evaluate_texts
    from ner_lstm_crf.evaluation.metrics import evaluate_spans
    from ner_lstm_crf.formats.options import ReadReport
    from ner_lstm_crf.formats.registry import detect_format, read_sentences
    from ner_lstm_crf.saving.model import SHIPPED, Model
    from ner_lstm_crf.tags.labels import (
        fully_known,
        require_entities,
        warn_of_labels_never_gold,
        warn_of_unknown_labels,
    )

    if Path(args.model).is_file() and (args.file in SHIPPED or Path(args.file).is_dir()):
        command = shlex.join(["ner-lstm-crf", "evaluate", args.file, args.model])
        raise InputError(f"expected the model first, then the file: {command}")
    model = Model.load(args.model)
    options = read_options(args, token_unit=model.config.token_unit, hyphens=model.config.hyphens)

    # The file: running text is cut into tokens as in tagging; cut at its entities, it would give them away.
    report = ReadReport()
    items: list[Item]
    evaluate: Callable[..., TestResult]
    file_format = detect_format(args.file, options.encoding)
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

    # The model's entities, under the labels that the file has after --labels and --rename: else every entity of a label
    # that was dropped from the file would count as wrong.
    with progress_bar("tagging", unit=" sentences") as progress:
        result = evaluate(model, precision=args.precision, progress=progress)
    scores, found = result.evaluation, result.spans
    if options.labels:
        found = tuple(map(options.labels, found))
        renamed = evaluate_spans(gold, found)
        scores = replace(renamed, ill_formed=scores.ill_formed, ill_formed_tags=scores.ill_formed_tags)

    warn_of_labels_never_gold(args.file, Counter(span.label for spans in found for span in spans), counts)

    # The scores, and the errors behind them.
    predicted = [one.with_spans(spans) for one, spans in zip(items, found, strict=True)]
    show_evaluation(scores, items, predicted, args, seconds=result.seconds)
    if not args.json:
        say(f"{result.tokens:,} tokens tagged in {result.seconds:.2f} s")
        if not args.errors:
            say_next("evaluate", args.model, args.file, *reading_words(args), "--errors")


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
                name: None if (entity := _entity(one, span)) is None else asdict(entity)
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

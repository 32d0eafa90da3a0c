"""`ner-lstm-crf compare`: the steps of `train` for both heads, then the heads side by side."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ner_lstm_crf.cli.options import (
    Parser,
    add_training_options,
    at_least,
    config_from,
    reading_words,
    setting_words,
    settings_from,
)
from ner_lstm_crf.cli.output import say_next, show, show_json
from ner_lstm_crf.cli.train import naming_resume, read_data
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.runs.display import say

if TYPE_CHECKING:
    from ner_lstm_crf.runs.results import Comparison, SentenceDifference
    from ner_lstm_crf.text.annotation import Span

MOST_TOKENS_SHOWN = 80

EPILOG = """\
examples:
  ner-lstm-crf compare --train train.conll --dev dev.conll --test test.conll
  ner-lstm-crf compare --train train.conll --test test.conll --seeds 5 --workers 2 --output comparison --show 30

Both heads learn from the same data with the same seeds, and all below the head is the same. Without --output the models
are thrown away."""


def add_command(parser: Parser) -> None:
    """Add the command's options."""
    parser.description = "Train the CRF and the softmax head on equal terms and show what the CRF gains."
    parser.usage = "%(prog)s --train F --test F [options]"
    parser.epilog = EPILOG
    parser.add_argument("--output", metavar="DIR", help="directory of all models (default: none are kept)")
    parser.add_argument(
        "--show", type=at_least(0), default=10, metavar="N", help="sentences to show that they tag differently (10)"
    )
    add_training_options(parser, seeds=3, test_required=True, without="head")
    parser.set_defaults(command=run, init_from=None, teacher=None, unlabelled=[])


def run(args: argparse.Namespace) -> None:
    """Train both heads with each seed, evaluate all models, and show the heads side by side."""
    from ner_lstm_crf.runs.processes import PlannedRun
    from ner_lstm_crf.runs.results import Comparison, HeadResult, RunResult, plan_comparison
    from ner_lstm_crf.runs.train import check_output, train_planned

    # 1. The configuration. What is wrong in it or in the output directory is refused before any file is read.
    given = settings_from(args)
    config = config_from(args, given)
    if args.resume and args.output is None:
        raise InputError("--resume: expected the --output directory of the comparison to go on with")
    with nullcontext(args.output) if args.output else TemporaryDirectory(prefix="ner-lstm-crf-") as folder:
        directory = Path(folder)
        options = {"seeds": args.seeds, "resume": args.resume, "overwrite": args.overwrite}
        planned = plan_comparison(config, directory, **options)
        whole = PlannedRun(config, directory, args.resume, args.overwrite)
        check_output(whole, [plan for plans in planned.values() for plan in plans])

        # 2. The files, and what the configuration leaves to them.
        config, data, test = read_data(args, given)

        # 3. The runs: each head with each seed.
        planned = plan_comparison(config, directory, **options)
        cache = None if args.transformer_cache is None else Path(args.transformer_cache)
        with naming_resume(args):
            train_planned(
                data,
                [plan for plans in planned.values() for plan in plans],
                directory,
                workers=args.workers,
                transformer_cache=cache,
            )

        # 4. The results.
        heads = {}
        for head, plans in planned.items():
            results = [RunResult.of(plan, test) for plan in plans]
            tests = tuple(result.test for result in results if result.test is not None)
            heads[head] = HeadResult(head, tests, tuple(result.seconds for result in results))
    comparison = Comparison(heads["crf"], heads["softmax"], test)
    differences = list(islice(comparison.differences(), args.show))
    if args.json:
        show_json({**comparison.to_json(), "differences": [_difference_to_json(one) for one in differences]})
    else:
        joiner = "" if config.model.token_unit == "character" else " "
        _show(comparison, differences, path=args.test, joiner=joiner)
        parts = [("--train", path) for path in args.train] + [("--dev", args.dev)] * (args.dev is not None)
        words = [word for part in [*parts, ("--test", args.test)] for word in part]
        say_next("train", *words, *setting_words(args), *reading_words(args), "--output", "my-model")


def _show(comparison: Comparison, differences: Sequence[SentenceDifference], *, path: str, joiner: str) -> None:
    show(comparison.table())
    total = sum(1 for _ in comparison.differences())
    say(f"{total:,} of {len(comparison.test):,} sentences are tagged differently (first seed)")
    if all(one.micro.true_positives == 0 for head in (comparison.crf, comparison.softmax) for one in head.evaluations):
        say("neither head finds an entity of test: train longer, with more --epochs")
    for difference in differences:
        sentence = difference.sentence
        # The sentence is shown around the first token of a span that only one of the heads predicts.
        first = min(start for start, _, _ in {*difference.crf} ^ {*difference.softmax})
        show(f"\n{path}:{sentence.line}")
        for name, spans in (("gold", sentence.spans), ("crf", difference.crf), ("softmax", difference.softmax)):
            right = "" if name == "gold" else "  ✓" if spans == sentence.spans else "  ✗"
            show(f"  {name:<8}{marked(sentence.words, spans, joiner=joiner, around=first)}{right}")


def marked(words: Sequence[str], spans: Iterable[Span], *, joiner: str = " ", around: int = 0) -> str:
    """A sentence on one line with its entities marked; a long one is cut to the tokens near token `around`.

    Example:
        >>> from ner_lstm_crf import Span
        >>> marked(["In", "New", "York"], [Span(1, 3, "LOC")])
        'In [New York](LOC)'
    """
    first = max(0, min(around - MOST_TOKENS_SHOWN // 2, len(words) - MOST_TOKENS_SHOWN))
    last = min(first + MOST_TOKENS_SHOWN, len(words))
    pieces = list(words)
    for start, end, label in spans:
        pieces[start] = f"[{pieces[start]}"
        pieces[end - 1] += f"]({label})"
    return f"{'… ' * (first > 0)}{joiner.join(pieces[first:last])}{' …' * (last < len(words))}"


def _difference_to_json(difference: SentenceDifference) -> dict[str, Any]:
    spans = {"gold": difference.sentence.spans, "crf": difference.crf, "softmax": difference.softmax}
    return {
        "line": difference.sentence.line,
        "tokens": difference.sentence.words,
        **{name: [span._asdict() for span in sentence] for name, sentence in spans.items()},
    }

"""What partly labelled data are worth: a label is added to a model, and half of the entities are hidden.

    python scripts/partial_labels.py ../shared/corpora/uner-en_ewt --output runs/partial --seeds 3
    python scripts/partial_labels.py ../shared/corpora/uner-en_ewt --output runs/quick --quick

A folder of train, dev and test files with the labels LOC, PER and ORG. Two experiments, each with the ways to train
that its table compares:

- new label: a model of LOC and PER, trained on one half of the sentences, drawn at random, learns ORG from the other
  half, which annotates ORG alone. `naive` takes its O for O, `unannotated` for O, LOC or PER; `all labels` sees them
  all.
- hidden: half of the entities of the training data are hidden, drawn at random. `full` sees all of them, `as O` takes
  the tokens of hidden ones for O, `as ?` is told which tokens they are, `every O` may be an entity, `ratio` has the
  share of tokens in entities. `cross-fitted` (Jie et al. 2019) is told nothing: each half of the sentences is tagged by
  a model of the other half, and where that finds an entity that is not annotated, it is not known what is there.

Each figure is F1 on the test set. A result is kept as a line of results.jsonl, and not made again.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from experiments import Results, read_parts
from ner_lstm_crf import Config, Data, Sentence, Tagger, Unknown, preset, train
from ner_lstm_crf.evaluation.metrics import Evaluation, Score

LABELS = ("LOC", "ORG", "PER")
MISSED_COST = 2.0
"""What a missed entity costs a model that guesses where entities are: it sees half of them."""

OLD, NEW = ("LOC", "PER"), ("ORG",)


@dataclass(frozen=True, slots=True)
class Setting:
    """What a training is given.

    Attributes:
        train: Training sentences.
        dev: Dev sentences.
        test: Test sentences.
        config: The configuration, with the seed.
        directory: The folder of models.
    """

    train: Sequence[Sentence]
    dev: Sequence[Sentence]
    test: Sequence[Sentence]
    config: Config
    directory: Path

    def trained(self, data: Data, **settings: Any) -> Tagger:
        """A tagger trained on data."""
        config = self.config.replace(**settings)
        if data.init_from is not None:
            config = replace(config, model=Tagger.load(data.init_from).model.config)
        return train(data, config, self.directory, overwrite=True, progress=False)


def only(sentences: Sequence[Sentence], labels: Sequence[str]) -> list[Sentence]:
    """The sentences with the entities of these labels alone."""
    return [one.with_spans(span for span in one.spans if span.label in labels) for one in sentences]


def without_half(sentences: Sequence[Sentence], seed: int, *, told: bool) -> list[Sentence]:
    """The sentences without half of their entities.

    Args:
        sentences: The sentences.
        seed: Of what is drawn.
        told: True if the tokens of hidden entities become unknown; else they are in no entity.
    """
    source = random.Random(seed)
    found = []
    for one in sentences:
        hidden = [span for span in one.spans if source.random() < 0.5]
        tokens = sorted(token for span in hidden for token in range(span.start, span.end))
        seen = one.with_spans(span for span in one.spans if span not in hidden)
        found.append(replace(seen, unknown=tuple(map(Unknown, tokens))) if told else seen)
    return found


# A new label


def halves(sentences: Sequence[Sentence]) -> tuple[list[Sentence], list[Sentence]]:
    """Two halves, drawn at random: in a file one kind of text may follow the other."""
    drawn = random.Random(0).sample(list(sentences), len(sentences))
    return drawn[: len(drawn) // 2], drawn[len(drawn) // 2 :]


def base_model(setting: Setting) -> Tagger:
    """The model of the old labels; made once for all that start from it."""
    folder = setting.directory.parent / f"base-{setting.config.training.seed}"
    if (folder / "summary.json").exists():
        return Tagger.load(folder)
    first, _ = halves(setting.train)
    first = only(first, OLD)
    return replace(setting, directory=folder).trained(Data(first, only(setting.dev, OLD)))


def continued(
    setting: Setting, labels: Sequence[str] = NEW, *, unannotated: Sequence[str] = (), **settings: Any
) -> Tagger:
    """The model of the old labels, trained on the sentences that annotate these."""
    base_model(setting)
    folder = setting.directory.parent / f"base-{setting.config.training.seed}"
    _, second = halves(setting.train)
    data = Data(only(second, labels), only(setting.dev, labels), init_from=folder, unannotated=unannotated)
    return setting.trained(data, **settings)


NEW_LABEL: Mapping[str, Callable[[Setting], Tagger]] = {
    "before": base_model,
    "naive": continued,
    "unannotated": lambda setting: continued(setting, unannotated=OLD),
    "unannotated, distill": lambda setting: continued(setting, unannotated=OLD, distill_unknown=True),
    "all labels": lambda setting: continued(setting, LABELS),
}

# Hidden entities


def on_hidden(setting: Setting, *, told: bool = False, unannotated: Sequence[str] = (), **settings: Any) -> Tagger:
    """A tagger trained without half of the entities."""
    half = without_half(setting.train, setting.config.training.seed, told=told)
    return setting.trained(Data(half, setting.dev, unannotated=unannotated), **settings)


def cross_fitted(setting: Setting) -> Tagger:
    """A tagger trained without half of the entities, whose places are guessed by models of the other sentences."""
    half = without_half(setting.train, setting.config.training.seed, told=False)
    guessed = list(half)
    for fold in (0, 1):
        teacher = setting.trained(Data(half[1 - fold :: 2], setting.dev), missed_cost=MISSED_COST)
        guessed[fold::2] = map(with_guesses, half[fold::2], teacher.tag_sentences(half[fold::2]))
    return setting.trained(Data(guessed, setting.dev))


def with_guesses(sentence: Sentence, tagged: Sentence) -> Sentence:
    """The sentence in which the tokens of further entities of the same, tagged, are not known."""
    known, found = ({at for span in one.spans for at in range(span.start, span.end)} for one in (sentence, tagged))
    return replace(sentence, unknown=tuple(map(Unknown, sorted(found - known))))


def ratio_of(sentences: Sequence[Sentence]) -> float:
    """The share of tokens in entities."""
    inside = sum(span.end - span.start for one in sentences for span in one.spans)
    return inside / sum(map(len, sentences))


HIDDEN: Mapping[str, Callable[[Setting], Tagger]] = {
    "full": lambda setting: setting.trained(Data(setting.train, setting.dev)),
    "as O": on_hidden,
    "as ?": lambda setting: on_hidden(setting, told=True),
    "missed_cost 1": lambda setting: on_hidden(setting, missed_cost=1.0),
    "missed_cost 2": lambda setting: on_hidden(setting, missed_cost=2.0),
    "every O": lambda setting: on_hidden(setting, unannotated=LABELS),
    "cross-fitted": cross_fitted,
    "every O, ratio": lambda setting: on_hidden(setting, unannotated=LABELS, entity_ratio=ratio_of(setting.train)),
}

EXPERIMENTS = {"new label": NEW_LABEL, "hidden": HIDDEN}


def f1_of(evaluation: Evaluation, labels: Sequence[str]) -> float:
    """The micro F1 of some labels."""
    return sum((evaluation.per_label.get(label, Score()) for label in labels), Score()).f1


def main() -> None:
    """Make the results that lack, and show the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, help="folder of train, dev and test")
    parser.add_argument("--output", type=Path, required=True, help="folder of models and of results.jsonl")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", help="the ways to train, all unless named")
    parser.add_argument("--quick", action="store_true", help="one seed, 4,000 sentences, 6 epochs of the preset small")
    args = parser.parse_args()
    of_train, dev, test = read_parts(args.corpus, LABELS)
    config = preset("small").replace(epochs=6) if args.quick else preset("fast")
    if args.quick:
        of_train, args.seeds = of_train[:4000], 1
    results = Results(args.output, ("old", *NEW, "all", "precision", "recall", "seconds"))
    for seed in range(1, args.seeds + 1):
        setting = Setting(of_train, dev, test, config.replace(seed=seed), args.output / "model")
        for experiment, ways in EXPERIMENTS.items():
            for way, trained in ways.items():
                if not args.only or way in args.only:
                    results.make(experiment, way, seed, partial(figures, trained, setting))
    print(results.table())


def figures(trained: Callable[[Setting], Tagger], setting: Setting) -> dict[str, float]:
    """The scores of a tagger on the test set."""
    evaluation = trained(setting).evaluate(setting.test)
    f1 = {label: f1_of(evaluation, [label]) for label in LABELS}
    f1 |= {"old": f1_of(evaluation, OLD), "all": f1_of(evaluation, LABELS)}
    return f1 | {"precision": evaluation.micro.precision, "recall": evaluation.micro.recall}


if __name__ == "__main__":
    main()

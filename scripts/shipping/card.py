"""The model card of a shipped tagger, in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ner_lstm_crf.evaluation.metrics import Evaluation
from ner_lstm_crf.evaluation.significance import f1_interval
from shipping.corpora import Corpus, Language

__all__ = ["Facts", "Measured", "model_card"]

LABELS = ("PER", "LOC", "ORG")


@dataclass(frozen=True, slots=True)
class Measured:
    """The scores on one test set.

    Attributes:
        name: The name of the test set.
        trained_on: True if training data of the same corpus were used.
        evaluation: The scores.
    """

    name: str
    trained_on: bool
    evaluation: Evaluation


@dataclass(frozen=True, slots=True)
class Facts:
    """Further facts for the card.

    Attributes:
        command: The command that trains the tagger again.
        trial: Epochs of a trial, which is scored on the dev sets; None for the tagger that is shipped.
        threads: Processor threads of the training.
        sentences: Number of training sentences, copies included.
        tokens: Number of training tokens, copies included.
        dev_f1: F1 on the dev sentences.
        minutes: Duration of the training.
        megabytes: Size of the model's directory.
        knowledge: Sentences on vectors and lexicon; may be empty.
    """

    command: str
    trial: int | None
    threads: int
    sentences: int
    tokens: int
    dev_f1: float
    minutes: float
    megabytes: float
    knowledge: str


def model_card(name: str, language: Language, facts: Facts, measured: Sequence[Measured]) -> str:
    """The card as Markdown."""
    kind = "characters" if language.token_unit == "character" else "words"
    lines = [
        f"# The tagger `{name}`",
        "",
        f"A char-CNN, a bidirectional LSTM and a CRF over {kind}; labels PER, LOC, ORG. {facts.megabytes:.1f} MB, "
        "quantized: vectors have 8 bits, all other weights 16.",
        "",
        "## Scores",
        "",
        "Span F1 in per cent on gold tokens, with the 95% bootstrap interval over sentences. "
        f"{_sets(facts)} *In training*: training data of the same corpus were used.",
        "",
        f"| {'test' if facts.trial is None else 'dev'} set | in training | F1 | {' | '.join(LABELS)} | entities |",
        f"|---|---|--:|{'--:|' * len(LABELS)}--:|",
        *map(_row, measured),
        "",
        "## Data",
        "",
        "| corpus | licence | source | used for |",
        "|---|---|---|---|",
        *map(_corpus, language.corpora),
        "",
        f"{facts.sentences:,} training sentences, {facts.tokens:,} tokens; these include {language.copies}. "
        f"The best epoch has a dev F1 of {100 * facts.dev_f1:.1f}. {facts.knowledge}".rstrip(),
        "",
        "The weights are under CC BY-SA 4.0, as the corpora with the strictest licence require.",
        "",
        "## Known weaknesses",
        "",
        *(f"- {weakness}" for weakness in language.weaknesses),
        "",
        "## Train it again",
        "",
        "```sh",
        facts.command + ("" if facts.trial is None else f" --trial {facts.trial}"),
        "```",
        "",
        f"{facts.minutes:.0f} minutes of training on {_cores(facts.threads)}. On another processor or with another "
        "release of torch the weights are rounded differently, and the scores differ a little.",
        "",
        "The temperature of its probabilities was fitted on the dev sentences (`--temperature` does this alone).",
    ]
    return "\n".join(lines) + "\n"


def _sets(facts: Facts) -> str:
    if facts.trial is None:
        return "The test sets were read once, at the end, for this table."
    return f"A trial of {facts.trial} epochs, not a finished tagger: these are dev sets, which chose the epoch."


def _cores(threads: int) -> str:
    return "one core" if threads == 1 else f"{threads} cores"


def _row(measured: Measured) -> str:
    evaluation = measured.evaluation
    interval = f1_interval([evaluation])
    scores = [evaluation.per_label.get(label) for label in LABELS]
    cells = [
        measured.name,
        "yes" if measured.trained_on else "no",
        f"{100 * interval.value:.1f} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]",
        *(f"{100 * score.f1:.1f}" if score else "" for score in scores),
        str(evaluation.micro.gold),
    ]
    return f"| {' | '.join(cells)} |"


def _corpus(corpus: Corpus) -> str:
    uses = [use for use, files in (("training", corpus.train), ("test", corpus.test)) if files]
    return f"| {corpus.name} | {corpus.licence} | {corpus.citation} | {', '.join(uses)} |"

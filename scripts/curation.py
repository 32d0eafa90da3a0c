"""What `select` and `suspects` are worth on a corpus.

    python scripts/curation.py suspects ../shared/corpora/uner-en_ewt/train.iob2 --seeds 3
    python scripts/curation.py select ../shared/corpora/uner-en_ewt/train.iob2 --test ../shared/corpora/.../test.iob2

- suspects: a twentieth of the entities is spoilt at random: another label, an end moved by a token, or no entity any
  more. Shown is the share of these among the first tenth of what `find_suspects` lists (as many as a tenth of the
  entities).
- select: a model learns from a tenth of the sentences; in rounds, more are chosen by each criterion, up to half of
  them; shown is the F1 of a new model after each round, beside that of all sentences.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory
from typing import Any, get_args

from ner_lstm_crf import (
    Data,
    LabelMap,
    ReadOptions,
    Sentence,
    Span,
    Tagger,
    find_suspects,
    read_sentences,
    read_vectors,
    select,
    train,
)
from ner_lstm_crf.config import Criterion
from ner_lstm_crf.runs.data import needed_words

SHARES = (0.1, 0.2, 0.35, 0.5)
"""The parts of the pool that a model learns from, round by round."""


def spoil(
    sentences: Sequence[Sentence], share: float, seed: int
) -> tuple[list[Sentence], set[tuple[int, tuple[int, int]]]]:
    """The sentences with a share of their entities spoilt, and where: sentence, and tokens of the entity as it was."""
    draw, found = random.Random(seed), list(sentences)
    labels = sorted({span.label for one in sentences for span in one.spans})
    places = [(number, span) for number, one in enumerate(sentences) for span in one.spans]
    mistakes = set()
    for number, span in draw.sample(places, round(share * len(places))):
        others = [one for one in found[number].spans if one != span]
        taken = {token for start, end, _ in others for token in range(start, end)}
        ways: list[Span | None] = [None]
        ways += [span._replace(label=label) for label in labels if label != span.label]
        if span.end < len(found[number].tokens) and span.end not in taken:
            ways.append(span._replace(end=span.end + 1))
        if span.end - span.start > 1:
            ways.append(span._replace(end=span.end - 1))
        wrong = draw.choice(ways)
        found[number] = found[number].with_spans(sorted([*others, wrong] if wrong else others))
        mistakes.add((number, (span.start, span.end)))
    return found, mistakes


def suspects(sentences: Sequence[Sentence], seed: int, config: Any, vectors: Any) -> float:
    """The share of the spoilt entities that the first tenth of the list holds."""
    spoilt, mistakes = spoil(sentences, 0.05, seed)
    entities = sum(len(one.spans) for one in spoilt)
    listed = find_suspects(Data(spoilt, vectors=vectors), config, seed=seed)
    first = listed[: entities // 10]
    hit = {
        (number, (start, end))
        for number, (start, end) in mistakes
        for one in first
        if one.sentence == number and one.span.start < end and start < one.span.end
    }
    return len(hit) / len(mistakes)


def curve(
    pool: Sequence[Sentence], test: Sequence[Sentence], by: Criterion, seed: int, config: Any, vectors: Any
) -> list[float]:
    """F1 on the test set after each round."""
    order = random.Random(seed).sample(range(len(pool)), len(pool))
    known, scores = order[: round(SHARES[0] * len(pool))], list[float]()
    with TemporaryDirectory() as folder:
        for share, after in zip(SHARES, (*SHARES[1:], SHARES[-1]), strict=True):
            part = [pool[number] for number in known]
            directory = Path(folder) / str(share)
            tagger = train(Data(part, vectors=vectors), config, directory, progress=False, seed=seed)
            scores.append(tagger.evaluate(test).micro.f1)
            rest = sorted(set(order) - set(known))
            count = round(after * len(pool)) - len(known)
            if count > 0:
                chosen = select(tagger, [pool[number] for number in rest], count, by=by, seed=seed)
                known += [rest[choice.number] for choice in chosen]
    return scores


def shown(values: Sequence[float]) -> str:
    """Mean and standard deviation in hundredths."""
    return f"{100 * mean(values):.1f}" + (f" ± {100 * stdev(values):.1f}" if len(values) > 1 else "")


def main() -> None:
    """Run one of the experiments and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", choices=("suspects", "select"))
    parser.add_argument("file", type=Path, help="annotated sentences")
    parser.add_argument("--test", type=Path, help="file that `select` measures F1 on")
    parser.add_argument("--labels", default="PER,LOC,ORG")
    parser.add_argument("--sentences", type=int, default=4000, help="the first of the file (4,000)")
    parser.add_argument("--vectors", type=Path, help="word vectors")
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--by", nargs="+", choices=get_args(Criterion), help="criteria of `select`, all unless named")
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    options = ReadOptions(labels=LabelMap.parse(args.labels))
    sentences = [one for one in read_sentences(args.file, options) if one.tokens][: args.sentences]
    test = [] if args.test is None else [one for one in read_sentences(args.test, options) if one.tokens]
    needed = needed_words([*sentences, *test])
    vectors = None if args.vectors is None else read_vectors(args.vectors, needed=needed)
    seeds = range(1, args.seeds + 1)
    if args.experiment == "suspects":
        values = [suspects(sentences, seed, args.preset, vectors) for seed in seeds]
        print(f"spoilt entities among the first tenth: {shown(values)} % of them ({args.seeds} seeds)")
        return
    if args.test is None:
        parser.error("expected --test, the file that F1 is measured on")
    print("| by | " + " | ".join(f"{share:.0%}" for share in SHARES) + " |")
    print("|---|" + "---:|" * len(SHARES))
    for by in args.by or get_args(Criterion):
        rounds = zip(*(curve(sentences, test, by, seed, args.preset, vectors) for seed in seeds), strict=True)
        print(f"| {by} | " + " | ".join(map(shown, rounds)) + " |", flush=True)
    with TemporaryDirectory() as folder:
        scores = []
        for seed in seeds:
            data, directory = Data(sentences, vectors=vectors), Path(folder) / str(seed)
            tagger: Tagger = train(data, args.preset, directory, progress=False, seed=seed)
            scores.append(tagger.evaluate(test).micro.f1)
    print("| all sentences |" + " |" * (len(SHARES) - 1) + f" {shown(scores)} |")


if __name__ == "__main__":
    main()

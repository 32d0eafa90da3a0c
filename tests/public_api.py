"""The public names in use, as a program under `mypy --strict` meets them: checked with the package, never run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ner_lstm_crf import (
    Config,
    Data,
    Entity,
    EpochReport,
    Evaluation,
    LabelMap,
    ReadOptions,
    Run,
    Sentence,
    Span,
    Tagger,
    Vectors,
    evaluate_spans,
    f1_interval,
    preset,
    read_sentences,
    sentences,
    tokenize,
    train,
    write_sentences,
)


def tag(texts: Iterator[str]) -> dict[str, list[Entity]]:
    """Tags."""
    tagger: Tagger = Tagger.load(Path("my-model"), precision="bfloat16")
    spans: list[Span] = tagger.tag_tokens(["Ada"])
    entities: list[list[Entity]] = list(tagger.tag_many(texts))
    return {f"{spans[0].label} {tokenize('Ada')[0].start}": entities[0], "call": tagger("Ada")}


def make() -> Data:
    """Makes data of sentences, of files and of arrays."""
    made = [
        Sentence.from_words(["Ada"], [(0, 1, "PER")]),
        Sentence.from_tags(["Ada"], ["B-PER"], scheme="BIO"),
        Sentence.from_text("Ada", [(0, 3, "PER"), Entity(0, 3, "PER", "Ada")], cut=True),
    ]
    options = ReadOptions(labels=LabelMap.parse("PER"), token_unit="word")
    write_sentences("copy.jsonl", [*made, *sentences("Ada."), *read_sentences("train.conll", options)])
    vectors = Vectors(["ada"], np.ones((1, 3)))
    return Data.read(["a.conll", Path("b.conll")], None, vectors=vectors) if made else Data(made, vectors=vectors)


def learn() -> Evaluation:
    """Trains, and measures."""
    config: Config = preset("fast").replace(hidden_size=100)
    reports: Iterator[EpochReport] = Run("run").epochs(make(), config, resume=True)
    for report in reports:
        if report.dev is not None and report.dev.micro.f1 > 0.9:
            break
    tagger: Tagger = train(make(), "fast", Path("my-model"), epochs=3, progress=False)
    gold = read_sentences("test.conll")
    scores = tagger.evaluate(gold) + evaluate_spans([one.spans for one in gold], [one.spans for one in gold])
    low: float = f1_interval([scores]).low
    return scores if low > 0 else Evaluation()

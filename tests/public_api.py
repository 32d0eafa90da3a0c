"""The public names in use, as a program under `mypy --strict` meets them: checked with the package, never run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ner_lstm_crf import (
    Analysis,
    Config,
    Constraints,
    Data,
    Entity,
    EpochReport,
    Evaluation,
    Gazetteer,
    LabelMap,
    ReadOptions,
    Run,
    Sentence,
    Span,
    Tagger,
    Vectors,
    convert,
    evaluate_spans,
    f1_interval,
    find_suspects,
    preset,
    read_dataset,
    read_sentences,
    select,
    sentences,
    to_dataset,
    tokenize,
    train,
    write_sentences,
)
from ner_lstm_crf.integrations.sklearn import NerTagger
from ner_lstm_crf.integrations.spacy import docs_from_sentences, sentences_from_docs


def tag(texts: Iterator[str]) -> dict[str, list[Entity]]:
    """Tags."""
    tagger: Tagger = Tagger.load(Path("my-model"), precision="bfloat16")
    spans: list[Span] = tagger.tag_tokens(["Ada"])
    entities: list[list[Entity]] = list(tagger.tag_many(texts))
    return {f"{spans[0].label} {tokenize('Ada')[0].start}": entities[0], "call": tagger("Ada")}


def look_inside(tagger: Tagger) -> float:
    """Analyses, with and without constraints."""
    analysis: Analysis = tagger.analyze("Ada")[0]
    known = Constraints(
        spans=[(0, 1, "PER"), Span(0, 1, "PER")],
        forbidden=["LOC", (0, 1, "LOC")],
        allowed=[(0, 1, ["PER", "O"])],
        favoured=[(0, 1, "PER", 2.0)],
        gazetteers=[Gazetteer({"Ada": "PER"}, bonus=1.5)],
    )
    vectors, table = tagger.vectors(["Ada"]), np.asarray(tagger.transitions)
    total = float(analysis.emissions.sum() + analysis.marginals.sum() + vectors[0].sum() + table.sum())
    return total + analysis.given(known | Constraints(rejected=[(0, 1, "LOC")])).constraint_probability


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


def meet_others(data: Data, tagger: Tagger) -> list[str]:
    """The doors to other libraries: the hub and datasets of Hugging Face, scikit-learn, spaCy."""
    fetched: Tagger = Tagger.from_pretrained("ada/my-model", revision="main", precision="int8")
    address: str = fetched.push_to_hub("ada/my-model", private=True, datasets=["conll2003"])
    read: Data = Data.from_datasets(to_dataset(data.train), options=ReadOptions(label_names=["O", "B-PER"]))
    test: list[Sentence] = read_dataset(to_dataset(read.train, labels=tagger.labels))
    estimator: NerTagger = NerTagger("small", hidden_size=100).fit([["Ada"]], [["B-PER"]])
    tags: list[list[str]] = estimator.predict([["Ada"]])
    first: float = estimator.predict_marginals([["Ada"]])[0][0]["B-PER"] + estimator.score([["Ada"]], tags)
    docs = docs_from_sentences(test, by_document=True)
    again: list[Sentence] = list(sentences_from_docs(docs))
    write_sentences("train.jsonl", again, output_format="tokens", label_names=("O", "B-PER", "I-PER"))
    convert("train.jsonl", Path("train.conll"), options=ReadOptions(label_names=["O", "B-PER"]), scheme="BIOES")
    return [address, *tags[0], str(first)]


def curate(data: Data, tagger: Tagger) -> list[Sentence]:
    """What to annotate next, and what may be wrong."""
    suspects = [data.train[suspect.sentence] for suspect in find_suspects(data, "small", folds=3, epochs=3)]
    return suspects + [choice.sentence for choice in select(tagger, data.train, 10, by="entropy")]

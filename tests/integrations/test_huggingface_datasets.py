"""Datasets of Hugging Face: sentences become one and come back, and what is wrong with one is named."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ner_lstm_crf import Data, InputError, LabelMap, ReadOptions, Sentence, read_dataset, read_sentences, to_dataset
from ner_lstm_crf.tags.scheme import SCHEMES
from ner_lstm_crf.text.annotation import Unknown

datasets = pytest.importorskip("datasets")

Make = Callable[..., list[Sentence]]
NAMES = ReadOptions(label_names=["O", "B-PER", "I-PER"])


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()


def made(make_sentences: Make) -> list[Sentence]:
    """Sentences, one of which has neighbouring entities, one no token, and one an odd word."""
    odd = Sentence.from_words(
        ["Ada", "Milo", "\N{LATIN SMALL LETTER E}\N{COMBINING ACUTE ACCENT} \t"], [(0, 1, "PER"), (1, 2, "PER")]
    )
    return [*make_sentences(30), odd, Sentence(())]


@pytest.mark.parametrize("scheme", [name for name, one in SCHEMES.items() if one.separates_neighbours])
def test_sentences_come_back_from_a_dataset(scheme: str, make_sentences: Make) -> None:
    sentences = made(make_sentences)
    dataset = to_dataset(sentences, scheme=scheme)
    assert read_dataset(dataset) == sentences
    assert read_dataset(dataset, ReadOptions(scheme=scheme)) == sentences


def test_every_kind_of_dataset_gives_the_same(make_sentences: Make, tmp_path: Path) -> None:
    sentences = made(make_sentences)
    dataset = to_dataset(sentences)
    dataset.save_to_disk(tmp_path / "saved")
    names = dataset.features["ner_tags"].feature.names
    without_names = datasets.IterableDataset.from_generator(lambda: iter(dataset))
    assert without_names.features is None
    kinds: list[Any] = [
        datasets.load_from_disk(tmp_path / "saved"),
        dataset.to_iterable_dataset(num_shards=3),
        dataset.with_format("numpy"),
        dataset.with_format("torch"),
        dataset.add_column("id", [{"not": "read"}] * len(sentences)),
        list(dataset.to_iterable_dataset()),
    ]
    for kind in kinds:
        options = ReadOptions(label_names=names) if isinstance(kind, list) else None
        assert read_dataset(kind, options) == sentences
    assert read_dataset(without_names, ReadOptions(label_names=names)) == sentences


def test_a_dataset_says_what_its_file_says(make_sentences: Make, tmp_path: Path) -> None:
    """`datasets` writes JSON lines, which the readers of files read."""
    sentences = make_sentences(30)
    names = ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]
    dataset = to_dataset(sentences, labels=["LOC", "PER"])
    assert dataset.features["ner_tags"].feature.names == names
    dataset.to_json(tmp_path / "a.jsonl")
    of_file = read_sentences(tmp_path / "a.jsonl", ReadOptions(label_names=names))
    assert [(one.words, one.spans) for one in of_file] == [(one.words, one.spans) for one in read_dataset(dataset)]
    again = datasets.Dataset.from_json(str(tmp_path / "a.jsonl"), cache_dir=str(tmp_path / "cache"))
    assert read_dataset(again, ReadOptions(label_names=names)) == sentences


def test_columns_of_strings_and_other_names_are_read(make_sentences: Make) -> None:
    sentences = make_sentences(12)
    rows = {"words": [one.words for one in sentences], "ner": [one.tags("BIOES") for one in sentences]}
    dataset = datasets.Dataset.from_dict(rows)
    assert read_dataset(dataset) == sentences
    other = dataset.rename_columns({"words": "cells", "ner": "marks"})
    assert read_dataset(other, tokens="cells", tags="marks") == sentences
    plain = read_dataset(other.remove_columns("marks"), ReadOptions(read_tags=False), tokens="cells")
    assert plain == [one.with_spans([]) for one in sentences]
    dropped = read_dataset(dataset, ReadOptions(labels=LabelMap.parse(None, ["LOC=PLACE", "PER=O"])))
    assert {span.label for one in dropped for span in one.spans} == {"PLACE"}


def test_splits_become_the_parts_of_the_data(make_sentences: Make) -> None:
    parts = {"train": make_sentences(20), "validation": make_sentences(5, seed=1), "test": make_sentences(5, seed=2)}
    dataset = datasets.DatasetDict({name: to_dataset(part, labels=["LOC", "PER"]) for name, part in parts.items()})
    data = Data.from_datasets(dataset, vectors=None, unannotated=["LOC"])
    assert list(data.dev) == parts["validation"]
    assert list(data.train) == [one.with_unannotated(["LOC"]) for one in parts["train"]]
    assert data.vectors is None
    streamed = datasets.IterableDatasetDict({name: part.to_iterable_dataset() for name, part in dataset.items()})
    assert Data.from_datasets(streamed).dev == data.dev
    # Without dev sentences every tenth one is taken.
    alone = Data.from_datasets(dataset["train"])
    assert list(alone.dev) == parts["train"][9::10]
    assert Data.from_datasets({"train": dataset["train"], "test": dataset["test"]}).dev == alone.dev
    assert list(Data.from_datasets({"train": dataset["train"], "dev": dataset["test"]}).dev) == parts["test"]


def test_chinese_characters_touch(make_sentences: Make) -> None:
    sentence = Sentence.from_words(list("王明在巴黎。"), [(0, 2, "PER"), (3, 5, "LOC")], joiner="")
    assert read_dataset(to_dataset([sentence] * 10)) == [sentence] * 10
    (entity, _) = read_dataset(to_dataset([sentence] * 10))[0].entities("王明在巴黎。")
    assert entity.text == "王明"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "dataset: expected rows, found none"),
        (
            [{"tokens": ["a"], "x": [0]}],
            r"expected a column of tags \(ner_tags, .*\), found tokens, x: tags='...' names",
        ),
        ([{"tokens": "Ada", "tags": [0]}], "dataset, row 0, column 'tokens': expected a list of tokens, found str"),
        (
            [{"tokens": ["a"], "tags": [0, 0]}],
            "row 0, column 'tags': .*as tokens in column 'tokens', found 2 tags for 1",
        ),
        (
            [{"tokens": ["a"], "tags": [0]}, {"tokens": ["a", None], "tags": [0, 0]}],
            r"row 1, column 'tokens': expected tokens as strings, found None \(NoneType\) as token 2",
        ),
        ([{"tokens": ["a"], "tags": [3]}], r"column 'tags': expected tags from 0 to 2, .*, found 3 \(int\) as tag 1"),
        ([{"tokens": ["a"], "tags": [-100]}], r"expected tags from 0 to 2, .*, found -100 \(int\) as tag 1"),
        ([{"tokens": ["a"], "tags": [True]}], r"expected tags as strings, found True \(bool\)"),
        (
            [{"tokens": ["a"], "tags": ["B-PER"]}, {"tokens": ["a", "b"], "tags": ["O", "x"]}],
            "dataset, row 1, column 'tags': tag 2: expected a tag such as O or B-PER, found 'x'",
        ),
    ],
)
def test_what_is_wrong_is_named_by_row_and_column(rows: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_dataset(rows, NAMES)


@pytest.mark.parametrize(
    ("read", "error", "said"),
    [
        (lambda _: read_dataset("conll2003"), TypeError, r"expected a dataset, got str: datasets.load_dataset\(...\)"),
        (lambda one: read_dataset({"train": one}), TypeError, r"got 'train': choose one, or Data.from_datasets"),
        (lambda _: read_dataset([5]), TypeError, "dataset, row 0: expected a row as a dict, got int"),
        (lambda one: Data.from_datasets({"test": one}), InputError, "expected a split 'train', found test"),
        (lambda one: read_dataset(one, tags="ner_tag"), InputError, "column 'ner_tag', .*did you mean ner_tags"),
        (lambda one: read_dataset(list(one)), InputError, r"found 1 \(int\) as tag 1: .*label_names=.* names them"),
        (lambda one: Data.from_datasets(one.select(range(9))), InputError, "expected at least 10 sentences"),
        (
            lambda one: Data.from_datasets({"train": one, "dev": list(one)}),
            InputError,
            "^dev, row 0, column 'ner_tags'",
        ),
    ],
)
def test_what_is_no_such_dataset_is_refused(read: Callable[[Any], object], error: type[Exception], said: str) -> None:
    dataset = to_dataset([Sentence.from_words(["Ada", "met", "Milo"], [(0, 1, "PER"), (2, 3, "PER")])] * 12)
    with pytest.raises(error, match=said):
        read(dataset)


def test_what_a_dataset_cannot_hold_is_refused() -> None:
    unknown = Sentence.from_words(["Ada", "met"]).with_spans([])
    unknown = Sentence(unknown.tokens, unknown=(Unknown(1),))
    with pytest.raises(InputError, match="sentence 1: expected tags that are known, found an unknown token"):
        to_dataset([Sentence.from_words(["Ada"]), unknown])
    with pytest.raises(InputError, match="expected all labels of the sentences, found no PER"):
        to_dataset([Sentence.from_words(["Ada"], [(0, 1, "PER")])], labels=["LOC"])
    with pytest.raises(TypeError, match="expected a Sentence as item 1"):
        to_dataset([["Ada"]])  # type: ignore[list-item]


def test_odd_tags_are_logged_with_their_rows(caplog: pytest.LogCaptureFixture) -> None:
    rows = [{"tokens": ["Ada", "Fox"], "ner_tags": tags} for tags in ([1, 2], [0, 2], [1, 0], [0, 2])]
    with caplog.at_level(logging.WARNING, "ner_lstm_crf"):
        read_dataset(rows * 3, ReadOptions(label_names=["O", "B-PER", "I-PER"], scheme="IOB2"))
    assert [record.getMessage() for record in caplog.records] == [
        "dataset, column 'ner_tags': 6 tags against IOB2, read by the policy conlleval: rows 1, 3, 5, 7, 9, 11"
    ]

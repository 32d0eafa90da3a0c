"""Public names that are called wrongly say what they take, in the user's words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ner_lstm_crf as ner
from ner_lstm_crf import Data, LabelMap, ReadOptions, Sentence, Span, Tagger, evaluate_spans

ONE = Sentence.from_words(["Ada", "met"], [Span(0, 1, "PER")])
NAMES: Any = ner  # what a program without type checks may pass


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: NAMES.read_sentences("train.conll", "IOB2"), "expected ReadOptions, got str"),
        (lambda: NAMES.read_sentences("train.conll", {"scheme": "IOB2"}), "expected ReadOptions, got dict"),
        (lambda: NAMES.read_sentences(None), "expected the path of a file or folder, got NoneType"),
        (lambda: NAMES.read_sentences(b"train.conll"), "expected the path of a file or folder, got bytes"),
        (lambda: NAMES.convert(["train.conll"], "new.conll"), "expected the path of a file or folder, got list"),
        (lambda: NAMES.write_sentences(None, [ONE]), "expected the path of a file or folder, got NoneType"),
        (lambda: NAMES.read_vectors(True), "expected the path of a file or folder, got bool"),
        (lambda: NAMES.read_lexicon(None), "expected the path of a file or folder, got NoneType"),
        (lambda: NAMES.read_config(3), "expected the path of a file or folder, got int"),
        (lambda: NAMES.write_sentences("new.conll", None), "expected sentences, got NoneType"),
        (lambda: NAMES.write_sentences("new.conll", "Ada met"), "expected sentences, got str"),
        (lambda: NAMES.write_sentences("new.conll", ONE), "expected sentences, got Sentence"),
        (lambda: NAMES.write_sentences("new.conll", [ONE, None]), r"a Sentence as item 2, got None \(NoneType\)"),
        (lambda: NAMES.write_sentences([ONE], "new.conll"), "expected sentences, got str"),
        (lambda: NAMES.get_scheme(None), "expected the name of a tag scheme, got NoneType"),
        (lambda: ONE.tags(3), "expected the name of a tag scheme, got int"),  # type: ignore[arg-type]
        (lambda: NAMES.SCHEMES["BIEO"].decode("BIO"), r"expected a list of tags, got 'BIO' \(str\)"),
        (lambda: NAMES.SCHEMES["BIEO"].decode(None), "expected a list of tags, got None"),
        (lambda: NAMES.SCHEMES["BIEO"].decode(["O", None]), r"expected tags as strings, got None \(NoneType\)"),
        (lambda: NAMES.SCHEMES["BIEO"].encode(["X"], 3), r"expected spans such as Span\(0, 2, 'PER'\), got 'X'"),
        (lambda: NAMES.SCHEMES["BIEO"].encode([(0, 1)], 3), r"expected spans such as .*, got \(0, 1\)"),
        (lambda: NAMES.SCHEMES["BIEO"].encode([(0, 1, None)], 3), r"expected spans such as .*, got \(0, 1, None\)"),
        (lambda: NAMES.preset(None), "expected the name of a preset, got NoneType"),
        (lambda: NAMES.Config(model={"hidden_size": 3}), "expected a ModelConfig as model, got dict"),
        (lambda: ner.preset("fast").replace(hiden_size=3), "no setting 'hiden_size', did you mean hidden_size"),
        (lambda: NAMES.tokenize(None), "expected a text, got NoneType"),
        (lambda: NAMES.tokenize(b"Rome"), "expected a text, got bytes: decode it first"),
        (lambda: NAMES.sentences(["Rome"]), "expected a text, got list"),
        (lambda: NAMES.sentences(3, token_unit="character"), "expected a text, got int"),
        (lambda: Tagger.load("en").split(None), "expected a text, got NoneType"),  # type: ignore[arg-type]
        (lambda: LabelMap("PER"), "expected a mapping of labels, got str: see LabelMap.parse"),  # type: ignore[arg-type]
        (lambda: ReadOptions(labels="PER"), "expected a LabelMap as labels, got str"),  # type: ignore[arg-type]
        (lambda: evaluate_spans([ONE], [ONE]), "expected the spans of sentence 1, got <Sentence"),  # type: ignore[list-item]
        (
            lambda: NAMES.evaluate_spans([[(0, 1, "X")]], [[]]),
            r"expected the spans of sentence 1.*got \[\(0, 1, 'X'\)\]",
        ),
        (lambda: NAMES.f1_interval([ONE]), "expected evaluations, one for each run, got Sentence among them"),
        (lambda: NAMES.f1_difference("ab", "cd"), "expected evaluations, one for each run, got str among them"),
        (lambda: evaluate_spans([], []) + 1, "unsupported operand"),  # type: ignore[operator]
        (lambda: NAMES.split_dev("abcdefghijklmn"), "expected sentences as training data, got str"),
        (lambda: NAMES.split_dev([1] * 20), "expected sentences as training data, got int as number 1"),
        (lambda: NAMES.Run(None), "expected the path of a file or folder, got NoneType"),
        (lambda: Data([ONE], vectors={"ada": [1]}), "vectors: expected Vectors.*Vectors.from_dict"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_call_is_a_type_error_that_says_what_is_expected(
    call: Callable[[], object], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TypeError, match=said):
        call()
    assert not list(tmp_path.iterdir())


def test_labels_to_keep_may_come_in_any_collection() -> None:
    assert LabelMap(keep=["PER"]) == LabelMap(keep=frozenset({"PER"})) == LabelMap.parse("PER")  # type: ignore[arg-type]
    assert ONE.with_spans([(1, 2, "X")]).spans == (Span(1, 2, "X"),)

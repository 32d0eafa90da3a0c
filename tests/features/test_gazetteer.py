"""Names of lists in a text of words: what searching every sequence of tokens finds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.gazetteer import NameLists, builtin_names, checked_names, read_names, token_forms
from ner_lstm_crf.features.token_feature import Resources, SavedFeature

TOKENS = ["a", "A", "b", "-", "São"]
Name = st.lists(st.sampled_from(["a", "b", "-", "são"]), min_size=1, max_size=4).map(" ".join)
Lists = st.dictionaries(st.sampled_from(["x", "y", "z"]), st.lists(Name, min_size=1, max_size=6), min_size=1)
Sentences = st.lists(st.lists(st.sampled_from([*TOKENS, "c", "C", ""]), min_size=1, max_size=9), max_size=4)


def ids_of(names: NameLists, *sentences: list[str]) -> list[list[int]]:
    words = [word for sentence in sentences for word in sentence]
    return names.encode(words, names.type_ids(words), np.array(list(map(len, sentences)), np.int64)).tolist()


def naive_ids(lists: dict[str, list[str]], sentence: list[str]) -> list[list[int]]:
    """For each token and list the longest name that covers it, the earlier of two: which part of it the token is."""
    ids = []
    for place in range(len(sentence)):
        row = []
        for number, label in enumerate(sorted(lists)):
            found = [
                (end - start, -start)
                for start in range(place + 1)
                for end in range(place + 1, len(sentence) + 1)
                if " ".join(sentence[start:end]).lower() in lists[label] and all(sentence[start:end])
            ]
            if not found:
                row.append(0)
                continue
            size, start = max(found)[0], -max(found)[1]
            role = 0 if size == 1 else 1 if place == start else 3 if place == start + size - 1 else 2
            row.append(1 + 8 * number + 4 * sentence[start][:1].islower() + role)
        ids.append(row)
    return ids


@given(lists=Lists, sentences=Sentences)
def test_ids_are_those_of_a_search_of_every_sequence_of_tokens(
    lists: dict[str, list[str]], sentences: list[list[str]]
) -> None:
    expected = [row for sentence in sentences for row in naive_ids(lists, sentence)]
    assert ids_of(NameLists(lists), *sentences) == expected


@given(lists=Lists, sentences=Sentences, data=st.data())
def test_neither_the_order_of_names_nor_saving_makes_a_difference(
    lists: dict[str, list[str]], sentences: list[list[str]], data: st.DataObject
) -> None:
    names = NameLists(lists)
    mixed = {label: data.draw(st.permutations(lists[label])) for label in data.draw(st.permutations(list(lists)))}
    again = NameLists.load(SavedFeature(ModelConfig(), names.to_json()))
    assert NameLists(mixed).to_json() == again.to_json() == names.to_json()
    assert ids_of(again, *sentences) == ids_of(names, *sentences)


def test_case_makes_no_difference_to_what_is_found_but_to_what_it_is() -> None:
    names = NameLists({"place": ["new york", "york"]})
    assert ids_of(names, ["New", "York"]) == ids_of(names, ["NEW", "YORK"]) == [[2], [4]]
    assert ids_of(names, ["new", "york"]) == ids_of(names, ["new", "York"]) == [[6], [8]]
    assert ids_of(names, ["in", "York", "new"]) == [[0], [1], [0]]
    assert ids_of(names, ["new"], ["york"]) == [[0], [5]]  # never over the end of a sentence


def build(names: list[tuple[str, str]], **settings: Any) -> NameLists:
    made = NameLists.build(Resources(ModelConfig(**settings), [["a"]], names=names))
    assert made is not None
    return made


def test_names_are_cut_as_texts_are_and_at_their_spaces() -> None:
    assert token_forms(" Guinea-Bissau ", "split") == {"guinea - bissau", "guinea-bissau"}
    assert token_forms("Guinea-Bissau", "keep") == {"guinea-bissau"}
    assert token_forms("St. John's", "split") == {"st. john 's", "st. john's"}
    names = build([("Guinea-Bissau", "place"), ("Guinea", "place"), ("Paris", "place"), ("Paris", "given")])
    assert names.lists == {"given": ("paris",), "place": ("guinea", "guinea - bissau", "guinea-bissau", "paris")}
    assert build([("Guinea-Bissau", "p")], hyphens="keep").lists == {"p": ("guinea-bissau",)}


def test_a_model_of_characters_or_without_vectors_of_names_has_no_use_for_them() -> None:
    with pytest.raises(InputError, match="a gazetteer: expected data whose tokens are words, got characters"):
        build([("a", "x")], token_unit="character")
    with pytest.raises(InputError, match=r"a gazetteer: expected a model that looks for names, .* gazetteer_size = 0"):
        build([("a", "x")], gazetteer_size=0)
    with pytest.raises(InputError, match="a gazetteer: expected names of 1 to 100 tokens in the list 'x', found none"):
        build([("a " * 200, "x"), ("b", "y")])
    assert NameLists.build(Resources(ModelConfig(), [["a"]])) is None


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"x": []},
        {"x": "a"},
        {"x": [1]},
        {"x": ["a  b"]},
        {"x": [""]},
        {"x": [" a"]},
        {"x": [" ".join("a" * 101)]},
        {str(number): ["a"] for number in range(21)},
    ],
)
def test_what_is_no_gazetteer_is_refused_when_it_is_loaded(value: object) -> None:
    with pytest.raises(InputError, match="a gazetteer: "):
        NameLists.load(SavedFeature(ModelConfig(), value))


def test_a_file_has_a_name_a_line_and_perhaps_its_list(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_bytes("\ufeffNew York\tplace\r\n\n  Ada  \nAda\tgiven\nAda\tgiven\n".encode())
    assert read_names(path) == [("New York", "place"), ("Ada", "name"), ("Ada", "given")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"Ada\nRome\tplace\t5\n", ":2: expected a name, or a name, a tab and its list, found 'Rome"),
        (b"\tplace\n", ":1: expected a name, or a name, a tab and its list, found 'place'"),
        ("\u200b\n".encode(), ":1: expected a name"),
        ("".join(f"n\tlist{number}\n" for number in range(21)).encode(), ":21: expected at most 20 lists, .*'list20'"),
        (b"\n\n", "expected a gazetteer of one name a line, found no name"),
        (b"Ada\n\xff\n", ":2: .*UTF-8|utf-8"),
    ],
)
def test_what_is_no_file_of_names_is_refused_with_its_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "names.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_names(path)


@pytest.mark.parametrize("wrong", ["Ada", ["Ada"], {"Ada": "given"}, [("Ada", 1)], [("Ada", "given", "x")]])
def test_what_are_no_pairs_of_a_name_and_a_list_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="names: expected pairs of a name and its list: read_names reads a file"):
        checked_names(wrong)
    with pytest.raises(InputError, match="names: expected names of 1 to 20 lists, got 0 lists"):
        checked_names([])
    with pytest.raises(InputError, match="names: expected names of visible characters, got ' '"):
        checked_names([(" ", "x")])


def test_the_names_of_the_package_are_of_places_and_persons() -> None:
    names = {*builtin_names()}
    assert {label for _, label in names} == {"place", "town", "given", "family"}
    assert {("France", "place"), ("Texas", "place"), ("New York City", "town"), ("Oslo", "town")} <= names
    assert {("Mary", "given"), ("Smith", "family"), ("São Paulo", "town"), ("Sao Paulo", "town")} <= names
    assert len(names) > 80_000
    assert all(name == name.strip() and not any(map(str.isdigit, name)) for name, _ in names)

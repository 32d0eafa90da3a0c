"""Simplified forms of characters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.features.simplified import SIMPLIFIED, simplified, simplified_form


def in_simplified(text: str) -> str:
    return "".join(map(chr, simplified(np.array([ord(character) for character in text], np.int64)).tolist()))


@pytest.mark.parametrize(
    ("traditional", "simple"),
    [("臺灣", "台湾"), ("中華民國", "中华民国"), ("馬英九", "马英九"), ("Paris 2,026", "Paris 2,026"), ("", "")],
)
def test_only_what_has_another_form_is_simplified(traditional: str, simple: str) -> None:
    assert in_simplified(traditional) == simple
    assert in_simplified(simple) == simple


def test_each_line_of_forms_is_a_pair_and_none_is_there_twice() -> None:
    pairs = SIMPLIFIED.read_text(encoding="utf-8").splitlines()
    assert len(pairs) > 3_000
    assert {len(pair) for pair in pairs} == {2}
    assert len({traditional for traditional, _ in pairs}) == len(pairs)


@given(st.text())
def test_simplifying_is_done_once(text: str) -> None:
    assert in_simplified(in_simplified(text)) == in_simplified(text)
    assert len(in_simplified(text)) == len(text)


@given(st.text() | st.text("臺灣大學台a"))
def test_a_word_is_simplified_as_its_characters_are(text: str) -> None:
    assert simplified_form(text) == in_simplified(text)

"""Traditional characters and their simplified forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ner_lstm_crf.features.simplified import SIMPLIFIED, simplified


def of_text(text: str) -> str:
    return "".join(map(chr, simplified(np.array([ord(character) for character in text], np.int64)).tolist()))


@pytest.mark.parametrize(
    ("traditional", "simple"),
    [("臺灣", "台湾"), ("中華民國", "中华民国"), ("馬英九", "马英九"), ("Paris 2,026", "Paris 2,026"), ("", "")],
)
def test_only_what_has_another_form_is_replaced(traditional: str, simple: str) -> None:
    assert of_text(traditional) == simple
    assert of_text(simple) == simple


def test_each_line_is_a_pair_and_none_stands_twice() -> None:
    pairs = SIMPLIFIED.read_text(encoding="utf-8").splitlines()
    assert len(pairs) > 3_000
    assert {len(pair) for pair in pairs} == {2}
    assert len({traditional for traditional, _ in pairs}) == len(pairs)


@given(st.text())
def test_it_is_done_once(text: str) -> None:
    assert of_text(of_text(text)) == of_text(text)
    assert len(of_text(text)) == len(text)

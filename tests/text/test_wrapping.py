from __future__ import annotations

import textwrap
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.text.wrapping import look_wrapped, unwrapped

PROSE = (
    "In the first years of the new century the company had been led by a man of whom little was known, and who seldom "
    "spoke in public. Of the two houses that he owned, one stood near the river; the other was given to his sister "
    "when she came back from abroad. Nobody has ever found out where the money went, though many have tried to."
)


@given(st.text(st.sampled_from("ab .-\n\r\té"), max_size=60))
def test_only_single_line_breaks_change(text: str) -> None:
    read = unwrapped(text)
    assert len(read) == len(text)
    lines = text.split("\n")
    expected, offset = list(text), 0
    for line, following in pairwise(lines):
        offset += len(line)
        if line.strip() and following.strip():
            ending = line[len(line.rstrip()) :]
            expected[offset - len(ending) : offset + 1] = [*ending.replace("\r", " "), " "]
        offset += 1
    assert read == "".join(expected)


def test_a_hyphen_at_the_end_of_a_line_stays() -> None:
    assert unwrapped("the Rhine-\nRuhr area") == "the Rhine- Ruhr area"


@pytest.mark.parametrize("width", [50, 72, 100])
def test_wrapped_prose_looks_so(width: int) -> None:
    lines = textwrap.wrap(PROSE, width)
    assert look_wrapped(lines) == (len(lines) > 3)
    assert look_wrapped([*lines, "", *lines])


def test_lists_sentences_and_headings_do_not() -> None:
    sentences = [f"{sentence}." for sentence in PROSE.split(". ")]
    assert not look_wrapped(sentences * 5)
    assert not look_wrapped(["Oslo", "Rome", "Port Alba"] * 10)
    assert not look_wrapped(
        [
            "Minister resigns",
            "Storm hits the coast of Norway and leaves thousands without power",
            "What we know about the fire",
            "Ten books for the summer that you may have missed",
        ]
        * 5
    )
    assert not look_wrapped([])
    assert not look_wrapped([PROSE] * 2)

"""The script of a text shows its language; marks and letters of every script are in their ranges."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.text.scripts import script_language


@pytest.mark.parametrize(
    ("texts", "language"),
    [
        ([], "en"),
        (["", "..."], "en"),
        (["Rome"], "en"),
        (["罗马"], "zh"),
        (["Apple 在北京开了一家店"], "zh"),
        (["The city is called 東京 in Japanese, which means eastern capital."], "en"),
        (["x" * 20_000 + "罗马" * 20_000], "en"),  # only the beginning is looked at
    ],
)
def test_the_script_of_the_text_decides(texts: list[str], language: str) -> None:
    assert script_language(texts) == language


@given(st.text(max_size=30), st.text(alphabet=" 0123456789.,!?、。（）", max_size=30))
def test_what_is_no_letter_does_not_matter(text: str, other: str) -> None:
    assert script_language([text + other]) == script_language([other, text]) == script_language([text])

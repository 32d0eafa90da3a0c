"""Patterns of Python in the words of ECMAScript; test_javascript.py compares what they find."""

from __future__ import annotations

import pytest

from ner_lstm_crf.inference.ecmascript import ecmascript


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"a*+b", r"(?:(?=(?<a1>a*))\k<a1>)b"),
        (r"(?:ab){2,}+c?+", r"(?:(?=(?<a1>(?:ab){2,}))\k<a1>)(?:(?=(?<a2>c?))\k<a2>)"),
        (r"a+?b{1,3}", r"a+?b{1,3}"),
        (r"(?P<stop>[.!])\Z", r"(?<stop>[\.!])$"),
        (
            r"([^\w\s]|_)\1+",
            r"(?<g1>[^\p{L}\p{N}_\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]|_)\k<g1>+",
        ),
        (r"[^\W\d_é]\D", r"(?:(?![\p{Nd}_é])[\p{L}\p{N}_])[^\p{Nd}]"),
        (r"(?i:com|de)x", r"(?:[cC][oO][mM]|[dD][eE])x"),
        (r".\"\x01\u2028[a\-\]{]", r'[^\n]"\u{1}\u{2028}[a\-\]\{]'),
        (r"(?<!\w.)(?=a)(?!b)(?<=c)", r"(?<![\p{L}\p{N}_][^\n])(?=a)(?!b)(?<=c)"),
    ],
)
def test_a_pattern_becomes_one_of_ecmascript(pattern: str, expected: str) -> None:
    assert ecmascript(pattern) == expected


@pytest.mark.parametrize("pattern", ["(a", r"[a\W]", r"\bword"])
def test_what_is_not_known_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="expected a"):
        ecmascript(pattern)

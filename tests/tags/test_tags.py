"""One tag: its prefix and its label."""

from __future__ import annotations

import pytest

from ner_lstm_crf.tags.tag import split_tag


@pytest.mark.parametrize(
    ("tag", "parts"),
    [
        ("O", ("O", "")),
        ("B", ("B", "")),
        ("PER", ("", "PER")),
        ("B-PER", ("B", "PER")),
        ("B-O", ("B", "O")),
        ("B-creative-work", ("B", "creative-work")),
        ("I-PER.NOM", ("I", "PER.NOM")),
        ("B-Multi-tissue_structure", ("B", "Multi-tissue_structure")),
        ("B_a-b", ("B", "a-b")),
        ("B-a_b", ("B", "a_b")),
        ("Q-PER", ("Q", "PER")),
        ("person-actor", ("person", "actor")),
        ("", ("", "")),
    ],
)
def test_split_tag(tag, parts):
    assert split_tag(tag) == parts

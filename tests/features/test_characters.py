"""The characters of words, end to end."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, strategies as st

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.features.characters import Characters
from ner_lstm_crf.features.token_feature import Resources
from ner_lstm_crf.features.vocabulary import FIRST


@given(st.dictionaries(st.text(max_size=4), st.integers(1, 5), max_size=12))
def test_characters_are_those_of_the_words_most_frequent_first(counts: dict[str, int]) -> None:
    seen = Counter("".join(word * count for word, count in counts.items()))
    characters = Characters.build(Resources(ModelConfig(), [[word] * count for word, count in counts.items()]))
    assert characters is not None
    symbols = characters.vocabulary.symbols
    assert set(symbols) == set(seen)
    assert [seen[symbol] for symbol in symbols] == sorted(map(seen.get, symbols), reverse=True)


@given(st.lists(st.text("abc\0", max_size=4), unique=True, min_size=1), st.integers(1, 6), st.data())
def test_each_word_has_its_characters_and_a_gap_in_whatever_order(
    words: list[str], width: int, data: st.DataObject
) -> None:
    resources = Resources(ModelConfig(char_widths=(width,)), [["ab\0"]])
    characters = Characters.build(resources)
    assert characters is not None
    column, cut = characters.column(), data.draw(st.integers(1, len(words)))
    column.write(0, words[:cut])
    if words[cut:]:
        column.write(cut, words[cut:])
    rows = data.draw(st.lists(st.integers(0, len(words) - 1)))
    found, lengths = column.inputs(np.array(rows, np.int64))
    ids = {"\0": FIRST, "a": FIRST + 1, "b": FIRST + 2}
    spelled = [[ids.get(character, 1) for character in words[row]] or [1] for row in rows]
    assert lengths.tolist() == [len(one) for one in spelled]
    assert found.tolist() == [number for one in spelled for number in [*one, *[0] * (width // 2)]]

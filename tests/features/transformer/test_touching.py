"""Tokens that touch are encoded as they stand in the text: against the tokenizer on the whole text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from ner_lstm_crf.features.transformer.feature import Transformer
from ner_lstm_crf.features.transformer.subtokens import Framing, SubTokenizer, SubTokens, collate_subtokens, cut_windows
from tests.features.transformer.test_subtokens import KINDS, LETTERS, byte_pairs, wordpiece

transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")

PERSONS, PLACES = ["王小明", "李小红", "张伟", "陈小明"], ["北京", "巴黎", "上海", "东京", "New York"]
MADE = [f"{person}从{place}飞往{other}。" for person in PERSONS for place in PLACES for other in PLACES]
WIDE = 10_000


@cache
def sentencepiece() -> Any:
    """A tokenizer as XLM-RoBERTa's, trained on made sentences: it knows 小明 and 飞往 as pieces."""
    backend = tokenizers.Tokenizer(tokenizers.models.Unigram())
    backend.normalizer = tokenizers.normalizers.NFKC()
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace(prepend_scheme="always")
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = tokenizers.trainers.UnigramTrainer(
        vocab_size=60, special_tokens=special, unk_token="<unk>", show_progress=False
    )
    backend.train_from_iterator(MADE, trainer)
    framing = [(piece, backend.token_to_id(piece)) for piece in ("<s>", "</s>")]
    backend.post_processor = tokenizers.processors.TemplateProcessing("<s> $A </s>", special_tokens=framing)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="<unk>", pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    )


def tokenizer_of(kind: str) -> tuple[Any, Any, str]:
    """A tokenizer, the one that reads a whole text in the same way, and the characters that both can spell."""
    if kind == "sentencepiece":
        return sentencepiece(), sentencepiece(), "王小明从北京飞往巴黎东李红。NewYork"
    return *KINDS[kind], {"wordpiece": LETTERS + ".-中", "unigrams": LETTERS}.get(kind, LETTERS + ".-中é")


def reference(tokenizer: Any, words: Sequence[str], touching: Sequence[bool]) -> tuple[list[int], list[set[int]]]:
    """The ids of the whole text, and for each token the places of the sub-tokens of it and of the space before it."""
    text, places = "", []
    for word, touches in zip(words, [True, *touching], strict=True):
        before = text
        text += word if touches else " " + word
        places.append(range(len(before), len(text)))
    encoded = tokenizer(text, return_offsets_mapping=True)
    offsets = list(enumerate(encoded["offset_mapping"]))
    of_tokens = [{place for place, edges in offsets if set(range(*edges)) & set(chars)} for chars in places]
    return encoded["input_ids"], of_tokens


def pooled(cut: SubTokens) -> list[set[int]]:
    """For each token the places of its sub-tokens in the only window."""
    ((targets,), (counts,)) = cut.targets.tolist(), cut.counts.tolist()
    edges = [range(target, target + count) for target, count in zip(targets, counts, strict=True)]
    return [{place for place, covered in enumerate(edges) if token in covered} for token in range(cut.tokens)]


@pytest.mark.parametrize("kind", [*KINDS, "sentencepiece"])
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_subtokens_are_those_of_the_whole_text(kind: str, data: st.DataObject) -> None:
    tokenizer, whole, letters = tokenizer_of(kind)
    words = data.draw(st.lists(st.text(letters, min_size=1, max_size=4), min_size=1, max_size=12))
    touching = data.draw(st.lists(st.booleans(), min_size=len(words) - 1, max_size=len(words) - 1))
    cut = SubTokenizer(tokenizer, window=WIDE).encode(words, touching)
    ids, of_tokens = reference(whole, words, touching)
    assert cut.ids.tolist() == [ids]
    assert pooled(cut) == of_tokens


@pytest.mark.parametrize("sentence", MADE[:20])
def test_characters_have_the_vectors_of_the_words_they_are_in(sentence: str) -> None:
    words = list(sentence.replace(" ", ""))
    cut = SubTokenizer(sentencepiece(), window=WIDE).encode(words, [True] * (len(words) - 1))
    assert cut.ids.tolist() == [sentencepiece()("".join(words))["input_ids"]]
    assert cut.counts.max() > 1
    assert pooled(cut) == reference(sentencepiece(), words, [True] * (len(words) - 1))[1]
    apart = SubTokenizer(sentencepiece(), window=WIDE).encode(words)
    assert apart.ids.size > cut.ids.size  # a mark before each


@pytest.mark.parametrize("kind", [*KINDS, "sentencepiece"])
@given(words=st.lists(st.text(max_size=5), min_size=1, max_size=12), touching=st.lists(st.booleans(), min_size=11))
@settings(deadline=None, max_examples=60)
def test_every_token_has_a_subtoken_whatever_it_is(kind: str, words: list[str], touching: list[bool]) -> None:
    cut = SubTokenizer(tokenizer_of(kind)[0], window=WIDE).encode(words, touching)
    assert cut.tokens == len(words)
    assert all(pooled(cut))


@pytest.mark.parametrize("kind", [*KINDS, "sentencepiece"])
@given(words=st.lists(st.text(max_size=5), min_size=1, max_size=12))
@settings(deadline=None, max_examples=30)
def test_words_between_spaces_are_encoded_as_ever(kind: str, words: list[str]) -> None:
    tokenizer = SubTokenizer(tokenizer_of(kind)[0], window=WIDE)
    given_none, given_false = tokenizer.encode(words), tokenizer.encode(words, [False] * len(words))
    assert given_none.ids.tolist() == given_false.ids.tolist()
    assert given_none.targets.tolist() == given_false.targets.tolist()
    assert given_none.counts.max() == 1


def test_a_slow_tokenizer_reads_each_token_by_itself() -> None:
    class Slow:
        """A tokenizer that reports no offsets."""

        is_fast = False

        def __init__(self) -> None:
            self.unk_token_id = sentencepiece().unk_token_id

        def __call__(self, *texts: Any, **options: Any) -> Any:
            assert not options.get("return_offsets_mapping")
            return sentencepiece()(*texts, **options)

    words = list("王小明从北京")
    slow, fast = SubTokenizer(Slow(), window=WIDE), SubTokenizer(sentencepiece(), window=WIDE)
    assert slow.encode(words, [True] * 5).ids.tolist() == fast.encode(words).ids.tolist()


def test_a_word_that_cannot_be_spelled_leaves_those_beside_it_known() -> None:
    tokenizer = wordpiece()
    rome, s, unknown = tokenizer.convert_tokens_to_ids(["rome", "s", "[UNK]"])
    cut = SubTokenizer(tokenizer).encode(["Rome", "☃", "s"], [True, True])
    assert cut.ids[0, 1:-1].tolist() == [rome, unknown, s]
    assert pooled(cut) == [{1}, {2}, {3}]


@pytest.mark.parametrize(("words", "expected"), [(["the", ""], [{1}, {2}]), (["", "the"], [{1}, {2}])])
def test_nothing_at_the_end_of_a_run_is_unknown(words: list[str], expected: list[set[int]]) -> None:
    cut = SubTokenizer(wordpiece()).encode(words, [True])
    assert pooled(cut) == expected
    assert 0 in cut.ids.tolist()[0]


def test_sentences_do_not_touch_each_other() -> None:
    tokenizer = SubTokenizer(sentencepiece(), window=WIDE)
    feature = Transformer(Path("none"), tokenizer, token_unit="character")
    sentences = [list("王小明"), [], list("明天"), ["New", "York", "小", "明"]]
    words, lengths = [word for one in sentences for word in one], [len(one) for one in sentences]
    together = feature.subtokens(words, lengths)
    apart = [feature.subtokens(one, [len(one)])[0] for one in sentences]
    assert [one.ids.tolist() for one in together] == [one.ids.tolist() for one in apart]
    assert [one.start for one in together] == [0, 3, 3, 5]
    # Nothing but a space could part two tokens of several characters.
    assert apart[3].ids.tolist() == [sentencepiece()("New York小明")["input_ids"]]
    assert Transformer(Path("none"), tokenizer).subtokens(sentences[0], [3])[0].ids.size > apart[0].ids.size


def test_bytes_of_a_character_are_all_its_own() -> None:
    tokenizer = byte_pairs(add_prefix_space=False)
    cut = SubTokenizer(tokenizer).encode(["中", "é"], [True])
    assert [len(places) for places in pooled(cut)] == [4, 2]  # with the space


# A token of some sub-tokens, or a sub-token of some tokens; the next ones may share a token with it.
units = st.lists(st.tuples(st.booleans(), st.integers(1, 5)), min_size=1, max_size=60)


def shared(parts: list[tuple[bool, int]]) -> tuple[list[int], list[int], list[int]]:
    """Sub-tokens, all different, with the first token of each and the number of them."""
    targets, counts, token = list[int](), list[int](), 0
    for several_tokens, number in parts:
        targets += [token] if several_tokens else [token] * number
        counts += [number] if several_tokens else [1] * number
        token += number if several_tokens else 1
    return list(range(len(targets))), targets, counts


@given(parts=units, capacity=st.integers(1, 24))
def test_what_is_shared_is_pooled_once_into_each(parts: list[tuple[bool, int]], capacity: int) -> None:
    ids, targets, counts = shared(parts)
    cut = cut_windows(ids, targets, counts, Framing(capacity + 1, (-7,)))
    there = cut.counts > 0
    assert ((cut.targets >= 0) == there).all()
    found = sorted(zip(cut.ids[there].tolist(), cut.targets[there].tolist(), cut.counts[there].tolist(), strict=True))
    assert found == list(zip(ids, targets, counts, strict=True))
    assert cut.tokens == targets[-1] + counts[-1]


@given(data=st.data())
def test_tokens_that_share_a_subtoken_are_pooled_in_one_window(data: st.DataObject) -> None:
    tokens = data.draw(st.integers(2, 80))
    # Two sub-tokens of two tokens each (0 1, 1 2), then the same again: units of three tokens.
    targets = [token for first in range(0, 3 * tokens, 3) for token in (first, first + 1)]
    cut = cut_windows([3] * len(targets), targets, [2] * len(targets), Framing(data.draw(st.integers(8, 40))))
    for first in range(0, 3 * tokens, 3):
        assert ((cut.targets == first) | (cut.targets == first + 1)).any(axis=1).sum() == 1


@given(parts=units, data=st.data())
@settings(deadline=None)
def test_a_part_has_what_its_tokens_have_in_the_whole(parts: list[tuple[bool, int]], data: st.DataObject) -> None:
    ids, targets, counts = shared(parts)
    whole = cut_windows(ids, targets, counts, Framing(12, (-7,), (-8,)))
    start = data.draw(st.integers(0, whole.tokens - 1))
    tokens = data.draw(st.integers(1, whole.tokens - start))
    assert means(whole.part(start, tokens)) == pytest.approx(means(whole)[start : start + tokens])


def means(sentence: SubTokens) -> list[float]:
    """The mean of the ids of each token, as a batch pools them."""
    batch = collate_subtokens([sentence])
    added = batch.ids[batch.pooled][batch.sources] * batch.weights
    return np.bincount(batch.targets, added, sentence.tokens).tolist()  # type: ignore[no-any-return]


@given(sentences=st.lists(units, min_size=1, max_size=5))
@settings(deadline=None)
def test_a_batch_pools_as_a_loop_does(sentences: list[list[tuple[bool, int]]]) -> None:
    flat = [shared(parts) for parts in sentences]
    cut = [cut_windows(*one, Framing(12, (-7,), (-8,))) for one in flat]
    batch = collate_subtokens(cut)
    added = batch.ids[batch.pooled][batch.sources] * batch.weights
    found = np.bincount(batch.targets, added, len(cut) * batch.shape[1]).reshape(batch.shape)
    for row, (ids, targets, counts), sentence in zip(found, flat, cut, strict=True):
        edges = list(zip(ids, targets, counts, strict=True))
        for token in range(sentence.tokens):
            own = [id_ for id_, first, count in edges if first <= token < first + count]
            assert row[token] == pytest.approx(float(np.mean(own)), rel=1e-5)
        assert not row[sentence.tokens :].any()
    assert list(accumulate(batch.lengths, min)) == list(batch.lengths)

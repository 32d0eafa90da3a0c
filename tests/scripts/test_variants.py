"""scripts/shipping/variants.py: the copies say of their tokens what the sentences said."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from ner_lstm_crf.text.annotation import Sentence
from shipping.variants import CHINESE, LATIN, chinese_variants, english_variants

COMPANIES = (*CHINESE["companies"], *LATIN["organizations"])


@pytest.fixture
def sentences() -> list[Sentence]:
    """480 Chinese sentences, half of them with a person."""
    person = Sentence.from_words("昨天李明在巴黎。", [(2, 4, "PER"), (5, 7, "LOC")], joiner="")
    company = Sentence.from_words("东风在武汉。", [(0, 2, "ORG"), (3, 5, "LOC")], joiner="")
    return [person, company] * 240


def texts(sentence: Sentence, label: str) -> list[str]:
    return ["".join(sentence.words[span.start : span.end]) for span in sentence.spans if span.label == label]


def test_a_chinese_copy_has_the_entities_of_its_sentence_and_at_most_a_country_or_company_more(sentences):
    copies = chinese_variants(sentences)
    assert len(copies) == len(sentences) // 3
    for sentence, copy in zip(sentences[::3], copies, strict=True):
        before, after = (Counter(span.label for span in one.spans) for one in (sentence, copy))
        more = after - before
        assert not before - after
        countries = {*texts(copy, "LOC")} & {*CHINESE["countries"]}
        companies = {re.sub("公司|集团", "", one) for one in texts(copy, "ORG")} & {*COMPANIES}
        assert not more or (more == {"LOC": 1} and countries) or (more == {"ORG": 1} and companies)


def test_each_kind_of_chinese_copy_is_made(sentences):
    copies = chinese_variants(sentences)
    found = ["".join(copy.words) for copy in copies]
    assert any(name in LATIN["organizations"] for copy in copies for name in texts(copy, "ORG"))
    assert any(mark + "东风" in text for mark in CHINESE["marks"] for text in found)
    assert any("<b>武汉</b>" in text for text in found)
    assert any("李明" not in text and "昨天" in text for text in found)
    for kind in (CHINESE["titles"], CHINESE["posts"], LATIN["posts"]):
        behind = [copy for copy in copies if any(name + "李明" in "".join(copy.words) for name in kind)]
        assert behind
        assert all("李明" in texts(copy, "PER") for copy in behind)
    posts = "|".join([*CHINESE["posts"], *LATIN["posts"]])
    assert any(re.search(f"(?:{'|'.join(COMPANIES)})(?:公司|集团)?(?:{posts})李明", text) for text in found)


def test_what_is_drawn_depends_on_the_seed_alone(sentences):
    assert chinese_variants(sentences) == chinese_variants(sentences)
    assert chinese_variants(sentences) != chinese_variants(sentences, seed=2)


def test_of_ten_english_sentences_four_are_copied_in_another_case():
    sentence = Sentence.from_words(["Ada", "visited", "the", "Oslo", "eShop"], [(0, 1, "PER"), (3, 4, "LOC")])
    copies = english_variants([sentence] * 10 + [Sentence.from_words(["Nothing"])] * 10)
    lower, capitals = ["ada", "visited", "the", "oslo", "eshop"], ["ADA", "VISITED", "THE", "OSLO", "ESHOP"]
    assert [list(copy.words) for copy in copies] == [lower, lower, capitals, ["Ada", "Visited", "the", "Oslo", "EShop"]]
    assert all(copy.spans == sentence.spans for copy in copies)

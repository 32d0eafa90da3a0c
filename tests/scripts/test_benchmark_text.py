"""scripts/benchmark.py: that its made text is like real text; no test looks at how fast anything is."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from benchmarks.memory import write_text
from benchmarks.text import MadeText, read_corpus
from ner_lstm_crf.text.annotation import Sentence, Span


@pytest.fixture(scope="module")
def sentences() -> list[Sentence]:
    return list(MadeText(1).sentences(5000))


class TestMadeText:
    """Against the figures of uner-en_ewt: 16.3 tokens a sentence, half of them up to 14, ..."""

    def test_has_the_lengths_of_real_sentences(self, sentences):
        lengths = np.array([len(sentence.tokens) for sentence in sentences])
        assert 14.5 < lengths.mean() < 18
        assert 9 <= np.median(lengths) <= 15
        assert lengths.min() >= 1
        assert lengths.max() <= 160

    def test_has_words_by_zipfs_law(self, sentences):
        counts = Counter(word.lower() for sentence in sentences for word in sentence.words)
        shares = np.array([count for _, count in counts.most_common()]) / counts.total()
        assert 0.03 < shares[0] < 0.08
        assert 0.4 < shares[:100].sum() < 0.6
        assert 0.65 < shares[:1000].sum() < 0.8
        assert sum(count == 1 for count in counts.values()) > 0.4 * len(counts)

    def test_has_entities_as_often(self, sentences):
        spans = [span for sentence in sentences for span in sentence.spans]
        tokens = sum(len(sentence.tokens) for sentence in sentences)
        assert 0.03 < len(spans) / tokens < 0.04
        assert 1.35 < np.mean([span.end - span.start for span in spans]) < 1.6
        assert {span.label for span in spans} == {"PER", "LOC", "ORG"}

    def test_is_the_same_for_a_seed(self):
        assert list(MadeText(1).sentences(50)) == list(MadeText(1).sentences(50))
        assert list(MadeText(2).sentences(50)) != list(MadeText(1).sentences(50))

    def test_lines_have_the_size_asked_for_and_many_words(self, tmp_path):
        write_text(tmp_path / "text", 200_000, types=30_000)
        found = (tmp_path / "text").read_text(encoding="utf-8")
        assert abs((tmp_path / "text").stat().st_size - 200_000) <= 1
        assert len(set(found.split())) > 5000


def test_a_corpus_is_read_with_its_running_text(tmp_path):
    for part, word in (("train", "Rome"), ("dev", "Oslo"), ("test", "Turin")):
        lines = [
            f"# text = ({word}) ",
            *(f"{i}\t{w}\t{t}" for i, (w, t) in enumerate(zip(f"( {word} )".split(), "OBO", strict=True), 1)),
        ]
        found = "\n".join(lines).replace("\tB", "\tB-LOC")
        (tmp_path / f"{part}.iob2").write_text(found + "\n\n", encoding="utf-8")
    corpus = read_corpus(tmp_path)
    assert [sentence.words for sentence in corpus.train] == [["(", "Rome", ")"]]
    assert [sentence.spans for sentence in corpus.train] == [(Span(1, 2, "LOC"),)]
    assert list(corpus.texts) == ["(Turin)", "(Oslo)"]

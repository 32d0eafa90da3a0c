"""Scores of entities: the probability of each over all paths, whatever the batch, and what is done with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from ner_lstm_crf.config import Config, SchemeName
from ner_lstm_crf.features import batch
from ner_lstm_crf.model.inference import mean_head
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.tagging import predictor as module
from ner_lstm_crf.tagging.decoding import Decoding, best_spans, spans_of
from ner_lstm_crf.tagging.predictor import Chunk, Predictor
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.tags.scheme import SCHEMES
from ner_lstm_crf.tags.tag_set import TagSet
from ner_lstm_crf.text.annotation import Sentence, Span

Make = Callable[..., list[Sentence]]
SPANS = st.tuples(
    st.integers(0, 1), st.integers(0, 6), st.integers(1, 3), st.sampled_from([-0.5, 0.0, 0.25, 0.5, 0.75])
)


def random_model(sentences: list[Sentence], config: Config, *, heads: int = 1, temperature: float = 1.5) -> Model:
    """Networks of random weights that are large enough for tags to vary."""
    made = [Model.build(sentences, config.model, seed=seed + 1) for seed in range(heads)]
    for one in made:
        with torch.no_grad():
            one.networks[0].projection.weight.mul_(15)
            for weight in one.networks[0].head.parameters():
                weight.mul_(10)
        one.networks[0].eval()
    return replace(Model.ensemble(made), temperature=temperature)


@pytest.fixture(scope="module", params=["crf", "softmax", "two networks"])
def model(request: pytest.FixtureRequest, make_sentences: Make, tiny: Config) -> Model:
    config = replace(tiny, model=replace(tiny.model, head="softmax" if request.param == "softmax" else "crf"))
    return random_model(make_sentences(20), config, heads=2 if request.param == "two networks" else 1)


def probabilities(model: Model, words: list[str], pieces: list[tuple[int, int]] | None = None) -> dict[Span, float]:
    """The probability of each span, by the sum over all paths of each piece of a sentence."""
    one = model.networks[0].tensors(model.encode([Sentence.from_words(words)]).training_batch([0]))
    head, found = mean_head([network.head for network in model.networks]), dict[Span, float]()
    with torch.inference_mode():
        each = [network.emissions(network.embedding(one), one.lengths)[0].double() for network in model.networks]
        emissions = torch.stack(each).mean(0).numpy() / model.temperature
        start, transitions, end = (table.double().numpy() / model.temperature for table in head.scores())
    for first, stop in pieces or [(0, len(words))]:
        paths = list(product(range(len(model.tags)), repeat=stop - first))
        scores = [
            start[path[0]]
            + sum(emissions[first + t, tag] for t, tag in enumerate(path))
            + sum(transitions[pair] for pair in pairwise(path))
            + end[path[-1]]
            for path in paths
        ]
        weights = np.exp(np.array(scores) - np.logaddexp.reduce(scores))
        for path, weight in zip(paths, weights, strict=True):
            for begin, behind, label in model.tags.decode(np.array(path)).spans:
                span = Span(first + begin, first + behind, label)
                found[span] = found.get(span, 0.0) + weight
    return found


def test_scores_are_the_sums_over_all_paths(model: Model, make_sentences: Make) -> None:
    tagger, seen = Tagger(model), 0
    for sentence in make_sentences(12, seed=3):
        words = sentence.words[:4]
        (tagged,) = tagger.tag_sentences([Sentence.from_words(words)])
        expected = probabilities(model, words)
        assert tagged.scores == pytest.approx([expected[span] for span in tagged.spans], abs=1e-4)
        seen += len(tagged.spans)
    assert seen


@pytest.mark.parametrize("threshold", [0.05, 0.2, 0.5, 0.8])
def test_posterior_decoding_finds_the_best_set_of_spans(model: Model, make_sentences: Make, threshold: float) -> None:
    tagger = Tagger(model, decoding="posterior")
    for sentence in make_sentences(4, seed=4):
        words = sentence.words[:4]
        expected = probabilities(model, words)
        (tagged,) = tagger.tag_sentences([Sentence.from_words(words)], min_score=threshold)
        assert tagged.scores == pytest.approx([expected[span] for span in tagged.spans], abs=1e-4)
        gains = {span: probability - threshold for span, probability in expected.items() if probability > threshold}
        best = max(sum(gains[span] for span in chosen) for chosen in without_overlap(sorted(gains)))
        assert sum(gains.get(span, -1.0) for span in tagged.spans) == pytest.approx(best, abs=1e-3)


def without_overlap(spans: list[Span]) -> Iterator[tuple[Span, ...]]:
    """Every set of these spans without overlap."""
    if not spans:
        yield ()
        return
    first, *others = spans
    yield from without_overlap(others)
    for chosen in without_overlap([span for span in others if span.start >= first.end or span.end <= first.start]):
        yield (first, *chosen)


def test_scores_of_pieces_are_those_within_the_piece(
    make_sentences: Make, tiny: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = random_model(make_sentences(20), tiny)
    words = ["Anna", "Okafor", "met", "in", "Oslo", "Boris"]
    chunk, seen = Chunk([0, 1], words[:3] + words, [3, 6], [(5, 6)]), 0
    for method in ("viterbi", "posterior"):
        whole, cut = Predictor(model).decode(chunk, Decoding(method, threshold=0.2))  # type: ignore[arg-type]
        for found, expected in (
            (whole, probabilities(model, words[:3])),
            (cut, probabilities(model, words, [(0, 2), (3, 6)])),
        ):
            assert found.scores == pytest.approx([expected[span] for span in found.spans], abs=1e-4)
            seen += len(found.spans)
    assert seen
    monkeypatch.setattr(batch, "MOST_TOKENS", 4)
    (windowed,) = Tagger(model).tag_sentences([Sentence.from_words(words)])
    assert len(windowed.scores) == len(windowed.spans)
    assert all(0 <= score <= 1 for score in windowed.scores)


@settings(deadline=None, max_examples=30)
@given(texts=st.lists(st.lists(st.sampled_from(["Anna", "met", "Oslo.", "in", "<b>", "Q7"]), max_size=9), max_size=5))
def test_least_scores_choose_among_the_entities_and_company_changes_nothing(
    model: Model, texts: list[list[str]]
) -> None:
    joined = [" ".join(words) for words in texts]
    for decoding in ("viterbi", "posterior"):
        tagger = Tagger(model, decoding=decoding)  # type: ignore[arg-type]
        together = list(tagger.tag_many(joined))
        assert together == [tagger.tag(text) for text in joined]
        pairs = [
            (one, other)
            for text, found in zip(joined, together, strict=True)
            for one, other in zip(found, tagger.tag(text), strict=True)
        ]
        assert all(
            round(one.score or 0, 3) == pytest.approx(round(other.score or 0, 3), abs=0.0011) for one, other in pairs
        )
        for least in (0.5, 0.7, 0.95):
            expected = [[one for one in found if (one.score or 0) >= least] for found in together]
            assert list(tagger.tag_many(joined, min_score=least)) == expected


def test_portions_and_sentences_keep_scores(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK_TOKENS", 40)
    tagger, text = Tagger(model), "Anna Okafor met Boris in Oslo. Emil met Clara in Quito.\n" * 20
    entities = tagger.tag(text)
    assert entities
    scores = [entity.score for entity in entities]
    portions = list(tagger.tag_portions([text]))
    assert [one.score for portion in portions for one in portion.entities()] == pytest.approx(scores, abs=1e-5)
    in_sentences = [score for portion in portions for one in portion.sentences() for score in one.scores]
    assert in_sentences == pytest.approx(scores, abs=1e-5)


def test_what_html_writes_out_is_read_in_a_text_to_tag() -> None:
    text = "Angela&nbsp;Merkel visited New&nbsp;York. He works at AT&amp;T in Rome."
    assert [entity.text for entity in Tagger.load("en").tag(text)][:2] == ["Angela&nbsp;Merkel", "New&nbsp;York"]
    assert [entity.text for entity in Tagger.load("zh").tag("&quot;王小明&quot;从北京来。")] == ["王小明", "北京"]


def test_a_least_score_may_be_a_number_of_numpy(model: Model) -> None:
    tagger = Tagger(model)
    assert tagger.tag("Anna", min_score=np.float32(0.25)) == tagger.tag("Anna", min_score=0.25)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), True, "0.5", np.float64(2)])
def test_a_least_score_that_is_no_probability_is_refused(model: Model, value: float) -> None:
    tagger = Tagger(model)
    for call in (
        lambda: tagger.tag("Anna", min_score=value),
        lambda: tagger.tag_many(["Anna"], min_score=value),
        lambda: tagger.tag_portions(["Anna"], min_score=value),
        lambda: tagger.tag_tokens(["Anna"], min_score=value),
        lambda: list(tagger.tag_sentences([Sentence.from_words(["Anna"])], min_score=value)),
    ):
        with pytest.raises(ValueError, match="expected a probability from 0 to 1 as min_score"):
            call()
    with pytest.raises(ValueError, match=r"expected a decoding \(viterbi, posterior\), got 'beam'"):
        Tagger(model, decoding="beam")  # type: ignore[arg-type]


def test_temperature_changes_scores_and_not_the_best_path(make_sentences: Make, tiny: Config) -> None:
    model = random_model(make_sentences(20), tiny, temperature=1.0)
    sentences = make_sentences(30, seed=9)
    tagged = {t: list(Tagger(replace(model, temperature=t)).tag_sentences(sentences)) for t in (0.5, 1.0, 50.0)}
    assert tagged[0.5] == tagged[1.0] == tagged[50.0]
    means = {t: np.mean([score for one in of_t for score in one.scores]) for t, of_t in tagged.items()}
    assert means[0.5] > means[1.0] > means[50.0]


@given(rows=st.lists(SPANS, max_size=9))
def test_the_best_spans_weigh_most(rows: list[tuple[int, int, int, float]]) -> None:
    spans = np.array([(sentence, start, start + size, 0) for sentence, start, size, _ in rows], np.int64).reshape(-1, 4)
    weights = np.array([weight for *_, weight in rows], np.float64)
    best = 0.0
    for chosen in product([False, True], repeat=len(rows)):
        picked = np.flatnonzero(chosen)
        if not overlap(spans[picked]):
            best = max(best, weights[picked].sum())
    found = best_spans(spans, weights)
    assert not overlap(spans[found])
    assert weights[found].sum() == pytest.approx(best)
    assert (weights[found] > 0).all()


def overlap(spans: np.ndarray) -> bool:
    """True if two of the spans have a token in common."""
    tokens = [(sentence, token) for sentence, start, end, _ in spans.tolist() for token in range(start, end)]
    return len(set(tokens)) < len(tokens)


@given(data=st.data(), scheme=st.sampled_from(sorted(SCHEMES)))
def test_spans_of_paths_are_those_that_the_scheme_reads(data: st.DataObject, scheme: SchemeName) -> None:
    tags = TagSet(SCHEMES[scheme], ["LOC", "PER"])
    row = st.lists(st.integers(0, len(tags) - 1), min_size=5, max_size=5)
    paths = np.array(data.draw(st.lists(row, min_size=1, max_size=4)), np.int64)
    expected = [
        (number, span.start, span.end, tags.labels.index(span.label))
        for number, path in enumerate(paths)
        for span in tags.decode(path).spans
    ]
    assert [tuple(one) for one in spans_of(paths, tags.label_numbers(), tags.events()).tolist()] == expected

"""Prediction: what the network says of each sentence by itself, whatever the batches, the threads and the company."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch
from hypothesis import given, strategies as st

from ner_lstm_crf.config import Config, SchemeName
from ner_lstm_crf.features import batch
from ner_lstm_crf.features.batch import Batch
from ner_lstm_crf.model.inference import InferenceNetwork, mean_head
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.tagging import predictor as module
from ner_lstm_crf.tagging.decoding import Decoding
from ner_lstm_crf.tagging.predictor import Chunk, Predictor, chunks, predict
from ner_lstm_crf.tags.scheme import DecodedTags
from ner_lstm_crf.text.annotation import Sentence, Span

Make = Callable[..., list[Sentence]]
THREADS = pytest.mark.parametrize("threads", [1, 2, 3])


@pytest.fixture(scope="module", params=["crf", "softmax", "two networks"])
def model(request: pytest.FixtureRequest, make_sentences: Make, tiny: Config) -> Model:
    """Networks of random weights large enough that tags vary, and with a softmax break the scheme."""
    head = "softmax" if request.param == "softmax" else "crf"
    seeds = [1, 2] if request.param == "two networks" else [1]
    made = [Model.build(make_sentences(20), replace(tiny.model, head=head), seed=seed) for seed in seeds]
    with torch.no_grad():
        for one in made:
            one.networks[0].projection.weight.mul_(30)
    for one in made:
        one.networks[0].eval()
    return made[0] if len(made) == 1 else Model.ensemble(made)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Chunks and batches so small that there are many; torch's threads as before."""
    monkeypatch.setattr(module, "CHUNK_TOKENS", 40)
    monkeypatch.setattr(module, "BATCH_TOKENS", 16)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def one_by_one(model: Model, sentences: list[list[str]]) -> list[DecodedTags]:
    """The plain path: each sentence by itself through the whole networks."""
    head, found = mean_head([network.head for network in model.networks]), []
    for words in sentences:
        if not words:
            found.append(DecodedTags(()))
            continue
        best = head.decode(emissions_of(model, words)[None], torch.tensor([len(words)]))
        found.append(model.tags.decode(best.numpy()[0]))
    return found


def emissions_of(model: Model, words: list[str]) -> torch.Tensor:
    """The mean emissions (T, K) of one sentence that is read as a whole."""
    one = model.encode([Sentence.from_words(words)]).training_batch([0])
    with torch.inference_mode():
        batch = model.networks[0].tensors(one)
        each = [network.emissions(network.embedding(batch), batch.lengths)[0] for network in model.networks]
        return torch.stack(each).mean(0)


def decode_all(predictor: Predictor, sentences: list[list[str]]) -> list[DecodedTags]:
    """The spans of sentences, given as their words, chunk by chunk."""
    items = ((number, words, [len(words)], ()) for number, words in enumerate(sentences))
    return [decoded for _, of_chunk in predictor.stream(chunks(items)) for decoded in of_chunk]


def workers() -> int:
    return sum(thread.name.startswith("ner-lstm-crf") for thread in threading.enumerate())


def sentences_of(make_sentences: Make, count: int = 60) -> list[list[str]]:
    made = [sentence.words for sentence in make_sentences(count, seed=5)]
    return [[], *made[:30], ["very"] * 50, [], *made[30:], []]


@pytest.mark.parametrize("decoding", [Decoding(), Decoding(scored=False), Decoding("posterior", threshold=0.2)])
def test_a_sentence_alone_is_decoded_as_in_a_chunk(model: Model, make_sentences: Make, decoding: Decoding) -> None:
    predictor, sentences = Predictor(model), [words for words in sentences_of(make_sentences) if words]
    items = ((None, words, [len(words)], ()) for words in sentences)
    in_chunks = [one for _, found in predictor.stream(chunks(items), decoding) for one in found]
    for words, expected in zip(sentences, in_chunks, strict=True):
        (alone,) = predictor.decode(Chunk([], words, [len(words)]), decoding)
        assert alone[:2] == expected[:2]
        assert alone.scores == pytest.approx(expected.scores, abs=1e-5)  # the last digits depend on the padding
    assert any(one.scores for one in in_chunks) == (decoding.scored or decoding.method == "posterior")


@THREADS
def test_spans_are_those_of_each_sentence_by_itself(model: Model, make_sentences: Make, threads: int) -> None:
    torch.set_num_threads(threads)
    sentences = sentences_of(make_sentences)
    expected = one_by_one(model, sentences)
    assert decode_all(Predictor(model), sentences) == expected
    assert any(decoded.spans for decoded in expected)
    assert any(decoded.ill_formed for decoded in expected) == (model.config.head == "softmax")
    assert predict(model, model.encode(list(map(Sentence.from_words, sentences)))) == expected
    assert predict(model, model.encode([])) == []
    assert workers() == 0
    assert torch.get_num_threads() == threads


Words = st.lists(st.lists(st.sampled_from(["Anna", "met", "Oslo", "in", "", "Q7"]), max_size=9), max_size=8)


@given(sentences=Words)
def test_a_chunk_by_itself_is_the_same(model: Model, sentences: list[list[str]]) -> None:
    chunk = Chunk(list(sentences), [word for words in sentences for word in words], [len(words) for words in sentences])
    assert Predictor(model).decode(chunk) == one_by_one(model, sentences)


def test_chunks_are_cut_where_they_are_full_and_nothing_is_lost() -> None:
    lengths = [3, 0, 50, 20, 17, 1] + [0] * 90
    items = [(number, [f"w{number}"] * length, [length], ()) for number, length in enumerate(lengths)]
    cut = list(chunks(items))
    assert [chunk.items for chunk in cut[:3]] == [[0, 1, 2], [3, 4, 5], list(range(6, 46))]
    assert [item for chunk in cut for item in chunk.items] == list(range(96))
    assert [word for chunk in cut for word in chunk.words] == [word for _, words, *_ in items for word in words]
    assert [length for chunk in cut for length in chunk.lengths] == lengths
    assert list(chunks([])) == []


@THREADS
def test_chunks_come_in_order_and_few_are_read_ahead(model: Model, threads: int) -> None:
    torch.set_num_threads(threads)
    read = 0

    def endless() -> Iterator[Chunk[int]]:
        nonlocal read
        while True:
            read += 1
            yield Chunk([read], ["Anna", "met", "Oslo"] * (read % 5), [3] * (read % 5))

    stream = Predictor(model).stream(endless())
    for number in range(1, 30):
        chunk, found = next(stream)
        assert chunk.items == [number]
        assert len(found) == number % 5
        assert read <= number + 1
    assert 0 < workers() <= threads if threads > 1 else workers() == 0
    assert torch.get_num_threads() == threads  # here, whatever the workers have
    stream.close()
    assert workers() == 0
    assert torch.get_num_threads() == threads


@THREADS
@pytest.mark.parametrize("where", ["source", "network"])
def test_errors_come_out_and_threads_end(
    model: Model, threads: int, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(threads)
    predictor = Predictor(model)

    def source() -> Iterator[Chunk[int]]:
        for number in range(6):
            if number == 4 and where == "source":
                raise OSError("the disk is gone")
            yield Chunk([number], ["Anna"] * (20 if number == 4 else 3), [20 if number == 4 else 3])

    original = predictor._engine.emissions

    def broken(vectors: list[torch.Tensor], given: Batch) -> torch.Tensor:
        if where == "network" and given.tokens.shape[1] == 20:
            raise OSError("the disk is gone")
        return original(vectors, given)

    monkeypatch.setattr(predictor._engine, "emissions", broken)
    seen: list[object] = []
    with pytest.raises(OSError, match="the disk is gone"):
        seen.extend(predictor.stream(source()))
    assert 3 <= len(seen) <= 4
    assert workers() == 0


def test_training_mode_comes_back_and_weights_are_followed(model: Model, make_sentences: Make) -> None:
    encoded, network = model.encode(make_sentences(10)), model.networks[0]
    words = [sentence.words for sentence in make_sentences(10)]
    predictor = Predictor(model)
    network.train()
    predict(model, encoded)
    assert network.training
    before = decode_all(predictor, words)  # puts it into evaluation mode
    assert not network.training
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with torch.no_grad():
        network.embedding.tables["word"].trainable.neg_()
    assert decode_all(predictor, words) == one_by_one(model, words) != before
    network.load_state_dict(state)
    assert decode_all(predictor, words) == before


def test_a_predictor_can_be_pickled(model: Model, make_sentences: Make) -> None:
    words = [sentence.words for sentence in make_sentences(10)]
    predictor = Predictor(model)
    expected = decode_all(predictor, words)
    assert decode_all(pickle.loads(pickle.dumps(predictor)), words) == expected


def test_word_types_that_encoded_sentences_refer_to_are_never_cleared(
    model: Model, make_sentences: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CACHED_TYPES", 1)
    encoded, words = model.encode(make_sentences(20)), [sentence.words for sentence in make_sentences(20)]
    generation, expected = encoded.word_types.generation, decode_all(Predictor(model), words)
    assert decode_all(Predictor(model, word_types=encoded.word_types), words) == expected
    assert encoded.word_types.generation == generation
    assert predict(model, encoded) == expected


def stitched(model: Model, words: list[str], most: int, pieces: list[tuple[int, int]]) -> DecodedTags:
    """The plain path of a long sentence: each token's emissions come from the window that it is most inside of."""
    head, shared = mean_head([network.head for network in model.networks]), most // 4
    starts = [*range(0, len(words) - most, most - shared), max(len(words) - most, 0)]
    rows, margins = [torch.empty(0)] * len(words), [-1.0] * len(words)
    for start in starts:
        window = words[start : start + most]
        emissions = emissions_of(model, window)
        for offset in range(len(window)):
            at = start + offset
            left = offset + 0.5 if start else len(words)
            right = len(window) - offset - 0.5 if start + most < len(words) else len(words)
            if min(left, right) > margins[at]:
                rows[at], margins[at] = emissions[offset], min(left, right)
    spans, ill_formed = list[Span](), list[int]()
    for start, end in pieces:
        best = head.decode(torch.stack(rows[start:end])[None], torch.tensor([end - start]))
        decoded = model.tags.decode(best.numpy()[0])
        spans += [Span(start + span.start, start + span.end, span.label) for span in decoded.spans]
        ill_formed += [start + token for token in decoded.ill_formed]
    return DecodedTags(tuple(spans), tuple(ill_formed))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("length", [8, 9, 15, 40])
def test_a_long_sentence_is_read_in_windows_and_decoded_as_a_whole(
    model: Model, make_sentences: Make, threads: int, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(threads)
    words = [word for sentence in make_sentences(60, seed=8) for word in sentence.words][:length]
    short = [sentence.words for sentence in make_sentences(10, seed=5) if len(sentence.words) <= 8]
    expected = [*one_by_one(model, short), stitched(model, words, 8, [(0, length)]), *one_by_one(model, short)]
    seen = 0
    original = InferenceNetwork.emissions

    def watched(network: InferenceNetwork, vectors: list[torch.Tensor], given: Batch) -> torch.Tensor:
        nonlocal seen
        seen = max(seen, int(given.lengths.max()))
        return original(network, vectors, given)

    monkeypatch.setattr(batch, "MOST_TOKENS", 8)
    monkeypatch.setattr(InferenceNetwork, "emissions", watched)
    sentences = [*short, words, *short]
    assert decode_all(Predictor(model), sentences) == expected
    assert predict(model, model.encode(list(map(Sentence.from_words, sentences)))) == expected
    assert 0 < seen <= 8


def test_no_entity_holds_a_barrier(model: Model, make_sentences: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "MOST_TOKENS", 16)
    words = [word for sentence in make_sentences(60, seed=8) for word in sentence.words][:30]
    chunk = Chunk(
        [0, 1, 2], words * 2 + words[:5], [30, 30, 5], [(3, 3), (6, 8), (7, 10), (29, 30), (62, 62), (65, 65)]
    )
    first, second, third = Predictor(model).decode(chunk)
    assert first == stitched(model, words, 16, [(0, 3), (3, 6), (10, 29)])
    assert second == stitched(model, words, 16, [(0, 30)])
    assert third == stitched(model, words[:5], 16, [(0, 2), (2, 5)])
    assert first != second


@pytest.mark.parametrize("scheme", ["IO", "IOB1", "BIOES"])
def test_entities_on_both_sides_of_a_barrier_stay_two(make_sentences: Make, tiny: Config, scheme: SchemeName) -> None:
    model = Model.build(make_sentences(20), replace(tiny.model, scheme=scheme))
    with torch.no_grad():
        model.networks[0].projection.weight.zero_()
        model.networks[0].projection.bias[:] = torch.tensor([tag.endswith("PER") for tag in model.tags.names]) * 9
    for network in model.networks:
        network.eval()
    words = ["Anna", "Boris", "Clara", "met"]
    whole, cut = Predictor(model).decode(Chunk([0, 1], words * 2, [4, 4], [(6, 6), (7, 8)]))
    assert scheme != "IO" or whole.spans == (Span(0, 4, "PER"),)
    assert not any(span.start < 2 < span.end for span in cut.spans)
    assert max(span.end for span in cut.spans) == 3
    assert not cut.ill_formed

"""The probability of spans: the sum over all paths that read back with the span, whatever the scheme and the scores."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from itertools import product

import pytest
import torch
import torch_struct
from hypothesis import given, settings, strategies as st
from torch import Tensor

from ner_lstm_crf.crf import FORBIDDEN, spans as module
from ner_lstm_crf.model import crf
from ner_lstm_crf.model.heads import CrfHead, Head, SoftmaxHead
from ner_lstm_crf.tags import scheme as schemes
from ner_lstm_crf.tags.scheme import SCHEMES
from ner_lstm_crf.tags.tag_set import TagSet
from tests.crf_paths import PATHS, TYPES, Path, crf_compiled, crf_portable, drawn, score

LABELS = ("PER", "LOC", "ORG", "MISC")
SCALES = st.sampled_from([0.0, 0.3, 2.0, 10.0, 300.0, 1e4])
SEEDS = st.integers(0, 10**6)


@cache
def tag_set(scheme: str, labels: int) -> TagSet:
    return TagSet(SCHEMES[scheme], LABELS[:labels])


def reading(tags: TagSet) -> tuple[Tensor, Tensor]:
    """Label numbers (K,) and events (K, K)."""
    return torch.from_numpy(tags.label_numbers()), torch.from_numpy(tags.events())


@cache
def spans_of_paths(scheme: str, labels: int, length: int) -> list[tuple[tuple[int, ...], list[tuple[int, int, int]]]]:
    """Every path of that length, and the spans that it reads back as: start, end, label number."""
    tags = tag_set(scheme, labels)
    found = []
    for path in product(range(len(tags)), repeat=length):
        decoded = tags.scheme.decode([tags.names[tag] for tag in path]).spans
        found.append((path, [(span.start, span.end, LABELS.index(span.label)) for span in decoded]))
    return found


def by_enumeration(
    scheme: str, labels: int, emissions: Tensor, lengths: Tensor, tables: tuple[Tensor, Tensor, Tensor]
) -> dict[tuple[int, int, int, int], float]:
    """The probability of each span (sentence, start, end, label) that some path has."""
    found: dict[tuple[int, int, int, int], float] = defaultdict(float)
    for sentence, length in enumerate(lengths.tolist()):
        paths = spans_of_paths(scheme, labels, length)
        scores = torch.stack([score(emissions[sentence, :length], torch.tensor(path), tables) for path, _ in paths])
        for (_, spans), probability in zip(paths, scores.softmax(0).tolist(), strict=True):
            for span in spans:
                found[sentence, *span] += probability
    return found


def every_span(lengths: Tensor, labels: int) -> Tensor:
    """Every span of every sentence with every label (P, 4)."""
    return torch.tensor(
        [
            (sentence, start, end, label)
            for sentence, length in enumerate(lengths.tolist())
            for start in range(length)
            for end in range(start + 1, length + 1)
            for label in range(labels)
        ]
    )


def head_of(tags: TagSet, kind: str, scale: float) -> Head:
    if kind == "softmax":
        return SoftmaxHead(len(tags))
    head = CrfHead(*map(torch.from_numpy, tags.allowed_transitions()))
    with torch.no_grad():
        for scores in head.parameters():
            scores.normal_(std=scale)
    return head


@PATHS
@TYPES
@pytest.mark.parametrize("kind", ["crf", "softmax"])
@pytest.mark.parametrize("scheme", SCHEMES)
@settings(max_examples=4)
@given(seed=SEEDS, scale=SCALES, longest=st.integers(1, 5), labels=st.integers(1, 4), least=st.floats(0.001, 1))
def test_a_span_has_the_probability_of_all_paths_that_read_back_with_it(
    scheme: str,
    kind: str,
    dtype: torch.dtype,
    path: Path,
    seed: int,
    scale: float,
    longest: int,
    labels: int,
    least: float,
) -> None:
    labels = min(labels, {"IO": 4, "IOB2": 2, "IOB1": 2, "IOE1": 2, "IOE2": 2}.get(scheme, 1))  # at most five tags
    tags = tag_set(scheme, labels)
    emissions, _, lengths, _ = drawn(seed, 3, longest, len(tags), scale=scale)
    emissions = emissions.to(dtype).masked_fill(~crf.token_mask(lengths, longest).unsqueeze(2), torch.nan)
    torch.manual_seed(seed)
    head = head_of(tags, kind, scale).to(dtype)
    start, transitions, end = (table.detach().double() for table in head.scores())
    expected = by_enumeration(scheme, labels, emissions.double(), lengths, (start, transitions, end))

    spans = every_span(lengths, labels)
    arguments = emissions, lengths, *head.scores()
    found = path.span_probabilities(*arguments, spans, *reading(tags))
    probable, probabilities = path.probable_spans(*arguments, *reading(tags), least)

    wanted = torch.tensor([expected[tuple(span)] for span in spans.tolist()], dtype=torch.float64)
    slack = 1e-5 if dtype == torch.float32 else 1e-9
    torch.testing.assert_close(found.double(), wanted, rtol=0, atol=slack)
    assert ((found >= 0) & (found <= 1)).all()
    for sentence, position in product(range(3), range(longest)):  # spans that cover one token exclude each other
        covering = (spans[:, 0] == sentence) & (spans[:, 1] <= position) & (position < spans[:, 2])
        assert found[covering].sum() <= 1 + 1e-5
    # Those that are probable are among them, and no other is.
    assert probable.tolist() == sorted(probable.tolist())
    assert probable.unique(dim=0).shape == probable.shape
    chosen = {tuple(span): value for span, value in zip(probable.tolist(), probabilities.tolist(), strict=True)}
    for span, value in zip(map(tuple, spans.tolist()), wanted.tolist(), strict=True):
        if span in chosen:
            assert chosen.pop(span) == pytest.approx(value, abs=slack)
            assert value >= least - slack
        else:
            assert value < least + slack
    assert not chosen


@settings(max_examples=60)
@given(
    seed=SEEDS,
    sentences=st.integers(1, 6),
    tokens=st.integers(1, 30),
    tags=st.integers(1, 30),
    scale=SCALES,
    forbidden=st.sampled_from([0.0, 0.5, 0.95]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_kernels_agree_with_plain_numpy_for_any_scores_and_any_reading(
    seed: int, sentences: int, tokens: int, tags: int, scale: float, forbidden: float, dtype: torch.dtype
) -> None:
    emissions, _, lengths, tables = drawn(seed, sentences, tokens, tags, scale=scale, forbidden=forbidden)
    emissions, tables = emissions.to(dtype), tuple(table.to(dtype) for table in tables)
    random = torch.Generator().manual_seed(seed)
    labels = torch.randint(-1, tags, (tags,), generator=random)
    events = torch.randint(0, 8, (tags, tags), generator=random) * (torch.rand(tags, tags, generator=random) < 0.5)
    spans = every_span(lengths, tags)
    spans = spans[torch.randint(len(spans), (40,), generator=random)]  # in no order
    exact = emissions.double(), lengths, *(table.double() for table in tables)
    slack = {"rtol": 0, "atol": 2e-5 if dtype == torch.float32 else 1e-9}

    found = crf_compiled.span_probabilities(emissions, lengths, *tables, spans, labels, events)
    expected = crf_portable.span_probabilities(*exact, spans, labels, events)
    torch.testing.assert_close(found.double(), expected, **slack)
    probable, probabilities = crf_compiled.probable_spans(emissions, lengths, *tables, labels, events, 0.01)
    assert (probabilities >= 0.01).all()
    again = crf_portable.span_probabilities(*exact, probable, labels, events)
    torch.testing.assert_close(probabilities.double(), again, **slack)
    surely, _ = crf_portable.probable_spans(*exact, labels, events, 0.01 + 2e-5)
    assert {tuple(span) for span in surely.tolist()} <= {tuple(span) for span in probable.tolist()}


@pytest.mark.parametrize("scale", [1.0, 50.0])
def test_two_thousand_tokens_lose_no_digits(scale: float) -> None:
    tags = tag_set("BIOES", 2)
    emissions, _, lengths, tables = drawn(4, 2, 2000, len(tags), scale=scale)
    allowed = tags.allowed_transitions()
    for table, permitted in zip(tables, allowed, strict=True):
        table.clamp_(-3, 3)[~torch.from_numpy(permitted)] = FORBIDDEN
    emissions[0, 100:1900] += 8 * scale * torch.eye(len(tags), dtype=torch.float64)[2]  # one entity of 1,800 tokens
    narrow = emissions.float(), lengths, *(table.float() for table in tables)
    exact = narrow[0].double(), lengths, *(table.double() for table in narrow[2:])
    spans, expected = crf_portable.probable_spans(*exact, *reading(tags), 0.05)
    assert (spans[:, 2] - spans[:, 1]).max() >= 1800
    found = crf_compiled.span_probabilities(*narrow, spans, *reading(tags))
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=2e-5)
    found = crf_compiled.span_probabilities(*exact, spans, *reading(tags))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)


@PATHS
def test_more_probable_spans_than_there_are_tokens_are_all_found(path: Path) -> None:
    tags = tag_set("IOB2", 2)
    lengths = torch.tensor([20, 1, 9])
    emissions = torch.zeros(3, 20, len(tags))
    emissions[:, :, 2] = emissions[:, :, 4] = 3.0  # the tags I: long spans are as probable as short ones
    tables = torch.zeros(5), torch.zeros(5, 5), torch.zeros(5)
    spans, probabilities = path.probable_spans(emissions, lengths, *tables, *reading(tags), 1e-9)
    assert len(spans) > 2 * 20 * 3
    assert spans.tolist() == every_span(lengths, 2).tolist()
    expected = path.span_probabilities(emissions, lengths, *tables, spans, *reading(tags))
    torch.testing.assert_close(probabilities, expected)


@PATHS
def test_no_spans_have_no_probabilities(path: Path) -> None:
    tags = tag_set("IOB2", 1)
    arguments = torch.zeros(2, 3, 3), torch.tensor([3, 1]), torch.zeros(3), torch.zeros(3, 3), torch.zeros(3)
    assert path.span_probabilities(*arguments, torch.empty(0, 4, dtype=torch.int64), *reading(tags)).shape == (0,)
    certain = arguments[0].clone()
    certain[:, :, 0] = 1e3
    spans, probabilities = path.probable_spans(certain, *arguments[1:], *reading(tags), 0.1)
    assert (spans.shape, spans.dtype, probabilities.shape) == ((0, 4), torch.int64, (0,))


def test_results_depend_neither_on_threads_nor_on_the_rest_of_the_batch() -> None:
    tags = tag_set("BIOES", 4)
    emissions, _, lengths, tables = drawn(7, 40, 60, len(tags), scale=3)
    threads, results = torch.get_num_threads(), []
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            spans, probable = crf_compiled.probable_spans(emissions, lengths, *tables, *reading(tags), 0.05)
            given_spans = crf_compiled.span_probabilities(emissions, lengths, *tables, spans.flip(0), *reading(tags))
            results.append((spans, probable, given_spans.flip(0)))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))
    spans, probable, given_spans = results[0]
    assert torch.equal(probable, given_spans)
    for number, length in enumerate(lengths.tolist()):
        alone = emissions[number : number + 1, :length], lengths[number : number + 1], *tables
        found, probabilities = crf_compiled.probable_spans(*alone, *reading(tags), 0.05)
        ours = spans[:, 0] == number
        assert torch.equal(found[:, 1:], spans[ours, 1:])
        assert torch.equal(probabilities, probable[ours])


@pytest.mark.parametrize("broken", [torch.nan, torch.inf])
def test_scores_that_are_no_numbers_harm_no_other_sentence(broken: float) -> None:
    tags = tag_set("IOB2", 2)
    emissions, _, lengths, tables = drawn(9, 3, 6, len(tags))
    spans = every_span(lengths, 2)
    expected = crf_compiled.span_probabilities(emissions, lengths, *tables, spans, *reading(tags))
    emissions[1, 0, 2] = broken
    found = crf_compiled.span_probabilities(emissions, lengths, *tables, spans, *reading(tags))
    other = spans[:, 0] != 1
    assert torch.equal(found[other], expected[other])
    assert found[(spans[:, 0] == 1) & (spans[:, 1] == 0)].isnan().all()
    probable, _ = crf_compiled.probable_spans(emissions, lengths, *tables, *reading(tags), 0.01)
    assert {0, 2} <= set(probable[:, 0].tolist())


def test_tensors_of_any_layout_are_read_where_they_lie() -> None:
    tags = tag_set("BIEO", 1)
    emissions, _, lengths, tables = drawn(6, 4, 6, len(tags))
    labels, events = reading(tags)
    spans = every_span(lengths, 1)
    expected = crf_compiled.span_probabilities(emissions, lengths, *tables, spans, labels, events)
    by_tag = emissions.permute(2, 0, 1).contiguous().permute(1, 2, 0)
    strided = torch.stack([labels, torch.full_like(labels, 99)], 1)[:, 0]
    columns, transposed = spans.T.contiguous().T, events.T.contiguous().T
    found = crf_compiled.span_probabilities(by_tag, lengths, *tables, columns, strided, transposed)
    assert torch.equal(found, expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spans": [[0, 0, 4, 0]]}, "spans .* within their sentences"),
        ({"spans": [[1, 0, 3, 0]]}, "spans .* within their sentences"),  # of two tokens
        ({"spans": [[0, 1, 1, 0]]}, "spans .* within their sentences"),
        ({"spans": [[0, -1, 1, 0]]}, "spans .* within their sentences"),
        ({"spans": [[2, 0, 1, 0]]}, "spans .* within their sentences"),
        ({"spans": [[-1, 0, 1, 0]]}, "spans .* within their sentences"),
        ({"spans": [[0, 0, 1, -1]]}, "spans .* within their sentences"),
        ({"spans": [[0, 0, 1, 3]]}, "spans .* within their sentences"),
        ({"spans": [[0, 0, 1]]}, r"spans of shape \(P, 4\) and type int64, got \(1, 3\)"),
        ({"spans": [[0.0, 0.0, 1.0, 0.0]]}, r"spans of shape \(P, 4\) and type int64, got \(1, 4\) float"),
        ({"labels": [-1, 0, 3]}, "label numbers from -1 to 2"),
        ({"labels": [-2, 0, 0]}, "label numbers from -1 to 2"),
        ({"labels": [-1, 0]}, r"labels of shape \(3,\)"),
        ({"events": [[0, 2, 2]]}, r"events of shape \(3, 3\)"),
        ({"lengths": [3, 4]}, "lengths from 1 to 3"),
    ],
)
@PATHS
def test_what_does_not_fit_is_said(path: Path, change: dict[str, list[int]], message: str) -> None:
    labels, events = reading(tag_set("IOB2", 1))
    arguments = {
        "emissions": torch.zeros(2, 3, 3),
        "lengths": torch.tensor([3, 2]),
        "start": torch.zeros(3),
        "transitions": torch.zeros(3, 3),
        "end": torch.zeros(3),
        "spans": torch.tensor([[0, 0, 1, 0]]),
        "labels": labels,
        "events": events,
    } | {name: torch.tensor(value) for name, value in change.items()}
    with pytest.raises(ValueError, match=message):
        path.span_probabilities(*arguments.values())
    if "spans" not in change:
        del arguments["spans"]
        with pytest.raises(ValueError, match=message):
            path.probable_spans(*arguments.values(), 0.5)


@pytest.mark.parametrize("least", [0, -0.5, 1.5, float("nan")])
@PATHS
def test_the_least_probability_is_one(path: Path, least: float) -> None:
    zeros = torch.zeros(3)
    with pytest.raises(ValueError, match="a least probability above 0 and at most 1"):
        path.probable_spans(
            zeros.expand(2, 3, 3),
            torch.tensor([3, 2]),
            zeros,
            torch.zeros(3, 3),
            zeros,
            *reading(tag_set("IO", 2)),
            least,
        )


def test_events_have_the_numbers_of_the_scheme() -> None:
    assert (module.CLOSES, module.OPENS) == (schemes.CLOSES, schemes.OPENS)


@pytest.mark.filterwarnings("ignore:.*does not define `arg_constraints`")
@pytest.mark.parametrize("scheme", ["IOB2", "BIOES", "IOE1"])
def test_spans_agree_with_torch_struct(scheme: str) -> None:
    """A path has a span if its neighbours at the span's tokens have certain events: a partition of fewer edges."""
    tags = tag_set(scheme, 3)
    labels, events = reading(tags)
    emissions, _, _, tables = drawn(3, 1, 7, len(tags), scale=2)
    lengths = torch.tensor([7])
    # Edges between eight neighbours, from the O before the sentence to the O behind it: [to, from], as there.
    start, transitions, end = tables
    edges = (transitions + emissions[0, :, None, :])[1:]  # (6, from, to)
    first = torch.full_like(transitions, -1e9)
    first[0], last = start + emissions[0, 0], torch.full_like(transitions, -1e9)
    last[:, 0] = end
    edges = torch.cat([first[None], edges, last[None]]).transpose(1, 2)  # (8, to, from)
    log_z = torch_struct.LinearChainCRF(edges[None]).partition.detach()
    spans = every_span(lengths, 3)
    found = crf_compiled.span_probabilities(emissions, lengths, *tables, spans, labels, events)
    opens, closes = events & schemes.OPENS > 0, events & schemes.CLOSES > 0
    for (_, begin, stop, label), probability in zip(spans.tolist(), found.tolist(), strict=True):
        kept = edges.clone()
        kept[begin][~(opens & (labels == label)).T] = -1e9
        for t in range(begin + 1, stop):
            kept[t][opens.T | closes.T] = -1e9
        kept[stop][~closes.T] = -1e9
        share = (torch_struct.LinearChainCRF(kept[None]).partition.detach() - log_z).exp()
        assert probability == pytest.approx(float(share), abs=1e-9)

"""The BiLSTM against nn.LSTM on packed sequences."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ner_lstm_crf.model import bilstm
from ner_lstm_crf.model.bilstm import BiLstm, drop_weights, reversal, run_lstm, variational_dropout

LENGTHS = torch.tensor([7, 1, 4])


def packed_twin(encoder: BiLstm) -> nn.LSTM:
    """A bidirectional nn.LSTM with the same weights."""
    first = encoder.forwards[0].lstm
    twin = nn.LSTM(
        first.input_size, first.hidden_size, num_layers=len(encoder.forwards), batch_first=True, bidirectional=True
    )
    with torch.no_grad():
        for layer, pair in enumerate(zip(encoder.forwards, encoder.backwards, strict=True)):
            for suffix, direction in zip(("", "_reverse"), pair, strict=True):
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                    getattr(twin, f"{name}_l{layer}{suffix}").copy_(getattr(direction.lstm, f"{name}_l0"))
    return twin


@pytest.mark.parametrize("layers", [1, 2])
def test_equals_a_packed_bidirectional_lstm(layers: int) -> None:
    torch.manual_seed(0)
    encoder = BiLstm(5, 6, layers=layers, residual=False)
    values = torch.randn(3, 7, 5)
    packed = pack_padded_sequence(values, LENGTHS, batch_first=True, enforce_sorted=False)
    expected = pad_packed_sequence(packed_twin(encoder)(packed)[0], batch_first=True)[0]
    found = encoder(values, LENGTHS)
    for row, length in enumerate(LENGTHS):
        torch.testing.assert_close(found[row, :length], expected[row, :length])


def test_a_residual_layer_adds_what_it_reads() -> None:
    torch.manual_seed(0)
    plain, residual = BiLstm(5, 6, layers=2, residual=False), BiLstm(5, 6, layers=2)
    residual.load_state_dict(plain.state_dict())
    first = BiLstm(5, 6)
    first.load_state_dict({name: w for name, w in plain.state_dict().items() if ".0." in name})
    values = torch.randn(3, 7, 5)
    expected = plain(values, LENGTHS) + first(values, LENGTHS)
    for row, length in enumerate(LENGTHS):
        torch.testing.assert_close(residual(values, LENGTHS)[row, :length], expected[row, :length])


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("layers", [1, 2])
def test_parallel_directions_give_the_same_and_the_same_gradients(layers: int, two_threads: None) -> None:
    torch.manual_seed(0)
    encoder = BiLstm(5, 6, layers=layers, dropouts=(0.2, 0.3, 0.2))
    values, weights = torch.randn(3, 7, 5, requires_grad=True), torch.randn(3, 7, 12)
    results = []
    for context in (nullcontext(), encoder.parallel_directions()):
        with context:
            torch.manual_seed(1)
            output = encoder(values, LENGTHS)
            results.append((output, *torch.autograd.grad((output * weights).sum(), [values, *encoder.parameters()])))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


def test_parallel_directions_need_no_gradient_of_the_values(two_threads: None) -> None:
    encoder = BiLstm(5, 6)
    with encoder.parallel_directions():
        encoder(torch.randn(3, 7, 5), LENGTHS).sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in encoder.parameters())


def test_each_direction_runs_on_a_thread_of_its_own(two_threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    meeting, seen = threading.Barrier(2, timeout=20), []
    before = set(threading.enumerate())

    def run(values: Tensor, *weights: Tensor) -> Tensor:
        meeting.wait()  # neither goes on without the other
        seen.append((threading.get_ident(), torch.get_num_threads()))
        return run_lstm(values, *weights)

    monkeypatch.setattr(bilstm, "run_lstm", run)
    encoder = BiLstm(5, 6)
    with encoder.parallel_directions():
        encoder(torch.randn(3, 7, 5), LENGTHS)
        assert torch.get_num_threads() == 1
    assert len({thread for thread, _ in seen}) == 2
    assert {threads for _, threads in seen} == {1}
    assert torch.get_num_threads() == 2
    assert set(threading.enumerate()) == before


@pytest.mark.parametrize("failing", ["forward", "backward"])
def test_an_error_in_one_direction_comes_out(failing: str, two_threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(values: Tensor, *weights: Tensor) -> Tensor:
        if (threading.current_thread() is threading.main_thread()) == (failing == "forward"):
            raise OSError("gone")
        return run_lstm(values, *weights)

    monkeypatch.setattr(bilstm, "run_lstm", run)
    encoder = BiLstm(5, 6)
    with pytest.raises(OSError, match="gone"), encoder.parallel_directions():
        encoder(torch.randn(3, 7, 5), LENGTHS)
    assert torch.get_num_threads() == 2


def test_with_one_thread_there_is_no_second() -> None:
    encoder, before = BiLstm(5, 6), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with encoder.parallel_directions():
            assert torch.isfinite(encoder(torch.randn(3, 7, 5), LENGTHS)).all()
            assert encoder._second_thread is None
    finally:
        torch.set_num_threads(before)


def test_padding_does_not_leak() -> None:
    torch.manual_seed(0)
    encoder = BiLstm(5, 6, layers=2).eval()
    values = torch.randn(3, 7, 5)
    changed = values.clone()
    changed[1, 1:], changed[2, 4:] = 1e6, float("inf")
    for row, length in enumerate(LENGTHS):
        assert torch.equal(encoder(values, LENGTHS)[row, :length], encoder(changed, LENGTHS)[row, :length])


def test_reversal_is_its_own_inverse() -> None:
    order = reversal(LENGTHS, 7)
    assert torch.equal(order.gather(1, order), torch.arange(7).expand(3, 7))
    assert order[2].tolist() == [3, 2, 1, 0, 4, 5, 6]


def test_recurrent_dropout_drops_weights_in_training_only() -> None:
    torch.manual_seed(0)
    encoder = BiLstm(5, 6, dropouts=(0.0, 0.5, 0.0))
    values = torch.randn(3, 7, 5)
    assert not torch.equal(encoder(values, LENGTHS), encoder(values, LENGTHS))
    encoder(values, LENGTHS).sum().backward()
    assert encoder.forwards[0].lstm.weight_hh_l0.grad is not None
    encoder.eval()
    assert torch.equal(encoder(values, LENGTHS), encoder(values, LENGTHS))


def test_variational_dropout_drops_a_feature_at_every_token_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    dropped = variational_dropout(torch.ones(400, 3, 50), 0.25)
    assert torch.equal(dropped[:, 0], dropped[:, 2])
    assert dropped.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.03)
    values = torch.randn(2, 3, 4)
    assert variational_dropout(values, 0.0) is values
    encoder = BiLstm(4, 5, dropouts=(0.5, 0.0, 0.5))
    lengths = torch.tensor([3, 3])
    assert not torch.equal(encoder(values, lengths), encoder(values, lengths))
    encoder.eval()
    assert torch.equal(encoder(values, lengths), encoder(values, lengths))


@pytest.mark.parametrize("rate", [0.25, 0.5])
def test_dropped_weights_are_zero_or_scaled_in_the_share_asked_for(rate: float) -> None:
    torch.manual_seed(0)
    weights = torch.ones(301, 333, requires_grad=True)
    dropped = drop_weights(weights, rate)
    assert dropped.unique().tolist() == pytest.approx([0.0, 1 / (1 - rate)])
    assert dropped.eq(0).float().mean().item() == pytest.approx(rate, abs=0.01)
    columns = dropped.eq(0).float().mean(0)  # no byte of a random number is treated otherwise
    assert columns.std().item() == pytest.approx((rate * (1 - rate) / 301) ** 0.5, rel=0.2)
    dropped.sum().backward()
    assert torch.equal(weights.grad, dropped.detach())
    assert torch.equal(drop_weights(weights, 0.0), weights)
    assert bool(drop_weights(weights, 0.9999).isfinite().all())  # all but 1/256 of them are dropped

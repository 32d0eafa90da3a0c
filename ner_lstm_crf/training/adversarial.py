"""Adversarial training: to be right of a sentence, and of one beside it that is harder.

Miyato, Dai and Goodfellow 2017 ("Adversarial Training Methods for Semi-Supervised Text Classification", eq. 5) move the
vectors of a text a small step along the gradient of its loss, where the loss grows fastest, and train on that too.
Yasunaga, Kasai and Radev 2018 do so for sequence labelling. Two things differ here: the vectors are not normalised, and
dropout is drawn anew for the moved sentence, so that part of the move is dropped.
"""

from __future__ import annotations

from torch import Tensor

from ner_lstm_crf.features.batch import Batch
from ner_lstm_crf.model.network import Network

__all__ = ["adversarial_backward", "fgm_perturbation"]

_LEAST_NORM = 1e-12  # of a gradient; where it is smaller there is nothing to learn, and no direction to trust


def adversarial_backward(network: Network, batch: Batch, step: float, factor: float) -> Tensor:
    """Add the gradients of a loss, half that of a batch as it is and half that of the batch moved against the network.

    Args:
        network: Its weights have the gradients afterwards.
        batch: Sentences with gold tags.
        step: How far the vectors of a sentence's tokens are moved, see `fgm_perturbation`.
        factor: What the loss, summed over the sentences, is multiplied by.

    Returns:
        The loss of each sentence as it is (B,), without a graph.

    Raises:
        ValueError: If the batch has no gold tags.
    """
    vectors = network.embedding(batch)  # (B, T, D)
    leaf = vectors.detach().requires_grad_()  # so that only the encoder is gone through twice
    losses = network.loss_of(leaf, batch)
    (losses.sum() * (factor / 2)).backward()  # type: ignore[no-untyped-call]
    if leaf.grad is None:
        raise ValueError("expected a loss that depends on the vectors")
    moved = leaf + fgm_perturbation(leaf.grad / (factor / 2), batch.lengths, step)
    harder = network.loss_of(moved, batch)
    (harder.sum() * (factor / 2)).backward()  # type: ignore[no-untyped-call]
    vectors.backward(leaf.grad)
    return losses.detach()


def fgm_perturbation(gradient: Tensor, lengths: Tensor, step: float) -> Tensor:
    """How the vectors of each sentence are moved (B, T, D): along the gradient, the whole sentence by step * sqrt(T).

    So the root mean square of what its tokens are moved by is `step`. A sentence without a gradient stays.

    Args:
        gradient: That of each sentence's loss (B, T, D), zero where it is padded.
        lengths: Tokens of each sentence (B,).
        step: See above.
    """
    norms = gradient.flatten(1).norm(dim=1)  # (B,)
    scale: Tensor = step * lengths.to(gradient).sqrt() / norms.clamp(min=_LEAST_NORM)
    scale = scale.masked_fill(norms < _LEAST_NORM, 0)
    return gradient * scale.view(-1, 1, 1)

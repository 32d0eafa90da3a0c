"""Adversarial training: to be right of a sentence, and of one beside it that is as hard as it can be.

Miyato, Dai and Goodfellow 2017 ("Adversarial Training Methods for Semi-Supervised Text Classification", eq. 5) move the
vectors of a text a small step along the gradient of its loss, where the loss grows fastest, and train on that too.
Yasunaga, Kasai and Radev 2018 do so for sequence labelling. The vectors are not normalised here: pretrained ones, which
learn slowly, cannot grow to make the step small.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ner_lstm_crf.features.batch import Batch
from ner_lstm_crf.model.network import Network

__all__ = ["adversarial_backward"]


def adversarial_backward(network: Network, batch: Batch, step: float, factor: float) -> Tensor:
    """Add the gradients of a loss, half that of a batch as it is and half that of the batch moved against the network.

    Args:
        network: Its weights have the gradients afterwards.
        batch: Sentences with gold tags.
        step: How far the vectors of a sentence of T tokens are moved, over the square root of T: about so far is each.
        factor: What the loss, summed over the sentences, is multiplied by.

    Returns:
        The loss of each sentence as it is (B,), without a graph.

    Raises:
        ValueError: If the batch has no gold tags.
    """
    if batch.tags is None:
        raise ValueError("expected a batch with gold tags, got none")
    vectors = network.embedding(batch)  # (B, T, D)
    leaf = vectors.detach().requires_grad_()  # so that only the encoder is gone through twice
    losses = network.head.loss(network.read_vectors(leaf, batch.lengths), batch.tags, batch.lengths)
    (losses.sum() * (factor / 2)).backward()  # type: ignore[no-untyped-call]
    moved = leaf + _against(leaf.grad, batch.lengths, step)
    harder = network.head.loss(network.read_vectors(moved, batch.lengths), batch.tags, batch.lengths)
    (harder.sum() * (factor / 2)).backward()  # type: ignore[no-untyped-call]
    vectors.backward(leaf.grad)
    return losses.detach()


def _against(gradient: Tensor | None, lengths: Tensor, step: float) -> Tensor:
    """How far the vectors of each sentence are moved (B, T, D)."""
    if gradient is None:
        raise ValueError("expected a loss that depends on the vectors")
    norms = gradient.flatten(1).norm(dim=1)  # (B,); padding has no gradient
    scale: Tensor = step * lengths.to(gradient).sqrt() / norms.clamp(min=torch.finfo(gradient.dtype).tiny)
    return gradient * scale.view(-1, 1, 1)

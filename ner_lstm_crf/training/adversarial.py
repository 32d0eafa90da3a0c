"""Adversarial training (FGM): learn a sentence, and the same sentence changed a little so that it is harder.

Miyato, Dai and Goodfellow 2017 ("Adversarial Training Methods for Semi-Supervised Text Classification", eq. 5) add to
the vectors of a text a small step along the gradient of its loss, where the loss grows fastest, and train on that too:
the fast gradient method. Yasunaga, Kasai and Radev 2018 do so for sequence labelling. Two things differ here: the
vectors are not normalised, and dropout is drawn anew for the adversarial pass, so that part of the step is dropped.
"""

from __future__ import annotations

from torch import Tensor

from ner_lstm_crf.features.batch import Batch
from ner_lstm_crf.model.network import Network

__all__ = ["adversarial_backward", "fgm_perturbation"]

_MIN_NORM = 1e-12  # of a gradient; a smaller one has nothing to teach, and no direction to trust


def adversarial_backward(network: Network, batch: Batch, epsilon: float, factor: float) -> Tensor:
    """Add the gradients of a loss: half that of the batch, and half that of the batch with perturbed vectors.

    Args:
        network: Its weights have the gradients afterwards.
        batch: Sentences with gold tags.
        epsilon: Size of the perturbation, see `fgm_perturbation`.
        factor: The loss, summed over the sentences, is multiplied by it.

    Returns:
        The loss of each sentence as it is (B,), without a graph.

    Raises:
        ValueError: If the batch has no gold tags.
    """
    # 1. The sentences as they are. The vectors are cut off from the embedding, which is passed through only once.
    vectors = network.embedding(batch)  # (B, T, D)
    leaf = vectors.detach().requires_grad_()
    losses = network.loss_from_vectors(leaf, batch)  # (B,)
    (losses.sum() * (factor / 2)).backward()  # type: ignore[no-untyped-call]
    if leaf.grad is None:
        raise ValueError("expected a loss that depends on the vectors")
    # 2. The adversarial pass: the same vectors, perturbed along the gradient of the loss.
    perturbed = leaf + fgm_perturbation(leaf.grad / (factor / 2), batch.lengths, epsilon)
    harder = network.loss_from_vectors(perturbed, batch)
    (harder.sum() * (factor / 2)).backward()  # type: ignore[no-untyped-call]
    # 3. The gradients of both passes go on into the embedding.
    vectors.backward(leaf.grad)
    return losses.detach()


def fgm_perturbation(gradient: Tensor, lengths: Tensor, epsilon: float) -> Tensor:
    """The step that is added to the vectors of each sentence (B, T, D): along the gradient, of norm epsilon * sqrt(T).

    So the root mean square over the tokens of a sentence is `epsilon`. A sentence without a gradient has none.

    Args:
        gradient: That of each sentence's loss (B, T, D), zero where it is padded.
        lengths: Tokens of each sentence (B,).
        epsilon: See above.
    """
    norms = gradient.flatten(1).norm(dim=1)  # (B,)
    scale: Tensor = epsilon * lengths.to(gradient).sqrt() / norms.clamp(min=_MIN_NORM)
    scale = scale.masked_fill(norms < _MIN_NORM, 0)
    return gradient * scale.view(-1, 1, 1)

"""Dropout that drops the same thing at every token of a sentence."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["VariationalDropout"]


class VariationalDropout(nn.Module):
    """Drops whole features: one mask per sentence, the same at each token (Gal and Ghahramani 2016).

    Args:
        rate: Share of features dropped; the others are scaled by 1 / (1 - rate).
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, values: Tensor) -> Tensor:
        """`values` (B, T, D) in evaluation, and with some features set to zero in training."""
        if not self.training or self.rate == 0:
            return values
        keep = 1 - self.rate
        mask = values.new_empty(values.shape[0], 1, values.shape[2]).bernoulli_(keep).div_(keep)
        return values * mask

    def extra_repr(self) -> str:
        """The rate, for `print(network)`."""
        return f"rate={self.rate}"

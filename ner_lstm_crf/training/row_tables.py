"""The tables of vectors in training, each moved by the rows that a batch reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ner_lstm_crf.features.batch import Batch
from ner_lstm_crf.features.embedding import TokenEmbedding, WordEmbedding
from ner_lstm_crf.features.vocabulary import UNKNOWN
from ner_lstm_crf.training.sparse_adamw import WordRows

__all__ = ["RowTables", "Touched"]

Touched = list[tuple[WordRows, Tensor, Tensor]]
"""Of each table that a batch read: its optimizer, the rows (R,) and their gradients (R, D)."""


class RowTables:
    """AdamW for the tables of a token embedding, row by row (see `WordRows`).

    Where another optimizer serves, or there are no kernels, the tables are parameters like others, and all that is done
    here is to let their pretrained vectors learn at a rate of their own (`scaled_updates`).

    Args:
        embedding: Its tables are trained.
        decay: Decoupled weight decay.
        pretrained_lr_scale: Learning rate of pretrained vectors, as a share of that of the others.
        apart: Whether the tables are trained here, if there are kernels.
    """

    def __init__(self, embedding: TokenEmbedding, decay: float, pretrained_lr_scale: float, *, apart: bool) -> None:
        self._embedding = embedding
        self._tables: dict[str, tuple[WordEmbedding, WordRows]] = {}
        # Of each table with pretrained vectors that is trained elsewhere: its weight (V, D), its rows' shares (V, 1).
        self._elsewhere: list[tuple[Tensor, Tensor]] = []
        for name, table in embedding.tables().items():
            shares = torch.where(table.pretrained, pretrained_lr_scale, 1.0)
            if apart and WordRows.serves(table.trained):
                self._tables[name] = table, WordRows(table.trained, decay, shares)
            elif bool((shares != 1).any()):
                self._elsewhere.append((table.trained, shares.to(table.trained).unsqueeze(1)))

    @property
    def all_rows(self) -> list[WordRows]:
        """The optimizer of each table."""
        return [rows for _, rows in self._tables.values()]

    @contextmanager
    def sparse(self) -> Iterator[None]:
        """Within this context the gradient of each table has the rows of the batch alone."""
        tables = [table for table, _ in self._tables.values()]
        for table in tables:
            table.sparse_gradient = True
        try:
            yield
        finally:
            for table in tables:
                table.sparse_gradient = False

    @contextmanager
    def scaled_updates(self) -> Iterator[None]:
        """Within this context a step that others take moves pretrained vectors by their share of it."""
        before = [weight.detach().clone() for weight, _ in self._elsewhere]
        yield
        with torch.no_grad():
            for (weight, shares), old in zip(self._elsewhere, before, strict=True):
                weight.copy_(torch.lerp(old, weight, shares))

    def catch_up(self, batch: Batch) -> None:
        """Bring the rows that a batch may read up to date: to be called before they are read."""
        if not self._tables:
            return
        for name, ids in self._embedding.table_ids(batch).items():
            if name in self._tables:
                table, rows = self._tables[name]
                read = table.trained_rows(ids.flatten())
                rows.catch_up(torch.unique(torch.cat([read, read.new_tensor([UNKNOWN])])))

    def gradients(self) -> Touched:
        """The rows that a batch read and their gradients."""
        return [(rows, *rows.gradient()) for rows in self.all_rows]

    def step(self, touched: Touched, rate: float, average_kept: float) -> None:
        """One step of AdamW for these rows; see `WordRows.step`."""
        for rows, places, gradients in touched:
            rows.step(places, gradients, rate, average_kept)
            rows.weight.grad = None

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and numbers that `restore` needs; everything is brought up to date."""
        tensors: dict[str, Tensor] = {}
        numbers: dict[str, Any] = {}
        for name, (_, rows) in self._tables.items():
            found, numbers[name] = rows.state()
            tensors |= {f"{name}.{key}": tensor for key, tensor in found.items()}
        return tensors, numbers

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        """Take up what `state` returned."""
        for name, (_, rows) in self._tables.items():
            own = {
                key.removeprefix(f"{name}."): tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")
            }
            rows.restore(own, numbers[name])

"""Embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch_layers import init
from tinytorch_layers.functional.lookup import checked_indices, take_rows
from tinytorch_modules import Module, Parameter
from tinytorch_modules.arguments import integer

if TYPE_CHECKING:
    from tinytorch_layers.init import Random

Array = Any


class Embedding(Module):
    """A learned table of vectors, selected by index.

    The input holds whole numbers and has any shape; the output has shape (*input.shape,
    embedding_dim).

    Args:
        num_embeddings: the number of rows of the table.
        embedding_dim: the length of each row.
        padding_idx: the index of a row for padding, or None. The row is initially zero and gets
            no gradient. A negative index counts from the end.
        dtype: the dtype of the table.
        generator: a `numpy.random.Generator`, or a seed for one, for the initial table, which is
            standard normal, as in PyTorch. With None, every run differs.

    Attributes:
        weight: the table, a Parameter of shape (num_embeddings, embedding_dim).

    Raises:
        TypeError, ValueError: a size is not a positive integer, or `padding_idx` not an integer.
        IndexError: `padding_idx` is out of range.

    >>> layer = Embedding(10, 3, generator=0)
    >>> layer([[1, 2, 4, 5], [4, 3, 2, 9]]).shape
    (2, 4, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        *,
        dtype: Any = np.float32,
        generator: Random = None,
    ) -> None:
        self.num_embeddings = integer("Embedding", "num_embeddings", num_embeddings)
        self.embedding_dim = integer("Embedding", "embedding_dim", embedding_dim)
        self.padding_idx = padding_idx
        shape = (self.num_embeddings, self.embedding_dim)
        table = init.normal(shape, dtype=dtype, generator=generator)
        if padding_idx is not None:
            padding_idx = integer("Embedding", "padding_idx", padding_idx, -(2**63))
            if not -self.num_embeddings <= padding_idx < self.num_embeddings:
                raise IndexError(
                    f"padding_idx of {self} is out of range for {self.num_embeddings} rows"
                )
            self.padding_idx = padding_idx % self.num_embeddings
            rows = np.arange(self.num_embeddings)[:, None]
            table = np.where(rows == self.padding_idx, 0, table)
        self.weight = Parameter(table)

    def forward(self, indices: Any) -> Array:
        checked = checked_indices(self, indices, self.num_embeddings)
        return take_rows(self.weight, checked, self.padding_idx)

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}{self._options(padding_idx=None)}"

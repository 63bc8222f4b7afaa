"""The layer that gives each number a vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch_layers import init
from tinytorch_layers.arguments import integer
from tinytorch_layers.functional.lookup import checked_indices, rows_of
from tinytorch_layers.module import Module
from tinytorch_layers.parameter import Parameter

if TYPE_CHECKING:
    from tinytorch_layers.init import Random

Array = Any


class Embedding(Module):
    """A table whose rows are looked up, and learned.

    Args:
        num_embeddings: how many rows the table has.
        embedding_dim: how long they are.
        padding_idx: the number of a row that stands for nothing: it is zeros at first, and has
            no gradient. Negative numbers count from the end.
        dtype: of the table.
        generator: a `numpy.random.Generator`, or a seed for one, from which the table is drawn,
            normally as in PyTorch. None draws another in every run.

    Attributes:
        weight: the table, a Parameter of shape (num_embeddings, embedding_dim).

    Raises:
        TypeError, ValueError: a size is no positive integer.
        IndexError: there is no row `padding_idx`.

    The input holds integers, in any shape; the output has one axis more.

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
            if not -self.num_embeddings <= padding_idx < self.num_embeddings:
                raise IndexError(
                    f"padding_idx of {self} is not the number of a row: there are "
                    f"{self.num_embeddings}"
                )
            self.padding_idx = padding_idx % self.num_embeddings
            table[self.padding_idx] = 0
        self.weight = Parameter(table)

    def forward(self, indices: Any) -> Array:
        checked = checked_indices(self, indices, self.num_embeddings)
        return rows_of(self.weight, checked, self.padding_idx)

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}{self._options(padding_idx=None)}"

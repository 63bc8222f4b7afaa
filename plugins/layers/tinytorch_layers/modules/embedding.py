"""Embedding and EmbeddingBag, which look up rows of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_layers import init
from tinytorch_layers.functional.bags import bags_of_rows, check_mode
from tinytorch_layers.functional.lookup import (
    checked_indices,
    checked_padding_idx,
    take_rows,
)
from tinytorch_modules import Module, Parameter
from tinytorch_modules.arguments import flag, integer

if TYPE_CHECKING:
    from tinytorch_layers.init import Random

Array = Any


class Embedding(Module):
    """A learned table of vectors, selected by index.

    The input holds whole numbers and has any shape; the output has shape (*input.shape,
    embedding_dim). PyTorch's `max_norm`, `norm_type`, `scale_grad_by_freq` and `sparse` are not
    available.

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
        self.padding_idx = checked_padding_idx("Embedding", padding_idx, self.num_embeddings)
        shape = (self.num_embeddings, self.embedding_dim)
        self.weight = Parameter(initial_table(shape, self.padding_idx, dtype, generator))

    def forward(self, indices: Any) -> Tensor:
        checked = checked_indices(self, indices, self.num_embeddings)
        return take_rows(self.weight, checked, self.padding_idx)

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}{self._options(padding_idx=None)}"


class EmbeddingBag(Module):
    """The sums, means or maxima of bags of rows of a learned table.

    The input holds whole numbers, of shape (B, L), or (N,) with the offsets of the bags; see
    `functional.embedding_bag`. The output has shape (B, embedding_dim). What `Embedding` lacks is
    not available here either.

    Args:
        num_embeddings: the number of rows of the table.
        embedding_dim: the length of each row.
        mode: "sum", "mean" or "max".
        include_last_offset: whether the offsets have one more element, the end of the last bag.
        padding_idx: the index of a row for padding, or None. The row is initially zero, does not
            count and gets no gradient. A negative index counts from the end.
        dtype: the dtype of the table.
        generator: as for `Embedding`.

    Attributes:
        weight: the table, a Parameter of shape (num_embeddings, embedding_dim).

    Raises:
        TypeError, ValueError: a size is not a positive integer, `padding_idx` is not an integer,
            `mode` is not one of the three, or `include_last_offset` is not a bool.
        IndexError: `padding_idx` is out of range.

    >>> layer = EmbeddingBag(10, 3, mode="sum", generator=0)
    >>> layer([1, 2, 4, 5], offsets=[0, 3]).shape
    (2, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        *,
        mode: str = "mean",
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        dtype: Any = np.float32,
        generator: Random = None,
    ) -> None:
        self.num_embeddings = integer("EmbeddingBag", "num_embeddings", num_embeddings)
        self.embedding_dim = integer("EmbeddingBag", "embedding_dim", embedding_dim)
        self.mode = check_mode("EmbeddingBag", mode)
        self.include_last_offset = flag("EmbeddingBag", "include_last_offset", include_last_offset)
        self.padding_idx = checked_padding_idx("EmbeddingBag", padding_idx, self.num_embeddings)
        shape = (self.num_embeddings, self.embedding_dim)
        self.weight = Parameter(initial_table(shape, self.padding_idx, dtype, generator))

    def forward(
        self, indices: Any, offsets: Any = None, per_sample_weights: Array = None
    ) -> Tensor:
        return bags_of_rows(
            self,
            indices,
            self.weight,
            offsets,
            self.mode,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )

    def extra_repr(self) -> str:
        options = self._options(mode="mean", include_last_offset=False, padding_idx=None)
        return f"{self.num_embeddings}, {self.embedding_dim}{options}"


def initial_table(
    shape: tuple[int, int], padding_idx: int | None, dtype: Any, generator: Random
) -> Array:
    """Return a table of standard normal numbers, with zeros in the row for padding."""
    table = init.normal(shape, dtype=dtype, generator=generator)
    if padding_idx is None:
        return table
    return np.where(np.arange(shape[0])[:, None] == padding_idx, 0, table)

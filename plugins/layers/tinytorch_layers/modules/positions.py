"""Positional encoding: what tells a transformer the order of its inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_layers import init
from tinytorch_layers.arguments import input_shape, shape_error
from tinytorch_modules import Module, Parameter, random_generator
from tinytorch_modules.arguments import integer

if TYPE_CHECKING:
    from tinytorch_layers.init import Random

Array = Any

_KINDS = ("sinusoidal", "learned", "rotary")


class PositionalEncoding(Module):
    """Adds a vector for each position to the features, or rotates them by its angle.

    - "sinusoidal" adds sin(a) and cos(a) alternately, with the angle a = i / 10000^(2 k / E) for
      position i and the k-th pair of features. Vaswani et al., "Attention is all you need", 2017.
    - "learned" adds a learned vector.
    - "rotary" rotates each pair of features by the angle a, so that products of queries and keys
      depend on the difference of their positions. Apply it to them, not to the input of a network.
      Su et al., "RoFormer", 2021, arXiv:2104.09864.

    Args:
        embed_dim: E, the number of features; even unless "learned".
        max_len: the number of positions.
        kind: "sinusoidal", "learned" or "rotary".
        dtype: the dtype of the learned vectors.
        generator: a `numpy.random.Generator`, or a seed for one, for the learned vectors, which
            are normal with standard deviation 0.02. With None, every run differs.

    Attributes:
        weight: a Parameter of shape (max_len, E) if "learned", or None.

    Raises:
        TypeError: a size is not an integer.
        ValueError: a size is not positive, `kind` is unknown, or `embed_dim` is odd.

    >>> PositionalEncoding(4)(np.zeros((1, 2, 4))).round(4)
    array([[[0.    , 1.    , 0.    , 1.    ],
            [0.8415, 0.5403, 0.01  , 1.    ]]])
    """

    def __init__(
        self,
        embed_dim: int,
        max_len: int = 5000,
        kind: str = "sinusoidal",
        *,
        dtype: Any = np.float32,
        generator: Random = None,
    ) -> None:
        name = "PositionalEncoding"
        self.embed_dim = integer(name, "embed_dim", embed_dim)
        self.max_len = integer(name, "max_len", max_len)
        if kind not in _KINDS:
            known = ", ".join(map(repr, _KINDS))
            raise ValueError(f"kind of {name} must be one of {known}, not {kind!r:.60}")
        if kind != "learned" and self.embed_dim % 2:
            raise ValueError(
                f"embed_dim of {name} must be even if kind={kind!r}, which encodes pairs of "
                f"features, not {self.embed_dim}"
            )
        self.kind = kind
        self.weight = None
        if kind == "learned":
            shape, rng = (self.max_len, self.embed_dim), random_generator(generator)
            self.weight = Parameter(init.normal(shape, std=0.02, dtype=dtype, generator=rng))

    def forward(self, x: Array, offset: int = 0) -> Tensor:
        """Return x with its positions encoded.

        Args:
            x: a Tensor or array of shape (..., L, E).
            offset: the position of the first of the L vectors, such as `len(cache)`.

        Raises:
            TypeError: x is not floating, or `offset` is not an integer.
            ValueError: the shape does not match, or a position is beyond `max_len`.
        """
        shape = input_shape(self, x)
        if len(shape) < 2 or shape[-1] != self.embed_dim:
            raise shape_error(self, f"(..., L, {self.embed_dim})", shape)
        start = integer("PositionalEncoding", "offset", offset, 0)
        stop = start + shape[-2]
        if stop > self.max_len:
            raise ValueError(
                f"{self} encodes the positions 0 to {self.max_len - 1}, but the input contains "
                f"position {stop - 1}; increase max_len"
            )
        if self.weight is not None:
            return x + self.weight[start:stop]
        angles = _angles(start, stop, self.embed_dim)
        cos, sin = (f(angles).astype(x.dtype) for f in (np.cos, np.sin))
        if self.kind == "sinusoidal":
            return x + np.stack([sin, cos], axis=-1).reshape(shape[-2:])
        even, odd = x[..., 0::2], x[..., 1::2]
        pairs: Array = np.stack([even * cos - odd * sin, even * sin + odd * cos], axis=-1)
        return pairs.reshape(shape)

    def extra_repr(self) -> str:
        return f"{self.embed_dim}{self._options(max_len=5000, kind='sinusoidal')}"


def _angles(start: int, stop: int, width: int) -> Array:
    """Return the angle for each position and each pair of features."""
    return np.arange(start, stop)[:, None] * 10000.0 ** (-np.arange(0, width, 2) / width)

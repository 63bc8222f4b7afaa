"""The layer that drops values at random while a network is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch_layers import init
from tinytorch_layers.arguments import number, shape_of
from tinytorch_layers.functional.masking import masked
from tinytorch_layers.module import Module

if TYPE_CHECKING:
    from tinytorch_layers.init import Random

Array = Any


class Dropout(Module):
    """In training each value is 0 with probability p, and otherwise 1 / (1 − p) times itself.

    In evaluation nothing changes. Srivastava et al., "Dropout: a simple way to prevent neural
    networks from overfitting", 2014.

    Args:
        p: the probability, at least 0 and below 1.
        generator: a `numpy.random.Generator`, or a seed for one, from which every call draws what
            to drop. None makes one that differs in every run.

    Attributes:
        generator: the generator; its state is part of what a repeatable run must keep.

    Raises:
        TypeError, ValueError: p is no number, or lies elsewhere.

    >>> layer = Dropout(0.5, generator=0)
    >>> layer(np.ones(4))
    array([2., 2., 2., 0.])
    >>> layer.eval()(np.ones(4))
    array([1., 1., 1., 1.])
    """

    def __init__(self, p: float = 0.5, *, generator: Random = None) -> None:
        self.p = number("Dropout", "p", p, 0, 1, ends="[)")
        self.generator = init.random_generator(generator)

    def forward(self, x: Array) -> Array:
        shape = shape_of(self, x)
        if not self.training or self.p == 0:
            return x
        mask = self.generator.random(shape, dtype=np.float32) >= self.p
        return masked(x, mask, self.p)

    def extra_repr(self) -> str:
        return f"{self.p}"

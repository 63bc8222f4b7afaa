"""Dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_layers.arguments import input_shape
from tinytorch_layers.functional.masking import apply_mask, drawn
from tinytorch_modules import Module, random_generator
from tinytorch_modules.arguments import number

if TYPE_CHECKING:
    from tinytorch_layers.init import Random

Array = Any


class Dropout(Module):
    """Sets random values to zero in training mode; returns its input in evaluation mode.

    In training mode each value is 0 with probability p and multiplied by 1 / (1 − p) otherwise.
    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014.

    Args:
        p: the probability that a value is set to zero, in [0, 1).
        generator: a `numpy.random.Generator`, or a seed for one, for the masks. With None, every
            run differs.

    Attributes:
        generator: the generator. A checkpoint of a repeatable run must include its state.

    Raises:
        TypeError: p is not a number.
        ValueError: p is out of range.

    >>> layer = Dropout(0.5, generator=0)
    >>> layer(np.ones(4))
    array([2., 2., 2., 0.])
    >>> layer.eval()(np.ones(4))
    array([1., 1., 1., 1.])
    """

    def __init__(self, p: float = 0.5, *, generator: Random = None) -> None:
        self.p = number("Dropout", "p", p, 0, 1, ends="[)")
        self.generator = random_generator(generator)

    def forward(self, x: Array) -> Tensor:
        shape = input_shape(self, x)
        if not self.training or self.p == 0:
            return x
        mask = drawn(self.generator, "random", shape, np.float32) >= self.p
        return apply_mask(x, mask, self.p)

    def extra_repr(self) -> str:
        return f"{self.p}"

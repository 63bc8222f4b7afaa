"""Random draws, and dropout with a given mask, with its backward rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch_core import Tensor, op
from tinytorch_core.extend import AnyArray, active_op

from tinytorch_layers.arguments import input_shape
from tinytorch_modules.arguments import number

if TYPE_CHECKING:
    from numpy.random import Generator

Array = Any


def draw(generator: Generator, method: str, arguments: tuple[Any, ...]) -> Array:
    """Return the array that a method of a random generator draws.

    All initial values and masks are drawn by this op, so plugins see each draw, with its generator.
    They can return other numbers, or an array of another library.

    Args:
        generator: the generator, whose state changes.
        method: the name of its method, such as "uniform".
        arguments: the arguments of the method.
    """
    return getattr(generator, method)(*arguments)


def drawn(generator: Generator, method: str, *arguments: Any) -> Array:
    """Run the op `random_draw`, or `draw` itself if this plugin is off."""
    try:
        call = active_op(Tensor, "random_draw")
    except AttributeError:
        call = draw
    return call(generator, method, arguments)


def dropout(x: AnyArray, mask: Any, p: float) -> AnyArray:
    """Return x / (1 − p) where `mask` is true, and 0 elsewhere.

    The factor keeps the expected value. The caller draws the mask, so this function is not
    random.

    Args:
        x: a Tensor or array of any shape.
        mask: an array of booleans of the same shape.
        p: the probability that a value is dropped, in [0, 1).

    Returns:
        A Tensor or array of the shape of x.

    Raises:
        TypeError: x is not floating, or p is not a number.
        ValueError: the shape of the mask differs from that of x, or p is out of range.

    >>> dropout(np.array([1.0, 2.0]), np.array([True, False]), 0.5)
    array([2., 0.])
    """
    shape = input_shape("dropout", x)
    if np.shape(mask) != shape:
        raise ValueError(
            f"dropout expects a mask of the shape of its input, {shape}, got "
            f"a mask of shape {np.shape(mask)}"
        )
    return apply_mask(x, mask, number("dropout", "p", p, 0, 1, ends="[)"))


@op("dropout")
def apply_mask(x: Array, mask: Any, p: float) -> Array:
    """Return x / (1 − p) where `mask` is true, and 0 elsewhere."""
    return x * mask * (1 / (1 - p))


def dropout_x(grad: Array, mask: Array, p: float) -> Array:
    """dL/dx = g / (1 − p) where `mask` is true, and 0 elsewhere."""
    return apply_mask(grad, mask, p)

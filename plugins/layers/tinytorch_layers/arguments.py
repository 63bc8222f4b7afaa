"""Checks of the arguments and inputs of layers."""

from __future__ import annotations

from typing import Any

from tinytorch_modules.arguments import integer

Array = Any
Pair = tuple[int, int]


def pair(layer: str, name: str, value: Any, minimum: int = 1) -> Pair:
    """Return `value`, an integer or two, as two integers for height and width.

    Raises:
        TypeError: `value` is neither an integer nor two integers.
        ValueError: one of them is below `minimum`.
    """
    both = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(both) != 2:
        raise TypeError(
            f"{name} of {layer} must be one integer, or two for height and width, not {value!r:.60}"
        )
    return integer(layer, name, both[0], minimum), integer(layer, name, both[1], minimum)


def input_shape(layer: object, x: Array, *, floating: bool = True) -> tuple[int, ...]:
    """Return the shape of a layer's input after checking its type.

    Args:
        layer: the layer or its name, for error messages.
        x: a Tensor or an array.
        floating: whether the dtype must be a real floating-point dtype.

    Raises:
        TypeError: `x` is not a Tensor or an array, or has a different dtype.
    """
    dtype = getattr(x, "dtype", None)
    if dtype is None:
        raise TypeError(f"{layer} expects a Tensor or an array, not {type(x).__name__}: {x!r:.60}")
    shape: tuple[int, ...] = x.shape
    if floating and dtype.kind != "f":
        raise TypeError(
            f"{layer} expects floating-point numbers, not {dtype} of shape {shape}; "
            "convert the input first: x.astype(np.float32)"
        )
    return shape


def shape_error(layer: object, expected: str, shape: tuple[int, ...]) -> ValueError:
    """Return the error for an input whose shape does not match the layer."""
    return ValueError(f"{layer} expects an input of shape {expected}, got {shape}")

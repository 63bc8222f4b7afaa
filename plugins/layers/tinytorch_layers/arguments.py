"""Checks of the arguments and inputs of layers."""

from __future__ import annotations

from typing import Any

from tinytorch_modules.arguments import integer

Array = Any
Pair = tuple[int, int]


def sizes(layer: str, name: str, value: Any, axes: int = 2, minimum: int = 1) -> tuple[int, ...]:
    """Return `value`, one integer or one for each axis of an image or a sequence, as a tuple.

    Args:
        layer, name: the layer or function and its argument, for error messages.
        value: an integer, or one or `axes` integers in a tuple.
        axes: 2 for the height and width of images, 1 for the length of sequences.
        minimum: the smallest value allowed.

    Raises:
        TypeError: `value` consists of other things than integers, or of another number of them.
        ValueError: one of them is below `minimum`.
    """
    found = tuple(value) if isinstance(value, tuple | list) else (value,)
    found = found * axes if len(found) == 1 else found
    if len(found) != axes:
        expected = "one integer, or two for height and width" if axes == 2 else "one integer"
        raise TypeError(f"{name} of {layer} must be {expected}, not {value!r:.60}")
    return tuple(integer(layer, name, number, minimum) for number in found)


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
    if not hasattr(dtype, "kind"):  # PyTorch's, for example
        name = f"{type(x).__module__}.{type(x).__name__}"
        raise TypeError(f"{layer} expects a Tensor or an array, not {name}; pass Tensor(x)")
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

"""The padding layers of images and sequences."""

from __future__ import annotations

from typing import Any

from tinytorch_core import Tensor

from tinytorch_layers.functional.padding import checked_value, checked_widths, padded
from tinytorch_modules import Module

Array = Any


class _Pad(Module):
    """Adds elements at the ends of the last axes."""

    # The number of axes to pad.
    axes: int
    mode = "constant"
    value = 0.0

    def __init__(self, padding: Any) -> None:
        name = type(self).__name__
        sides = padding if isinstance(padding, tuple | list) else (padding,) * (2 * self.axes)
        self.widths = checked_widths(name, "padding", sides)
        if len(self.widths) != self.axes:
            raise ValueError(
                f"padding of {name} must be one integer or {2 * self.axes}, not {padding!r:.60}"
            )
        self.padding = padding

    def forward(self, x: Array) -> Tensor:
        return padded(self, x, self.widths, self.mode, self.value)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = checked_value(type(self).__name__, value)

    def extra_repr(self) -> str:
        return f"{self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """Adds a constant at the ends of sequences; see `ConstantPad2d`.

    `padding` is an integer, or (left, right).
    """

    axes = 1


class ConstantPad2d(_ConstantPad):
    """Adds a constant at the borders of images; see `functional.pad`.

    The input has shape (..., H, W), the output (..., top + H + bottom, left + W + right).

    Args:
        padding: the number of pixels to add at each border, an integer, or (left, right, top,
            bottom). Negative numbers remove pixels.
        value: the constant.

    Raises:
        TypeError, ValueError: an argument has the wrong type, or `padding` another length.

    >>> import numpy as np
    >>> ConstantPad2d((1, 0, 0, 1), 9)(np.zeros((1, 2)))
    array([[9., 0., 0.],
           [9., 9., 9.]])
    """

    axes = 2


class ZeroPad1d(_Pad):
    """Adds zeros at the ends of sequences.

    `padding` is as for `ConstantPad1d`.
    """

    axes = 1


class ZeroPad2d(_Pad):
    """Adds zeros at the borders of images.

    `padding` is as for `ConstantPad2d`.
    """

    axes = 2


class ReflectionPad1d(_Pad):
    """Mirrors sequences at their ends, without repeating the first and last element.

    `padding` is as for `ConstantPad1d`, at most the length of the sequences less one.

    >>> import numpy as np
    >>> ReflectionPad1d(2)(np.array([1.0, 2.0, 3.0]))
    array([3., 2., 1., 2., 3., 2., 1.])
    """

    axes = 1
    mode = "reflect"


class ReflectionPad2d(_Pad):
    """Mirrors images at their borders, without repeating the pixels at the borders.

    `padding` is as for `ConstantPad2d`, at most the size of the images less one.
    """

    axes = 2
    mode = "reflect"


class ReplicationPad1d(_Pad):
    """Repeats the first and last element of sequences.

    `padding` is as for `ConstantPad1d`.

    >>> import numpy as np
    >>> ReplicationPad1d((1, 2))(np.array([1.0, 2.0, 3.0]))
    array([1., 1., 2., 3., 3., 3.])
    """

    axes = 1
    mode = "replicate"


class ReplicationPad2d(_Pad):
    """Repeats the pixels at the borders of images.

    `padding` is as for `ConstantPad2d`.
    """

    axes = 2
    mode = "replicate"


class CircularPad1d(_Pad):
    """Continues sequences with their other end.

    `padding` is as for `ConstantPad1d`, at most the length of the sequences.

    >>> import numpy as np
    >>> CircularPad1d((1, 2))(np.array([1.0, 2.0, 3.0]))
    array([3., 1., 2., 3., 1., 2.])
    """

    axes = 1
    mode = "circular"


class CircularPad2d(_Pad):
    """Continues images with their other end, in both directions.

    `padding` is as for `ConstantPad2d`, at most the size of the images.
    """

    axes = 2
    mode = "circular"

"""Layers that make images smaller."""

from __future__ import annotations

from typing import Any

from tinytorch_layers.arguments import shape_of, wrong_shape
from tinytorch_layers.functional.pooling import average, maxima, pool_windows
from tinytorch_layers.module import Module

Array = Any


class _Pool2d(Module):
    """What the two have in common."""

    def __init__(self, kernel_size: Any, stride: Any, padding: Any, dilation: Any = 1) -> None:
        name = type(self).__name__
        self.windows = pool_windows(name, kernel_size, stride, padding, dilation)
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation

    def _check(self, x: Array) -> None:
        """Raises the error of an input that will not do."""
        shape = shape_of(self, x)
        if len(shape) != 4:
            raise wrong_shape(self, "(N, C, H, W)", shape)
        self.windows.size(self, shape[2:])

    def extra_repr(self) -> str:
        others = self._options(stride=self.kernel_size, padding=0, dilation=1)
        return f"{self.kernel_size}{others}"


class MaxPool2d(_Pool2d):
    """The largest of what each window sees of each channel; see `functional.max_pool2d`.

    Of equal ones the first has the gradient, row by row, as in PyTorch.

    Args:
        kernel_size: the size of the window, an integer, or two for height and width.
        stride: how far it moves; by default its size.
        padding: how much of −∞ is put around the images, at most half of the window.
        dilation: how far apart the places of the window lie.

    Raises:
        TypeError, ValueError: a number is no integer, or too small or large.

    The input has the shape (N, C, H, W), the output (N, C, h, w).

    >>> import numpy as np
    >>> MaxPool2d(2)(np.arange(16.0).reshape(1, 1, 4, 4))
    array([[[[ 5.,  7.],
             [13., 15.]]]])
    """

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1
    ) -> None:
        super().__init__(kernel_size, stride, padding, dilation)

    def forward(self, x: Array) -> Array:
        self._check(x)
        return maxima(x, self.windows)


class AvgPool2d(_Pool2d):
    """The mean of what each window sees of each channel; see `functional.avg_pool2d`.

    Args:
        kernel_size: the size of the window, an integer, or two for height and width.
        stride: how far it moves; by default its size.
        padding: how many zeros, which count, are put around the images, at most half of the
            window.

    Raises:
        TypeError, ValueError: a number is no integer, or too small or large.

    The input has the shape (N, C, H, W), the output (N, C, h, w).

    >>> import numpy as np
    >>> AvgPool2d(2)(np.arange(16.0).reshape(1, 1, 4, 4))
    array([[[[ 2.5,  4.5],
             [10.5, 12.5]]]])
    """

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__(kernel_size, stride, padding)

    def forward(self, x: Array) -> Array:
        self._check(x)
        return average(x, self.windows)

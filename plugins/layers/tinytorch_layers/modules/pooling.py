"""Max and average pooling."""

from __future__ import annotations

from typing import Any

from tinytorch_layers.arguments import input_shape, shape_error
from tinytorch_layers.functional.pooling import average, maxima, pool_windows
from tinytorch_modules import Module

Array = Any


class _Pool2d(Module):
    """The arguments of a pooling layer and the check of its input."""

    def __init__(self, kernel_size: Any, stride: Any, padding: Any, dilation: Any = 1) -> None:
        name = type(self).__name__
        self.windows = pool_windows(name, kernel_size, stride, padding, dilation)
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation

    def _check(self, x: Array) -> None:
        """Raise TypeError or ValueError if the layer cannot process `x`."""
        shape = input_shape(self, x)
        if len(shape) != 4:
            raise shape_error(self, "(N, C, H, W)", shape)
        self.windows.size(self, shape[2:])

    def extra_repr(self) -> str:
        others = self._options(stride=self.kernel_size, padding=0, dilation=1)
        return f"{self.kernel_size}{others}"


class MaxPool2d(_Pool2d):
    """Returns the maximum of each window of each channel; see `functional.max_pool2d`.

    The input has shape (N, C, H, W), the output (N, C, h, w). If several values of a window are
    equal, the first in row-major order gets the gradient, as in PyTorch.

    Args:
        kernel_size: the size of the window, an integer, or two for height and width.
        stride: the step of the window; by default its size.
        padding: the number of pixels of −∞ added at each border, at most half of the window.
        dilation: the spacing of the window's elements.

    Raises:
        TypeError, ValueError: a number is not an integer, or is out of range.

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
    """Returns the mean of each window of each channel; see `functional.avg_pool2d`.

    The input has shape (N, C, H, W), the output (N, C, h, w).

    Args:
        kernel_size: the size of the window, an integer, or two for height and width.
        stride: the step of the window; by default its size.
        padding: the number of zeros added at each border, at most half of the window. They count
            towards the mean.

    Raises:
        TypeError, ValueError: a number is not an integer, or is out of range.

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

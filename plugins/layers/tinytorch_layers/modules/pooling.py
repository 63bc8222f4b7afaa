"""Max and average pooling of images and sequences."""

from __future__ import annotations

from typing import Any

from tinytorch_core import Tensor

from tinytorch_layers.functional.pool_functions import (
    avg_pool,
    check_flags,
    checked_divisor,
    max_pool,
    pool_windows,
)
from tinytorch_layers.functional.unpooling import max_unpool
from tinytorch_modules import Module

Array = Any


class _Pool(Module):
    """The arguments of all pooling layers."""

    # 2 for images, 1 for sequences.
    axes: int
    # For the layers that do not have these arguments.
    dilation: Any = 1
    return_indices = False
    count_include_pad = True
    divisor_override: int | None = None

    def _set_windows(
        self, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
    ) -> None:
        name = type(self).__name__
        self.windows = pool_windows(name, kernel_size, stride, padding, dilation, self.axes)
        check_flags(name, ceil_mode=ceil_mode)
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding, self.ceil_mode = padding, ceil_mode

    def extra_repr(self) -> str:
        others = self._options(
            stride=self.kernel_size,
            padding=0,
            dilation=1,
            return_indices=False,
            ceil_mode=False,
            count_include_pad=True,
            divisor_override=None,
        )
        return f"{self.kernel_size}{others}"


class _MaxPool(_Pool):
    """Max pooling over some axes."""

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        self._set_windows(kernel_size, stride, padding, dilation, ceil_mode)
        check_flags(type(self).__name__, return_indices=return_indices)
        self.dilation, self.return_indices = dilation, return_indices

    def forward(self, x: Array) -> Any:
        return max_pool(self, x, self.windows, self.ceil_mode, self.return_indices, self.axes)


class MaxPool1d(_MaxPool):
    """Returns the maximum of each window of each channel of sequences.

    The input has shape (N, C, L) or (C, L), the output (N, C, l) or (C, l). Arguments are those of
    `MaxPool2d`, for one axis. See `functional.max_pool1d`.

    >>> import numpy as np
    >>> MaxPool1d(2)(np.array([[1.0, 4.0, 2.0, 3.0]]))
    array([[4., 3.]])
    """

    axes = 1


class MaxPool2d(_MaxPool):
    """Returns the maximum of each window of each channel; see `functional.max_pool2d`.

    The input has shape (N, C, H, W) or (C, H, W), the output (N, C, h, w) or (C, h, w). If several
    values of a window are equal, the first in row-major order gets the gradient, as in PyTorch.

    Args:
        kernel_size: the size of the window, an integer, or two for height and width.
        stride: the step of the window; by default its size.
        padding: the number of pixels of −∞ added at each border, at most half of the window.
        dilation: the spacing of the window's elements.
        return_indices: whether to return a pair of the maxima and their positions, for
            `MaxUnpool2d`.
        ceil_mode: whether windows may go beyond the padded images, if they begin before the end of
            the images.

    Raises:
        TypeError, ValueError: an argument has the wrong type, or is out of range.

    >>> import numpy as np
    >>> MaxPool2d(2)(np.arange(16.0).reshape(1, 1, 4, 4))
    array([[[[ 5.,  7.],
             [13., 15.]]]])
    """

    axes = 2


class _AvgPool(_Pool):
    """Average pooling over some axes."""

    def forward(self, x: Array) -> Tensor:
        options = self.ceil_mode, self.count_include_pad, self.divisor_override
        return avg_pool(self, x, self.windows, *options, self.axes)


class AvgPool1d(_AvgPool):
    """Returns the mean of each window of each channel of sequences.

    The input has shape (N, C, L) or (C, L), the output (N, C, l) or (C, l). Arguments are those of
    `AvgPool2d`, for one axis, without `divisor_override`. See `functional.avg_pool1d`.

    >>> import numpy as np
    >>> AvgPool1d(2)(np.array([[1.0, 4.0, 2.0, 3.0]]))
    array([[2.5, 2.5]])
    """

    axes = 1

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        self._set_windows(kernel_size, stride, padding, 1, ceil_mode)
        check_flags("AvgPool1d", count_include_pad=count_include_pad)
        self.count_include_pad = count_include_pad


class AvgPool2d(_AvgPool):
    """Returns the mean of each window of each channel; see `functional.avg_pool2d`.

    The input has shape (N, C, H, W) or (C, H, W), the output (N, C, h, w) or (C, h, w).

    Args:
        kernel_size: the size of the window, an integer, or two for height and width.
        stride: the step of the window; by default its size.
        padding: the number of zeros added at each border, at most half of the window.
        ceil_mode: whether windows may go beyond the padded images, if they begin before the end of
            the images. What is beyond them does not count.
        count_include_pad: whether the zeros of the padding count.
        divisor_override: the number to divide the sum of a window by, instead of its size.

    Raises:
        TypeError, ValueError: an argument has the wrong type, or is out of range.

    >>> import numpy as np
    >>> AvgPool2d(2)(np.arange(16.0).reshape(1, 1, 4, 4))
    array([[[[ 2.5,  4.5],
             [10.5, 12.5]]]])
    """

    axes = 2

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        self._set_windows(kernel_size, stride, padding, 1, ceil_mode)
        check_flags("AvgPool2d", count_include_pad=count_include_pad)
        self.count_include_pad = count_include_pad
        self.divisor_override = checked_divisor("AvgPool2d", divisor_override)


class _MaxUnpool(Module):
    """The arguments of all unpooling layers."""

    # 2 for images, 1 for sequences.
    axes: int

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        name = type(self).__name__
        self.windows = pool_windows(name, kernel_size, stride, padding, axes=self.axes)
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding

    def forward(self, x: Array, indices: Array, output_size: Any = None) -> Tensor:
        return max_unpool(self, x, indices, self.windows, output_size, self.axes)

    def extra_repr(self) -> str:
        return f"{self.kernel_size}{self._options(stride=self.kernel_size, padding=0)}"


class MaxUnpool1d(_MaxUnpool):
    """Returns sequences with each maximum at its position; see `functional.max_unpool1d`.

    Arguments are those of `MaxUnpool2d`, for one axis.
    """

    axes = 1


class MaxUnpool2d(_MaxUnpool):
    """Returns images with each maximum at its position, and 0 elsewhere.

    It is called with the two results of a `MaxPool2d` with `return_indices`, and optionally with
    `output_size`. See `functional.max_unpool2d`.

    Args:
        kernel_size, stride, padding: those of the `MaxPool2d`.

    Raises:
        TypeError, ValueError: an argument has the wrong type, or is out of range.

    >>> import numpy as np
    >>> pool = MaxPool2d(2, return_indices=True)
    >>> MaxUnpool2d(2)(*pool(np.arange(4.0).reshape(1, 2, 2)))
    array([[[0., 0.],
            [0., 3.]]])
    """

    axes = 2

"""Max and average pooling to a given size."""

from __future__ import annotations

from typing import Any

from tinytorch_core import Tensor

from tinytorch_layers.functional.adaptive_pooling import (
    adaptive_avg_pool,
    adaptive_max_pool,
    output_sizes,
)
from tinytorch_layers.functional.pool_functions import check_flags
from tinytorch_modules import Module

Array = Any


class _AdaptivePool(Module):
    """The argument of all adaptive pooling layers."""

    # 2 for images, 1 for sequences.
    axes: int
    return_indices = False

    def __init__(self, output_size: Any) -> None:
        self.sizes = output_sizes(type(self).__name__, output_size, self.axes)
        self.output_size = output_size

    def extra_repr(self) -> str:
        return f"{self.output_size}{self._options(return_indices=False)}"


class _AdaptiveAvgPool(_AdaptivePool):
    def forward(self, x: Array) -> Tensor:
        return adaptive_avg_pool(self, x, self.sizes, self.axes)


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """Returns the means of `output_size` windows of each channel of sequences.

    The input has shape (N, C, L) or (C, L). See `functional.adaptive_avg_pool1d`.
    """

    axes = 1


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """Returns the means of windows of each channel, of as many windows as requested.

    The input has shape (N, C, H, W) or (C, H, W). See `functional.adaptive_avg_pool2d`.

    Args:
        output_size: the number of windows in each direction: an integer, or a pair for height and
            width; None for the size of the input.

    Raises:
        TypeError, ValueError: the size is not a positive integer.

    >>> import numpy as np
    >>> AdaptiveAvgPool2d((1, 2))(np.arange(6.0).reshape(1, 2, 3))
    array([[[2., 3.]]])
    """

    axes = 2


class _AdaptiveMaxPool(_AdaptivePool):
    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__(output_size)
        check_flags(type(self).__name__, return_indices=return_indices)
        self.return_indices = return_indices

    def forward(self, x: Array) -> Any:
        return adaptive_max_pool(self, x, self.sizes, self.return_indices, self.axes)


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """Returns the maxima of `output_size` windows of each channel of sequences.

    The input has shape (N, C, L) or (C, L). See `functional.adaptive_max_pool1d`.
    """

    axes = 1


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """Returns the maxima of windows of each channel, of as many windows as requested.

    The input has shape (N, C, H, W) or (C, H, W). See `functional.adaptive_max_pool2d`.

    Args:
        output_size: as for `AdaptiveAvgPool2d`.
        return_indices: whether to return a pair of the maxima and their positions.

    Raises:
        TypeError, ValueError: the size is not a positive integer, or the option not a bool.

    >>> import numpy as np
    >>> AdaptiveMaxPool2d((1, 2))(np.arange(6.0).reshape(1, 2, 3))
    array([[[4., 5.]]])
    """

    axes = 2

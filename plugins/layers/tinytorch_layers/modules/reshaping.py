"""Layers that rearrange the elements of their input, and Identity."""

from __future__ import annotations

import math
from typing import Any

from tinytorch_core import Tensor

from tinytorch_layers.arguments import input_shape, sizes
from tinytorch_layers.functional.pixels import (
    folded,
    mixed,
    shuffled,
    unfolded,
    unshuffled,
)
from tinytorch_layers.functional.windows import windows
from tinytorch_modules import Module
from tinytorch_modules.arguments import integer

Array = Any


class Identity(Module):
    """Returns its input; takes the place of another layer.

    Args:
        args, kwargs: are ignored, so that the arguments of the other layer can stay.

    >>> Identity(54, unused=True)(3)
    3
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def forward(self, x: Any) -> Any:
        return x


class Unflatten(Module):
    """Splits an axis into several: the inverse of `Flatten`.

    Args:
        dim: the axis; a negative number counts from the end.
        unflattened_size: the lengths of the new axes, one of which may be -1.

    Raises:
        TypeError: an argument is not an integer or a tuple of integers.
        ValueError: a length is 0 or below -1, or several are -1.

    >>> import numpy as np
    >>> Unflatten(1, (2, -1))(np.zeros((10, 16, 5))).shape
    (10, 2, 8, 5)
    """

    def __init__(self, dim: int, unflattened_size: Any) -> None:
        self.dim = integer("Unflatten", "dim", dim, -_UNLIMITED)
        if not isinstance(unflattened_size, tuple | list) or not unflattened_size:
            raise TypeError(
                "unflattened_size of Unflatten must be a tuple of integers, not "
                f"{unflattened_size!r:.60}"
            )
        lengths = tuple(integer("Unflatten", "unflattened_size", n, -1) for n in unflattened_size)
        if 0 in lengths or lengths.count(-1) > 1:
            raise ValueError(
                "unflattened_size of Unflatten must be positive integers, of which one may be -1, "
                f"not {lengths}"
            )
        self.unflattened_size = lengths

    def forward(self, x: Array) -> Tensor:
        shape = input_shape(self, x, floating=False)
        if not -len(shape) <= self.dim < len(shape):
            raise ValueError(f"{self} needs axis {self.dim} of an input of shape {shape}")
        axis = self.dim % len(shape)
        known = math.prod(n for n in self.unflattened_size if n > 0)
        parts = [shape[axis] // known if n < 0 else n for n in self.unflattened_size]
        if math.prod(parts) != shape[axis]:
            raise ValueError(
                f"{self} cannot split axis {self.dim} of an input of shape {shape}: its length is "
                f"{shape[axis]}"
            )
        return x.reshape((*shape[:axis], *parts, *shape[axis + 1 :]))

    def extra_repr(self) -> str:
        return f"{self.dim}, {self.unflattened_size}"


# A bound for integers that may be negative.
_UNLIMITED = 2**62


class PixelShuffle(Module):
    """Rearranges r² channels into blocks of r x r pixels; see `functional.pixel_shuffle`.

    Args:
        upscale_factor: r.

    Raises:
        TypeError, ValueError: r is not a positive integer.

    >>> import numpy as np
    >>> PixelShuffle(2)(np.zeros((10, 12, 4, 4))).shape
    (10, 3, 8, 8)
    """

    def __init__(self, upscale_factor: int) -> None:
        self.upscale_factor = integer("PixelShuffle", "upscale_factor", upscale_factor)

    def forward(self, x: Array) -> Tensor:
        return shuffled(self, x, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"{self.upscale_factor}"


class PixelUnshuffle(Module):
    """Rearranges blocks of r x r pixels into r² channels; see `functional.pixel_unshuffle`.

    Args:
        downscale_factor: r.

    Raises:
        TypeError, ValueError: r is not a positive integer.

    >>> import numpy as np
    >>> PixelUnshuffle(2)(np.zeros((10, 3, 8, 8))).shape
    (10, 12, 4, 4)
    """

    def __init__(self, downscale_factor: int) -> None:
        self.downscale_factor = integer("PixelUnshuffle", "downscale_factor", downscale_factor)

    def forward(self, x: Array) -> Tensor:
        return unshuffled(self, x, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"{self.downscale_factor}"


class ChannelShuffle(Module):
    """Arranges the channels of several groups in turn; see `functional.channel_shuffle`.

    Args:
        groups: the number of groups of successive channels.

    Raises:
        TypeError, ValueError: `groups` is not a positive integer.

    >>> import numpy as np
    >>> ChannelShuffle(2)(np.arange(6).reshape(1, 6))
    array([[0, 3, 1, 4, 2, 5]])
    """

    def __init__(self, groups: int) -> None:
        self.groups = integer("ChannelShuffle", "groups", groups)

    def forward(self, x: Array) -> Tensor:
        return mixed(self, x, self.groups)

    def extra_repr(self) -> str:
        return f"{self.groups}"


class Unfold(Module):
    """Returns the windows of images as columns; see `functional.unfold`.

    Args:
        kernel_size, dilation, padding, stride: as for `Conv2d`.

    Raises:
        TypeError, ValueError: an argument has the wrong type or is out of range.

    >>> import numpy as np
    >>> Unfold(2)(np.zeros((10, 3, 4, 5))).shape
    (10, 12, 12)
    """

    def __init__(
        self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
    ) -> None:
        name = type(self).__name__
        self.windows = windows(name, kernel_size, stride, padding, dilation)
        self.kernel_size, self.dilation = kernel_size, dilation
        self.padding, self.stride = padding, stride

    def forward(self, x: Array) -> Tensor:
        return unfolded(self, x, self.windows)

    def extra_repr(self) -> str:
        return f"{self.kernel_size}{self._options(dilation=1, padding=0, stride=1)}"


class Fold(Unfold):
    """Adds columns to the windows of images; see `functional.fold`.

    Args:
        output_size: the size of the images, an integer, or two for height and width.
        kernel_size, dilation, padding, stride: as for `Conv2d`.

    Raises:
        TypeError, ValueError: an argument has the wrong type or is out of range.

    >>> import numpy as np
    >>> Fold((4, 5), 2)(np.zeros((10, 12, 12))).shape
    (10, 3, 4, 5)
    """

    def __init__(
        self,
        output_size: Any,
        kernel_size: Any,
        dilation: Any = 1,
        padding: Any = 0,
        stride: Any = 1,
    ) -> None:
        super().__init__(kernel_size, dilation, padding, stride)
        self.image = sizes("Fold", "output_size", output_size)
        self.output_size = output_size

    def forward(self, x: Array) -> Tensor:
        return folded(self, x, self.image, self.windows)

    def extra_repr(self) -> str:
        return f"{self.output_size}, {super().extra_repr()}"

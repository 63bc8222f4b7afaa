"""The convolutional layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch_layers import init
from tinytorch_layers.arguments import integer, shape_of, wrong_shape
from tinytorch_layers.functional.convolution import convolve
from tinytorch_layers.functional.windows import windows
from tinytorch_layers.module import Module
from tinytorch_layers.parameter import Parameter

if TYPE_CHECKING:
    from tinytorch_layers.init import Random

Array = Any


class Conv2d(Module):
    """The convolution of images with kernels that are learned; see `functional.conv2d`.

    Args:
        in_channels: how many channels the images have.
        out_channels: how many the output has.
        kernel_size: the size of the kernels, an integer, or two for height and width.
        stride: how far they move, an integer or two.
        padding: how many zeros are put around the images: an integer, two, "valid" for none, or
            "same" for as many as keep their size.
        dilation: how far apart the places of a kernel lie, an integer or two.
        groups: in how many groups the channels are divided, each with its own outputs; with
            as many as channels the convolution is depthwise.
        bias: False for a layer without.
        dtype: of the parameters.
        generator: a `numpy.random.Generator`, or a seed for one, from which the parameters are
            drawn, uniformly in ±1/√(in_channels / groups · kh · kw) as in PyTorch. None draws
            others in every run.

    Attributes:
        weight: a Parameter of shape (out_channels, in_channels / groups, kh, kw).
        bias: a Parameter of shape (out_channels,), or None.

    Raises:
        TypeError, ValueError: a number is no integer, too small, or not divided by `groups`.

    The input has the shape (N, in_channels, H, W), the output (N, out_channels, h, w).

    >>> layer = Conv2d(3, 8, kernel_size=3, padding="same", generator=0)
    >>> layer
    Conv2d(3, 8, kernel_size=3, padding='same')
    >>> layer(np.zeros((10, 3, 32, 32), np.float32)).shape
    (10, 8, 32, 32)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        dtype: Any = np.float32,
        generator: Random = None,
    ) -> None:
        self.in_channels = integer("Conv2d", "in_channels", in_channels)
        self.out_channels = integer("Conv2d", "out_channels", out_channels)
        self.groups = integer("Conv2d", "groups", groups)
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ValueError(
                f"groups of Conv2d must divide in_channels and out_channels, and {self.groups} "
                f"does not divide {self.in_channels} and {self.out_channels}"
            )
        self.windows = windows("Conv2d", kernel_size, stride, padding, dilation)
        self.kernel_size, self.stride = kernel_size, stride
        self.padding, self.dilation = padding, dilation
        shape = (self.out_channels, self.in_channels // self.groups, *self.windows.kernel)
        rng = init.random_generator(generator)
        self.weight = Parameter(init.default_weight(shape, dtype, rng))
        self.bias = (
            Parameter(init.default_bias(shape, self.out_channels, dtype, rng)) if bias else None
        )

    def forward(self, x: Array) -> Array:
        shape = shape_of(self, x)
        if len(shape) != 4 or shape[1] != self.in_channels:
            raise wrong_shape(self, f"(N, {self.in_channels}, H, W)", shape)
        self.windows.size(self, shape[2:])
        return convolve(x, self.weight, self.bias, self.windows, self.groups)

    def extra_repr(self) -> str:
        others = self._options(stride=1, padding=0, dilation=1, groups=1)
        without = "" if self.bias is not None else ", bias=False"
        sizes = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"
        return f"{sizes}{others}{without}"

"""The convolutional layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch_layers import init
from tinytorch_layers.arguments import input_shape, shape_error
from tinytorch_layers.functional.convolution import convolve
from tinytorch_layers.functional.windows import windows
from tinytorch_modules import Module, Parameter, random_generator
from tinytorch_modules.arguments import flag, integer

if TYPE_CHECKING:
    from tinytorch_layers.init import Random

Array = Any


class Conv2d(Module):
    """The convolution of images with learned kernels; see `functional.conv2d`.

    The input has shape (N, in_channels, H, W), the output (N, out_channels, h, w).

    Args:
        in_channels: the number of channels of the images.
        out_channels: the number of channels of the output.
        kernel_size: the size of the kernels, an integer, or two for height and width.
        stride: the step of the kernels, an integer or two.
        padding: the number of zeros added at each border: an integer, two integers, "valid" for
            none, or "same" to keep the size of the images.
        dilation: the spacing of a kernel's elements, an integer or two.
        groups: the number of groups of channels; each output channel sees one group. With
            groups=in_channels the convolution is depthwise.
        bias: whether to add a bias.
        dtype: the dtype of the parameters.
        generator: a `numpy.random.Generator`, or a seed for one, for the initial parameters.
            They are uniform in ±1/√(in_channels / groups · kh · kw), as in PyTorch. With None,
            every run differs.

    Attributes:
        weight: a Parameter of shape (out_channels, in_channels / groups, kh, kw).
        bias: a Parameter of shape (out_channels,), or None.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: a number is too small, or `groups` does not divide the channels.

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
                f"groups of Conv2d must divide in_channels and out_channels, but {self.groups} "
                f"does not divide both {self.in_channels} and {self.out_channels}"
            )
        self.windows = windows("Conv2d", kernel_size, stride, padding, dilation)
        self.kernel_size, self.stride = kernel_size, stride
        self.padding, self.dilation = padding, dilation
        shape = (self.out_channels, self.in_channels // self.groups, *self.windows.kernel)
        rng = random_generator(generator)
        self.weight = Parameter(init.default_weight(shape, dtype, rng))
        with_bias = flag("Conv2d", "bias", bias)
        self.bias = (
            Parameter(init.default_bias(shape, self.out_channels, dtype, rng))
            if with_bias
            else None
        )

    def forward(self, x: Array) -> Array:
        shape = input_shape(self, x)
        if len(shape) != 4 or shape[1] != self.in_channels:
            raise shape_error(self, f"(N, {self.in_channels}, H, W)", shape)
        self.windows.size(self, shape[2:])
        return convolve(x, self.weight, self.bias, self.windows, self.groups)

    def extra_repr(self) -> str:
        others = self._options(stride=1, padding=0, dilation=1, groups=1)
        without = "" if self.bias is not None else ", bias=False"
        sizes = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"
        return f"{sizes}{others}{without}"

"""The convolutional layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_layers import init
from tinytorch_layers.functional.conv_functions import convolved
from tinytorch_layers.functional.padding import MODES, padded
from tinytorch_layers.functional.transposed_functions import (
    convolved_transposed,
    transposed_windows,
)
from tinytorch_layers.functional.windows import Windows, checked_shape, pair, windows
from tinytorch_modules import Module, Parameter, random_generator
from tinytorch_modules.arguments import flag, integer

if TYPE_CHECKING:
    from tinytorch_layers.init import Random

Array = Any


class _Convolution(Module):
    """The parameters of a convolution over some axes, and the arguments that all of them have."""

    # 2 for images, 1 for sequences.
    axes: int
    windows: Windows
    kernel_size: Any
    # For the layers that do not have these arguments.
    output_padding: Any = 0
    padding_mode = "zeros"

    def _create_parameters(
        self, sizes: tuple[Any, Any, Any], bias: bool, dtype: Any, generator: Random
    ) -> None:
        """Set the channels, the groups, the weight and the bias; `windows` is set already."""
        name = type(self).__name__
        names = ("in_channels", "out_channels", "groups")
        channels, outputs, groups = map(integer, [name] * 3, names, sizes)
        if channels % groups or outputs % groups:
            raise ValueError(
                f"groups of {name} must divide in_channels and out_channels, but {groups} does "
                f"not divide both {channels} and {outputs}"
            )
        self.in_channels, self.out_channels, self.groups = channels, outputs, groups
        shape = (*self._channels(), *self.windows.kernel[-self.axes :])
        with_bias = flag(name, "bias", bias)
        rng = random_generator(generator)
        self.weight = Parameter(init.default_weight(shape, dtype, rng))
        self.bias = Parameter(init.default_bias(shape, outputs, dtype, rng)) if with_bias else None

    def _channels(self) -> tuple[int, int]:
        """Return the lengths of the first two axes of the weight."""
        return self.out_channels, self.in_channels // self.groups

    def extra_repr(self) -> str:
        others = self._options(stride=1, padding=0, output_padding=0, dilation=1, groups=1)
        others += "" if self.bias is not None else ", bias=False"
        others += self._options(padding_mode="zeros")
        return f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}{others}"


class _Conv(_Convolution):
    """A convolution over some axes."""

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
        padding_mode: str = "zeros",
        *,
        dtype: Any = np.float32,
        generator: Random = None,
    ) -> None:
        name = type(self).__name__
        self.windows = windows(name, kernel_size, stride, padding, dilation, self.axes)
        self.kernel_size, self.stride = kernel_size, stride
        self.padding, self.dilation = padding, dilation
        self._create_parameters((in_channels, out_channels, groups), bias, dtype, generator)
        modes = ("zeros", *MODES[1:])
        if padding_mode not in modes:
            raise ValueError(
                f"padding_mode of {name} must be one of {', '.join(map(repr, modes))}, not "
                f"{padding_mode!r:.60}"
            )
        self.padding_mode = padding_mode
        if padding_mode != "zeros":
            top, bottom, left, right = self.windows.padding
            self.margins = ((left, right), (top, bottom))[: self.axes]
            self.windows = self.windows._replace(padding=(0, 0, 0, 0))

    def forward(self, x: Array) -> Tensor:
        shape = checked_shape(self, x, self.axes, self.in_channels)
        if self.padding_mode != "zeros":
            x = padded(self, x, self.margins, self.padding_mode)
            shape = x.shape
        self.windows.size(self, shape[-self.axes :])
        return convolved(x, self.weight, self.bias, self.windows, self.groups, self.axes)


class Conv1d(_Conv):
    """The convolution of sequences with learned kernels; see `functional.conv1d`.

    The input has shape (N, in_channels, L) or (in_channels, L), the output (N, out_channels, l) or
    (out_channels, l). Arguments and attributes are those of `Conv2d`, for one axis: the weight has
    shape (out_channels, in_channels / groups, k).

    >>> layer = Conv1d(2, 4, kernel_size=3, padding=1, padding_mode="circular", generator=0)
    >>> layer(np.zeros((10, 2, 100), np.float32)).shape
    (10, 4, 100)
    """

    axes = 1


class Conv2d(_Conv):
    """The convolution of images with learned kernels; see `functional.conv2d`.

    The input has shape (N, in_channels, H, W) or (in_channels, H, W), the output
    (N, out_channels, h, w) or (out_channels, h, w).

    Args:
        in_channels: the number of channels of the images.
        out_channels: the number of channels of the output.
        kernel_size: the size of the kernels, an integer, or two for height and width.
        stride: the step of the kernels, an integer or two.
        padding: the number of pixels added at each border: an integer, two integers, "valid" for
            none, or "same" to keep the size of the images.
        dilation: the spacing of a kernel's elements, an integer or two.
        groups: the number of groups of channels; each output channel sees one group. With
            groups=in_channels the convolution is depthwise.
        bias: whether to add a bias.
        padding_mode: the pixels that are added: "zeros", or "reflect", "replicate" or "circular"
            as for `functional.pad`.
        dtype: the dtype of the parameters.
        generator: a `numpy.random.Generator`, or a seed for one, for the initial parameters.
            They are uniform in ±1/√(in_channels / groups · kh · kw), as in PyTorch. With None,
            every run differs.

    Attributes:
        weight: a Parameter of shape (out_channels, in_channels / groups, kh, kw).
        bias: a Parameter of shape (out_channels,), or None.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: a number is too small, `groups` does not divide the channels, or
            `padding_mode` is unknown.

    >>> layer = Conv2d(3, 8, kernel_size=3, padding="same", generator=0)
    >>> layer
    Conv2d(3, 8, kernel_size=3, padding='same')
    >>> layer(np.zeros((10, 3, 32, 32), np.float32)).shape
    (10, 8, 32, 32)
    """

    axes = 2


class _ConvTranspose(_Convolution):
    """A transposed convolution over some axes."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        *,
        dtype: Any = np.float32,
        generator: Random = None,
    ) -> None:
        name = type(self).__name__
        self.windows = transposed_windows(
            name, kernel_size, stride, padding, output_padding, dilation, self.axes
        )
        self.kernel_size, self.stride = kernel_size, stride
        self.padding, self.output_padding, self.dilation = padding, output_padding, dilation
        self._create_parameters((in_channels, out_channels, groups), bias, dtype, generator)

    def _channels(self) -> tuple[int, int]:
        return self.in_channels, self.out_channels // self.groups

    def forward(self, x: Array, output_size: Any = None) -> Tensor:
        shape = checked_shape(self, x, self.axes, self.in_channels)
        geometry = self.windows
        if output_size is not None:
            geometry = self._windows_for(shape, output_size)
        return convolved_transposed(
            self, x, self.weight, self.bias, geometry, self.groups, self.axes
        )

    def _windows_for(self, shape: tuple[int, ...], output_size: Any) -> Windows:
        """Return the windows with the `output_padding` that gives the output a size."""
        wanted = pair(type(self).__name__, "output_size", output_size, self.axes)
        top, _, left, _ = self.windows.padding
        smallest = self.windows._replace(padding=(top, top, left, left))
        lowest = smallest.spanned((1, *shape[-self.axes :])[-2:])
        down, right = (size - low for size, low in zip(wanted, lowest, strict=True))
        if not (0 <= down < self.windows.stride[0] and 0 <= right < self.windows.stride[1]):
            highest = [low + s - 1 for low, s in zip(lowest, self.windows.stride, strict=True)]
            raise ValueError(
                f"output_size of {self} must be from {lowest[-self.axes :]} to "
                f"{tuple(highest[-self.axes :])} for an input of shape {shape}, not {output_size}"
            )
        return self.windows._replace(padding=(top, top - down, left, left - right))


class ConvTranspose1d(_ConvTranspose):
    """The transposed convolution of sequences; see `functional.conv_transpose1d`.

    The input has shape (N, in_channels, L) or (in_channels, L), the output (N, out_channels, l) or
    (out_channels, l). Arguments and attributes are those of `ConvTranspose2d`, for one axis: the
    weight has shape (in_channels, out_channels / groups, k).

    >>> ConvTranspose1d(4, 2, kernel_size=4, stride=2, padding=1)(np.zeros((10, 4, 50))).shape
    (10, 2, 100)
    """

    axes = 1


class ConvTranspose2d(_ConvTranspose):
    """The transposed convolution of images; see `functional.conv_transpose2d`.

    It increases the size of images as a `Conv2d` with the same arguments decreases it. The input
    has shape (N, in_channels, H, W) or (in_channels, H, W), the output (N, out_channels, h, w) or
    (out_channels, h, w). If the layer is called as `layer(x, output_size=(h, w))`, the size
    replaces `output_padding`.

    Args:
        in_channels: the number of channels of the images.
        out_channels: the number of channels of the output.
        kernel_size: the size of the kernels, an integer, or two for height and width.
        stride: the distance of the windows of neighbouring pixels, an integer or two.
        padding: the number of pixels left out at each border of the output, an integer or two.
        output_padding: the number of pixels added at the bottom and right, an integer or two.
        groups: the number of groups of channels.
        bias: whether to add a bias.
        dilation: the spacing of a kernel's elements, an integer or two.
        dtype, generator: as for `Conv2d`. The initial parameters are uniform in
            ±1/√(out_channels / groups · kh · kw), as in PyTorch. PyTorch's argument
            `padding_mode`, which must be "zeros", is left out.

    Attributes:
        weight: a Parameter of shape (in_channels, out_channels / groups, kh, kw).
        bias: a Parameter of shape (out_channels,), or None.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: a number is too small, `groups` does not divide the channels, or
            `output_padding` is neither less than the stride nor less than the dilation.

    >>> layer = ConvTranspose2d(8, 3, kernel_size=3, stride=2, padding=1, output_padding=1)
    >>> layer(np.zeros((10, 8, 16, 16), np.float32)).shape
    (10, 3, 32, 32)
    """

    axes = 2

"""The layers of the course for images, of shape (N, C, H, W)."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinytorch_activations
from tinytorch_course.autograd import Function
from tinytorch_course.layers import Layer
from tinytorch_course.tensor import Tensor, to_tensor
from tinytorch_layers import functional

__all__ = [
    "AvgPool2D",
    "AvgPool2d",
    "BatchNorm2D",
    "BatchNorm2d",
    "Conv2D",
    "Conv2d",
    "Conv2dBackward",
    "MaxPool2D",
    "MaxPool2d",
    "MaxPool2dBackward",
    "SimpleCNN",
]


def _pair(size: Any) -> tuple[int, int]:
    pair = tuple(size) if isinstance(size, tuple | list) else (size, size)
    if len(pair) != 2:
        raise ValueError(
            f"kernel_size must be one integer, or two for height and width, not {size!r}"
        )
    return pair


class Conv2d(Layer):
    """A two-dimensional convolution.

    Args:
        in_channels, out_channels: the numbers of channels of the input and of the output.
        kernel_size: the height and width of the kernel: an integer, or two.
        stride: the step of the kernel.
        padding: the number of zeros added at each border.
        bias: whether to add a bias, which is zero at first.

    >>> Conv2d(3, 8, kernel_size=3, padding=1)(np.zeros((2, 3, 6, 6))).shape
    (2, 8, 6, 6)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        bias: bool = True,
    ) -> None:
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.padding = _pair(kernel_size), stride, padding
        height, width = self.kernel_size
        deviation = np.sqrt(2 / (in_channels * height * width))
        shape = (out_channels, in_channels, height, width)
        self.weight = Tensor(np.random.normal(0, deviation, shape), requires_grad=True)
        self.bias = Tensor(np.zeros(out_channels), requires_grad=True) if bias else None

    def forward(self, x: Any) -> Tensor:
        return functional.conv2d(to_tensor(x), self.weight, self.bias, self.stride, self.padding)

    def parameters(self) -> list[Tensor]:
        return [self.weight] if self.bias is None else [self.weight, self.bias]


class _Pool(Layer):
    """A window that moves over an image.

    Args:
        kernel_size: the height and width of the window: an integer, or two.
        stride: the step of the window; by default its size.
        padding: the number of pixels added at each border.
    """

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        self.kernel_size, self.padding = _pair(kernel_size), padding
        self.stride = self.kernel_size if stride is None else stride


class MaxPool2d(_Pool):
    """The largest value in each window. Arguments are those of `AvgPool2d`.

    >>> MaxPool2d(2)(np.zeros((1, 1, 4, 4))).shape
    (1, 1, 2, 2)
    """

    def forward(self, x: Any) -> Tensor:
        return functional.max_pool2d(to_tensor(x), self.kernel_size, self.stride, self.padding)


class AvgPool2d(_Pool):
    """The mean of each window, zeros of the padding included.

    Args:
        kernel_size: the height and width of the window: an integer, or two.
        stride: the step of the window; by default its size.
        padding: the number of zeros added at each border.
    """

    def forward(self, x: Any) -> Tensor:
        return functional.avg_pool2d(to_tensor(x), self.kernel_size, self.stride, self.padding)


class BatchNorm2d(Layer):
    """Each channel standardized over the batch, times gamma, plus beta.

    In evaluation mode the running statistics take the place of those of the batch.

    Args:
        num_features: the number of channels.
        eps: added to the variance.
        momentum: the weight of a new batch in the running statistics.
    """

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.gamma = Tensor(np.ones(num_features), requires_grad=True)
        self.beta = Tensor(np.zeros(num_features), requires_grad=True)
        self.running_mean = np.zeros(num_features, np.float32)
        self.running_var = np.ones(num_features, np.float32)
        self.training = True

    def train(self) -> BatchNorm2d:
        """Use the statistics of each batch, and return the layer."""
        self.training = True
        return self

    def eval(self) -> BatchNorm2d:
        """Use the running statistics, and return the layer."""
        self.training = False
        return self

    def forward(self, x: Any) -> Tensor:
        x = to_tensor(x)
        if x.ndim != 4 or x.shape[1] != self.num_features:
            raise ValueError(
                f"BatchNorm2d({self.num_features}) expects images of shape (N, "
                f"{self.num_features}, H, W), not {x.shape}"
            )
        if not self.training:
            shape = (1, -1, 1, 1)
            scale = self.gamma / np.sqrt(self.running_var + self.eps)
            shift = self.beta - scale * self.running_mean
            return x * scale.reshape(*shape) + shift.reshape(*shape)
        self._follow(self.running_mean, x.data.mean(axis=(0, 2, 3)))
        self._follow(self.running_var, x.data.var(axis=(0, 2, 3)))
        return functional.batch_norm(x, weight=self.gamma, bias=self.beta, eps=self.eps)

    def _follow(self, running: Any, value: Any) -> None:
        running += self.momentum * (value - running)

    def parameters(self) -> list[Tensor]:
        return [self.gamma, self.beta]


class SimpleCNN(Layer):
    """Two convolutions with ReLU and pooling, for images of shape (N, 3, H, W).

    The result is flat: for images of 32 × 32 pixels, of shape (N, 2048). A Linear layer that maps
    it to classes is up to the program.

    Args:
        num_classes: the number of classes of that layer; stored only.
    """

    def __init__(self, num_classes: int = 10) -> None:
        self.num_classes = num_classes
        self.conv1, self.pool1 = Conv2d(3, 16, 3, padding=1), MaxPool2d(2)
        self.conv2, self.pool2 = Conv2d(16, 32, 3, padding=1), MaxPool2d(2)

    def forward(self, x: Any) -> Tensor:
        x = self.pool1(self.relu(self.conv1(x)))
        x = self.pool2(self.relu(self.conv2(x)))
        return x.reshape(x.shape[0], -1)

    def relu(self, x: Any) -> Tensor:
        """Return the larger of x and 0."""
        return tinytorch_activations.relu(to_tensor(x))

    def parameters(self) -> list[Tensor]:
        return self.conv1.parameters() + self.conv2.parameters()


class Conv2dBackward(Function):
    """The gradients of the input, the weight and the bias of a convolution.

    Args:
        x, weight, bias: the inputs; the bias may be None, and then has no gradient.
        stride, padding: as for `Conv2d`.
        kernel_size, padded_shape: not used, because they follow from the others.
    """

    ops = ("conv2d",)

    def __init__(
        self,
        x: Any,
        weight: Any,
        bias: Any,
        stride: Any,
        padding: Any,
        kernel_size: Any,
        padded_shape: Any,
    ) -> None:
        super().__init__(x, weight, *([] if bias is None else [bias]))
        self.stride, self.padding = stride, padding

    def forward(self, x: Any, weight: Any, bias: Any = None) -> Any:
        return functional.conv2d(x, weight, bias, self.stride, self.padding)


class MaxPool2dBackward(Function):
    """The gradient of the input of `MaxPool2d`.

    Args:
        x: the input.
        output_shape: not used, because it follows from the others.
        kernel_size, stride, padding: as for `MaxPool2d`.
    """

    ops = ("max_pool2d",)

    def __init__(
        self, x: Any, output_shape: Any, kernel_size: Any, stride: Any, padding: Any
    ) -> None:
        super().__init__(x)
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding

    def forward(self, x: Any) -> Any:
        return functional.max_pool2d(x, self.kernel_size, self.stride, self.padding)


# The course's programs write both.
Conv2D, MaxPool2D, AvgPool2D, BatchNorm2D = Conv2d, MaxPool2d, AvgPool2d, BatchNorm2d

"""The classes of the activations that are composed of others or of NumPy functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_activations.arguments import (
    check_bounds,
    check_dim,
    check_nonnegative,
    check_nonzero,
    check_number,
)
from tinytorch_activations.functional.piecewise import (
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    prelu,
    relu6,
    softshrink,
    threshold,
)
from tinytorch_activations.functional.smooth import (
    celu,
    glu,
    logsigmoid,
    mish,
    selu,
    softmin,
    softsign,
    tanhshrink,
)
from tinytorch_activations.modules import Activation
from tinytorch_modules import Module, Parameter
from tinytorch_modules.arguments import integer

Array = Any


class PReLU(Module):
    """x where x > 0, and weight x elsewhere, with a weight that is learned: see `prelu`.

    Args:
        num_parameters: the number of weights: 1, or the number of channels, the second axis of
            the input.
        init: the initial value of the weights.
        dtype: the dtype of the weights.

    Attributes:
        weight: a Parameter of shape (num_parameters,).

    Raises:
        TypeError, ValueError: `num_parameters` is not a positive integer, or `init` is not a
            number.

    >>> from tinytorch_core import Tensor
    >>> PReLU()(Tensor([-2.0, 3.0])).tolist()
    [-0.5, 3.0]
    """

    def __init__(
        self, num_parameters: int = 1, init: float = 0.25, *, dtype: Any = np.float32
    ) -> None:
        self.num_parameters = integer("PReLU", "num_parameters", num_parameters)
        self.init = check_number("init", init)
        self.weight = Parameter(np.full((self.num_parameters,), self.init, dtype))

    def forward(self, x: Array) -> Tensor:
        return prelu(x, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class Hardtanh(Activation):
    """x between `min_val` and `max_val`: see `hardtanh`.

    Raises:
        TypeError: `min_val` or `max_val` is not a number.
        ValueError: one of them is NaN, or `min_val` is greater than `max_val`.
    """

    function = staticmethod(hardtanh)

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0) -> None:
        self.min_val, self.max_val = check_bounds(min_val, max_val)


class ReLU6(Activation):
    """x between 0 and 6: see `relu6`."""

    function = staticmethod(relu6)


class Hardsigmoid(Activation):
    """A piecewise linear approximation of the sigmoid: see `hardsigmoid`."""

    function = staticmethod(hardsigmoid)


class Hardswish(Activation):
    """x times `hardsigmoid`: see `hardswish`."""

    function = staticmethod(hardswish)


class Threshold(Activation):
    """x where x > threshold, and `value` elsewhere: see `threshold`.

    Raises:
        TypeError: `threshold` or `value` is not a number.
        ValueError: one of them is NaN.
    """

    function = staticmethod(threshold)

    def __init__(self, threshold: float, value: float) -> None:
        self.threshold = check_number("threshold", threshold)
        self.value = check_number("value", value)


class Hardshrink(Activation):
    """0 between -lambd and lambd, and x elsewhere: see `hardshrink`.

    Raises:
        TypeError: `lambd` is not a number.
        ValueError: `lambd` is NaN.
    """

    function = staticmethod(hardshrink)

    def __init__(self, lambd: float = 0.5) -> None:
        self.lambd = check_number("lambd", lambd)


class Softshrink(Activation):
    """x moved towards 0 by `lambd`: see `softshrink`.

    Raises:
        TypeError: `lambd` is not a number.
        ValueError: `lambd` is negative or NaN.
    """

    function = staticmethod(softshrink)

    def __init__(self, lambd: float = 0.5) -> None:
        self.lambd = check_nonnegative("lambd", lambd)


class LogSigmoid(Activation):
    """The logarithm of the sigmoid: see `logsigmoid`."""

    function = staticmethod(logsigmoid)


class Mish(Activation):
    """x tanh(softplus(x)): see `mish`."""

    function = staticmethod(mish)


class SELU(Activation):
    """The scaled exponential linear unit: see `selu`."""

    function = staticmethod(selu)


class CELU(Activation):
    """The continuously differentiable exponential linear unit: see `celu`.

    Raises:
        TypeError: `alpha` is not a number.
        ValueError: `alpha` is NaN or 0.
    """

    function = staticmethod(celu)

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = check_nonzero("alpha", alpha)


class Softsign(Activation):
    """x / (1 + |x|): see `softsign`."""

    function = staticmethod(softsign)


class Tanhshrink(Activation):
    """x - tanh(x): see `tanhshrink`."""

    function = staticmethod(tanhshrink)


class Softmin(Activation):
    """softmax(-x) along one axis: see `softmin`.

    Raises:
        TypeError: `dim` is not an integer.
    """

    function = staticmethod(softmin)

    def __init__(self, dim: int = -1) -> None:
        self.dim = check_dim(dim)


class GLU(Activation):
    """The gated linear unit, which halves an axis: see `glu`.

    Raises:
        TypeError: `dim` is not an integer.
    """

    function = staticmethod(glu)

    def __init__(self, dim: int = -1) -> None:
        self.dim = check_dim(dim)

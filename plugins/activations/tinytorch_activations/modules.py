"""The activations as classes, with the names and arguments of torch.nn."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

from tinytorch_core import Tensor

from tinytorch_activations.arguments import check_choice, check_dim, check_nonzero, check_number
from tinytorch_activations.functional import (
    elu,
    gelu,
    leaky_relu,
    log_softmax,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
    tanh,
)
from tinytorch_activations.functional.gaussian import NORMAL_CDF
from tinytorch_modules import Module

Array = Any


class Activation(Module):
    """Base class of the activations: a function with its parameters, called with `x`.

    A subclass sets `function` as a static method whose first argument is `x`, and stores each
    further argument of it in an attribute of the same name.

    >>> from tinytorch_core import Tensor
    >>> activation = LeakyReLU(negative_slope=0.5)
    >>> activation
    LeakyReLU(negative_slope=0.5)
    >>> activation(Tensor([-1.0, 2.0]))
    Tensor([-0.5,  2. ])
    """

    function: ClassVar[Callable[..., Any]]
    _parameters: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._parameters = tuple(inspect.signature(cls.function).parameters)[1:]

    def forward(self, x: Array) -> Tensor:
        """Return the activation of `x`: a Tensor for a Tensor, an array for an array."""
        return self.function(x, *map(vars(self).__getitem__, self._parameters))

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in self._parameters)


class ReLU(Activation):
    """max(x, 0): see `relu`."""

    function = staticmethod(relu)


class LeakyReLU(Activation):
    """x where x > 0, and negative_slope x elsewhere: see `leaky_relu`.

    Raises:
        TypeError: `negative_slope` is not a number.
        ValueError: `negative_slope` is NaN.
    """

    function = staticmethod(leaky_relu)

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = check_number("negative_slope", negative_slope)


class ELU(Activation):
    """The exponential linear unit: see `elu`.

    Raises:
        TypeError: `alpha` is not a number.
        ValueError: `alpha` is NaN.
    """

    function = staticmethod(elu)

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = check_number("alpha", alpha)


class SiLU(Activation):
    """The sigmoid linear unit x sigmoid(x): see `silu`."""

    function = staticmethod(silu)


class Sigmoid(Activation):
    """1 / (1 + exp(-x)): see `sigmoid`."""

    function = staticmethod(sigmoid)


class Tanh(Activation):
    """The hyperbolic tangent: see `tanh`."""

    function = staticmethod(tanh)


class Softplus(Activation):
    """A smooth approximation of ReLU: see `softplus`.

    Raises:
        TypeError: `beta` or `threshold` is not a number.
        ValueError: `beta` or `threshold` is NaN, or `beta` is 0.
    """

    function = staticmethod(softplus)

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta = check_nonzero("beta", beta)
        self.threshold = check_number("threshold", threshold)


class GELU(Activation):
    """The Gaussian error linear unit: see `gelu`.

    Raises:
        ValueError: `approximate` is neither "none" nor "tanh".
    """

    function = staticmethod(gelu)

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = check_choice("approximate", approximate, NORMAL_CDF)


class Softmax(Activation):
    """exp(x) / Σ exp(x) along one axis: see `softmax`.

    Raises:
        TypeError: `dim` is not an integer.
    """

    function = staticmethod(softmax)

    def __init__(self, dim: int = -1) -> None:
        self.dim = check_dim(dim)


class LogSoftmax(Activation):
    """The logarithm of softmax along one axis: see `log_softmax`.

    Raises:
        TypeError: `dim` is not an integer.
    """

    function = staticmethod(log_softmax)

    def __init__(self, dim: int = -1) -> None:
        self.dim = check_dim(dim)

"""The activations as classes, named and constructed as in torch.nn."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

from tinytorch_activations import functional
from tinytorch_activations.arguments import choice, dimension, nonzero, number
from tinytorch_activations.functional.gaussian import CUMULATIVE

Array = Any


class Activation:
    """An activation with its parameters, to be called with a Tensor or an array.

    A subclass names its function, and stores each parameter of it in an attribute of that name.

    >>> from tinytorch_core import Tensor
    >>> activation = LeakyReLU(negative_slope=0.5)
    >>> activation
    LeakyReLU(negative_slope=0.5)
    >>> activation(Tensor([-1.0, 2.0]))
    Tensor([-0.5,  2. ])
    """

    function: ClassVar[Callable[..., Any]]
    _names: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._names = tuple(inspect.signature(cls.function).parameters)[1:]

    def forward(self, x: Array) -> Array:
        """The activation of `x`: a Tensor for a Tensor, an array for an array."""
        return self.function(x, *map(vars(self).__getitem__, self._names))

    def __call__(self, x: Array) -> Array:
        return self.forward(x)

    def __repr__(self) -> str:
        parameters = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._names)
        return f"{type(self).__name__}({parameters})"


class ReLU(Activation):
    """The positive part max(x, 0), see `functional.relu`."""

    function = staticmethod(functional.relu)


class LeakyReLU(Activation):
    """A line with a kink at 0, see `functional.leaky_relu`.

    Raises:
        TypeError, ValueError: `negative_slope` is no number.
    """

    function = staticmethod(functional.leaky_relu)

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = number("negative_slope", negative_slope)


class ELU(Activation):
    """The exponential linear unit, see `functional.elu`.

    Raises:
        TypeError, ValueError: `alpha` is no number.
    """

    function = staticmethod(functional.elu)

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = number("alpha", alpha)


class SiLU(Activation):
    """The sigmoid linear unit x sigmoid(x), see `functional.silu`."""

    function = staticmethod(functional.silu)


class Sigmoid(Activation):
    """The logistic function 1 / (1 + exp(-x)), see `functional.sigmoid`."""

    function = staticmethod(functional.sigmoid)


class Tanh(Activation):
    """The hyperbolic tangent, see `functional.tanh`."""

    function = staticmethod(functional.tanh)


class Softplus(Activation):
    """A smooth ReLU, see `functional.softplus`.

    Raises:
        TypeError, ValueError: `beta` or `threshold` is no number, or beta is 0.
    """

    function = staticmethod(functional.softplus)

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta = nonzero("beta", beta)
        self.threshold = number("threshold", threshold)


class GELU(Activation):
    """The Gaussian error linear unit, see `functional.gelu`.

    Raises:
        ValueError: `approximate` is neither "none" nor "tanh".
    """

    function = staticmethod(functional.gelu)

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = choice("approximate", approximate, CUMULATIVE)


class Softmax(Activation):
    """A distribution along one axis, see `functional.softmax`.

    Raises:
        TypeError: `dim` is no integer.
    """

    function = staticmethod(functional.softmax)

    def __init__(self, dim: int = -1) -> None:
        self.dim = dimension(dim)


class LogSoftmax(Activation):
    """The logarithm of a distribution along one axis, see `functional.log_softmax`.

    Raises:
        TypeError: `dim` is no integer.
    """

    function = staticmethod(functional.log_softmax)

    def __init__(self, dim: int = -1) -> None:
        self.dim = dimension(dim)

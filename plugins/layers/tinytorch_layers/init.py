"""Initial values of parameters, drawn from an explicit random generator.

Each function returns a new array. Names and formulas are those of torch.nn.init, without the
trailing underscore. `generator` is a `numpy.random.Generator`, or a seed for a new one. With
None, the default, the seed derives from that of `manual_seed`; without it, every run differs.

>>> import numpy as np
>>> kaiming_uniform((4, 2), generator=np.random.default_rng(0)).shape
(4, 2)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch_layers.functional.masking import drawn
from tinytorch_modules import random_generator

if TYPE_CHECKING:
    from numpy.random import Generator

    # A random generator, or a seed for one.
    Random = Generator | int | None

Array = np.ndarray[Any, Any]
Shape = Sequence[int]

_GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}


def fans(shape: Shape) -> tuple[int, int]:
    """Return fan_in and fan_out of a weight: the inputs per output, and the outputs per input.

    Args:
        shape: (in, out) as for `Linear`, or (out, in, *kernel) as for convolutions.

    Raises:
        ValueError: the shape has fewer than two axes.
    """
    if len(shape) < 2:
        raise ValueError(
            f"cannot compute fan_in and fan_out of a weight of shape {tuple(shape)}; "
            "expected at least two axes"
        )
    if len(shape) == 2:
        return shape[0], shape[1]
    window = math.prod(shape[2:])
    return shape[1] * window, shape[0] * window


def gain(nonlinearity: str, a: float = 0.0) -> float:
    """Return the factor for the standard deviation of weights before a nonlinearity.

    The factor keeps the scale of the signal; the values are those of
    torch.nn.init.calculate_gain.

    Args:
        nonlinearity: "linear", "sigmoid", "tanh", "relu", "leaky_relu" or "selu".
        a: the negative slope of "leaky_relu".

    Raises:
        ValueError: the nonlinearity is unknown.

    >>> gain("tanh")
    1.6666666666666667
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + a * a))
    if nonlinearity not in _GAINS:
        known = ", ".join(map(repr, [*_GAINS, "leaky_relu"]))
        raise ValueError(f"unknown nonlinearity {nonlinearity!r}; choose one of {known}")
    return _GAINS[nonlinearity]


def uniform(
    shape: Shape,
    low: float = 0.0,
    high: float = 1.0,
    *,
    dtype: Any = np.float32,
    generator: Random = None,
) -> Array:
    """Return numbers drawn uniformly from [low, high)."""
    numbers = drawn(random_generator(generator), "uniform", low, high, tuple(shape))
    return numbers.astype(dtype)


def normal(
    shape: Shape,
    mean: float = 0.0,
    std: float = 1.0,
    *,
    dtype: Any = np.float32,
    generator: Random = None,
) -> Array:
    """Return numbers drawn from a normal distribution."""
    numbers = drawn(random_generator(generator), "normal", mean, std, tuple(shape))
    return numbers.astype(dtype)


def kaiming_uniform(
    shape: Shape,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    dtype: Any = np.float32,
    generator: Random = None,
) -> Array:
    """Return uniform numbers in ±gain · √(3 / fan), which keep the variance of signals.

    He, Zhang, Ren & Sun, "Delving deep into rectifiers", 2015, arXiv:1502.01852.

    Args:
        shape: (in, out), or (out, in, *kernel).
        a: the negative slope of the following leaky ReLU; 0 for ReLU.
        mode: "fan_in" keeps the variance in the forward pass, "fan_out" in the backward pass.
        nonlinearity: the following nonlinearity; see `gain`.
        dtype: the dtype of the array.
        generator: a generator, a seed or None; see the module.

    Raises:
        ValueError: the shape has fewer than two axes, or the mode or nonlinearity is unknown.
    """
    bound = math.sqrt(3) * _kaiming_std(shape, a, mode, nonlinearity)
    return uniform(shape, -bound, bound, dtype=dtype, generator=generator)


def kaiming_normal(
    shape: Shape,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    dtype: Any = np.float32,
    generator: Random = None,
) -> Array:
    """Return normal numbers with standard deviation gain / √fan; see `kaiming_uniform`."""
    std = _kaiming_std(shape, a, mode, nonlinearity)
    return normal(shape, 0.0, std, dtype=dtype, generator=generator)


def xavier_uniform(
    shape: Shape, gain: float = 1.0, *, dtype: Any = np.float32, generator: Random = None
) -> Array:
    """Return uniform numbers in ±gain · √(6 / (fan_in + fan_out)).

    They are a compromise between keeping the variance in the forward and in the backward pass.
    Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    2010.

    Args:
        shape: (in, out), or (out, in, *kernel).
        gain: the value of the function `gain` for the following nonlinearity.
        dtype: the dtype of the array.
        generator: a generator, a seed or None; see the module.

    Raises:
        ValueError: the shape has fewer than two axes.
    """
    bound = math.sqrt(3) * _xavier_std(shape, gain)
    return uniform(shape, -bound, bound, dtype=dtype, generator=generator)


def xavier_normal(
    shape: Shape, gain: float = 1.0, *, dtype: Any = np.float32, generator: Random = None
) -> Array:
    """Return normal numbers with standard deviation gain · √(2 / (fan_in + fan_out)).

    See `xavier_uniform`.
    """
    return normal(shape, 0.0, _xavier_std(shape, gain), dtype=dtype, generator=generator)


def constant(shape: Shape, value: float, *, dtype: Any = np.float32) -> Array:
    """Return an array filled with `value`."""
    return np.full(tuple(shape), value, dtype)


def zeros(shape: Shape, *, dtype: Any = np.float32) -> Array:
    """Return an array of zeros."""
    return np.zeros(tuple(shape), dtype)


def ones(shape: Shape, *, dtype: Any = np.float32) -> Array:
    """Return an array of ones."""
    return np.ones(tuple(shape), dtype)


def default_weight(shape: Shape, dtype: Any, generator: Random) -> Array:
    """Return the initial weight of PyTorch's linear and convolutional layers: ±1/√fan_in."""
    return kaiming_uniform(shape, math.sqrt(5), dtype=dtype, generator=generator)


def default_bias(weight_shape: Shape, size: int, dtype: Any, generator: Random) -> Array:
    """Return the initial bias of PyTorch's linear and convolutional layers: ±1/√fan_in."""
    fan_in, _ = fans(weight_shape)
    bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
    return uniform((size,), -bound, bound, dtype=dtype, generator=generator)


def _kaiming_std(shape: Shape, a: float, mode: str, nonlinearity: str) -> float:
    fan_in, fan_out = fans(shape)
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode must be 'fan_in' or 'fan_out', not {mode!r}")
    fan = fan_in if mode == "fan_in" else fan_out
    return gain(nonlinearity, a) / math.sqrt(fan) if fan else 0.0


def _xavier_std(shape: Shape, gain: float) -> float:
    total = sum(fans(shape))
    return gain * math.sqrt(2 / total) if total else 0.0

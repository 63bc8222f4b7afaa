"""Initial values of parameters, drawn from an explicit random generator.

Each function returns a new array. The names and formulas are those of torch.nn.init, without the
underscore. `generator` is a `numpy.random.Generator`, or a seed for a new one; None, the default,
makes one that the operating system seeds, so that every run differs.

>>> import numpy as np
>>> kaiming_uniform((4, 2), generator=np.random.default_rng(0)).shape
(4, 2)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator

    # A random generator, or a seed for one.
    Random = Generator | int | None

Array = np.ndarray[Any, Any]
Shape = Sequence[int]

_GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}


def random_generator(generator: Random = None) -> Generator:
    """A generator from a generator or a seed; from None a new one, different in every run."""
    return np.random.default_rng(generator)


def fans(shape: Shape) -> tuple[int, int]:
    """How many inputs each output of a weight has, and how many outputs each input.

    Args:
        shape: (in, out) as `Linear` has it, or (out, in, *kernel) as convolutions do.

    Raises:
        ValueError: there are fewer than two axes.
    """
    if len(shape) < 2:
        raise ValueError(
            f"a weight of shape {tuple(shape)} has no inputs and outputs to be counted; "
            "it needs at least two axes"
        )
    if len(shape) == 2:
        return shape[0], shape[1]
    window = math.prod(shape[2:])
    return shape[1] * window, shape[0] * window


def gain(nonlinearity: str, a: float = 0.0) -> float:
    """By how much the spread before a nonlinearity must be larger to be kept behind it.

    Args:
        nonlinearity: "linear", "sigmoid", "tanh", "relu", "leaky_relu" or "selu".
        a: the negative slope of "leaky_relu".

    Raises:
        ValueError: it is none of these.

    >>> gain("tanh")
    1.6666666666666667
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + a * a))
    if nonlinearity not in _GAINS:
        known = ", ".join(map(repr, [*_GAINS, "leaky_relu"]))
        raise ValueError(f"there is no gain for {nonlinearity!r}; choose one of {known}")
    return _GAINS[nonlinearity]


def uniform(
    shape: Shape,
    low: float = 0.0,
    high: float = 1.0,
    *,
    dtype: Any = np.float32,
    generator: Random = None,
) -> Array:
    """Numbers drawn uniformly from [low, high)."""
    return random_generator(generator).uniform(low, high, tuple(shape)).astype(dtype)


def normal(
    shape: Shape,
    mean: float = 0.0,
    std: float = 1.0,
    *,
    dtype: Any = np.float32,
    generator: Random = None,
) -> Array:
    """Numbers drawn from a normal distribution."""
    return random_generator(generator).normal(mean, std, tuple(shape)).astype(dtype)


def kaiming_uniform(
    shape: Shape,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    dtype: Any = np.float32,
    generator: Random = None,
) -> Array:
    """Uniform numbers whose spread keeps that of signals through rectifiers.

    He, Zhang, Ren & Sun, "Delving deep into rectifiers", 2015, arXiv:1502.01852.

    Args:
        shape: (in, out), or (out, in, *kernel).
        a: the negative slope of the rectifier behind; 0 for ReLU.
        mode: "fan_in" keeps the spread forward, "fan_out" backward.
        nonlinearity: as for `gain`.
        dtype: of the array.
        generator: see above.

    Raises:
        ValueError: the shape has fewer than two axes, or there is no such mode or nonlinearity.
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
    """Normal numbers whose spread keeps that of signals; see `kaiming_uniform`."""
    std = _kaiming_std(shape, a, mode, nonlinearity)
    return normal(shape, 0.0, std, dtype=dtype, generator=generator)


def xavier_uniform(
    shape: Shape, gain: float = 1.0, *, dtype: Any = np.float32, generator: Random = None
) -> Array:
    """Uniform numbers whose spread suits signals both ways, forward and backward.

    Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    2010.

    Args:
        shape: (in, out), or (out, in, *kernel).
        gain: what the function `gain` says of the nonlinearity behind.
        dtype: of the array.
        generator: see above.

    Raises:
        ValueError: the shape has fewer than two axes.
    """
    bound = math.sqrt(3) * _xavier_std(shape, gain)
    return uniform(shape, -bound, bound, dtype=dtype, generator=generator)


def xavier_normal(
    shape: Shape, gain: float = 1.0, *, dtype: Any = np.float32, generator: Random = None
) -> Array:
    """Normal numbers whose spread suits signals both ways; see `xavier_uniform`."""
    return normal(shape, 0.0, _xavier_std(shape, gain), dtype=dtype, generator=generator)


def constant(shape: Shape, value: float, *, dtype: Any = np.float32) -> Array:
    """One number everywhere."""
    return np.full(tuple(shape), value, dtype)


def zeros(shape: Shape, *, dtype: Any = np.float32) -> Array:
    """Zeros."""
    return np.zeros(tuple(shape), dtype)


def ones(shape: Shape, *, dtype: Any = np.float32) -> Array:
    """Ones."""
    return np.ones(tuple(shape), dtype)


def default_weight(shape: Shape, dtype: Any, generator: Random) -> Array:
    """What PyTorch starts the weights of its linear and convolutional layers with."""
    return kaiming_uniform(shape, math.sqrt(5), dtype=dtype, generator=generator)


def default_bias(weight_shape: Shape, size: int, dtype: Any, generator: Random) -> Array:
    """What PyTorch starts the biases of these layers with, uniform in ±1/√fan_in."""
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

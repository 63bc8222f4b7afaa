"""Sample calls and reference formulas of the ops, for the conformance kit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_devkit import Samples

Array = Any

# 1-d, 2-d, 0-d and empty.
_SHAPES = ((4,), (2, 3), (), (0, 3), (2, 0))
_DIMENSIONS: tuple[dict[str, int], ...] = ({}, {"dim": 0})
# With the second set, beta x equals the threshold at x = 2/3, the kink that is passed below.
_SOFTPLUS: tuple[dict[str, float], ...] = ({}, {"beta": 3.0, "threshold": 2.0}, {"beta": -1.0})

_erf = np.vectorize(math.erf, otypes=[np.float64])


def describe_ops(samples: Samples) -> None:
    """Add samples, reference formulas and expected errors of every op of this plugin."""
    samples.add("relu", lambda x: (x + abs(x)) / 2, kinks=[0])
    samples.add("leaky_relu", _leaky_relu, kinks=[0], parameters=[{}, {"negative_slope": 0.25}])
    samples.add("elu", _elu, kinks=[0], parameters=[{}, {"alpha": 0.5}])
    samples.add("sigmoid", lambda x: (1 + np.tanh(x / 2)) / 2)
    samples.add("silu", lambda x: x * (1 + np.tanh(x / 2)) / 2)
    samples.add("softplus", _softplus, kinks=[2 / 3], parameters=_SOFTPLUS)
    samples.add("gelu", _gelu, parameters=[{}, {"approximate": "tanh"}])
    samples.add("softmax", _softmax, shapes=_SHAPES, parameters=_DIMENSIONS)
    samples.add("log_softmax", _log_softmax, shapes=_SHAPES, parameters=_DIMENSIONS)
    samples.add("erf", _erf, domain=(-7, 7))
    reason = "np.maximum orders complex numbers as np.sort does, by their real parts first"
    samples.leave_out("takes_complex_numbers", reason, "relu")
    _describe_errors(samples)


def _describe_errors(samples: Samples) -> None:
    for name, parameter in (
        ("leaky_relu", "negative_slope"),
        ("elu", "alpha"),
        ("softplus", "beta"),
    ):
        samples.refuse(name, TypeError, parameter, **{parameter: "much"})
        samples.refuse(name, ValueError, parameter, **{parameter: math.nan})
    samples.refuse("softplus", ValueError, "beta", beta=0)
    samples.refuse("softplus", TypeError, "complex128", np.array([1j]))
    samples.refuse("gelu", ValueError, "approximate", approximate="roughly")
    for name in ("softmax", "log_softmax"):
        samples.refuse(name, IndexError, "dim 2", np.ones((2, 3)), dim=2)
        samples.refuse(name, TypeError, "dim", dim=0.5)


def _leaky_relu(x: Array, negative_slope: float = 0.01) -> Array:
    return np.maximum(x, 0) + negative_slope * np.minimum(x, 0)


def _elu(x: Array, alpha: float = 1.0) -> Array:
    return np.maximum(x, 0) + alpha * (np.exp(np.minimum(x, 0)) - 1)


def _softplus(x: Array, beta: float = 1.0, threshold: float = 20.0) -> Array:
    return np.where(beta * x > threshold, x, np.log(1 + np.exp(beta * x)) / beta)


def _gelu(x: Array, approximate: str = "none") -> Array:
    if approximate == "tanh":
        return x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2
    return x * (1 + _erf(x / math.sqrt(2))) / 2


def _softmax(x: Array, dim: int = -1) -> Array:
    # A 0-d array has dim 0, as in PyTorch.
    axis = dim if x.ndim else None
    powers = np.exp(x - x.max(axis=axis, keepdims=True, initial=-np.inf))
    return powers / powers.sum(axis=axis, keepdims=True)


def _log_softmax(x: Array, dim: int = -1) -> Array:
    return np.log(_softmax(x, dim))

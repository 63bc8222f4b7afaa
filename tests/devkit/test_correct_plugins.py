"""Correct plugins of many kinds pass every check of the kit, including those of autograd."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tinytorch_core.extend import op

from tinytorch_devkit import call, check_plugin

from .subtle import sigmoid, sigmoid_rule
from .wrong import plugin

AXES = [{}, {"axis": 0}, {"axis": -1, "keepdims": True}]


def logsumexp(x, axis=None, keepdims=False):
    """log Σ exp(x) over `axis`, which is kept with `keepdims`."""
    largest = x.max(axis=axis, keepdims=True)
    total = np.log(np.exp(x - largest).sum(axis=axis, keepdims=True)) + largest
    return total if keepdims else total.sum(axis=axis)


def logsumexp_rule(grad, out, x, axis, keepdims):
    if not keepdims:
        shape = (1,) * x.ndim if axis is None else None
        grad, out = (
            g.reshape(shape) if shape is not None else np.expand_dims(g, axis) for g in (grad, out)
        )
    return grad * np.exp(x - out)


def power(x, n=2):
    """x to the power of `n`, a positive whole number."""
    return x**n


def noisy(x, generator):
    """x with normal random numbers from `generator`."""
    noise = generator.normal(size=x.shape)
    return x + noise.astype(np.result_type(x, np.float16))


def bounded(x):
    if x.dtype.kind == "c":
        raise TypeError("bounded takes real numbers")
    return np.clip(x, -1, 1)


def inverse_rule(grad, out):
    return -(out.mT @ grad @ out.mT)


def sine_and_cosine_rule(grads, x):
    sine, cosine = grads
    zero = np.zeros_like(x)
    return (zero if sine is None else sine * np.cos(x)) - (
        zero if cosine is None else cosine * np.sin(x)
    )


def concatenation_rule(grad, arrays):
    ends = np.cumsum([len(a) for a in arrays])
    return [grad[end - len(a) : end] for a, end in zip(arrays, ends, strict=True)]


def _weighted(x, weights):
    """The sum of x times `weights`."""
    return (x * weights.astype(np.result_type(x, np.float16))).sum()


@op("wrong")
def scaled(x: Any, by: float = 1.0) -> Any:
    """x times `by`, a positive number."""
    if not by > 0:
        raise ValueError(f"by must be positive, not {by!r}")
    return x * by


CORRECT = {
    "elementwise": plugin(sigmoid, lambda x: 1 / (1 + np.exp(-x)), sigmoid_rule, order=3),
    "reduction": plugin(
        logsumexp,
        lambda x, axis=None, keepdims=False: np.log(np.exp(x).sum(axis=axis, keepdims=keepdims)),
        logsumexp_rule,
        op={"doc": None},
        shapes=[(2, 3), (2, 1, 2)],
        parameters=AXES,
    ),
    "two inputs": plugin(
        np.hypot,
        lambda x, y: np.sqrt(x * x + y * y),
        lambda grad, out, x: grad * x / np.where(out == 0, 1, out),
        lambda grad, out, y: grad * y / np.where(out == 0, 1, out),
    ),
    "several outputs": plugin(
        lambda x: (np.sin(x), np.cos(x)), None, sine_and_cosine_rule, shapes=[(2, 3), ()]
    ),
    "integer parameters": plugin(
        power,
        lambda x, n=2: np.prod([x] * n, axis=0),
        lambda grad, x, n: grad * n * x ** (n - 1),
        op={"doc": None},
        parameters=[{}, {"n": 3}, {"n": 1}],
    ),
    "view": plugin(
        lambda x: x.swapaxes(-1, -2),
        None,
        lambda grad: grad.swapaxes(-1, -2),
        shapes=[(2, 3)],
        view=True,
    ),
    "random": plugin(
        noisy,
        lambda x, generator: x + generator.normal(size=x.shape),
        lambda grad: grad,
        op={"doc": None, "inputs": ["x"]},
        shapes=[(2, 3), (4,)],
        parameters=[{"generator": np.random.default_rng(seed)} for seed in (0, 1)],
    ),
    "not differentiable": plugin(
        lambda x: (x > 0).sum(axis=-1),
        lambda x: np.count_nonzero(x > 0, axis=-1),
        no_derivative=True,
        shapes=[(2, 3), (4,)],
    ),
    "piecewise": plugin(
        bounded,
        lambda x: np.minimum(np.maximum(x, -1), 1),
        lambda grad, x: grad * (np.abs(x) < 1),
        kinks=[-1, 1],
    ),
    "complex": plugin(
        lambda x: (x * np.conj(x)).real,
        lambda x: abs(x) ** 2,
        lambda grad, x: 2 * grad * np.conj(x),
    ),
    "linear algebra": plugin(
        np.linalg.inv,
        lambda x: np.linalg.solve(x, np.eye(len(x))),
        inverse_rule,
        op={"inputs": ["a"]},
        shapes=[(3, 3)],
    ),
    "matrix product": plugin(
        lambda x, y: x @ y,
        lambda x, y: np.einsum("ij,jk->ik", x, y),
        lambda grad, y: grad @ y.mT,
        lambda grad, x: x.mT @ grad,
        shapes=[((2, 3), (3, 4))],
    ),
    "variadic": plugin(
        lambda *arrays: np.concatenate(arrays),
        None,
        concatenation_rule,
        shapes=[((2,), (3,))],
    ),
    "an array as parameter": plugin(
        _weighted,
        lambda x, weights: x @ weights,
        lambda grad, weights: grad * weights.astype(grad.dtype),
        op={"doc": None, "inputs": ["x"]},
        calls=[call(np.array([1.0, -2.0]), weights=np.array(w)) for w in ([0.5, 2.0], [1.0, -1.0])],
        domain={"x": (-np.inf, np.inf)},
    ),
    "a checked parameter": plugin(
        scaled,
        lambda x, by=1.0: by * x,
        lambda grad, by: grad * by,
        op={"doc": None},
        parameters=[{}, {"by": 2.5}],
        describe=lambda samples: samples.refuse("wrong", ValueError, "by", by=-1),
    ),
}


@pytest.mark.parametrize("name", CORRECT)
def test_a_correct_plugin_passes_every_check(name: str) -> None:
    results = check_plugin(CORRECT[name])
    assert not [str(result.failure) for result in results if result.failure is not None]
    assert any(result.case.check.provider == "autograd" for result in results)
    assert isinstance(CORRECT[name], SimpleNamespace)

"""Sample calls of the update ops for the conformance kit, with formulas from the papers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinytorch_devkit import Samples, call

Array = Any

_SHAPES = ((2, 3), (), (0,))


def describe(samples: Samples) -> None:
    """Describe every op of this plugin."""
    sgd = {"lr": 0.1, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False}
    momentum = {**sgd, "momentum": 0.9, "weight_decay": 0.2}
    _describe(
        samples,
        "sgd_update",
        _sgd,
        (
            ("momentum_buffer",),
            [momentum, {**momentum, "dampening": 0.3, "lr": 0.2}, {**momentum, "nesterov": True}],
        ),
        ((), [sgd, {**sgd, "weight_decay": 0.2}]),
    )
    adam = {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.01, "weight_decay": 0.0, "decoupled": False}
    decay = {**adam, "weight_decay": 0.2, "step": 3}
    other = {"lr": 0.02, "betas": (0.7, 0.95), "eps": 0.1}
    options = [{**adam, "step": 1}, {**decay, **other}, {**decay, "decoupled": True}]
    moments = ("exp_avg", "exp_avg_sq")
    _describe(
        samples,
        "adam_update",
        _adam,
        (moments, options),
        ((*moments, "max_exp_avg_sq"), options),
    )
    rmsprop = {"lr": 0.1, "alpha": 0.8, "eps": 0.01, "weight_decay": 0.2, "momentum": 0.0}
    _describe(
        samples,
        "rmsprop_update",
        _rmsprop,
        (("square_avg",), [rmsprop, {**rmsprop, "weight_decay": 0.0}]),
        (
            ("square_avg", "grad_avg", "momentum_buffer"),
            [{**rmsprop, "momentum": 0.7, "lr": 0.02, "alpha": 0.7, "eps": 0.1}],
        ),
    )


def _describe(
    samples: Samples,
    name: str,
    formula: Callable[..., Array],
    *combinations: tuple[Sequence[str], Sequence[dict[str, Any]]],
) -> None:
    """Describe an update op.

    Args:
        samples: receives the description.
        name: the name of the op.
        formula: computes the updated parameter.
        combinations: names of buffers, each with the options to try with them.
    """
    calls = [
        call(*_inputs(shape), state=_buffers(shape, buffers), scratch=_scratch(shape), **options)
        for buffers, each in combinations
        for options in each
        for shape in _SHAPES
    ]
    samples.add(name, formula, calls=calls)
    parameter, grad = _inputs((2, 3))
    samples.refuse(name, ValueError, "shape", parameter, grad[:, :2], **calls[0].parameters)


def _inputs(shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Return a parameter and its gradient."""
    rng = np.random.default_rng(0)
    return np.asarray(rng.normal(size=shape)), np.asarray(rng.normal(size=shape))


def _buffers(shape: tuple[int, ...], names: Sequence[str]) -> dict[str, Any]:
    """Return nonzero buffers, with averages of squares above the squares of averages."""
    rng = np.random.default_rng(1)
    return {
        name: np.asarray(
            rng.uniform(0.5, 1.0, shape) if "sq" in name else rng.uniform(0, 0.5, shape)
        )
        for name in names
    }


def _scratch(shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Return scratch arrays, whose contents must not affect the result."""
    return np.full(shape, np.nan), np.full(shape, np.nan)


def _sgd(
    parameter: Array,
    grad: Array,
    state: dict[str, Array],
    scratch: Any,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
) -> Array:
    grad = grad + weight_decay * parameter
    if not state:
        return parameter - lr * grad
    buffer = momentum * state["momentum_buffer"] + (1 - dampening) * grad
    return parameter - lr * (grad + momentum * buffer if nesterov else buffer)


def _adam(
    parameter: Array,
    grad: Array,
    state: dict[str, Array],
    scratch: Any,
    step: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    decoupled: bool,
) -> Array:
    if decoupled:
        parameter = parameter - lr * weight_decay * parameter
    else:
        grad = grad + weight_decay * parameter
    m = betas[0] * state["exp_avg"] + (1 - betas[0]) * grad
    v = betas[1] * state["exp_avg_sq"] + (1 - betas[1]) * grad**2
    v = np.maximum(v, state.get("max_exp_avg_sq", 0))
    m, v = m / (1 - betas[0] ** step), v / (1 - betas[1] ** step)
    return parameter - lr * m / (v**0.5 + eps)


def _rmsprop(
    parameter: Array,
    grad: Array,
    state: dict[str, Array],
    scratch: Any,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
) -> Array:
    grad = grad + weight_decay * parameter
    v = alpha * state["square_avg"] + (1 - alpha) * grad**2
    if "grad_avg" in state:
        v = v - (alpha * state["grad_avg"] + (1 - alpha) * grad) ** 2
    direction = grad / (v**0.5 + eps)
    if "momentum_buffer" in state:
        direction = direction + momentum * state["momentum_buffer"]
    return parameter - lr * direction

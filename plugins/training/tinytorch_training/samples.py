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
    adam: dict[str, Any] = {
        "lr": 0.1,
        "betas": (0.8, 0.9),
        "eps": 0.01,
        "weight_decay": 0.0,
        "decoupled": False,
    }
    decay = {**adam, "weight_decay": 0.2, "step": 3}
    other = {"lr": 0.02, "betas": (0.7, 0.95), "eps": 0.1}
    options = [{**adam, "step": 1}, {**decay, **other}, {**decay, "decoupled": True}]
    moments = ("exp_avg", "exp_avg_sq")
    _describe(
        samples,
        "adam_update",
        _adam,
        (moments, [{**each, "amsgrad": False} for each in options]),
        ((*moments, "max_exp_avg_sq"), [{**each, "amsgrad": True} for each in options]),
    )
    rmsprop: dict[str, Any] = {
        "lr": 0.1,
        "alpha": 0.8,
        "eps": 0.01,
        "weight_decay": 0.2,
        "momentum": 0.0,
        "centered": False,
    }
    both = {"momentum": 0.7, "centered": True}
    _describe(
        samples,
        "rmsprop_update",
        _rmsprop,
        (("square_avg",), [rmsprop, {**rmsprop, "weight_decay": 0.0}]),
        (
            ("square_avg", "grad_avg", "momentum_buffer"),
            # Buffers that the options do not need are not used.
            [{**rmsprop, **both, "lr": 0.02, "alpha": 0.7, "eps": 0.1}, rmsprop],
        ),
    )
    _describe_updates(samples, adam, moments)


def _describe_updates(samples: Samples, adam: dict[str, Any], moments: Sequence[str]) -> None:
    """Describe the ops of `updates`."""
    adagrad = {"step": 1, "lr": 0.1, "lr_decay": 0.0, "weight_decay": 0.0, "eps": 0.01}
    decay = {"step": 3, "lr": 0.02, "lr_decay": 0.5, "weight_decay": 0.2, "eps": 0.1}
    _describe(samples, "adagrad_update", _adagrad, (("sum",), [adagrad, decay]))
    other = {"step": 9, "lr": 0.02, "betas": (0.7, 0.95), "eps": 0.1, "weight_decay": 0.2}
    first, later = {**adam, "step": 1}, {**adam, **other}
    decoupled = {**later, "decoupled": True}
    _describe(samples, "radam_update", _radam, (moments, [first, later, decoupled]))
    nadam = [{**options, "momentum_decay": 0.004} for options in (first, later)]
    nadam.append({**decoupled, "momentum_decay": 0.1})
    _describe(samples, "nadam_update", _nadam, ((*moments, "mu_product"), nadam))
    lion = {"lr": 0.1, "betas": (0.9, 0.99), "weight_decay": 0.0}
    _describe(
        samples,
        "lion_update",
        _lion,
        (("exp_avg",), [lion, {"lr": 0.02, "betas": (0.7, 0.8), "weight_decay": 0.2}]),
    )
    muon = {
        "lr": 0.1,
        "weight_decay": 0.0,
        "momentum": 0.9,
        "nesterov": True,
        "ns_coefficients": (3.4445, -4.775, 2.0315),
        "eps": 1e-7,
        "ns_steps": 5,
        "adjust_lr_fn": None,
    }
    others: dict[str, Any] = {
        "lr": 0.02,
        "weight_decay": 0.2,
        "momentum": 0.5,
        "nesterov": False,
        "ns_coefficients": (2.0, -1.5, 0.5),
        "eps": 10.0,
        "ns_steps": 3,
        "adjust_lr_fn": "match_rms_adamw",
    }
    _describe(
        samples,
        "muon_update",
        _muon,
        (("momentum_buffer",), [muon, others]),
        shapes=((2, 3), (4, 2), (0, 3)),
    )


def _describe(
    samples: Samples,
    name: str,
    formula: Callable[..., Array],
    *combinations: tuple[Sequence[str], Sequence[dict[str, Any]]],
    shapes: Sequence[tuple[int, ...]] = _SHAPES,
) -> None:
    """Describe an update op.

    Args:
        samples: receives the description.
        name: the name of the op.
        formula: computes the updated parameter.
        combinations: names of buffers, each with the options to try with them.
        shapes: the shapes of the parameters.
    """
    calls = [
        call(*_inputs(shape), state=_buffers(shape, buffers), scratch=_scratch(shape), **options)
        for buffers, each in combinations
        for options in each
        for shape in shapes
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
    buffers: dict[str, Any] = {
        name: np.asarray(
            rng.uniform(0.5, 1.0, shape) if "sq" in name else rng.uniform(0, 0.5, shape)
        )
        for name in names
    }
    return buffers | {"mu_product": 0.7} if "mu_product" in names else buffers


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
    if not momentum:
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
    amsgrad: bool,
) -> Array:
    parameter, _, m, v = _decayed_moments(
        parameter, grad, state, lr, betas, weight_decay, decoupled
    )
    v = np.maximum(v, state["max_exp_avg_sq"]) if amsgrad else v
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
    centered: bool,
) -> Array:
    grad = grad + weight_decay * parameter
    v = alpha * state["square_avg"] + (1 - alpha) * grad**2
    if centered:
        v = v - (alpha * state["grad_avg"] + (1 - alpha) * grad) ** 2
    direction = grad / (v**0.5 + eps)
    if momentum:
        direction = direction + momentum * state["momentum_buffer"]
    return parameter - lr * direction


def _adagrad(
    parameter: Array,
    grad: Array,
    state: dict[str, Array],
    scratch: Any,
    step: int,
    lr: float,
    lr_decay: float,
    weight_decay: float,
    eps: float,
) -> Array:
    grad = grad + weight_decay * parameter
    total = state["sum"] + grad**2
    return parameter - lr / (1 + (step - 1) * lr_decay) * grad / (total**0.5 + eps)


def _decayed_moments(
    parameter: Array,
    grad: Array,
    state: dict[str, Array],
    lr: float,
    betas: tuple[float, float],
    weight_decay: float,
    decoupled: bool,
) -> tuple[Array, Array, Array, Array]:
    if decoupled:
        parameter = parameter - lr * weight_decay * parameter
    else:
        grad = grad + weight_decay * parameter
    m = betas[0] * state["exp_avg"] + (1 - betas[0]) * grad
    v = betas[1] * state["exp_avg_sq"] + (1 - betas[1]) * grad**2
    return parameter, grad, m, v


def _nadam(
    parameter: Array,
    grad: Array,
    state: dict[str, Array],
    scratch: Any,
    step: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    momentum_decay: float,
    decoupled: bool,
) -> Array:
    parameter, grad, m, v = _decayed_moments(
        parameter, grad, state, lr, betas, weight_decay, decoupled
    )
    mu, after = (betas[0] * (1 - 0.96 ** (t * momentum_decay) / 2) for t in (step, step + 1))
    product = state["mu_product"] * mu
    m = (1 - mu) * grad / (1 - product) + after * m / (1 - product * after)
    return parameter - lr * m / ((v / (1 - betas[1] ** step)) ** 0.5 + eps)


def _radam(
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
    parameter, _, m, v = _decayed_moments(
        parameter, grad, state, lr, betas, weight_decay, decoupled
    )
    m, scale = m / (1 - betas[0] ** step), 1 - betas[1] ** step
    most = 2 / (1 - betas[1]) - 1
    rho = most - 2 * step * betas[1] ** step / scale
    if rho <= 5:
        return parameter - lr * m
    rectified = ((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho)) ** 0.5
    return parameter - lr * m * rectified * scale**0.5 / (v**0.5 + eps)


def _lion(
    parameter: Array,
    grad: Array,
    state: dict[str, Array],
    scratch: Any,
    lr: float,
    betas: tuple[float, float],
    weight_decay: float,
) -> Array:
    direction = np.sign(betas[0] * state["exp_avg"] + (1 - betas[0]) * grad)
    return parameter - lr * weight_decay * parameter - lr * direction


def _muon(
    parameter: Array,
    grad: Array,
    state: dict[str, Array],
    scratch: Any,
    lr: float,
    weight_decay: float,
    momentum: float,
    nesterov: bool,
    ns_coefficients: tuple[float, float, float],
    eps: float,
    ns_steps: int,
    adjust_lr_fn: str | None,
) -> Array:
    """Compute the singular values."""
    buffer = momentum * state["momentum_buffer"] + (1 - momentum) * grad
    direction = momentum * buffer + (1 - momentum) * grad if nesterov else buffer
    left, values, right = np.linalg.svd(direction, full_matrices=False)
    values = values / max(float((values**2).sum()) ** 0.5, eps)
    for _ in range(ns_steps):
        values = sum(c * values ** (2 * i + 1) for i, c in enumerate(ns_coefficients))
    rows, columns = (max(1, n) for n in parameter.shape)
    match = adjust_lr_fn == "match_rms_adamw"
    ratio = 0.2 * max(rows, columns) ** 0.5 if match else max(1, rows / columns) ** 0.5
    return parameter * (1 - lr * weight_decay) - lr * ratio * (left * values) @ right

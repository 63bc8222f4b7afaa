"""The updates of SGD, RMSprop, Adagrad, Lion and Muon, as ops.

They are in modules that are imported at the start; the optimizers are imported on first use.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_core import op

from tinytorch_training.arguments import factor

Array = Any


@op("sgd_update")
def sgd_update(
    parameter: Array,
    grad: Array,
    state: dict[str, Any],
    scratch: tuple[Array, Array],
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
) -> Array:
    """Update one parameter by a step of `SGD`, in place if it is an ndarray, and return it.

    Args:
        parameter: the parameter.
        grad: its gradient, of the same shape and dtype.
        state: with momentum, the momentum buffer under "momentum_buffer", which is updated.
        scratch: two arrays like the parameter, which are overwritten, or two Nones.
        lr, momentum, dampening, weight_decay, nesterov: see `SGD`. `lr` may be an array of the
            parameter's library, of shape ().
    """
    first, second = scratch
    # As `writable` and `penalized`, with fewer calls: most of the time of a small update is calls.
    if parameter.__class__ is not np.ndarray:
        first = second = None
        lr = factor(lr, parameter)
    if weight_decay:
        grad = penalized(parameter, grad, weight_decay, first)
    if momentum:
        buffer = state["momentum_buffer"]
        buffer *= momentum
        buffer += np.multiply(grad, 1 - dampening, out=second)
        state["momentum_buffer"] = buffer
        if nesterov:
            grad = np.add(grad, np.multiply(buffer, momentum, out=second), out=first)
        else:
            grad = buffer
    parameter -= np.multiply(grad, lr, out=second)
    return parameter


@op("rmsprop_update")
def rmsprop_update(
    parameter: Array,
    grad: Array,
    state: dict[str, Any],
    scratch: tuple[Array, Array],
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
    centered: bool,
) -> Array:
    """Update one parameter by a step of `RMSprop`, in place if it is an ndarray, and return it.

    Args:
        parameter, grad, scratch: as for `sgd_update`.
        state: the running average of the squared gradient, under "square_avg"; if `centered`, that
            of the gradient, under "grad_avg"; with momentum, "momentum_buffer". They are updated.
        lr, alpha, eps, weight_decay, momentum, centered: see `RMSprop`. `lr` may be an array of
            the parameter's library, of shape ().
    """
    first, work = writable(parameter, scratch)
    grad = penalized(parameter, grad, weight_decay, first)
    squares = state["square_avg"]
    squares *= alpha
    change = np.multiply(grad, grad, out=work)
    change *= 1 - alpha
    squares += change
    state["square_avg"] = squares
    if centered:
        average = state["grad_avg"]
        change = np.subtract(grad, average, out=work)
        change *= 1 - alpha
        average += change
        state["grad_avg"] = average
        variance = np.subtract(squares, np.multiply(average, average, out=work), out=work)
        # Rounding can make it negative.
        divisor = np.sqrt(np.maximum(variance, 0, out=work), out=work)
    else:
        divisor = np.sqrt(squares, out=work)
    divisor += eps
    change = np.divide(grad, divisor, out=work)
    if momentum:
        buffer = state["momentum_buffer"]
        buffer *= momentum
        buffer += change
        state["momentum_buffer"] = change = buffer
    parameter -= np.multiply(change, factor(lr, parameter), out=work)
    return parameter


@op("adagrad_update")
def adagrad_update(
    parameter: Array,
    grad: Array,
    state: dict[str, Any],
    scratch: tuple[Array, Array],
    step: int,
    lr: float,
    lr_decay: float,
    weight_decay: float,
    eps: float,
) -> Array:
    """Update one parameter by a step of `Adagrad`, in place if it is an ndarray, and return it.

    Args:
        parameter, grad, scratch: as for `sgd_update`.
        state: the sum of the squared gradients, under "sum", which is updated.
        step: the number of this step, starting at 1.
        lr, lr_decay, weight_decay, eps: see `Adagrad`. `step` and `lr` may be arrays of the
            parameter's library, of shape ().
    """
    first, work = writable(parameter, scratch)
    rate = factor(lr / (1 + (step - 1) * lr_decay), parameter)
    grad = penalized(parameter, grad, weight_decay, first)
    total = state["sum"]
    total += np.multiply(grad, grad, out=work)
    state["sum"] = total
    divisor = np.sqrt(total, out=work)
    divisor += eps
    change = np.divide(grad, divisor, out=work)
    change *= rate
    parameter -= change
    return parameter


@op("lion_update")
def lion_update(
    parameter: Array,
    grad: Array,
    state: dict[str, Any],
    scratch: tuple[Array, Array],
    lr: float,
    betas: tuple[float, float],
    weight_decay: float,
) -> Array:
    """Update one parameter by a step of `Lion`, in place if it is an ndarray, and return it.

    Args:
        parameter, grad, scratch: as for `sgd_update`.
        state: the running average of the gradient, under "exp_avg", which is updated.
        lr, betas, weight_decay: see `Lion`. `lr` may be an array of the parameter's library, of
            shape ().
    """
    first, second = writable(parameter, scratch)
    parameter = shrunk(parameter, lr, weight_decay)
    average = state["exp_avg"]
    direction = np.multiply(grad, 1 - betas[0], out=first)
    direction += np.multiply(average, betas[0], out=second)
    direction = np.sign(direction, out=first)
    direction *= factor(lr, parameter)
    parameter -= direction
    average *= betas[1]
    average += np.multiply(grad, 1 - betas[1], out=second)
    state["exp_avg"] = average
    return parameter


@op("muon_update")
def muon_update(
    parameter: Array,
    grad: Array,
    state: dict[str, Any],
    scratch: tuple[Array, Array],
    lr: float,
    weight_decay: float,
    momentum: float,
    nesterov: bool,
    ns_coefficients: tuple[float, float, float],
    eps: float,
    ns_steps: int,
    adjust_lr_fn: str | None,
) -> Array:
    """Update one matrix by a step of `Muon`, in place if it is an ndarray, and return it.

    Args:
        parameter, grad, scratch: as for `sgd_update`.
        state: the running average of the gradient, under "momentum_buffer", which is updated.
        lr, weight_decay, momentum, nesterov, ns_coefficients, eps, ns_steps, adjust_lr_fn: see
            `Muon`. `lr` may be an array of the parameter's library, of shape ().
    """
    first, _ = writable(parameter, scratch)
    buffer = state["momentum_buffer"]
    change = np.subtract(grad, buffer, out=first)
    change *= 1 - momentum
    buffer += change
    state["momentum_buffer"] = direction = buffer
    if nesterov:
        change = np.subtract(buffer, grad, out=first)
        change *= momentum
        direction = change + grad
    direction = _orthogonalized(direction, ns_coefficients, eps, ns_steps)
    parameter = shrunk(parameter, lr, weight_decay)
    rate = lr * _ratio(parameter.shape, adjust_lr_fn)
    parameter -= np.multiply(direction, factor(rate, parameter), out=first)
    return parameter


def _orthogonalized(
    matrix: Array, coefficients: tuple[float, float, float], eps: float, steps: int
) -> Array:
    """Return a matrix with the same singular vectors and with singular values close to 1.

    Each Newton-Schulz step maps a singular value s to a s + b s³ + c s⁵.
    """
    a, b, c = coefficients
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / np.maximum(np.sqrt((x * x).sum()), eps)  # no singular value is above 1
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.T if tall else x


def _ratio(shape: tuple[int, ...], adjust_lr_fn: str | None) -> float:
    """Return the factor of the learning rate for a matrix of a shape."""
    rows, columns = (max(1, length) for length in shape)
    if adjust_lr_fn == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, columns))
    return math.sqrt(max(1, rows / columns))


def writable(parameter: Array, scratch: tuple[Array, Array]) -> tuple[Array, Array]:
    """Return the scratch arrays, or Nones if the parameter is an array of another library."""
    return scratch if parameter.__class__ is np.ndarray else (None, None)


def penalized(parameter: Array, grad: Array, weight_decay: float, out: Array) -> Array:
    """Return a gradient plus that of an L2 penalty; `out` is an array for it, or None."""
    if not weight_decay:
        return grad
    return np.add(np.multiply(parameter, weight_decay, out=out), grad, out=out)


def shrunk(parameter: Array, lr: Any, weight_decay: float) -> Array:
    """Return a parameter after its decoupled weight decay, in place if it is an ndarray."""
    parameter *= factor(1 - lr * weight_decay, parameter)
    return parameter

"""The updates of Adagrad, NAdam, RAdam, Lion and Muon, as ops.

They are in one module, which is imported at the start; the optimizers are imported on first use.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_core import op

from tinytorch_training.adam import running_averages, with_decay
from tinytorch_training.arguments import factor

Array = Any


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
        parameter: the parameter.
        grad: its gradient, of the same shape and dtype.
        state: the sum of the squared gradients, under "sum", which is updated.
        scratch: two arrays like the parameter, which are overwritten, or two Nones.
        step: the number of this step, starting at 1.
        lr, lr_decay, weight_decay, eps: see `Adagrad`. `step` and `lr` may be arrays of the
            parameter's library, of shape ().
    """
    decayed, work = _writable(parameter, scratch)
    rate = factor(lr / (1 + (step - 1) * lr_decay), parameter)
    parameter, grad = with_decay(parameter, grad, lr, weight_decay, False, decayed)
    total = state["sum"]
    total += np.multiply(grad, grad, out=work)
    state["sum"] = total
    divisor = np.sqrt(total, out=work)
    divisor += eps
    change = np.divide(grad, divisor, out=work)
    change *= rate
    parameter -= change
    return parameter


@op("nadam_update")
def nadam_update(
    parameter: Array,
    grad: Array,
    state: dict[str, Any],
    scratch: tuple[Array, Array],
    step: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    momentum_decay: float,
    decoupled: bool,
) -> Array:
    """Update one parameter by a step of `NAdam`, in place if it is an ndarray, and return it.

    Args:
        parameter, grad, scratch, step, lr, betas, eps, weight_decay, decoupled: as for
            `adam_update`.
        state: the running averages, under "exp_avg" and "exp_avg_sq", and the product of the
            momenta so far, a number, under "mu_product". They are updated.
        momentum_decay: see `NAdam`.
    """
    first, work = _writable(parameter, scratch)
    momentum, following = (
        betas[0] * (1 - 0.5 * 0.96 ** (t * momentum_decay)) for t in (step, step + 1)
    )
    product = state["mu_product"] * momentum
    state["mu_product"] = product
    parameter, grad = with_decay(parameter, grad, lr, weight_decay, decoupled, first)
    average, squares = running_averages(grad, state, betas, work)
    divisor = np.divide(squares, factor(1 - betas[1] ** step, parameter), out=work)
    divisor = np.sqrt(divisor, out=work)
    divisor += eps
    for part, rate in (
        (grad, lr * (1 - momentum) / (1 - product)),
        (average, lr * following / (1 - product * following)),
    ):
        change = np.multiply(part, factor(rate, parameter), out=first)
        change /= divisor
        parameter -= change
    return parameter


@op("radam_update")
def radam_update(
    parameter: Array,
    grad: Array,
    state: dict[str, Any],
    scratch: tuple[Array, Array],
    step: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    decoupled: bool,
) -> Array:
    """Update one parameter by a step of `RAdam`, in place if it is an ndarray, and return it.

    Args:
        parameter, grad, scratch, step, lr, betas, eps, weight_decay, decoupled: as for
            `adam_update`.
        state: the running averages, under "exp_avg" and "exp_avg_sq". They are updated.
    """
    decayed, work = _writable(parameter, scratch)
    rate = factor(lr / (1 - betas[0] ** step), parameter)
    is_rectified, squared = _rectification(step, betas[1])
    parameter, grad = with_decay(parameter, grad, lr, weight_decay, decoupled, decayed)
    average, squares = running_averages(grad, state, betas, work)
    change = np.multiply(average, rate, out=decayed)
    if is_rectified is not False:
        divisor = np.sqrt(squares, out=work)
        divisor += eps
        # The number of the step may be an array, whose value is not known.
        if is_rectified is not True:
            squared = np.where(is_rectified, squared, 1)
        divisor /= factor(squared**0.5, parameter)
        if is_rectified is not True:
            divisor = np.where(is_rectified, divisor, 1)
        change /= divisor
    parameter -= change
    return parameter


def _rectification(step: Any, beta2: float) -> tuple[Any, Any]:
    """Return whether the variance of the step size is bounded, and the square of its factor."""
    longest = 2 / (1 - beta2) - 1
    if longest <= 5:
        return False, 1.0
    decayed = beta2**step
    length = longest - 2 * step * decayed / (1 - decayed)
    squared = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
    return length > 5, squared * (1 - decayed)


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
        parameter, grad, scratch: as for `adagrad_update`.
        state: the running average of the gradient, under "exp_avg", which is updated.
        lr, betas, weight_decay: see `Lion`. `lr` may be an array of the parameter's library, of
            shape ().
    """
    first, second = _writable(parameter, scratch)
    parameter, _ = with_decay(parameter, grad, lr, weight_decay, True, None)
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
        parameter, grad, scratch: as for `adagrad_update`.
        state: the running average of the gradient, under "momentum_buffer", which is updated.
        lr, weight_decay, momentum, nesterov, ns_coefficients, eps, ns_steps, adjust_lr_fn: see
            `Muon`. `lr` may be an array of the parameter's library, of shape ().
    """
    first, _ = _writable(parameter, scratch)
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
    parameter, _ = with_decay(parameter, grad, lr, weight_decay, True, None)
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


def _writable(parameter: Array, scratch: tuple[Array, Array]) -> tuple[Array, Array]:
    """Return the scratch arrays, or Nones if the parameter is an array of another library."""
    return scratch if parameter.__class__ is np.ndarray else (None, None)

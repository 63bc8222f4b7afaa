"""The updates of Adam, AdamW, NAdam and RAdam, as ops.

They are in modules that are imported at the start; the optimizers are imported on first use.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_core import op

from tinytorch_training.arguments import factor
from tinytorch_training.updates import penalized, shrunk, writable

Array = Any


@op("adam_update")
def adam_update(
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
    amsgrad: bool,
) -> Array:
    """Update one parameter by a step of `Adam`, or of `AdamW` if `decoupled`, and return it.

    It is updated in place if it is an ndarray.

    Args:
        parameter, grad, scratch: as for `sgd_update`.
        state: the running averages of the gradient and of its square, under "exp_avg" and
            "exp_avg_sq", and with `amsgrad` the maximum of the second so far, under
            "max_exp_avg_sq". They are updated.
        step: the number of this step, starting at 1.
        lr, betas, eps, weight_decay, amsgrad: see `Adam`. `step` and `lr` may be arrays of the
            parameter's library, of shape ().
        decoupled: whether the decay acts on the parameter instead of the gradient.
    """
    beta1, beta2 = betas
    first, work = writable(parameter, scratch)
    rate, scale = lr / (1 - beta1**step), 1 - beta2**step
    if parameter.__class__ is np.ndarray:
        scale = math.sqrt(scale)
    else:
        rate, scale = factor(rate, parameter), factor(np.sqrt(scale), parameter)
    parameter, grad = _with_decay(parameter, grad, lr, weight_decay, decoupled, first)
    average, squares = _running_averages(grad, state, betas, work)
    if amsgrad:
        largest = state["max_exp_avg_sq"]
        squares = np.maximum(largest, squares, out=None if work is None else largest)
        state["max_exp_avg_sq"] = squares
    divisor = np.sqrt(squares, out=work)
    divisor /= scale
    divisor += eps
    change = np.divide(average, divisor, out=work)
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
    first, work = writable(parameter, scratch)
    momentum, following = (
        betas[0] * (1 - 0.5 * 0.96 ** (t * momentum_decay)) for t in (step, step + 1)
    )
    product = state["mu_product"] * momentum
    state["mu_product"] = product
    parameter, grad = _with_decay(parameter, grad, lr, weight_decay, decoupled, first)
    average, squares = _running_averages(grad, state, betas, work)
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
    decayed, work = writable(parameter, scratch)
    rate = factor(lr / (1 - betas[0] ** step), parameter)
    is_rectified, squared = _rectification(step, betas[1])
    parameter, grad = _with_decay(parameter, grad, lr, weight_decay, decoupled, decayed)
    average, squares = _running_averages(grad, state, betas, work)
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


def _with_decay(
    parameter: Array, grad: Array, lr: Any, weight_decay: float, decoupled: bool, out: Array
) -> tuple[Array, Array]:
    """Return the parameter and its gradient with weight decay in one of them.

    Args:
        parameter, grad, lr, weight_decay, decoupled: as for `adam_update`.
        out: an array for the gradient, or None.
    """
    if decoupled and weight_decay:
        return shrunk(parameter, lr, weight_decay), grad
    return parameter, penalized(parameter, grad, weight_decay, out)


def _running_averages(
    grad: Array, state: dict[str, Any], betas: tuple[float, float], work: Array
) -> tuple[Array, Array]:
    """Update the averages of the gradient and of its square in a state, and return them.

    Args:
        grad, state, betas: as for `adam_update`.
        work: an array for intermediate results, or None.
    """
    average, squares = state["exp_avg"], state["exp_avg_sq"]
    change = np.subtract(grad, average, out=work)
    change *= 1 - betas[0]
    average += change
    squares *= betas[1]
    change = np.multiply(grad, grad, out=work)
    change *= 1 - betas[1]
    squares += change
    state["exp_avg"], state["exp_avg_sq"] = average, squares
    return average, squares

"""Negative log likelihoods of distributions, and the focal loss: formulas of other ops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_core.extend import AnyArray, unwrap

from tinytorch_losses.arguments import first_element, is_true, matching_target, real_target
from tinytorch_losses.binary import bce_logits_forward, check_targets, sigmoids
from tinytorch_losses.reduction import check_reduction, reduce_losses
from tinytorch_modules import arguments

Array = Any

_LOG_2_PI = math.log(2 * math.pi)


def gaussian_nll_loss(
    input: AnyArray,
    target: Any,
    var: Any,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> AnyArray:
    """Return ½ (log v + (x − y)² / v) for each element, reduced, where v is var, at least eps.

    This is the negative log likelihood of a normal distribution of mean x and variance v. D. A.
    Nix, A. S. Weigend, "Estimating the mean and variance of the target probability distribution",
    1994. As in PyTorch, the derivative with respect to var treats v as var, where it is below eps
    too.

    Args:
        input: x, means: a Tensor or array of any floating dtype and shape.
        target: y, samples, in the shape of the input.
        var: variances, 0 or more: one for each element in the shape of the input; one for each row,
            in the shape of the input without its last axis; one number; or an array with as many
            axes as the input that broadcasts to its shape.
        full: whether to add ½ log 2π, which does not depend on the arguments.
        eps: the smallest variance; above 0.
        reduction: "mean", "sum" or "none".

    Returns:
        A scalar, or with "none" one loss for each element; a Tensor if an argument is one.

    Raises:
        ValueError: a variance is negative, the shapes differ, eps is not positive, or the reduction
            is unknown.
        TypeError: an argument does not hold numbers, the input is not floating, or an option has
            the wrong type.

    >>> gaussian_nll_loss(np.array([1.0, 2.0]), [1.0, 4.0], [1.0, 4.0], reduction="none").round(4)
    array([0.    , 1.1931])
    """
    name = "gaussian_nll_loss"
    check_reduction(name, reduction)
    full, eps = check_likelihood_options(name, full, eps)
    target = matching_target(name, input, target)
    var = _variance(name, var, input)
    # A constant is added to small variances, so that their derivatives are not lost.
    var = var + np.maximum(eps - unwrap(var), 0)
    error = input - target
    losses = 0.5 * (np.log(var) + error * error / var)
    if full:
        losses = losses + 0.5 * _LOG_2_PI
    return reduce_losses(losses, reduction)


def poisson_nll_loss(
    input: AnyArray,
    target: Any,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> AnyArray:
    """Return the negative log likelihood of counts for each element, reduced.

    This is exp(x) − y x, or x − y log(x + eps) without `log_input`: that of a Poisson distribution
    of mean exp(x) or x, without the term log y!, which does not depend on the input.

    Args:
        input: x: a Tensor or array of any floating dtype and shape.
        target: y, counts, in the shape of the input.
        log_input: whether x is the logarithm of the mean.
        full: whether to add Stirling's approximation of log y!, y log y − y + ½ log(2π y), for
            counts above 1.
        eps: avoids log(0) without `log_input`.
        reduction: "mean", "sum" or "none".

    Returns:
        A scalar, or with "none" one loss for each element; a Tensor if either argument is one.

    Raises:
        ValueError: the shapes differ, eps is not positive, or the reduction is unknown.
        TypeError: the target does not hold numbers, the input is not floating, or an option has
            the wrong type.

    >>> poisson_nll_loss(np.array([0.0, 2.0]), [3, 1], log_input=False, eps=1.0, reduction="none")
    array([0.        , 0.90138771])
    """
    name = "poisson_nll_loss"
    check_reduction(name, reduction)
    log_input = arguments.flag(name, "log_input", log_input)
    full, eps = check_likelihood_options(name, full, eps)
    target = matching_target(name, input, target)
    mean, log_mean = (np.exp(input), input) if log_input else (input, np.log(input + eps))
    losses = mean - target * log_mean
    if full:
        losses = losses + _log_factorial(target)
    return reduce_losses(losses, reduction)


def sigmoid_focal_loss(
    inputs: AnyArray,
    targets: Any,
    alpha: float = 0.25,
    gamma: float = 2.0,
    reduction: str = "none",
) -> AnyArray:
    """Return the focal loss of each logit, reduced: −a (1 − q)ᵞ log q.

    Here p = sigmoid(x), q = y p + (1 − y) (1 − p) and a = y alpha + (1 − y) (1 − alpha), and log q
    is the binary cross entropy, which differs for targets between 0 and 1. T.-Y. Lin et al., "Focal
    Loss for Dense Object Detection", 2017. Names and defaults are those of torchvision.

    Args:
        inputs: x, logits: a Tensor or array of any floating dtype and shape.
        targets: y, from 0 to 1, in the shape of the inputs.
        alpha: the weight of targets 1, from 0 to 1; -1 for no weights.
        gamma: the exponent, 0 or more, which lowers the loss of examples that are classified well.
        reduction: "none", "mean" or "sum".

    Returns:
        One loss for each element, or a scalar; a Tensor if either argument is one.

    Raises:
        ValueError: a target is outside 0 to 1, the shapes differ, an option is out of range, or the
            reduction is unknown.
        TypeError: the inputs are not floating, the targets do not hold numbers, or an option is not
            a number or requires grad.

    >>> sigmoid_focal_loss(np.array([0.0, 1000.0]), [1, 0]).round(4)
    array([4.33e-02, 7.50e+02])
    """
    name = "sigmoid_focal_loss"
    check_reduction(name, reduction)
    alpha, gamma = check_focal_options(name, alpha, gamma)
    targets = matching_target(name, inputs, targets)
    check_targets(name, unwrap(targets))
    p, q = sigmoids(inputs)
    losses = bce_logits_forward(inputs, targets, None, "none")
    losses = losses * (targets * q + (1 - targets) * p) ** gamma
    if alpha >= 0:
        losses = losses * (alpha * targets + (1 - alpha) * (1 - targets))
    return reduce_losses(losses, reduction)


def check_likelihood_options(loss: str, full: bool, eps: float) -> tuple[bool, float]:
    """Return `full` as a bool and `eps` as a float.

    Raises:
        ValueError: `eps` is not positive.
        TypeError: `full` is not a bool, or `eps` is not a number or requires grad.
    """
    return (
        arguments.flag(loss, "full", full),
        arguments.number(loss, "eps", eps, 0, math.inf, ends="()"),
    )


def check_focal_options(loss: str, alpha: float, gamma: float) -> tuple[float, float]:
    """Return `alpha` and `gamma` as floats.

    Raises:
        ValueError: `alpha` is neither from 0 to 1 nor -1, or `gamma` is negative or infinite.
        TypeError: one of them is not a number, or requires grad.
    """
    alpha = arguments.number(loss, "alpha", alpha, -1, 1, ends="[]")
    if -1 < alpha < 0:
        raise ValueError(
            f"alpha of {loss} must be from 0 to 1, or -1 for no weights, not {alpha!r}"
        )
    return alpha, arguments.number(loss, "gamma", gamma, 0, math.inf, ends="[)")


def _variance(loss: str, var: Any, input: Array) -> Array:
    """Return the variances in a shape that broadcasts to the input."""
    var = real_target(loss, var, input.dtype, "var")
    values = unwrap(var)
    if is_true(values < 0):
        raise ValueError(
            f"{loss}: {first_element('var', values, values < 0)}, but variances must be 0 or more; "
            "predict log var and pass its exponential"
        )
    shape = input.shape
    if shape and var.shape == shape[:-1]:
        return var[..., None]
    fits = [own in (1, length) for own, length in zip(var.shape, shape, strict=False)]
    if var.ndim in (0, len(shape)) and all(fits):
        return var
    raise ValueError(
        f"{loss}: the input has the shape {shape} and var {var.shape}; pass one variance for each "
        f"element, of shape {shape}, or one for each row, of shape {(*shape[:-1], 1)}"
    )


def _log_factorial(count: Array) -> Array:
    """Return Stirling's approximation of log count! for counts above 1, and 0 for others."""
    large = count > 1
    n = np.where(large, count, 1)
    return np.where(large, n * np.log(n) - n + 0.5 * np.log(2 * math.pi * n), 0)

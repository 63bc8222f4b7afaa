"""Losses with margins, for ranking and similarity: formulas of other ops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinytorch_core.extend import AnyArray, unwrap

from tinytorch_losses.arguments import (
    check_floating,
    element_weight,
    matching_target,
    sign_target,
)
from tinytorch_losses.binary import bce_logits_forward, check_targets
from tinytorch_losses.reduction import check_reduction, reduce_losses
from tinytorch_modules import arguments

Array = Any

# What PyTorch adds to squared lengths, so that the cosine of a zero vector is 0.
_SQUARED_EPSILON = 1e-12


def margin_ranking_loss(
    input1: AnyArray, input2: Array, target: Any, margin: float = 0.0, reduction: str = "mean"
) -> AnyArray:
    """Return max(0, margin − y (x₁ − x₂)) for each pair of scores, reduced.

    As in PyTorch, the derivative where the maximum changes is that of the second term.

    Args:
        input1, input2: x₁ and x₂, scores: Tensors or arrays of the same shape; x₂ is converted to
            the dtype of x₁, which is floating.
        target: y, of the same shape: 1 if x₁ is to be the larger one, -1 if x₂ is. As in PyTorch,
            a target of 0 is allowed too: then the loss is the margin.
        margin: the difference from which on the loss is 0.
        reduction: "mean", "sum" or "none".

    Returns:
        A scalar, or with "none" one loss for each pair; a Tensor if an input is one.

    Raises:
        ValueError: a target is not 1, 0 or -1, or requires grad, the shapes differ, the margin is
            not finite, or the reduction is unknown.
        TypeError: an input or the target does not hold numbers, x₁ is not floating, or the margin
            is not a number or requires grad.

    >>> margin_ranking_loss(np.array([1.0, 2.0]), [0.0, 3.0], [1, 1], 0.5, "none")
    array([0. , 1.5])
    """
    name = "margin_ranking_loss"
    check_reduction(name, reduction)
    margin = check_margin(name, margin)
    input2 = matching_target(name, input1, input2, "input2")
    target = sign_target(name, target, input1.shape, input1.dtype, (1, 0, -1))
    return reduce_losses(_hinge(margin - target * (input1 - input2)), reduction)


def hinge_embedding_loss(
    input: AnyArray, target: Any, margin: float = 1.0, reduction: str = "mean"
) -> AnyArray:
    """Return x where the target is 1, and max(0, margin − x) where it is -1, reduced.

    Args:
        input: x, distances: a Tensor or array of any floating dtype and shape.
        target: 1 for similar pairs and -1 for others, in the shape of the input.
        margin: the distance from which on the loss of pairs that are not similar is 0.
        reduction: "mean", "sum" or "none".

    Returns:
        A scalar, or with "none" one loss for each element; a Tensor if the input is one.

    Raises:
        ValueError: a target is neither 1 nor -1 or requires grad, the shapes differ, the margin is
            not finite, or the reduction is unknown.
        TypeError: the input is not floating, the target does not hold numbers, or the margin is
            not a number or requires grad.

    >>> hinge_embedding_loss(np.array([0.25, 0.25]), [1, -1], reduction="none")
    array([0.25, 0.75])
    """
    name = "hinge_embedding_loss"
    check_reduction(name, reduction)
    margin = check_margin(name, margin)
    target = sign_target(name, target, _shape(name, input), input.dtype)
    return reduce_losses(np.where(target > 0, input, _hinge(margin - input)), reduction)


def cosine_embedding_loss(
    input1: AnyArray, input2: Array, target: Any, margin: float = 0.0, reduction: str = "mean"
) -> AnyArray:
    """Return 1 − cos(x₁, x₂) for similar vectors and max(0, cos(x₁, x₂) − margin) for others.

    The losses are reduced. As in PyTorch, 1e-12 is added to the square of each length, so the
    cosine of a zero vector is 0.

    Args:
        input1, input2: x₁ and x₂, vectors: Tensors or arrays of shape (N, D) or (D,).
        target: 1 for similar pairs and -1 for others, of shape (N,) or ().
        margin: the cosine up to which the loss of pairs that are not similar is 0, from -1 to 1.
        reduction: "mean", "sum" or "none".

    Returns:
        A scalar, or with "none" one loss for each pair; a Tensor if an input is one.

    Raises:
        ValueError: the inputs do not have the shape (N, D) or (D,), a target is neither 1 nor -1
            or requires grad, the shapes differ, the margin is outside -1 to 1, or the reduction is
            unknown.
        TypeError: as for `margin_ranking_loss`.

    >>> cosine_embedding_loss(np.array([[3.0, 0.0], [3.0, 4.0]]), np.eye(2), [1, -1]).item()
    0.4...
    """
    name = "cosine_embedding_loss"
    check_reduction(name, reduction)
    margin = check_margin(name, margin, -1, 1)
    input2 = matching_target(name, input1, input2, "input2")
    if input1.ndim not in (1, 2):
        raise ValueError(f"{name} takes inputs of shape (N, D) or (D,), not {input1.shape}")
    target = sign_target(name, target, input1.shape[:-1], input1.dtype)
    cosine = (input1 * input2).sum(axis=-1) / (_length(input1) * _length(input2))
    return reduce_losses(np.where(target > 0, 1 - cosine, _hinge(cosine - margin)), reduction)


def triplet_margin_loss(
    anchor: AnyArray,
    positive: Array,
    negative: Array,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> AnyArray:
    """Return max(0, margin + d(a, p) − d(a, n)) for each triplet, reduced.

    The distance d(x, y) is the p-norm of x − y + eps along the last axis. V. Balntas et al.,
    "Learning local feature descriptors with triplets and shallow convolutional neural networks",
    2016.

    Args:
        anchor, positive, negative: a, p and n: Tensors or arrays of one shape, (N, D) or (D,).
            The other two are converted to the dtype of the anchor, which is floating.
        margin: how much farther than the positive the negative must be for a loss of 0; above 0.
        p: the exponent of the norm, above 0; `math.inf` for the largest difference.
        eps: added to each difference, so that the norm is differentiable where x = y.
        swap: whether to use d(p, n) where it is smaller than d(a, n).
        reduction: "mean", "sum" or "none".

    Returns:
        A scalar, or with "none" one loss for each triplet; a Tensor if an input is one.

    Raises:
        ValueError: the shapes differ, an option is out of range, or the reduction is unknown.
        TypeError: an input does not hold numbers, the anchor is not floating, or an option has
            the wrong type.

    >>> a, p, n = np.zeros((1, 2)), np.array([[3.0, 4.0]]), np.array([[0.0, 2.0]])
    >>> triplet_margin_loss(a, p, n, eps=0.0).item()
    4.0
    """
    name = "triplet_margin_loss"
    check_reduction(name, reduction)
    margin, p, eps = check_triplet_options(name, margin, p, eps, swap)
    positive = matching_target(name, anchor, positive, "positive")
    negative = matching_target(name, anchor, negative, "negative")
    if not anchor.ndim:
        raise ValueError(f"{name} takes vectors, of shape (N, D) or (D,), not single numbers")
    to_negative = _distance(anchor, negative, p, eps)
    if swap:
        to_negative = np.minimum(to_negative, _distance(positive, negative, p, eps))
    excess = margin + _distance(anchor, positive, p, eps) - to_negative
    return reduce_losses(_hinge(excess), reduction)


def soft_margin_loss(input: AnyArray, target: Any, reduction: str = "mean") -> AnyArray:
    """Return log(1 + exp(−y x)) for each element, reduced. exp does not overflow.

    Args:
        input: x, scores: a Tensor or array of any floating dtype and shape.
        target: y, 1 or -1, in the shape of the input.
        reduction: "mean", "sum" or "none".

    Returns:
        A scalar, or with "none" one loss for each element; a Tensor if the input is one.

    Raises:
        ValueError: a target is neither 1 nor -1 or requires grad, the shapes differ, or the
            reduction is unknown.
        TypeError: the input is not floating, or the target does not hold numbers.

    >>> soft_margin_loss(np.array([0.0, 1000.0]), [1, -1], "none").round(4)
    array([6.931e-01, 1.000e+03])
    """
    name = "soft_margin_loss"
    check_reduction(name, reduction)
    target = sign_target(name, target, _shape(name, input), input.dtype)
    # The targets 1 and -1 are the probabilities 1 and 0 of a logit.
    return bce_logits_forward(input, (target > 0).astype(input.dtype), None, reduction)


def multilabel_soft_margin_loss(
    input: AnyArray, target: Any, weight: Any = None, reduction: str = "mean"
) -> AnyArray:
    """Return the mean binary cross entropy of the logits of all classes, reduced over examples.

    Args:
        input: logits: a Tensor or array of shape (N, C) or (C,), or with further axes before the
            classes, and any floating dtype.
        target: from 0 to 1, in the shape of the input; 1 for each class that an example has.
        weight: a constant that broadcasts to the shape of the input, for example one number for
            each class; None for 1.
        reduction: "mean", "sum" or "none".

    Returns:
        A scalar, or with "none" one loss for each example; a Tensor if either argument is one.

    Raises:
        ValueError: a target is outside 0 to 1, the shapes differ, the input has no axis, the weight
            does not broadcast or requires grad, or the reduction is unknown.
        TypeError: the input is not floating, or the target does not hold numbers.

    >>> multilabel_soft_margin_loss(np.array([[0.0, 1000.0]]), [[1, 1]]).round(4).item()
    0.3466
    """
    name = "multilabel_soft_margin_loss"
    check_reduction(name, reduction)
    target = matching_target(name, input, target)
    if not input.ndim:
        raise ValueError(f"{name} takes an input with an axis of classes, not a single number")
    check_targets(name, unwrap(target))
    weight = element_weight(name, "weight", weight, input.shape, input.dtype)
    each = bce_logits_forward(input, target, weight, "none")
    return reduce_losses(each.mean(axis=-1), reduction)


def check_margin(loss: str, margin: float, low: float = -math.inf, high: float = math.inf) -> float:
    """Return the margin as a Python float.

    Raises:
        ValueError: the margin is outside `low` to `high`, NaN or infinite.
        TypeError: the margin is not a number, or requires grad.
    """
    ends = "()" if math.isinf(high) else "[]"
    return arguments.number(loss, "margin", margin, low, high, ends=ends)


def check_triplet_options(
    loss: str, margin: float, p: float, eps: float, swap: bool
) -> tuple[float, float, float]:
    """Return `margin`, `p` and `eps` as Python floats.

    Raises:
        ValueError: one of them is out of range.
        TypeError: one of them is not a number or requires grad, or `swap` is not a bool.
    """
    arguments.flag(loss, "swap", swap)
    return (
        arguments.number(loss, "margin", margin, 0, math.inf, ends="()"),
        arguments.number(loss, "p", p, 0, math.inf, ends="(]"),
        arguments.number(loss, "eps", eps, 0, math.inf, ends="[)"),
    )


def _hinge(x: Array) -> Array:
    """Return max(0, x), with derivative 1 at 0 as PyTorch's clamp; NaN stays NaN."""
    return np.where(x < 0, 0, x)


def _length(x: Array) -> Array:
    return np.sqrt((x * x).sum(axis=-1) + _SQUARED_EPSILON)


def _distance(x: Array, y: Array, p: float, eps: float) -> Array:
    return np.linalg.norm(x - y + eps, ord=p, axis=-1)


def _shape(loss: str, input: Array) -> tuple[int, ...]:
    """Return the shape of an input after checking that it is floating."""
    check_floating(loss, input)
    return tuple(input.shape)

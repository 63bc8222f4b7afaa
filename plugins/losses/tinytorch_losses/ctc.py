"""Connectionist temporal classification: the function `ctc_loss`, which checks its arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core.extend import AnyArray, unwrap

from tinytorch_losses.alignments import ctc_forward
from tinytorch_losses.arguments import as_array, check_floating, first_element, is_true
from tinytorch_losses.reduction import check_reduction
from tinytorch_modules import arguments

Array = Any


def ctc_loss(
    log_probs: AnyArray,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> AnyArray:
    """Return −log of the probability that a sequence contains its target, reduced.

    The probability is the sum over all alignments: each step has one class, repeated classes are
    merged, and then blanks are removed. A. Graves et al., "Connectionist Temporal Classification",
    2006.

    The gradient is that of the formula. PyTorch's gradient with respect to `log_probs` contains
    exp(log_probs) as well, which makes no difference to the inputs of `log_softmax`.

    Args:
        log_probs: logarithms of probabilities, as from `log_softmax`: a Tensor or array of any
            floating dtype and of shape (T, N, C), or (T, C) for a single sequence.
        targets: class numbers from 0 to C − 1 without blanks: of shape (N, L), where what is behind
            the end of a target does not matter; or the targets of all sequences in one row, of
            shape (Σ target_lengths,).
        input_lengths: the number of steps of each sequence, of shape (N,), at most T.
        target_lengths: the number of classes of each target, of shape (N,).
        blank: the class number of the blank.
        reduction: "mean", "sum" or "none". The mean is that of the losses divided by the lengths of
            their targets.
        zero_infinity: whether the loss of a target that is too long for its sequence is 0 instead
            of infinite, with gradient 0 instead of NaN.

    Returns:
        A scalar, or with "none" one loss for each sequence; a Tensor if `log_probs` is one.

    Raises:
        ValueError: a shape does not fit, a number is not whole, a length or `blank` is out of
            range, a target is the blank, or the reduction is unknown.
        IndexError: a class number is outside 0 to C − 1.
        TypeError: `log_probs` is not floating, another argument does not hold numbers, or an option
            has the wrong type.

    >>> half = np.log(np.full((2, 1, 2), 0.5))  # the target is found in 3 of 4 alignments
    >>> np.exp(-ctc_loss(half, [[1]], [2], [1])).item()
    0.75
    """
    name = "ctc_loss"
    check_reduction(name, reduction)
    zero_infinity = arguments.flag(name, "zero_infinity", zero_infinity)
    dtype = check_floating(name, log_probs)
    batched = log_probs.ndim == 3
    if log_probs.ndim not in (2, 3) or not log_probs.shape[0]:
        raise ValueError(
            f"{name} takes log_probs of shape (T, N, C) or (T, C), with T above 0, not "
            f"{log_probs.shape}"
        )
    if not batched:
        log_probs = log_probs[:, None]
    steps, batch, classes = log_probs.shape
    blank = arguments.integer(name, "blank", blank, minimum=0)
    if blank >= classes:
        raise ValueError(
            f"blank of {name} must be from 0 to {classes - 1}, because log_probs has {classes} "
            f"classes, not {blank}"
        )
    input_lengths = _lengths("input_lengths", input_lengths, batch, steps)
    target_lengths = _lengths("target_lengths", target_lengths, batch, None)
    targets = _padded(targets, target_lengths, blank, batched)
    _check_classes(targets, target_lengths, blank, classes)
    # In float16 the sums of long sequences would overflow.
    given = log_probs.astype(np.float32) if dtype == np.float16 else log_probs
    cache: list[Array] = []
    loss = ctc_forward(
        given, targets, input_lengths, target_lengths, blank, reduction, zero_infinity, cache
    )
    loss = loss.astype(dtype) if dtype == np.float16 else loss
    return loss if batched or reduction != "none" else loss[0]


def _whole(name: str, value: Any) -> Array:
    """Return numbers as an array of an integer dtype."""
    array = as_array(unwrap(value))
    if array.dtype.kind not in "iuf":
        raise TypeError(f"ctc_loss takes whole numbers as {name}, not {array.dtype}")
    if array.dtype.kind != "f":
        return array
    with np.errstate(invalid="ignore"):  # NaN and infinity, which the comparison finds
        numbers = array.astype(np.int64)
    invalid = numbers != array
    if is_true(invalid):
        raise ValueError(
            f"ctc_loss: {first_element(name, array, invalid)}, but it must be a whole number"
        )
    return numbers


def _lengths(name: str, value: Any, batch: int, highest: int | None) -> Array:
    """Return the lengths as integers of shape (N,)."""
    lengths = _whole(name, value)
    if lengths.size != batch or lengths.ndim > 1:
        raise ValueError(
            f"ctc_loss takes one number for each of the {batch} sequences as {name}, not an array "
            f"of shape {lengths.shape}"
        )
    lengths = lengths.reshape(batch)
    _check_lengths(name, lengths, highest)
    return lengths


def _check_lengths(name: str, lengths: Array, highest: int | None) -> None:
    invalid = (lengths < 0) if highest is None else (lengths < 0) | (lengths > highest)
    if is_true(invalid):
        bound = "0 or more" if highest is None else f"from 0 to {highest}"
        raise ValueError(
            f"ctc_loss: {first_element(name, lengths, invalid)}, but it must be {bound}"
        )


def _padded(targets: Any, lengths: Array, blank: int, batched: bool) -> Array:
    """Return the targets in the shape (N, L), L > 0, with `blank` behind their ends."""
    targets = _whole("targets", targets)
    batch = lengths.shape[0]
    if targets.ndim == 1 and not batched:
        targets = targets[None]
    if targets.ndim == 1:
        targets = _rows(targets, lengths)
    if targets.ndim != 2 or targets.shape[0] != batch:
        raise ValueError(
            f"ctc_loss takes targets of shape ({batch}, L) or (sum of target_lengths,) for {batch} "
            f"sequences, not {targets.shape}"
        )
    _check_lengths("target_lengths", lengths, targets.shape[1])
    if not targets.shape[1]:
        return np.full((batch, 1), blank)
    return np.where(np.arange(targets.shape[1]) < lengths[:, None], targets, blank)


def _rows(targets: Array, lengths: Array) -> Array:
    """Return targets that follow one another in one row as the rows of a matrix."""
    count = len(targets)
    known = isinstance(lengths, np.ndarray)
    if known and lengths.sum() != count:
        raise ValueError(
            f"ctc_loss: the sum of target_lengths is {lengths.sum()}, but there are {count} targets"
        )
    # Another library's lengths may not be known yet; no target is longer than all together.
    longest = int(lengths.max(initial=0)) if known else count
    if not longest:
        return np.zeros((len(lengths), 0), int)
    starts = lengths.cumsum() - lengths
    return targets[np.minimum(starts[:, None] + np.arange(longest), count - 1)]


def _check_classes(targets: Array, lengths: Array, blank: int, classes: int) -> None:
    used = np.arange(targets.shape[1]) < lengths[:, None]
    invalid = used & ((targets < 0) | (targets >= classes))
    if is_true(invalid):
        raise IndexError(
            f"ctc_loss: {first_element('targets', targets, invalid)}, but class numbers must be "
            f"from 0 to {classes - 1}, because log_probs has {classes} classes"
        )
    invalid = used & (targets == blank)
    if is_true(invalid):
        raise ValueError(
            f"ctc_loss: {first_element('targets', targets, invalid)}, which is the blank; number "
            "the classes from 1, or pass a different blank"
        )

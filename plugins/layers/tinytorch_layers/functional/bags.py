"""Sums, means and maxima of bags of rows of a table."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core.extend import are_ndarrays, to_array

from tinytorch_layers.arguments import input_shape
from tinytorch_layers.functional.lookup import (
    add_rows,
    checked_indices,
    checked_padding_idx,
    take_rows,
    whole_indices,
)
from tinytorch_modules.arguments import flag

Array = Any

MODES = ("sum", "mean", "max")


def embedding_bag(
    indices: Any,
    weight: Array,
    offsets: Any = None,
    *,
    mode: str = "mean",
    per_sample_weights: Array = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Array:
    """Return the sum, mean or maximum of the rows of a table at each bag of indices.

    An empty bag gives 0. If rows of a bag have equal maxima, they share the gradient.

    Args:
        indices: whole numbers from 0 to count − 1: an array, a Tensor or a list of shape (B, L),
            in which each row is a bag; or of shape (N,), with `offsets`.
        weight: the table, a Tensor or array of shape (count, length).
        offsets: the position in `indices` at which each bag begins, of shape (B,): 0 at first,
            and never decreasing. None if `indices` has two axes.
        mode: "sum", "mean" or "max".
        per_sample_weights: factors of the rows, of the shape of `indices`; only for "sum".
        include_last_offset: whether `offsets` has one more element, the end of the last bag.
            Indices after it are ignored.
        padding_idx: an index that does not count and whose row gets no gradient, or None. A
            negative index counts from the end.

    Returns:
        A Tensor or array of shape (B, length).

    Raises:
        IndexError: an index, or `padding_idx`, is out of range.
        ValueError: an index or offset is not whole or requires grad; `offsets` do not match the
            indices; `mode` is not one of the three; or `per_sample_weights` have a different
            shape, or the mode is not "sum".
        TypeError: the indices or offsets are not numbers, the table is not floating,
            `padding_idx` is not an integer, or `include_last_offset` is not a bool.

    >>> table = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 0.0]])
    >>> embedding_bag([[0, 1], [2, 2]], table)
    array([[2., 3.],
           [5., 0.]])
    >>> embedding_bag([0, 1, 2], table, offsets=[0, 2, 2], mode="max")
    array([[3., 4.],
           [0., 0.],
           [5., 0.]])
    """
    count = input_shape("embedding_bag", weight)[0]
    check_mode("embedding_bag", mode)
    last = flag("embedding_bag", "include_last_offset", include_last_offset)
    padding = checked_padding_idx("embedding_bag", padding_idx, count)
    return bags_of_rows(
        "embedding_bag", indices, weight, offsets, mode, per_sample_weights, last, padding
    )


def bags_of_rows(
    owner: object,
    indices: Any,
    weight: Array,
    offsets: Any,
    mode: str,
    per_sample_weights: Array,
    include_last_offset: bool,
    padding_idx: int | None,
) -> Array:
    """Return `embedding_bag` for options that were checked.

    Raises:
        IndexError, ValueError, TypeError: as for `embedding_bag`; `owner` is in the message.
    """
    array = checked_indices(owner, indices, weight.shape[0])
    _check_factors(owner, array, mode, per_sample_weights)
    starts = _checked_offsets(owner, array, offsets)
    if starts is not None and mode == "max":
        array, inside = _dense(array, starts, include_last_offset)
    else:
        inside = None
    counted = inside if padding_idx is None else _both(inside, array != padding_idx)
    rows = take_rows(weight, array, padding_idx)
    if mode == "max":
        return _maxima(rows, counted)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights[..., None]
    if counted is not None:
        rows = np.where(counted[..., None], rows, 0)
    total = _sums(rows, starts, include_last_offset)
    if mode == "sum":
        return total
    if counted is not None:
        counts = _sums(counted.astype(total.dtype)[..., None], starts, include_last_offset)
    elif starts is None:
        return total / max(array.shape[1], 1)
    else:
        begins, ends = _bounds(starts, array.shape[0], include_last_offset)
        counts = (ends - begins).astype(total.dtype)[:, None]
    return total / np.maximum(counts, 1)


def check_mode(owner: object, mode: str) -> str:
    """Return `mode`, which must be one of `MODES`.

    Raises:
        ValueError: it is not.
    """
    if mode not in MODES:
        raise ValueError(f"mode of {owner} must be 'sum', 'mean' or 'max', not {mode!r}")
    return mode


def _sums(values: Array, starts: Array | None, include_last_offset: bool) -> Array:
    """Return the sum of the values of each bag: axis 1, or what begins at each start."""
    if starts is None:
        return values.sum(axis=1)
    count = starts.shape[0]
    if not count:
        return values[:0]
    bags = np.searchsorted(starts, np.arange(values.shape[0]), side="right") - 1
    total = add_rows(values, bags, count)
    # With the last offset, what comes after the last bag is in a bag of its own.
    return total[:-1] if include_last_offset else total


def _maxima(rows: Array, counted: Array | None) -> Array:
    """Return the maximum over axis 1 of the rows that count, or 0 if none does."""
    if not rows.shape[1]:
        return rows.sum(axis=1)
    if counted is None:
        return rows.max(axis=1)
    largest = np.where(counted[..., None], rows, -np.inf).max(axis=1)
    return np.where(counted.any(axis=1)[:, None], largest, 0)


def _dense(array: Array, starts: Array, include_last_offset: bool) -> tuple[Array, Array]:
    """Return bags of equal length as the rows of a matrix, and which elements are in the bags."""
    length = array.shape[0]
    begins, ends = _bounds(starts, length, include_last_offset)
    # The lengths of another library's bags may not be known yet.
    longest = int((ends - begins).max(initial=0)) if are_ndarrays(begins) else length
    positions = begins[:, None] + np.arange(longest)
    return array[np.minimum(positions, length - 1)], positions < ends[:, None]


def _bounds(starts: Array, length: int, include_last_offset: bool) -> tuple[Array, Array]:
    """Return where each bag begins and ends among indices of this length."""
    if include_last_offset:
        return starts[:-1], starts[1:]
    return starts, np.concatenate([starts[1:], np.full(min(1, starts.shape[0]), length)])


def _both(one: Array | None, other: Array) -> Array:
    return other if one is None else one & other


def _check_factors(owner: object, indices: Array, mode: str, factors: Array) -> None:
    if factors is None:
        return
    if mode != "sum":
        raise ValueError(f"per_sample_weights of {owner} require mode='sum', not {mode!r}")
    if factors.shape != indices.shape:
        raise ValueError(
            f"per_sample_weights of {owner} must have the shape of the indices, {indices.shape}, "
            f"not {factors.shape}"
        )


def _checked_offsets(owner: object, indices: Array, offsets: Any) -> Array | None:
    """Return the offsets as an array of integers, or None for indices with two axes."""
    shape = indices.shape
    if offsets is None:
        if len(shape) != 2:
            raise ValueError(
                f"{owner} expects indices of shape (B, L), or of shape (N,) with offsets, got "
                f"indices of shape {shape} without offsets"
            )
        return None
    starts = whole_indices(f"the offsets of {owner}", offsets)
    if len(shape) != 1 or len(starts.shape) != 1:
        raise ValueError(
            f"{owner} with offsets expects indices and offsets with one axis each, got shapes "
            f"{shape} and {starts.shape}"
        )
    if are_ndarrays(starts) and starts.size:
        steps = np.diff(starts)
        if starts[0] != 0 or (steps < 0).any() or starts[-1] > shape[0]:
            raise ValueError(
                f"the offsets of {owner} must begin with 0, must not decrease, and must not "
                f"exceed the number of indices, {shape[0]}, but are {to_array(starts)!s:.60}"
            )
    return starts

"""Selecting rows of a table by index, and the adjoint: adding values to rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core import op
from tinytorch_core.extend import kernel, sum_into_rows, to_array

from tinytorch_layers.arguments import input_shape
from tinytorch_modules.arguments import integer

Array = Any
Shape = tuple[int, ...]


def embedding(indices: Any, weight: Array, padding_idx: int | None = None) -> Array:
    """Return the rows of a table at the given indices.

    Args:
        indices: whole numbers from 0 to count − 1, of any shape: an array, a Tensor or a list.
        weight: the table, a Tensor or array of shape (count, length).
        padding_idx: the index of a row that gets no gradient, or None.

    Returns:
        A Tensor or array of shape (*indices.shape, length).

    Raises:
        IndexError: an index is out of range.
        ValueError: an index is not whole, or the indices require grad.
        TypeError: the indices are not numbers, or the table is not floating.

    >>> embedding([1, 1, 0], np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([[3., 4.],
           [3., 4.],
           [1., 2.]])
    """
    count = input_shape("embedding", weight)[0]
    return take_rows(weight, checked_indices("embedding", indices, count), padding_idx)


def checked_indices(owner: object, indices: Any, count: int) -> Array:
    """Return the indices as an array of integers after checking that each is in 0 to `count` − 1.

    The values of another library's array are not checked, because they may not be known yet.

    Raises:
        IndexError: an index is out of range.
        ValueError: an index is not whole, or the indices require grad.
        TypeError: the indices are not numbers.
    """
    array = whole_indices(owner, indices)
    _check_range(owner, array, count)
    return array


def checked_padding_idx(owner: object, padding_idx: Any, count: int) -> int | None:
    """Return `padding_idx` of a table of `count` rows as an index that is not negative, or None.

    Raises:
        TypeError: it is not an integer.
        IndexError: it is out of range.
    """
    if padding_idx is None:
        return None
    index = integer(str(owner), "padding_idx", padding_idx, -(2**63))
    if not -count <= index < count:
        raise IndexError(
            f"padding_idx of {owner} is {index}, which is out of range for {count} rows"
        )
    return index % count


@kernel("array")
def _check_range(owner: object, array: Array, count: int) -> bool:
    """Return True; raise IndexError if an index is out of range."""
    wrong = (array < 0) | (array >= count)
    if isinstance(wrong, (np.ndarray, np.generic)) and wrong.any():
        raise IndexError(
            f"{owner}: {_first(array, wrong)}, out of range for {count} rows; "
            f"use indices from 0 to {count - 1}"
        )
    return True


def whole_indices(owner: object, indices: Any) -> Array:
    """Return indices as an array of integers after checking that they are whole numbers.

    Raises:
        ValueError: an index is not whole, or the indices require grad.
        TypeError: the indices are not numbers.
    """
    array = to_array(indices)
    if array.dtype.kind in "iu":
        return array
    if array.dtype.kind != "f":
        raise TypeError(
            f"{owner} expects whole numbers as indices, not {array.dtype} of shape {array.shape}; "
            "pass a list, an integer array, or a Tensor"
        )
    if getattr(indices, "requires_grad", False):
        raise ValueError(
            f"{owner} is not differentiable with respect to the indices, but they require grad; "
            "pass indices.detach()"
        )
    with np.errstate(invalid="ignore"):  # NaN and infinity, which the comparison finds
        whole = array.astype(np.int64)
    wrong = whole != array
    if isinstance(wrong, (np.ndarray, np.generic)) and wrong.any():
        raise ValueError(f"{owner}: {_first(array, wrong)}, but indices must be whole numbers")
    return whole


def _first(array: Array, wrong: Array) -> str:
    """Return "index[...] is value" for the first element where `wrong` is true, for an error."""
    position = tuple(int(i) for i in np.argwhere(wrong)[0])
    where = f"[{', '.join(map(str, position))}]" if position else ""
    return f"index{where} is {array[position]}"


@op("embedding")
def take_rows(weight: Array, indices: Any, padding_idx: int | None = None) -> Array:
    """Return the rows of a table at the given indices."""
    return weight[indices]


def embedding_weight(
    grad: Array, weight_shape: Shape, indices: Array, padding_idx: int | None
) -> Array:
    """dL/dweight: for each row, the sum of g over the positions that selected the row."""
    return add_rows(grad, indices, weight_shape[0], padding_idx)


@op("embedding_weight")
@kernel("values", "indices")
def add_rows(values: Array, indices: Any, count: int, padding_idx: int | None = None) -> Array:
    """Return a table of zeros with each value added to the row at its index.

    This is the adjoint of `take_rows` with respect to the table.

    Args:
        values: one row for each index, of shape (*indices.shape, length).
        indices: an array of integers from 0 to count − 1.
        count: the number of rows of the table.
        padding_idx: the index of a row that stays zero, or None.

    Returns:
        An array of shape (count, length).
    """
    length = values.shape[-1]
    if not isinstance(values, np.ndarray) or not isinstance(indices, np.ndarray):
        out = sum_into_rows(values.reshape((-1, length)), indices.reshape(-1), count)
        return out if padding_idx is None else np.where(_column(count) == padding_idx, 0, out)
    out = np.zeros_like(values, shape=(count, length))
    flat = indices.ravel()
    if flat.size:
        # Sorting makes the values of each row contiguous; reduceat then sums each run at once.
        order = flat.argsort(kind="stable")
        rows = flat[order]
        starts = np.flatnonzero(np.diff(rows, prepend=-1))
        out[rows[starts]] = np.add.reduceat(values.reshape((-1, length))[order], starts, axis=0)
    if padding_idx is not None:
        out[padding_idx] = 0
    return out


def _column(count: int) -> Array:
    return np.arange(count)[:, None]


def embedding_weight_values(grad: Array, indices: Array, padding_idx: int | None) -> Array:
    """dL/dvalues: the rows of g at the indices, with zeros for `padding_idx`."""
    taken = take_rows(grad, indices)
    return taken if padding_idx is None else taken * (indices != padding_idx)[..., None]

"""Looking rows of a table up, and adding to them. With their rules."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core import op

from tinytorch_layers.arguments import as_array, shape_of

Array = Any
Shape = tuple[int, ...]


def embedding(indices: Any, weight: Array, padding_idx: int | None = None) -> Array:
    """The rows of a table that the indices name.

    Args:
        indices: integers from 0 to count − 1, of any shape: an array, a Tensor or a list.
        weight: the table, a Tensor or array of shape (count, length).
        padding_idx: the number of a row to which no gradient is computed.

    Returns:
        The shape (*indices.shape, length).

    Raises:
        IndexError: there is no such row.
        TypeError: the indices are no integers, or the table is not floating.

    >>> embedding([1, 1, 0], np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([[3., 4.],
           [3., 4.],
           [1., 2.]])
    """
    count = shape_of("embedding", weight)[0]
    return rows_of(weight, checked_indices("embedding", indices, count), padding_idx)


def checked_indices(owner: object, indices: Any, count: int) -> Array:
    """The indices as an array, each from 0 to `count` − 1.

    Raises:
        IndexError: one is not.
        TypeError: they are no integers.
    """
    array = as_array(indices)
    if array.dtype.kind not in "iu":
        raise TypeError(
            f"{owner} takes integers as indices, not {array.dtype} of shape {array.shape}; give "
            "a list, an integer array, or Tensor(data, dtype=np.int64)"
        )
    wrong = (array < 0) | (array >= count)
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        where = f"[{', '.join(map(str, place))}]" if place else ""
        raise IndexError(
            f"{owner}: index{where} is {array[place]}, and there are {count} rows, numbered "
            f"from 0 to {count - 1}"
        )
    return array


@op("embedding")
def rows_of(weight: Array, indices: Any, padding_idx: int | None = None) -> Array:
    """The rows of a table that the indices name."""
    return weight[indices]


def rows_of_weight(
    grad: Array, weight_shape: Shape, indices: Array, padding_idx: int | None
) -> Array:
    """Each row has the sum of the gradients of where it was looked up."""
    return rows_added(grad, indices, weight_shape[0], padding_idx)


@op("embedding_weight")
def rows_added(values: Array, indices: Any, count: int, padding_idx: int | None = None) -> Array:
    """A table of zeros with each value added to the row that its index names: the adjoint.

    Args:
        values: a row for each index, (*indices.shape, length).
        indices: an array of integers from 0 to count − 1.
        count: how many rows the table has.
        padding_idx: the number of a row that stays zero, or None.

    Returns:
        The shape (count, length).
    """
    length = values.shape[-1]
    out = np.zeros_like(values, shape=(count, length))
    flat = indices.ravel()
    if flat.size:
        # Values of the same row side by side, each run then added up at once.
        order = flat.argsort(kind="stable")
        rows = flat[order]
        starts = np.flatnonzero(np.diff(rows, prepend=-1))
        out[rows[starts]] = np.add.reduceat(values.reshape((-1, length))[order], starts, axis=0)
    if padding_idx is not None:
        out[padding_idx] = 0
    return out


def rows_added_values(grad: Array, indices: Array, padding_idx: int | None) -> Array:
    """The adjoint of adding is looking up, of the row without gradient nothing but zeros."""
    taken = rows_of(grad, indices)
    return taken if padding_idx is None else taken * (indices != padding_idx)[..., None]

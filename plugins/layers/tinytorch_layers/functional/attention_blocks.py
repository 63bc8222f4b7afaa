"""Attention of NumPy arrays, computed block by block.

A block consists of some queries of some matrices of the batch, and of all keys that they use. Its
scores are in a buffer that the next block uses again. The arguments are those of `attend` and
`attention_gradients` in `attention`, with a mask of numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]

# The largest number of scores of a block, which should fit into the cache of a core, and the
# smallest number of queries of a matrix that is divided.
_BUFFER = 1 << 16
_ROWS = 32


class Block(NamedTuple):
    """A part of the scores.

    Attributes:
        batch: the index of some matrices of the batch.
        rows: their queries.
        keys: the number of keys that these queries use.
    """

    batch: tuple[Any, ...]
    rows: slice
    keys: int

    def of_rows(self, x: Array) -> Array:
        """Return the block of an array with a row for each query."""
        return x[(*self.batch, ..., self.rows, slice(None))]

    def of_keys(self, x: Array) -> Array:
        """Return the block of an array with a row for each key."""
        return x[(*self.batch, ..., slice(self.keys), slice(None))]

    def of_scores(self, x: Array) -> Array:
        """Return the block of an array with an element for each score."""
        return x[(*self.batch, ..., self.rows, slice(self.keys))]


def values(
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None,
    keep: Array | None,
    scale: float,
    is_causal: bool,
    dropout_p: float,
) -> tuple[Array, Array]:
    """Return the attention, in the memory order of the query, and the logarithms of the sums."""
    query, key, value, shape, mask, keep = _broadcast(query, key, value, mask, keep)
    out = np.empty_like(query, np.result_type(query), shape=(*query.shape[:-1], value.shape[-1]))
    sums = np.empty((*shape[:-1], 1), out.dtype)
    memory = np.empty(0, out.dtype)
    for block in _blocks(shape, is_causal):
        memory, scores = _scores(memory, block, query, key, mask, scale, is_causal)
        largest = scores.max(axis=-1, keepdims=True, initial=-np.inf)
        largest[largest == -np.inf] = 0
        scores -= largest
        np.exp(scores, out=scores)
        total = scores.sum(axis=-1, keepdims=True)
        empty = total == 0
        total[empty] = 1
        if keep is not None:
            scores *= block.of_scores(keep)
        part = block.of_rows(out)
        np.matmul(scores, block.of_keys(value), out=part)
        part /= total * (1 - dropout_p)
        largest += np.log(total)
        largest[empty] = np.inf
        block.of_rows(sums)[...] = largest
    return out, sums[..., 0]


def gradients(
    grad: Array,
    by_sums: Array | None,
    out: Array,
    sums: Array,
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None,
    keep: Array | None,
    scale: float,
    is_causal: bool,
    dropout_p: float,
    with_mask: bool,
) -> tuple[Array, ...]:
    """Return the gradients of the query, the key, the value, and of the mask if `with_mask`."""
    query, key, value, shape, mask, keep = _broadcast(query, key, value, mask, keep)
    dtype = np.result_type(query)
    by_query, by_key, by_value = (np.zeros_like(x, dtype) for x in (query, key, value))
    by_mask = np.zeros(shape, dtype) if with_mask else None
    memory, more = np.empty(0, dtype), np.empty(0, dtype)
    for block in _blocks(shape, is_causal):
        memory, weights = _scores(memory, block, query, key, mask, scale, is_causal)
        weights -= block.of_rows(sums[..., None])
        np.exp(weights, out=weights)
        incoming = block.of_rows(grad)
        more, by_scores = _buffer(more, weights.shape)
        np.matmul(incoming, block.of_keys(value).mT, out=by_scores)
        used = weights
        if keep is not None:
            factor = block.of_scores(keep) * dtype.type(1 / (1 - dropout_p))
            used = weights * factor
            by_scores *= factor
        _add(block.of_keys(by_value), used.mT @ incoming)
        offset = (incoming * block.of_rows(out)).sum(axis=-1, keepdims=True)
        if by_sums is not None:
            offset -= block.of_rows(by_sums[..., None])
        by_scores -= offset
        by_scores *= weights
        if by_mask is not None:
            block.of_scores(by_mask)[...] = by_scores
        part = block.of_rows(by_query)
        np.matmul(by_scores, block.of_keys(key), out=part)
        part *= scale
        _add(block.of_keys(by_key), by_scores.mT @ (block.of_rows(query) * dtype.type(scale)))
    found = by_query, by_key, by_value
    return found if by_mask is None else (*found, by_mask)


def _add(target: Array, values: Array) -> None:
    target += values


def _broadcast(
    query: Array, key: Array, value: Array, mask: Array | None, keep: Array | None
) -> tuple[Array, Array, Array, Shape, Array | None, Array | None]:
    """Return the inputs with equal batch axes, the shape of the scores, and masks of this shape."""
    inputs = query, key, value
    batch = np.broadcast_shapes(*(x.shape[:-2] for x in inputs))
    shape = (*batch, query.shape[-2], key.shape[-2])
    query, key, value = (
        x if x.shape[:-2] == batch else np.broadcast_to(x, (*batch, *x.shape[-2:])) for x in inputs
    )
    mask, keep = (None if x is None else np.broadcast_to(x, shape) for x in (mask, keep))
    return query, key, value, shape, mask, keep


def _blocks(shape: Shape, is_causal: bool) -> Iterator[Block]:
    """Yield the blocks of scores of this shape."""
    *batch, length, keys = shape
    rows = max(min(length, max(_BUFFER // max(keys, 1), _ROWS)), 1)
    for index in _parts(tuple(batch), max(_BUFFER // (rows * max(keys, 1)), 1)):
        for start in range(0, length, rows):
            stop = min(start + rows, length)
            yield Block(index, slice(start, stop), min(stop, keys) if is_causal else keys)


def _parts(batch: Shape, count: int) -> Iterator[tuple[Any, ...]]:
    """Yield indices that select at most `count` matrices each, and together all of a batch."""
    axis, inner = len(batch), 1
    while axis and inner * batch[axis - 1] <= count:
        axis -= 1
        inner *= batch[axis]
    if not axis:
        if inner:
            yield ()
        return
    step = count // inner
    for outer in np.ndindex(batch[: axis - 1]):
        for start in range(0, batch[axis - 1], step):
            yield (*outer, slice(start, start + step))


def _buffer(memory: Array, shape: Shape) -> tuple[Array, Array]:
    """Return the memory, enlarged if necessary, and an uninitialized array in it."""
    size = math.prod(shape)
    if memory.size < size:
        memory = np.empty(size, memory.dtype)
    return memory, memory[:size].reshape(shape)


def _scores(
    memory: Array,
    block: Block,
    query: Array,
    key: Array,
    mask: Array | None,
    scale: float,
    is_causal: bool,
) -> tuple[Array, Array]:
    """Return the memory, and the scores of a block in it."""
    rows = block.of_rows(query)
    memory, scores = _buffer(memory, (*rows.shape[:-1], block.keys))
    np.matmul(rows * memory.dtype.type(scale), block.of_keys(key).mT, out=scores)
    if mask is not None:
        scores += block.of_scores(mask)
    if is_causal and block.rows.start < block.keys:
        shape = (block.rows.stop - block.rows.start, block.keys - block.rows.start)
        scores[..., block.rows.start :] += _later(shape, memory.dtype)
    return memory, scores


@lru_cache(maxsize=8)
def _later(shape: tuple[int, int], dtype: Any) -> Array:
    """Return −∞ for each key that comes after the query, and 0 for the others."""
    return np.triu(np.full(shape, -np.inf, dtype), 1)

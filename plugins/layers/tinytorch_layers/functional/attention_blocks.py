"""Attention of NumPy arrays, computed block by block.

A block consists of some queries of some matrices of the batch, and of all keys that they use. Its
scores are in a buffer that the next block uses again. The arguments are those of `attend` and
`attention_gradients` in `attention`.
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
# smallest number of queries of a matrix that is divided, and of one with a causal mask.
_BUFFER = 1 << 17
_ROWS = 32
_CAUSAL_ROWS = 64
# The weights are kept for the gradients if there are at most this many keys for each feature of a
# query: then they take little more memory than the inputs. Otherwise they are computed again.
_KEPT = 4
# If no score is larger in magnitude, their exponentials neither overflow nor vanish, so that the
# maximum of each row need not be subtracted.
_SMALL = 20.0


class Block(NamedTuple):
    """A part of the scores.

    Attributes:
        batch: the index of some matrices of the batch.
        rows: their queries.
        keys: the number of keys that these queries use.
        is_first: whether no earlier block has queries of these matrices.
    """

    batch: tuple[Any, ...]
    rows: slice
    keys: int
    is_first: bool

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
) -> tuple[Array, Array, Array]:
    """Return the attention, the logarithms of the sums, and the weights for the gradients.

    The attention has the memory order of the query. The weights are an empty array if they are not
    to be kept.
    """
    query, key, value, shape, added, keep = _broadcast(query, key, value, mask, keep)
    dtype = np.result_type(query)
    out = np.empty_like(query, dtype, shape=(*query.shape[:-1], value.shape[-1]))
    sums = np.empty((*shape[:-1], 1), dtype)
    is_kept = shape[-1] <= _KEPT * query.shape[-1]
    kept = np.empty(shape if is_kept else 0, dtype)
    memory = np.empty(0, dtype)
    for block in _blocks(shape, is_causal):
        rows = block.of_rows(query) * dtype.type(scale)
        memory, scores = _memory(memory, block, rows, kept)
        np.matmul(rows, block.of_keys(key).mT, out=scores)
        is_small = scores.size and scores.max() <= _SMALL and scores.min() >= -_SMALL
        _mask_scores(scores, block, added, is_causal)
        largest: Any = 0.0
        if not is_small or not (mask is None or mask.dtype.kind == "b"):
            largest = scores.max(axis=-1, keepdims=True, initial=-np.inf)
            largest[largest == -np.inf] = 0
            scores -= largest
        np.exp(scores, out=scores)
        total = np.matmul(scores, _ones(block.keys, dtype))
        empty = total == 0
        total[empty] = 1
        if is_kept:
            scores *= 1 / total
        if keep is not None:
            scores = scores * block.of_scores(keep) * dtype.type(1 / (1 - dropout_p))
        part = block.of_rows(out)
        np.matmul(scores, block.of_keys(value), out=part)
        if not is_kept:
            part *= 1 / total
        logarithms = np.log(total)
        logarithms += largest
        logarithms[empty] = np.inf
        block.of_rows(sums)[...] = logarithms
    return out, sums[..., 0], kept


def gradients(
    grad: Array,
    by_sums: Array | None,
    out: Array,
    sums: Array,
    kept: Array,
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
    query, key, value, shape, added, keep = _broadcast(query, key, value, mask, keep)
    dtype = np.result_type(query)
    # Keys that no query uses are in no block.
    unused = not shape[-2] or (is_causal and shape[-2] < shape[-1])
    empty_like = np.zeros_like if unused else np.empty_like
    by_query = np.empty_like(query, dtype)
    by_key, by_value = (empty_like(x, dtype) for x in (key, value))
    by_mask = np.zeros(shape, dtype) if with_mask else None
    memory = more = np.empty(0, dtype)
    for block in _blocks(shape, is_causal):
        rows, incoming = block.of_rows(query) * dtype.type(scale), block.of_rows(grad)
        offset: Any = 0.0 if by_sums is None else block.of_rows(by_sums[..., None])
        if kept.size:
            weights = block.of_scores(kept)
        else:
            memory, weights = _memory(memory, block, rows, kept)
            np.matmul(rows, block.of_keys(key).mT, out=weights)
            _mask_scores(weights, block, added, is_causal)
            weights -= block.of_rows(sums[..., None])
            np.exp(weights, out=weights)
        more, by_scores = _memory(more, block, rows, kept[:0])
        np.matmul(incoming, block.of_keys(value).mT, out=by_scores)
        used = weights
        if keep is not None:
            factor = block.of_scores(keep) * dtype.type(1 / (1 - dropout_p))
            used = weights * factor
            by_scores *= factor
        _put(block, by_value, used.mT, incoming)
        by_scores -= np.vecdot(incoming, block.of_rows(out))[..., None] - offset
        by_scores *= weights
        if by_mask is not None:
            block.of_scores(by_mask)[...] = by_scores
        part = block.of_rows(by_query)
        np.matmul(by_scores, block.of_keys(key), out=part)
        part *= scale
        _put(block, by_key, by_scores.mT, rows)
    found = by_query, by_key, by_value
    return found if by_mask is None else (*found, by_mask)


def _put(block: Block, target: Array, left: Array, right: Array) -> None:
    """Add a product to the keys of a block, or assign it to them if it is the first one."""
    part = block.of_keys(target)
    if block.is_first:
        np.matmul(left, right, out=part)
    else:
        part += left @ right


@lru_cache(maxsize=8)
def _ones(count: int, dtype: Any) -> Array:
    return np.ones((count, 1), dtype)


def _broadcast(
    query: Array, key: Array, value: Array, mask: Array | None, keep: Array | None
) -> tuple[Array, Array, Array, Shape, Array | None, Array | None]:
    """Return the inputs with equal batch axes, the shape of the scores, and masks of this shape.

    The first mask is one of numbers to add to the scores.
    """
    inputs = query, key, value
    batch = np.broadcast_shapes(*(x.shape[:-2] for x in inputs))
    shape = (*batch, query.shape[-2], key.shape[-2])
    query, key, value = (
        x if x.shape[:-2] == batch else np.broadcast_to(x, (*batch, *x.shape[-2:])) for x in inputs
    )
    if mask is not None and mask.dtype.kind == "b":
        mask = np.where(mask, 0, -np.inf)
    added = None if mask is None else np.broadcast_to(mask.astype(query.dtype), shape)
    return query, key, value, shape, added, None if keep is None else np.broadcast_to(keep, shape)


def _blocks(shape: Shape, is_causal: bool) -> Iterator[Block]:
    """Yield the blocks of scores of this shape; of each matrix the last queries first."""
    *batch, length, keys = shape
    rows = max(min(length, max(_BUFFER // max(keys, 1), _ROWS)), 1)
    if is_causal:  # with fewer queries, a block has fewer keys that its first queries do not use
        rows = min(rows, max(length // 8, _CAUSAL_ROWS))
    for index in _parts(tuple(batch), max(_BUFFER // (rows * max(keys, 1)), 1)):
        for stop in range(length, 0, -rows):
            used = min(stop, keys) if is_causal else keys
            yield Block(index, slice(max(stop - rows, 0), stop), used, stop == length)


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


def _memory(memory: Array, block: Block, rows: Array, kept: Array) -> tuple[Array, Array]:
    """Return the memory, enlarged if necessary, and an array in it for the scores of a block.

    If the scores are kept, the array is a part of `kept`.

    Args:
        memory: an array of one axis.
        block: the block.
        rows: its queries.
        kept: an array for all scores, or an empty one.
    """
    if kept.size:
        return memory, block.of_scores(kept)
    shape = (*rows.shape[:-1], block.keys)
    size = math.prod(shape)
    if memory.size < size:
        memory = np.empty(size, memory.dtype)
    return memory, memory[:size].reshape(shape)


def _mask_scores(scores: Array, block: Block, added: Array | None, is_causal: bool) -> None:
    """Add the masks to the scores of a block."""
    if added is not None:
        scores += block.of_scores(added)
    start, stop = block.rows.start, block.rows.stop
    if is_causal and start < block.keys:
        scores[..., start:] += _later((stop - start, block.keys - start), scores.dtype)


@lru_cache(maxsize=8)
def _later(shape: tuple[int, int], dtype: Any) -> Array:
    """Return −∞ for each key that comes after the query, and 0 for the others."""
    return np.triu(np.full(shape, -np.inf, dtype), 1)

"""What the loops of RNN, LSTM and GRU share: their steps, memory, and products over all steps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from tinytorch_core.extend import aligned_empty

from tinytorch_layers.functional.recurrence_steps import extended
from tinytorch_layers.functional.tiled_products import multiply_tiles, tiles_of

Array = np.ndarray[Any, Any]
Sizes = tuple[int, ...]

# The rows of the products whose gradients are kept at a time.
_ROWS = 256
# The bytes of weights that are not in the cache together with the gates.
_LARGE_WEIGHT = 1 << 20


class Loop:
    """The steps of one recurrence.

    Args:
        initial: the initial hidden state, (N, H).
        sizes, reverse: see `recurrence.rnn`.
    """

    def __init__(self, initial: Array, sizes: Sizes, reverse: bool) -> None:
        self.batch, self.length = initial.shape
        self.dtype = initial.dtype
        self.sizes, self.reverse, self.rows = sizes, reverse, sum(sizes)

    def steps(self, back: bool = False) -> Iterator[tuple[int, slice]]:
        """Iterate over the number of rows of each step and their position.

        Args:
            back: whether to iterate in the opposite order, for the backward pass.
        """
        ends = np.cumsum(self.sizes).tolist()
        steps = [(n, slice(end - n, end)) for n, end in zip(self.sizes, ends, strict=True)]
        return iter(steps[::-1] if self.reverse != back else steps)

    def empty(self, parts: int = 1) -> Array:
        return aligned_empty((self.rows, parts * self.length), self.dtype)

    def scratch(self, parts: int) -> Array:
        """Return memory for the parts of one step, for `gates_of`."""
        return aligned_empty((self.batch, parts * self.length), self.dtype)

    def gates_of(self, memory: Array, rows: slice) -> Array:
        """Return the memory of some rows as an array of shape (parts, n, H)."""
        parts = memory.shape[1] // self.length
        return memory[rows].reshape((parts, rows.stop - rows.start, self.length))

    def parts(self, x: Array) -> Array:
        """Return an array of shape (rows, parts · H) as a view of shape (parts, rows, H)."""
        return x.reshape((len(x), x.shape[1] // self.length, self.length)).swapaxes(0, 1)

    def states_before(self, x: Array, initial: Array) -> Iterator[Array]:
        """Iterate over the states before each step, in the order of the backward pass."""
        order = list(self.steps(back=True))
        for (n, _), (_, rows) in pairwise(order):
            yield extended(x[rows], initial, n)
        yield initial[: order[-1][0]]

    def zeros(self) -> Array:
        found = aligned_empty((self.batch, self.length), self.dtype)
        found.fill(0)
        return found


class Sums:
    """The gradients that RNN and LSTM get from all steps: of x, of the weights and of the biases.

    The gradients of the products of a few steps at a time are in memory that stays in the cache.

    Args:
        loop: the steps.
        inputs: the rows [h, x, 1].
        x: the inputs of the layer.
        weight_ih: their weight.
        with_x: whether to compute the gradient of x.

    Attributes:
        by_x: the gradient of x, or None.
    """

    def __init__(self, loop: Loop, inputs: Array, x: Array, weight_ih: Array, with_x: bool) -> None:
        shape = inputs.shape[1], weight_ih.shape[1]
        # With large weights, adding takes longer than the cache saves.
        count = max(min(max(_ROWS, math.prod(shape) // 512), loop.rows), loop.batch)
        self._reverse, self._inputs = loop.reverse, inputs
        self._memory = aligned_empty((count, weight_ih.shape[1]), loop.dtype)
        self._start, self._rows = 0, slice(0, 0)  # the row at the start of the memory; those in it
        self._by_weights = np.zeros(shape, loop.dtype)
        self.by_x = np.empty_like(x, order="C") if with_x else None
        self._tiles = tiles_of(weight_ih.T, count) if with_x else weight_ih

    def memory(self, rows: slice) -> Array:
        """Return memory for the gradients of the products of a step."""
        end = self._start + len(self._memory)
        if self._rows.start == self._rows.stop or rows.start < self._start or rows.stop > end:
            self._add()
            self._start = rows.start if self._reverse else rows.stop - len(self._memory)
            self._rows = rows
        self._rows = slice(min(self._rows.start, rows.start), max(self._rows.stop, rows.stop))
        return self._memory[rows.start - self._start : rows.stop - self._start]

    def by_weights(self) -> Array:
        """Return the gradients of weight_hh, weight_ih and the bias, one above the other."""
        self._add()
        return self._by_weights

    def _add(self) -> None:
        rows = self._rows
        found = self._memory[rows.start - self._start : rows.stop - self._start]
        self._by_weights += self._inputs[rows].T @ found
        if self.by_x is not None:
            multiply_tiles(found, self._tiles, self.by_x[rows])


def inputs_of(loop: Loop, x: Array, biased: bool) -> Array:
    """Return the rows [h, x, 1], or [h, x] if not `biased`; h is not yet known."""
    end = loop.length + x.shape[1]
    rows = aligned_empty((loop.rows, -(-(end + biased) // 16) * 16), loop.dtype)
    rows = rows[:, : end + biased]
    rows[:, loop.length : end] = x
    rows[:, end:] = 1
    return rows


class Products:
    """The products of the rows [h, x, 1] and of the weights, step by step.

    Args:
        loop: the steps.
        inputs: the rows.
        weight: both weights and the bias, one above the other, of shape (parts, K, H).
    """

    def __init__(self, loop: Loop, inputs: Array, weight: Array) -> None:
        length = loop.length
        self._inputs, self._projected = inputs, None
        if weight.nbytes > _LARGE_WEIGHT:  # then only that of h is in the cache at each step
            self._projected = np.matmul(inputs[:, length:], weight[:, length:])
            self._inputs, weight = inputs[:, :length], weight[:, :length]
        self._tiles = tiles_of(weight, loop.batch)

    def write(self, rows: slice, out: Array) -> None:
        """Write the products of a step into `out`, of shape (parts, n, H)."""
        multiply_tiles(self._inputs[rows], self._tiles, out)
        if self._projected is not None:
            out += self._projected[:, rows]

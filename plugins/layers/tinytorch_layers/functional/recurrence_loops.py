"""The recurrences of RNN, LSTM and GRU for NumPy arrays of one dtype: loops that compute in place.

The loop over the steps only computes the recurrent product and the gates. Both work on blocks of
columns: with up to a million multiplications in each product, BLAS skips the copy into its own
layout, and takes two thirds of the time. An array of shape (rows, parts · H) is seen as
(parts, blocks, rows, width), where the parts are those of the gates.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from tinytorch_layers.functional.recurrence_steps import extended

Array = np.ndarray[Any, Any]
Sizes = tuple[int, ...]

# The largest product of the three sizes of a matrix product for which OpenBLAS makes no copy.
_SMALL_PRODUCT = 1_000_000


def run(
    projected: Array,
    weight: Array,
    bias: Array | None,
    hidden: Array,
    cell: Array | None,
    kind: str,
    sizes: Sizes,
    reverse: bool,
) -> tuple[Array, ...]:
    """Return the states of each step, and the gates, in the order of the loop.

    The arguments are those of `recurrence_steps.run`.
    """
    loop = _Loop(hidden, sizes, reverse)
    if kind == "lstm":
        assert cell is not None
        return _lstm(loop, projected, weight, hidden, cell)
    if kind == "gru":
        return _gru(loop, projected, weight, bias, hidden)
    return _rnn(loop, projected, weight, hidden, np.tanh if kind == "tanh" else _relu)


def run_back(
    by_hidden: Array | None,
    by_cell: Array | None,
    hidden: Array,
    cell: Array,
    kept: Array,
    weight: Array,
    initial_hidden: Array,
    initial_cell: Array,
    kind: str,
    sizes: Sizes,
    reverse: bool,
) -> tuple[Any, ...]:
    """Return the gradients of the projections, of the products h weight, and of both states.

    The arguments are those of `recurrence.run_back`.
    """
    loop = _Loop(initial_hidden, sizes, reverse)
    if kind == "lstm":
        return _lstm_back(loop, by_hidden, by_cell, hidden, cell, kept, weight, initial_cell)
    if kind == "gru":
        return _gru_back(loop, by_hidden, hidden, kept, weight, initial_hidden)
    return _rnn_back(loop, by_hidden, hidden, weight, kind)


class _Loop:
    """The steps and the layout of one recurrence.

    Args:
        initial: the initial hidden state, (N, H).
        sizes, reverse: see `recurrence.rnn`.
    """

    def __init__(self, initial: Array, sizes: Sizes, reverse: bool) -> None:
        self.batch, self.length = initial.shape
        self.dtype = initial.dtype
        self.sizes, self.reverse, self.rows = sizes, reverse, sum(sizes)
        self.width = self.length
        for width in (64, 32):
            if self.length % width == 0 and self.batch * self.length * width <= _SMALL_PRODUCT:
                self.width = width
                break
        self.blocks = self.length // self.width if self.width else 1
        self._scratch: dict[tuple[str, int], Array] = {}

    def steps(self, back: bool = False) -> Iterator[tuple[int, slice]]:
        """Iterate over the number of rows of each step and their position.

        Args:
            back: whether to iterate in the opposite order, for the backward pass.
        """
        ends = np.cumsum(self.sizes).tolist()
        steps = [(n, slice(end - n, end)) for n, end in zip(self.sizes, ends, strict=True)]
        return iter(steps[::-1] if self.reverse != back else steps)

    def empty(self, parts: int = 1) -> Array:
        return np.empty((self.rows, parts * self.length), self.dtype)

    def chunk(self, kept: Array, rows: slice) -> Array:
        """Return the part of what is kept that belongs to one step: (parts, blocks, rows, width).

        It is contiguous, unlike a part of the rows.
        """
        parts = kept.shape[1] // self.length
        part = kept[rows].reshape(-1)
        return part.reshape((parts, self.blocks, rows.stop - rows.start, self.width))

    def scratch(self, name: str, parts: int, rows: int) -> Array:
        """Return an array of shape (parts, blocks, rows, width), the same at each step."""
        found = self._scratch.get((name, rows))
        if found is None:
            found = np.empty((parts, self.blocks, rows, self.width), self.dtype)
            self._scratch[name, rows] = found
        return found

    def blocked(self, x: Array) -> Array:
        """Return rows as a view of shape (parts, blocks, rows, width)."""
        parts = x.shape[1] // self.length
        return x.reshape((len(x), parts, self.blocks, self.width)).transpose(1, 2, 0, 3)

    def forward_weight(self, weight: Array, order: Any = slice(None)) -> Array:
        """Return the weight as (parts, blocks, H, width), with the parts in an order."""
        return np.ascontiguousarray(self.blocked(weight)[order])

    def backward_weight(self, weight: Array) -> Array:
        """Return the parts of the transposed weight, each as (blocks, H, width)."""
        parts = weight.T.reshape((-1, self.length, self.blocks, self.width))
        return np.ascontiguousarray(parts.transpose(0, 2, 1, 3))

    def multiply_back(self, by_product: Array, weight: Array, out: Array) -> None:
        """Write the product of rows and of what `backward_weight` returned into `out`."""
        rows = len(by_product)
        parts = by_product.reshape((rows, len(weight), 1, self.length)).transpose(1, 2, 0, 3)
        products = self.scratch("products", len(weight), rows)
        np.matmul(parts, weight, out=products)
        np.add.reduce(products, axis=0, out=out)

    def states_before(self, x: Array, initial: Array) -> Iterator[Array]:
        """Iterate over the states before each step, in the order of the backward pass."""
        order = list(self.steps(back=True))
        for (n, _), (_, rows) in pairwise(order):
            yield extended(x[rows], initial, n)
        yield initial[: order[-1][0]]

    def zeros(self) -> Array:
        return np.zeros((self.blocks, self.batch, self.width), self.dtype)

    def split(self, state: Array) -> Array:
        """Return a copy of a state of shape (N, H) as (blocks, N, width)."""
        blocks: Array = self.blocked(state)[0].copy()
        return blocks

    def joined(self, state: Array) -> Array:
        """Return a state of shape (blocks, N, width) as (N, H)."""
        rows: Array = state.transpose(1, 0, 2).reshape((self.batch, self.length))
        return rows


def _relu(x: Array, out: Array) -> Array:
    return np.maximum(x, 0, out=out)


def _rnn(
    loop: _Loop, projected: Array, weight: Array, hidden: Array, squash: Any
) -> tuple[Array, ...]:
    weight = loop.forward_weight(weight)
    out = loop.empty()
    p, h = loop.blocked(projected), loop.blocked(out)
    initial = hidden
    for n, rows in loop.steps():
        hidden = extended(hidden, initial, n)
        a = np.matmul(hidden, weight, out=loop.scratch("a", 1, n))
        a += p[:, :, rows]
        squash(a, out=h[:, :, rows])
        hidden = out[rows]
    return out, out


def _rnn_back(
    loop: _Loop, by_hidden: Array | None, hidden: Array, weight: Array, kind: str
) -> tuple[Any, ...]:
    weight = loop.backward_weight(weight)
    found = loop.empty()
    by, d, (h,) = _each(loop, by_hidden), loop.blocked(found)[0], loop.blocked(hidden)
    state = loop.zeros()
    for n, rows in loop.steps(back=True):
        by_h = state[:, :n]
        if by is not None:
            by_h += by[:, rows]
        slope = loop.scratch("slope", 1, n)[0]
        if kind == "tanh":
            np.multiply(h[:, rows], h[:, rows], out=slope)
            np.subtract(1, slope, out=slope)
        else:
            np.greater(h[:, rows], 0, out=slope)
        np.multiply(by_h, slope, out=d[:, rows])
        loop.multiply_back(found[rows], weight, by_h)
    return found, found, loop.joined(state), None


def _lstm(
    loop: _Loop, projected: Array, weight: Array, hidden: Array, cell: Array
) -> tuple[Array, ...]:
    # The order i, f, o, g, so that the three sigmoids are computed together.
    weight = loop.forward_weight(weight, [0, 1, 3, 2])
    out, cells = loop.empty(), loop.empty()
    p, (h,), (c,) = (loop.blocked(x) for x in (projected, out, cells))
    initial, state = hidden, loop.split(cell)
    for n, rows in loop.steps():
        hidden = extended(hidden, initial, n)
        a, new = loop.scratch("a", 4, n), state[:, :n]
        np.matmul(hidden, weight, out=a)
        a[:2] += p[:2, :, rows]
        a[2:] += p[:1:-1, :, rows]
        # The gates replace the projections of this step, which are not used again.
        gates = loop.chunk(projected, rows)
        a[:3] *= 0.5
        np.tanh(a, out=a)
        i, f, o, g = gates
        np.multiply(a[:3], 0.5, out=gates[:3])
        gates[:3] += 0.5
        g[...] = a[3]
        new *= f
        squashed = np.multiply(i, g, out=a[0])
        new += squashed
        c[:, rows] = new
        np.tanh(new, out=squashed)
        np.multiply(o, squashed, out=h[:, rows])
        hidden = out[rows]
    return out, cells, projected


def _squash(a: Array, sigmoids: int) -> None:
    """Replace the first parts of `a` by their sigmoids, and the others by tanh."""
    first = a[:sigmoids]
    first *= 0.5
    np.tanh(a, out=a)
    first *= 0.5
    first += 0.5


def _lstm_back(
    loop: _Loop,
    by_hidden: Array | None,
    by_cell: Array | None,
    hidden: Array,
    cell: Array,
    kept: Array,
    weight: Array,
    initial_cell: Array,
) -> tuple[Any, ...]:
    weight = loop.backward_weight(weight)
    found = loop.empty(4)
    by_h, by_c = _each(loop, by_hidden), _each(loop, by_cell)
    d, (c,) = loop.blocked(found), loop.blocked(cell)
    h_state, c_state = loop.zeros(), loop.zeros()
    before = loop.states_before(cell, initial_cell)
    for (n, rows), cell_before in zip(loop.steps(back=True), before, strict=True):
        h, b = h_state[:, :n], c_state[:, :n]
        if by_h is not None:
            h += by_h[:, rows]
        if by_c is not None:
            b += by_c[:, rows]
        chunk = loop.chunk(kept, rows)
        i, f, o, g = chunk
        a, s = loop.scratch("a", 4, n), loop.scratch("s", 4, n)
        squashed = np.tanh(c[:, rows], out=s[0])
        by_i, by_f, by_o, by_g = a
        # The gradient of c' through h' = o tanh(c') is h o (1 − tanh²) = (h − h tanh²) o.
        np.multiply(h, squashed, out=by_o)
        np.multiply(by_o, squashed, out=by_i)
        np.subtract(h, by_i, out=by_i)
        by_i *= o
        b += by_i
        np.multiply(b, g, out=by_i)
        np.multiply(b, loop.blocked(cell_before)[0], out=by_f)
        np.multiply(b, i, out=by_g)
        b *= f
        _slopes(chunk, 3, s)
        np.multiply(a[:2], s[:2], out=d[:2, :, rows])
        np.multiply(a[2:], s[2:], out=d[:1:-1, :, rows])
        loop.multiply_back(found[rows], weight, h)
    return found, found, loop.joined(h_state), loop.joined(c_state)


def _slopes(values: Array, tanh: int, out: Array) -> None:
    """Write the derivatives of sigmoids, a (1 − a), and of one tanh, 1 − a², into `out`."""
    np.subtract(1, values, out=out)
    out *= values
    # 1 − a² = a (1 − a) + 1 − a
    part = out[tanh]
    part += 1
    part -= values[tanh]


def _gru(
    loop: _Loop, projected: Array, weight: Array, bias: Array | None, hidden: Array
) -> tuple[Array, ...]:
    weight = loop.forward_weight(weight)
    out, kept = loop.empty(), loop.empty(4)
    p, (h,) = loop.blocked(projected), loop.blocked(out)
    added = None if bias is None else loop.blocked(bias[None])
    initial = hidden
    for n, rows in loop.steps():
        hidden = extended(hidden, initial, n)
        chunk = loop.chunk(kept, rows)
        a = chunk[:3]
        np.matmul(hidden, weight, out=a)
        if added is not None:
            a += added
        first = a[:2]
        first += p[:2, :, rows]
        _squash(first, 2)
        r, z, new, u = chunk
        u[...] = new
        new *= r
        new += p[2, :, rows]
        np.tanh(new, out=new)
        change = loop.scratch("change", 1, n)[0]
        np.subtract(loop.blocked(hidden)[0], new, out=change)
        change *= z
        np.add(new, change, out=h[:, rows])
        hidden = out[rows]
    return out, kept


def _gru_back(
    loop: _Loop,
    by_hidden: Array | None,
    hidden: Array,
    kept: Array,
    weight: Array,
    initial: Array,
) -> tuple[Any, ...]:
    weight = loop.backward_weight(weight)
    by_projected, by_product = loop.empty(3), loop.empty(3)
    by, d, e = _each(loop, by_hidden), loop.blocked(by_projected), loop.blocked(by_product)
    state = loop.zeros()
    before = loop.states_before(hidden, initial)
    for (n, rows), hidden_before in zip(loop.steps(back=True), before, strict=True):
        b = state[:, :n]
        if by is not None:
            b += by[:, rows]
        chunk = loop.chunk(kept, rows)
        r, z, new, u = chunk
        a, s = loop.scratch("a", 3, n), loop.scratch("s", 3, n)
        by_r, by_z, by_new = a
        _slopes(chunk[:3], 2, s)
        np.subtract(loop.blocked(hidden_before)[0], new, out=by_z)
        by_z *= b
        direct = loop.scratch("direct", 1, n)[0]
        np.multiply(b, z, out=direct)
        np.subtract(b, direct, out=by_new)
        by_new *= s[2]
        np.multiply(by_new, u, out=by_r)
        first = a[:2]
        first *= s[:2]
        d[:, :, rows] = a
        by_new *= r
        e[:, :, rows] = a
        loop.multiply_back(by_product[rows], weight, b)
        b += direct
    return by_projected, by_product, loop.joined(state), None


def _each(loop: _Loop, grad: Array | None) -> Array | None:
    """Return a gradient of shape (rows, H) as (blocks, rows, width), or None."""
    return None if grad is None else loop.blocked(grad)[0]

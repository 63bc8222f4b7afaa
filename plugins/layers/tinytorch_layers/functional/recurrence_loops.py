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
    hidden: Array,
    cell: Array | None,
    bias: Array | None,
    kind: str,
    sizes: Sizes,
    reverse: bool,
) -> tuple[Array, ...]:
    """Return what `recurrence.run` returns."""
    loop = _Loop(hidden, sizes, reverse)
    if kind == "lstm":
        assert cell is not None
        return _lstm(loop, projected, weight, hidden, cell)
    if kind == "gru":
        return _gru(loop, projected, weight, hidden, bias)
    return _rnn(loop, projected, weight, hidden, np.tanh if kind == "tanh" else _relu)


def run_back(
    by_hidden: Array | None,
    by_cell: Array | None,
    hidden: Array,
    cell: Array,
    gates: Array,
    weight: Array,
    initial_hidden: Array,
    initial_cell: Array,
    kind: str,
    sizes: Sizes,
    reverse: bool,
) -> tuple[Any, ...]:
    """Return the gradients of p, of the products h weight, and of the initial states.

    The arguments are those of `recurrence.run_back`.
    """
    loop = _Loop(initial_hidden, sizes, reverse)
    if kind == "lstm":
        return _lstm_back(loop, by_hidden, by_cell, cell, gates, weight, initial_cell)
    if kind == "gru":
        return _gru_back(loop, by_hidden, hidden, gates, weight, initial_hidden)
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

    def scratch(self, name: str, parts: int, rows: int) -> Array:
        """Return an array of shape (parts, blocks, rows, width), the same at each step."""
        found = self._scratch.get((name, rows))
        if found is None:
            found = np.empty((parts, self.blocks, rows, self.width), self.dtype)
            self._scratch[name, rows] = found
        return found

    def blocked(self, x: Array) -> Array:
        """Return rows as a view of shape (parts, blocks, rows, width)."""
        return x.reshape((len(x), -1, self.blocks, self.width)).transpose(1, 2, 0, 3)

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

    def joined(self, state: Array) -> Array:
        """Return a state of shape (blocks, N, width) as (N, H)."""
        return state.transpose(1, 0, 2).reshape((self.batch, self.length))


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
    return (out,)


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
    out, cells, gates = loop.empty(), loop.empty(), loop.empty(4)
    p, all_gates, (h,), (c,) = (loop.blocked(x) for x in (projected, gates, out, cells))
    initial_hidden, initial_cell = hidden, cell
    for n, rows in loop.steps():
        hidden, cell = extended(hidden, initial_hidden, n), extended(cell, initial_cell, n)
        a = np.matmul(hidden, weight, out=loop.scratch("a", 4, n))
        a[:2] += p[:2, :, rows]
        a[2:] += p[:1:-1, :, rows]
        _squash(a, 3)
        all_gates[:2, :, rows] = a[:2]
        all_gates[:1:-1, :, rows] = a[2:]
        i, f, o, g = a
        i *= g
        new = np.multiply(f, loop.blocked(cell)[0], out=f)
        new += i
        c[:, rows] = new
        np.tanh(new, out=new)
        np.multiply(o, new, out=h[:, rows])
        hidden, cell = out[rows], cells[rows]
    return out, cells, gates


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
    cell: Array,
    gates: Array,
    weight: Array,
    initial_cell: Array,
) -> tuple[Any, ...]:
    weight = loop.backward_weight(weight)
    found = loop.empty(4)
    by_h, by_c = _each(loop, by_hidden), _each(loop, by_cell)
    d, all_gates, (c,) = (loop.blocked(x) for x in (found, gates, cell))
    h_state, c_state = loop.zeros(), loop.zeros()
    before = loop.states_before(cell, initial_cell)
    for (n, rows), cell_before in zip(loop.steps(back=True), before, strict=True):
        h, b = h_state[:, :n], c_state[:, :n]
        if by_h is not None:
            h += by_h[:, rows]
        if by_c is not None:
            b += by_c[:, rows]
        i, f, g, o = all_gates[:, :, rows]
        a, s = loop.scratch("a", 4, n), loop.scratch("s", 4, n)
        squashed, product = s[0], s[1]
        np.tanh(c[:, rows], out=squashed)
        np.multiply(h, squashed, out=a[3])
        np.multiply(h, o, out=product)
        b += product
        product *= squashed
        product *= squashed
        b -= product
        np.multiply(b, g, out=a[0])
        np.multiply(b, loop.blocked(cell_before)[0], out=a[1])
        np.multiply(b, i, out=a[2])
        b *= f
        _slopes(all_gates[:, :, rows], 2, s)
        np.multiply(a, s, out=d[:, :, rows])
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
    loop: _Loop, projected: Array, weight: Array, hidden: Array, bias: Array | None
) -> tuple[Array, ...]:
    weight = loop.forward_weight(weight)
    out, gates = loop.empty(), loop.empty(4)
    p, all_gates, (h,) = (loop.blocked(x) for x in (projected, gates, out))
    added = None if bias is None else loop.blocked(bias[None])
    initial = hidden
    for n, rows in loop.steps():
        hidden = extended(hidden, initial, n)
        a = np.matmul(hidden, weight, out=loop.scratch("a", 3, n))
        if added is not None:
            a += added
        all_gates[3, :, rows] = a[2]
        first = a[:2]
        first += p[:2, :, rows]
        _squash(first, 2)
        r, z, u = a
        u *= r
        u += p[2, :, rows]
        new = np.tanh(u, out=u)
        all_gates[:3, :, rows] = a
        np.subtract(loop.blocked(hidden)[0], new, out=r)
        r *= z
        np.add(new, r, out=h[:, rows])
        hidden = out[rows]
    return out, gates


def _gru_back(
    loop: _Loop,
    by_hidden: Array | None,
    hidden: Array,
    gates: Array,
    weight: Array,
    initial: Array,
) -> tuple[Any, ...]:
    weight = loop.backward_weight(weight)
    by_projected, by_product = loop.empty(3), loop.empty(3)
    by, all_gates = _each(loop, by_hidden), loop.blocked(gates)
    d, e = loop.blocked(by_projected), loop.blocked(by_product)
    state = loop.zeros()
    before = loop.states_before(hidden, initial)
    for (n, rows), hidden_before in zip(loop.steps(back=True), before, strict=True):
        b = state[:, :n]
        if by is not None:
            b += by[:, rows]
        r, z, new, u = all_gates[:, :, rows]
        a, s = loop.scratch("a", 3, n), loop.scratch("s", 3, n)
        _slopes(all_gates[:3, :, rows], 2, s)
        # The gradients of z, of n before its tanh, and of r.
        np.subtract(loop.blocked(hidden_before)[0], new, out=a[1])
        a[1] *= b
        np.multiply(b, z, out=a[0])
        np.subtract(b, a[0], out=a[2])
        b[...] = a[0]
        by_new = a[2]
        by_new *= s[2]
        np.multiply(by_new, u, out=a[0])
        first = a[:2]
        first *= s[:2]
        d[:, :, rows] = a
        by_new *= r
        e[:, :, rows] = a
        through_product = loop.scratch("through", 1, n)[0]
        loop.multiply_back(by_product[rows], weight, through_product)
        b += through_product
    return by_projected, by_product, loop.joined(state), None


def _each(loop: _Loop, grad: Array | None) -> Array | None:
    """Return a gradient of shape (rows, H) as (blocks, rows, width), or None."""
    return None if grad is None else loop.blocked(grad)[0]

"""The recurrences of RNN, LSTM and GRU for NumPy arrays of one dtype: loops that compute in place.

Each step of RNN and LSTM is one product of the rows [h, x, 1] and of both weights and the bias,
one above the other. So no projections are stored, and one product over all steps gives the
gradients of all parameters. In a GRU the reset gate comes between the two products.

The gates of a step are an array of shape (parts, n, H).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_layers.functional.recurrence_memory import Loop, Products, Sums, inputs_of
from tinytorch_layers.functional.recurrence_steps import extended, gradients, projection
from tinytorch_layers.functional.tiled_products import multiply_tiles, tiles_of

Array = np.ndarray[Any, Any]
Sizes = tuple[int, ...]

# The order of the gates in the loop of an LSTM: i, f, o, g, so that the sigmoids are neighbours.
_LSTM_ORDER = [0, 1, 3, 2]


def run(
    x: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias: Array | None,
    bias_hh: Array | None,
    hidden: Array,
    cell: Array,
    kind: str,
    sizes: Sizes,
    reverse: bool,
) -> tuple[Array, ...]:
    """Return the states of each step, the gates, and of RNN and LSTM the rows [h, x, 1].

    Args:
        bias, bias_hh: see `recurrence_steps.run_back`.
        x, weight_ih, weight_hh, hidden, cell, kind, sizes, reverse: see `recurrence.run`.
    """
    loop = Loop(hidden, sizes, reverse)
    if kind == "gru":
        return _gru(loop, projection(x, weight_ih, bias), weight_hh, bias_hh, hidden)
    inputs = inputs_of(loop, x, bias is not None)
    weight = np.concatenate([weight_hh, weight_ih, *([] if bias is None else [bias[None]])])
    if kind == "lstm":
        return *_lstm(loop, inputs, weight, hidden, cell), inputs
    out = _rnn(loop, inputs, weight, hidden, kind)
    return out, out, inputs


def run_back(
    by_hidden: Array | None,
    by_cell: Array | None,
    hidden: Array,
    cell: Array,
    x: Array,
    weight_ih: Array,
    weight_hh: Array,
    biased: bool,
    initial_hidden: Array,
    initial_cell: Array,
    gates: Array,
    inputs: Array,
    kind: str,
    sizes: Sizes,
    reverse: bool,
    with_x: bool,
) -> tuple[Any, ...]:
    """Return what `recurrence_steps.run_back` returns.

    Args:
        gates, inputs: what `run` returned after the states.
        by_hidden, by_cell, hidden, cell, x, weight_ih, weight_hh, biased, initial_hidden,
            initial_cell, kind, sizes, reverse, with_x: see `recurrence_steps.run_back`.
    """
    loop = Loop(initial_hidden, sizes, reverse)
    if kind == "gru":
        *found, state = _gru_back(loop, by_hidden, hidden, gates, weight_hh, initial_hidden)
        how: Any = (*found, biased, sizes, reverse, with_x)
        return *gradients(x, weight_ih, hidden, initial_hidden, *how), state
    sums = Sums(loop, inputs, x, weight_ih, with_x)
    if kind == "lstm":
        by_states: Any = _lstm_back(loop, sums, by_hidden, by_cell, gates, weight_hh)
    else:
        by_states = _rnn_back(loop, sums, by_hidden, hidden, weight_hh, kind)
    by_weights = sums.by_weights()
    start, end = loop.length, loop.length + x.shape[1]
    by_bias = by_weights[end] if biased else None
    by_both = by_weights[start:end], by_weights[:start]
    return sums.by_x, *by_both, by_bias, _copy(by_bias), *by_states


def _rnn(loop: Loop, inputs: Array, weight: Array, hidden: Array, kind: str) -> Array:
    """Return the hidden states, and fill in those of the inputs.

    Args:
        loop: the steps.
        inputs, weight: the rows, and what to multiply them by.
        hidden: the initial hidden state.
        kind: "tanh" or "relu".
    """
    products = Products(loop, inputs, weight[None])
    out, initial = loop.empty(), hidden
    for n, rows in loop.steps():
        inputs[rows, : loop.length] = extended(hidden, initial, n)
        hidden = out[rows]
        products.write(rows, hidden[None])
        if kind == "tanh":
            np.tanh(hidden, out=hidden)
        else:
            np.maximum(hidden, 0, out=hidden)
    return out


def _rnn_back(
    loop: Loop, sums: Sums, by_hidden: Array | None, hidden: Array, weight: Array, kind: str
) -> tuple[Array]:
    """Return the gradient of the initial state, and give those of the products to `sums`.

    Args:
        loop, sums: the steps, and the other gradients.
        by_hidden: the gradients of the hidden states, or None.
        hidden: the hidden states.
        weight: weight_hh.
        kind: "tanh" or "relu".
    """
    tiles = tiles_of(weight.T, loop.batch)
    state = loop.zeros()
    for n, rows in loop.steps(back=True):
        h, d, out = state[:n], sums.memory(rows), hidden[rows]
        if by_hidden is not None:
            h += by_hidden[rows]
        if kind == "tanh":
            np.multiply(out, out, out=d)
            np.subtract(1, d, out=d)
            d *= h
        else:
            np.multiply(h, out > 0, out=d)
        multiply_tiles(d, tiles, h)
    return (state,)


def _lstm(
    loop: Loop, inputs: Array, weight: Array, hidden: Array, cell: Array
) -> tuple[Array, Array, Array]:
    """Return the hidden states, the cell states and the factors for `_lstm_back`.

    The derivatives of h' = o tanh(c') and c' = f c + i g are products of what is in the cache here.
    The arguments are those of `_rnn`.
    """
    parts = loop.parts(weight)[_LSTM_ORDER]
    parts[:3] *= 0.5  # sigmoid(x) = (tanh(x / 2) + 1) / 2
    products = Products(loop, inputs, parts)
    out, cells, kept = loop.empty(), loop.empty(), loop.empty(6)
    memory, more, rest = loop.scratch(4), loop.scratch(3), loop.scratch(2)
    initial = hidden, cell
    for n, rows in loop.steps():
        first = slice(0, n)
        inputs[rows, : loop.length] = extended(hidden, initial[0], n)
        gates, others, terms = (loop.gates_of(x, first) for x in (memory, more, rest))
        products.write(rows, gates)
        np.tanh(gates, out=gates)
        sigmoids = gates[:3]
        sigmoids *= 0.5
        sigmoids += 0.5
        np.subtract(1, sigmoids, out=others)
        i, f, o, g = gates
        new, old = terms
        np.multiply(i, g, out=new)
        np.multiply(f, extended(cell, initial[1], n), out=old)
        cell = np.add(new, old, out=cells[rows])
        factors = loop.gates_of(kept, rows)
        np.multiply(terms, others[:2], out=factors[:2])  # i g (1 − i) and f c (1 − f)
        new *= g
        np.subtract(i, new, out=factors[2])  # i (1 − g²)
        squashed = np.tanh(cell, out=new)
        hidden = np.multiply(o, squashed, out=out[rows])
        np.multiply(hidden, others[2], out=factors[3])  # tanh(c') o (1 − o)
        squashed *= hidden
        np.subtract(o, squashed, out=factors[4])  # o (1 − tanh²(c'))
        factors[5] = f
    return out, cells, kept


def _lstm_back(
    loop: Loop,
    sums: Sums,
    by_hidden: Array | None,
    by_cell: Array | None,
    kept: Array,
    weight: Array,
) -> tuple[Array, Array]:
    """Return the gradients of both initial states, and give those of the products to `sums`.

    Args:
        loop, sums: the steps, and the other gradients.
        by_hidden, by_cell: the gradients of the states, or None.
        kept: the factors that `_lstm` returned.
        weight: weight_hh.
    """
    tiles = tiles_of(weight.T, loop.batch)
    h_state, c_state, scratch = loop.zeros(), loop.zeros(), loop.scratch(1)
    for n, rows in loop.steps(back=True):
        h, c = h_state[:n], c_state[:n]
        if by_hidden is not None:
            h += by_hidden[rows]
        if by_cell is not None:
            c += by_cell[rows]
        factors = loop.gates_of(kept, rows)
        c += np.multiply(h, factors[4], out=scratch[:n])
        found = sums.memory(rows)
        targets = loop.parts(found)  # in the order i, f, g, o
        np.multiply(factors[:3], c, out=targets[:3])
        np.multiply(factors[3], h, out=targets[3])
        c *= factors[5]
        multiply_tiles(found, tiles, h)
    return h_state, c_state


def _gru(
    loop: Loop, projected: Array, weight: Array, bias: Array | None, hidden: Array
) -> tuple[Array, Array]:
    """Return the hidden states, and the gates r, z, n and u_n.

    Args:
        loop: the steps.
        projected: the projections of the inputs.
        weight, bias: weight_hh and bias_hh; the second may be None.
        hidden: the initial hidden state.
    """
    tiles = tiles_of(loop.parts(weight), loop.batch)
    out, kept = loop.empty(), loop.empty(4)
    p, initial = loop.parts(projected), hidden
    added = None if bias is None else loop.parts(bias[None])
    scratch = loop.scratch(1)
    for n, rows in loop.steps():
        hidden = extended(hidden, initial, n)
        gates = loop.gates_of(kept, rows)
        products = gates[:3]
        multiply_tiles(hidden, tiles, products)
        if added is not None:
            products += added
        sigmoids = gates[:2]
        sigmoids += p[:2, rows]
        sigmoids *= 0.5
        np.tanh(sigmoids, out=sigmoids)
        sigmoids *= 0.5
        sigmoids += 0.5
        r, z, new, u = gates
        u[...] = new
        new *= r
        new += p[2, rows]
        np.tanh(new, out=new)
        change = np.subtract(hidden, new, out=scratch[:n])
        change *= z
        hidden = np.add(new, change, out=out[rows])
    return out, kept


def _gru_back(
    loop: Loop,
    by_hidden: Array | None,
    hidden: Array,
    kept: Array,
    weight: Array,
    initial: Array,
) -> tuple[Array, Array, Array]:
    """Return the gradients of the projections, of the products h weight, and of the initial state.

    The arguments are those of `_lstm_back`.
    """
    tiles = tiles_of(weight.T, loop.batch)
    by_projected, by_product, state = loop.empty(3), loop.empty(3), loop.zeros()
    d, e = loop.parts(by_projected), loop.parts(by_product)
    scratch, more, direct = loop.scratch(3), loop.scratch(3), loop.scratch(1)
    before = loop.states_before(hidden, initial)
    for (n, rows), hidden_before in zip(loop.steps(back=True), before, strict=True):
        b, first = state[:n], slice(0, n)
        if by_hidden is not None:
            b += by_hidden[rows]
        gates = loop.gates_of(kept, rows)
        a, slopes = loop.gates_of(scratch, first), loop.gates_of(more, first)
        (r, z, new, u), (by_r, by_z, by_new) = gates, a
        _slopes(gates[:3], slopes)
        np.subtract(hidden_before, new, out=by_z)
        by_z *= b
        through = np.multiply(b, z, out=direct[:n])
        np.subtract(b, through, out=by_new)
        by_new *= slopes[2]
        np.multiply(by_new, u, out=by_r)
        a[:2] *= slopes[:2]
        d[:, rows] = a
        by_new *= r
        e[:, rows] = a
        multiply_tiles(by_product[rows], tiles, b)
        b += through
    return by_projected, by_product, state


def _copy(x: Array | None) -> Array | None:
    return None if x is None else x.copy()


def _slopes(values: Array, out: Array) -> None:
    """Write the derivatives of two sigmoids, a (1 − a), and of a tanh, 1 − a², into `out`."""
    np.subtract(1, values, out=out)
    out *= values
    # 1 − a² = a (1 − a) + 1 − a
    part = out[2]
    part += 1
    part -= values[2]

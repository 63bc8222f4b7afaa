"""The recurrences of RNN, LSTM and GRU in functional NumPy, for any arrays and for Tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tinytorch_core.extend import are_ndarrays, matmul, sum_rows

Array = Any
Arrays = Sequence[Any]
Sizes = tuple[int, ...]


def run(
    projected: Array,
    weight: Array,
    bias: Array,
    hidden: Array,
    cell: Array,
    kind: str,
    sizes: Sizes,
    reverse: bool,
) -> tuple[Array, ...]:
    """Return the states of each step.

    Args:
        projected: the projections of the inputs.
        weight, bias: those of the recurrent product; the second may be None.
        hidden, cell, kind, sizes, reverse: see `recurrence.run`.
    """
    gates, step, _ = _KINDS[kind]
    rows = _split_rows(projected, sizes)
    states = [state for state in (hidden, cell) if state is not None]
    found: list[Any] = [None] * len(sizes)
    for t in _order(len(sizes), reverse):
        before = [_first(state, sizes[t]) for state in states]
        found[t] = step(gates(rows[t], _product(before[0], weight, bias)), *before)
        states = [_replaced(state, new) for state, new in zip(states, found[t], strict=True)]
    return tuple(np.concatenate(column) for column in zip(*found, strict=True))


def run_back(
    by_hidden: Array,
    by_cell: Array,
    hidden: Array,
    cell: Array,
    x: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias: Array,
    bias_hh: Array,
    biased: bool,
    initial_hidden: Array,
    initial_cell: Array,
    kind: str,
    sizes: Sizes,
    reverse: bool,
    with_x: bool,
) -> tuple[Array, ...]:
    """Return the gradients of x, or None, both weights, both biases, if any, and both states.

    The gates of all steps are computed again, at once, from the states.

    Args:
        bias, bias_hh: the biases of the projections and of the recurrent products, or None.
        biased: whether there are biases.
        by_hidden, by_cell, hidden, cell, x, weight_ih, weight_hh, initial_hidden, initial_cell,
            kind, sizes, reverse, with_x: see `recurrence.run_back`.
    """
    compute_gates, _, step_back = _KINDS[kind]
    outs = [x for x in (hidden, cell) if x is not None]
    initial = [x for x in (initial_hidden, initial_cell) if x is not None]
    before = [_states_before(*pair, sizes, reverse) for pair in zip(outs, initial, strict=True)]
    projected = projection(x, weight_ih, bias)
    gates = compute_gates(projected, _product(np.concatenate(before[0]), weight_hh, bias_hh))
    rows = [_split_rows(x, sizes) for x in (gates, *outs)]
    by_rows = [
        [None] * len(sizes) if x is None else _split_rows(x, sizes) for x in (by_hidden, by_cell)
    ]
    states = [0 * start for start in initial]
    found: list[Any] = [None] * len(sizes)
    for t in _order(len(sizes), not reverse):
        by = [_first(state, sizes[t]) for state in states]
        by = [
            total if x[t] is None else total + x[t] for total, x in zip(by, by_rows, strict=False)
        ]
        by_projected, by_product, *by_before = step_back(by, *(x[t] for x in (*rows, *before)))
        by_before[0] = by_before[0] + by_product @ weight_hh.T
        states = [_replaced(state, new) for state, new in zip(states, by_before, strict=True)]
        found[t] = by_projected, by_product
    columns = [np.concatenate(column) for column in zip(*found, strict=True)]
    how: Any = (*columns, biased, sizes, reverse, with_x)
    return *gradients(x, weight_ih, hidden, initial_hidden, *how), *states


def projection(x: Array, weight: Array, bias: Array) -> Array:
    """Return x weight + bias for the rows of all steps."""
    out = matmul(x, weight)
    if bias is None:
        return out
    if are_ndarrays(out, bias) and out.dtype == bias.dtype:
        out += bias
        return out
    return out + bias


def gradients(
    x: Array,
    weight_ih: Array,
    hidden: Array,
    initial: Array,
    by_projected: Array,
    by_product: Array,
    biased: bool,
    sizes: Sizes,
    reverse: bool,
    with_x: bool,
) -> list[Array]:
    """Return the gradients of x, or None, of both weights, and of both biases, if any.

    Args:
        by_projected, by_product: those of the projections, and of the products h weight.
        x, weight_ih, hidden, initial, biased, sizes, reverse, with_x: see `run_back`.
    """
    # Two sums also if they are equal: gradients must not share memory.
    return [
        matmul(by_projected, weight_ih.T) if with_x else None,
        matmul(x.T, by_projected),
        _by_weight(hidden, initial, by_product, sizes, reverse),
        *([sum_rows(by_projected), sum_rows(by_product)] if biased else []),
    ]


def _by_weight(
    hidden: Array, initial: Array, by_product: Array, sizes: Sizes, reverse: bool
) -> Array:
    """dL/dweight = the sum of h^T g over all rows, with the hidden states h before the steps."""
    n = sizes[0]
    if n != sizes[-1]:
        before = np.concatenate(_states_before(hidden, initial, sizes, reverse))
        return before.T @ by_product
    rest = len(hidden) - n  # two products, instead of copying the states
    first, later = (
        slice(rest, None) if reverse else slice(n),
        slice(rest) if reverse else slice(n, None),
    )
    states = hidden[n:] if reverse else hidden[:rest]
    return initial.T @ by_product[first] + states.T @ by_product[later]


def _split_rows(x: Array, sizes: Sizes) -> list[Array]:
    """Return the rows of each step."""
    return np.split(x, np.cumsum(sizes)[:-1].tolist()) if len(sizes) > 1 else [x]


def _states_before(x: Array, initial: Array, sizes: Sizes, reverse: bool) -> list[Array]:
    """Return the states before each step, given those after each step."""
    rows = _split_rows(x, sizes)
    earlier = [*rows[1:], initial[:0]] if reverse else [initial, *rows[:-1]]
    return [extended(state, initial, n) for state, n in zip(earlier, sizes, strict=True)]


def extended(state: Array, initial: Array, count: int) -> Array:
    """Return the first `count` rows of `state`, continued by those of the initial state."""
    if len(state) < count:
        return (
            np.concatenate([state, initial[len(state) : count]]) if len(state) else initial[:count]
        )
    return _first(state, count)


def _order(count: int, reverse: bool) -> Iterator[int]:
    return iter(range(count - 1, -1, -1) if reverse else range(count))


def _first(state: Array, count: int) -> Array:
    return state if len(state) == count else state[:count]


def _replaced(state: Array, new: Array) -> Array:
    """Return `state` with its first rows replaced."""
    return new if len(state) == len(new) else np.concatenate([new, state[len(new) :]])


def _sigmoid(x: Array) -> Array:
    """Return 1 / (1 + exp(-x)), computed as tanh, which does not overflow."""
    return 0.5 * np.tanh(0.5 * x) + 0.5


def _product(hidden: Array, weight: Array, bias: Array) -> Array:
    product = hidden @ weight
    return product if bias is None else product + bias


def _sum(p: Array, product: Array) -> Array:
    return p + product


def _tanh_step(gates: Array, hidden: Array) -> tuple[Array, ...]:
    return (np.tanh(gates),)


def _tanh_back(by: Arrays, gates: Array, out: Array, before: Array) -> tuple[Array, ...]:
    found = by[0] * (1 - out * out)
    return found, found, 0


def _relu_step(gates: Array, hidden: Array) -> tuple[Array, ...]:
    return (np.maximum(gates, 0),)


def _relu_back(by: Arrays, gates: Array, out: Array, before: Array) -> tuple[Array, ...]:
    found = by[0] * (out > 0)
    return found, found, 0


def _lstm_gates(p: Array, product: Array) -> Array:
    """Return i, f, g and o."""
    i, f, g, o = np.split(p + product, 4, axis=1)
    return np.concatenate([_sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)], axis=1)


def _lstm_step(gates: Array, hidden: Array, cell: Array) -> tuple[Array, ...]:
    i, f, g, o = np.split(gates, 4, axis=1)
    cell = f * cell + i * g
    return o * np.tanh(cell), cell


def _lstm_back(
    by: Arrays, gates: Array, out: Array, cell: Array, hidden: Array, before: Array
) -> tuple[Array, ...]:
    i, f, g, o = np.split(gates, 4, axis=1)
    squashed = np.tanh(cell)
    by_cell = by[1] + by[0] * o * (1 - squashed * squashed)
    found = np.concatenate(
        [
            by_cell * g * (i * (1 - i)),
            by_cell * before * (f * (1 - f)),
            by_cell * i * (1 - g * g),
            by[0] * squashed * (o * (1 - o)),
        ],
        axis=1,
    )
    return found, found, 0, by_cell * f


def _gru_gates(p: Array, product: Array) -> Array:
    """Return r, z, n and u_n."""
    (p_r, p_z, p_n), (u_r, u_z, u_n) = (np.split(x, 3, axis=1) for x in (p, product))
    r = _sigmoid(p_r + u_r)
    return np.concatenate([r, _sigmoid(p_z + u_z), np.tanh(p_n + r * u_n), u_n], axis=1)


def _gru_step(gates: Array, hidden: Array) -> tuple[Array, ...]:
    _, z, n, _ = np.split(gates, 4, axis=1)
    return (n + z * (hidden - n),)


def _gru_back(by: Arrays, gates: Array, out: Array, hidden: Array) -> tuple[Array, ...]:
    r, z, n, u_n = np.split(gates, 4, axis=1)
    by_n = by[0] * (1 - z) * (1 - n * n)
    by_r = by_n * u_n * (r * (1 - r))
    by_z = by[0] * (hidden - n) * (z * (1 - z))
    by_projected = np.concatenate([by_r, by_z, by_n], axis=1)
    by_product = np.concatenate([by_r, by_z, by_n * r], axis=1)
    return by_projected, by_product, by[0] * z


# The formulas of each kind: its gates, a step, and the backward pass of a step.
_KINDS: dict[str, tuple[Any, Any, Any]] = {
    "tanh": (_sum, _tanh_step, _tanh_back),
    "relu": (_sum, _relu_step, _relu_back),
    "lstm": (_lstm_gates, _lstm_step, _lstm_back),
    "gru": (_gru_gates, _gru_step, _gru_back),
}

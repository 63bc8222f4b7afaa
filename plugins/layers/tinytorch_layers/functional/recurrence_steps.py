"""The recurrences of RNN, LSTM and GRU in functional NumPy, for any arrays and for Tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

Array = Any
Arrays = Sequence[Any]
Sizes = tuple[int, ...]


def run(
    projected: Array,
    weight: Array,
    hidden: Array,
    cell: Array,
    bias: Array,
    kind: str,
    sizes: Sizes,
    reverse: bool,
) -> tuple[Array, ...]:
    """Return what `recurrence.run` returns."""
    step = _KINDS[kind][0]
    rows = _split_rows(projected, sizes)
    states = [state for state in (hidden, cell) if state is not None]
    found: list[Any] = [None] * len(sizes)
    for t in _order(len(sizes), reverse):
        before = [_first(state, sizes[t]) for state in states]
        product = before[0] @ weight
        found[t] = step(rows[t], product if bias is None else product + bias, *before)
        states = [_replaced(state, new) for state, new in zip(states, found[t], strict=False)]
    return tuple(np.concatenate(column) for column in zip(*found, strict=True))


def run_back(
    grads: Arrays,
    outs: Arrays,
    weight: Array,
    initial_hidden: Array,
    initial_cell: Array,
    kind: str,
    sizes: Sizes,
    reverse: bool,
) -> tuple[Array, ...]:
    """Return the gradients of p, of the products h weight, and of the initial states.

    Args:
        grads: the gradients of the states and gates, or None.
        outs: the states and gates.
        weight, initial_hidden, initial_cell, kind, sizes, reverse: see `recurrence.run_back`.
    """
    step_back = _KINDS[kind][1]
    by_rows, rows = (
        [[None] * len(sizes) if x is None else _split_rows(x, sizes) for x in group]
        for group in (grads, outs)
    )
    given = [start for start in (initial_hidden, initial_cell) if start is not None]
    before = [
        _states_before(x, start, sizes, reverse) for x, start in zip(outs, given, strict=False)
    ]
    states = [0 * start for start in given]
    found: list[Any] = [None] * len(sizes)
    for t in _order(len(sizes), not reverse):
        by = [_first(state, sizes[t]) for state in states]
        by = [
            total if x[t] is None else total + x[t] for total, x in zip(by, by_rows, strict=False)
        ]
        by_projected, by_product, *by_before = step_back(
            by, by_rows[2][t], *(x[t] for x in (*rows, *before) if x[t] is not None)
        )
        by_before[0] = by_before[0] + by_product @ weight.T
        states = [_replaced(state, new) for state, new in zip(states, by_before, strict=True)]
        found[t] = by_projected, by_product
    columns = [np.concatenate(column) for column in zip(*found, strict=True)]
    return *columns, states[0], states[1] if len(states) > 1 else None


def by_weight(
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


def _tanh_step(p: Array, product: Array, hidden: Array) -> tuple[Array, ...]:
    return (np.tanh(p + product),)


def _tanh_back(by: Arrays, by_gates: None, out: Array, before: Array) -> tuple[Array, ...]:
    found = by[0] * (1 - out * out)
    return found, found, 0


def _relu_step(p: Array, product: Array, hidden: Array) -> tuple[Array, ...]:
    return (np.maximum(p + product, 0),)


def _relu_back(by: Arrays, by_gates: None, out: Array, before: Array) -> tuple[Array, ...]:
    found = by[0] * (out > 0)
    return found, found, 0


def _lstm_step(p: Array, product: Array, hidden: Array, cell: Array) -> tuple[Array, ...]:
    i, f, g, o = np.split(p + product, 4, axis=1)
    i, f, g, o = _sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)
    cell = f * cell + i * g
    return o * np.tanh(cell), cell, np.concatenate([i, f, g, o], axis=1)


def _lstm_back(
    by: Arrays, by_gates: Array, out: Array, cell: Array, gates: Array, hidden: Array, before: Array
) -> tuple[Array, ...]:
    i, f, g, o = np.split(gates, 4, axis=1)
    squashed = np.tanh(cell)
    by_cell = by[1] + by[0] * o * (1 - squashed * squashed)
    by_values = np.concatenate(
        [by_cell * g, by_cell * before, by_cell * i, by[0] * squashed], axis=1
    )
    if by_gates is not None:
        by_values = by_values + by_gates
    slopes = np.concatenate([i * (1 - i), f * (1 - f), 1 - g * g, o * (1 - o)], axis=1)
    found = by_values * slopes
    return found, found, 0, by_cell * f


def _gru_step(p: Array, product: Array, hidden: Array) -> tuple[Array, ...]:
    (p_r, p_z, p_n), (u_r, u_z, u_n) = (np.split(x, 3, axis=1) for x in (p, product))
    r, z = _sigmoid(p_r + u_r), _sigmoid(p_z + u_z)
    n = np.tanh(p_n + r * u_n)
    return n + z * (hidden - n), np.concatenate([r, z, n, u_n], axis=1)


def _gru_back(
    by: Arrays, by_gates: Array, out: Array, gates: Array, hidden: Array
) -> tuple[Array, ...]:
    r, z, n, u_n = np.split(gates, 4, axis=1)
    by_r, by_z, by_n, by_u = (0, 0, 0, 0) if by_gates is None else np.split(by_gates, 4, axis=1)
    by_n = (by_n + by[0] * (1 - z)) * (1 - n * n)
    by_r = (by_r + by_n * u_n) * (r * (1 - r))
    by_z = (by_z + by[0] * (hidden - n)) * (z * (1 - z))
    by_projected = np.concatenate([by_r, by_z, by_n], axis=1)
    by_product = np.concatenate([by_r, by_z, by_u + by_n * r], axis=1)
    return by_projected, by_product, by[0] * z


# The formulas of one step of each kind, forward and backward.
_KINDS: dict[str, tuple[Any, Any]] = {
    "tanh": (_tanh_step, _tanh_back),
    "relu": (_relu_step, _relu_back),
    "lstm": (_lstm_step, _lstm_back),
    "gru": (_gru_step, _gru_back),
}

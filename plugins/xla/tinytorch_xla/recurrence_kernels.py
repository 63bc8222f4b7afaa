"""The recurrences of RNN, LSTM and GRU as loops of XLA, so that long sequences compile quickly.

The rows of a batch lie one step after another, and shorter sequences end earlier. A loop needs the
same number of rows in each step: it computes all rows in each, and keeps the states of sequences
that have ended. The backward pass is the adjoint of the loop, which JAX derives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinytorch_xla.elementary import tanh
from tinytorch_xla.engine import jax, jnp

Sizes = tuple[int, ...]


def run(*args: Any) -> Any:
    """Return the states of each step; the arguments are those of the kernel in tinytorch-layers."""
    *inputs, kind, sizes, reverse = args
    if not _is_supported(inputs[0], sizes):
        return NotImplemented
    return _states(inputs, kind, sizes, reverse)


def run_back(by_hidden: Any, by_cell: Any, hidden: Any, cell: Any, *rest: Any) -> Any:
    """Return the gradients of x, both weights, both biases and both states, as far as they exist.

    The arguments are those of the kernel in tinytorch-layers.
    """
    (x, *inputs), (kind, sizes, reverse, with_x) = rest[:7], rest[9:]
    if not _is_supported(x, sizes):
        return NotImplemented

    def states(inputs: Any) -> Any:
        given = inputs if with_x else [x, *inputs]
        return _states(given, kind, sizes, reverse)

    found, pull = jax.vjp(states, [x, *inputs] if with_x else inputs)
    grads = zip((by_hidden, by_cell), found, strict=False)
    (by_inputs,) = pull(tuple(jnp.zeros_like(s) if g is None else g for g, s in grads))
    return tuple(grad for grad in by_inputs if grad is not None)


def _is_supported(x: Any, sizes: Sizes) -> bool:
    return bool(x.size) and x.dtype.kind == "f" and sizes[0] > 0


def _states(inputs: Sequence[Any], kind: str, sizes: Sizes, reverse: bool) -> tuple[Any, ...]:
    """Return the states of each step.

    Args:
        inputs: x, both weights, both biases and both initial states; None for those that are
            missing.
        kind, sizes, reverse: as for the kernel.
    """
    dtype = jnp.result_type(*(a for a in inputs if a is not None))
    given: Any = (None if a is None else jnp.asarray(a, dtype) for a in inputs)
    x, weight_ih, weight_hh, bias_ih, bias_hh, hidden, cell = given
    projected = x @ weight_ih if bias_ih is None else x @ weight_ih + bias_ih
    start = (hidden,) if cell is None else (hidden, cell)
    steps, used, cells = _grid(sizes)

    def step(states: Any, row: Any) -> Any:
        p, is_used = row
        product = states[0] @ weight_hh
        product = product if bias_hh is None else product + bias_hh
        new = _STEPS[kind](p, product, *states)
        if is_used is not None:
            pairs = zip(new, states, strict=True)
            new = tuple(jnp.where(is_used, one, old) for one, old in pairs)
        return new, new

    rows = projected[steps].reshape((len(sizes), sizes[0], -1))
    _, found = jax.lax.scan(step, start, (rows, used), reverse=reverse)
    return tuple(states.reshape((-1, states.shape[2]))[cells] for states in found)


def _grid(sizes: Sizes) -> tuple[Any, Any, Any]:
    """Return how rows, which lie one step after another, fill a grid of steps and sequences.

    Args:
        sizes: the number of rows in each step, which does not increase.

    Returns:
        The row in each cell of the grid, whether the cell is used, and the cell of each row. For
        steps of equal sizes, slices that select everything, and None because all are used.
    """
    if sizes[0] == sizes[-1]:
        return slice(None), None, slice(None)
    used = np.arange(sizes[0]) < np.array(sizes)[:, None]
    steps = np.where(used, np.cumsum(used.ravel()).reshape(used.shape) - 1, 0)
    return steps.ravel(), used[..., None], np.flatnonzero(used)


def _tanh(p: Any, product: Any, hidden: Any) -> tuple[Any, ...]:
    return (tanh(p + product),)


def _relu(p: Any, product: Any, hidden: Any) -> tuple[Any, ...]:
    gates = p + product
    return (jnp.where(gates > 0, gates, 0),)  # the derivative of jnp.maximum at 0 is 1/2


def _lstm(p: Any, product: Any, hidden: Any, cell: Any) -> tuple[Any, ...]:
    i, f, g, o = jnp.split(p + product, 4, axis=1)
    cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * tanh(g)
    return jax.nn.sigmoid(o) * tanh(cell), cell


def _gru(p: Any, product: Any, hidden: Any) -> tuple[Any, ...]:
    (p_r, p_z, p_n), (u_r, u_z, u_n) = (jnp.split(x, 3, axis=1) for x in (p, product))
    z = jax.nn.sigmoid(p_z + u_z)
    n = tanh(p_n + jax.nn.sigmoid(p_r + u_r) * u_n)
    return (n + z * (hidden - n),)


_STEPS: dict[str, Any] = {"tanh": _tanh, "relu": _relu, "lstm": _lstm, "gru": _gru}

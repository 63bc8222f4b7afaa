"""The recurrences of RNN, LSTM and GRU over whole sequences: three ops and their backward rule.

The rows of all sequences lie one step after another, as in a `PackedSequence`: first those of the
first step, then those of the second, and so on. `sizes` is the number of rows of each step; it
does not increase, because longer sequences come first. The projection of the inputs is computed
before, in one product, and is an argument.

For NumPy arrays, `recurrence_loops` computes in place. For other arrays, and for the Tensors of
higher derivatives, `recurrence_steps` computes with functional NumPy. Both are imported on first
use, so that programs without recurrent layers start faster.
"""

from __future__ import annotations

from typing import Any

from tinytorch_core import op
from tinytorch_core.extend import are_ndarrays, kernel, sum_rows

Array = Any
Sizes = tuple[int, ...]


@op("rnn")
def rnn(
    *arrays: Array, sizes: Sizes = (1,), reverse: bool = False, nonlinearity: str = "tanh"
) -> tuple[Array, ...]:
    """Return the hidden states of a simple recurrence, h' = tanh(p + h weight).

    Args:
        arrays: the projections p of the inputs, of shape (rows, H), the weight, of shape (H, H),
            and the initial hidden state, of shape (N, H).
        sizes: the number of rows of each step; the first is N, and the sum is the number of rows.
        reverse: whether to begin with the last step.
        nonlinearity: "tanh" or "relu".

    Returns:
        A tuple of one array, the hidden states, of shape (rows, H).
    """
    projected, weight, hidden = arrays
    return run(projected, weight, hidden, None, None, nonlinearity, sizes, reverse)


def rnn_rule(
    grads: Any, outs: Any, arrays: Any, sizes: Sizes, reverse: bool, nonlinearity: str
) -> Any:
    """Return the gradients of the inputs; see `run_back`."""
    _, weight, hidden = arrays
    found = run_back(
        *grads, None, None, *outs, None, None, weight, hidden, None, nonlinearity, sizes, reverse
    )
    return found[:3]


@op("lstm")
def lstm(*arrays: Array, sizes: Sizes = (1,), reverse: bool = False) -> tuple[Array, ...]:
    """Return the hidden states, cell states and gates of a long short-term memory.

    With i, f, o = sigmoid and g = tanh of the four parts of p + h weight, in the order i, f, g, o:
    c' = f c + i g and h' = o tanh(c'). Hochreiter & Schmidhuber, "Long short-term memory", 1997.

    Args:
        arrays: the projections p of the inputs, of shape (rows, 4 H), the weight, of shape
            (H, 4 H), and the initial hidden and cell state, each of shape (N, H).
        sizes, reverse: see `rnn`.

    Returns:
        Arrays of shape (rows, H), (rows, H) and (rows, 4 H).
    """
    projected, weight, hidden, cell = arrays
    return run(projected, weight, hidden, cell, None, "lstm", sizes, reverse)


def lstm_rule(grads: Any, outs: Any, arrays: Any, sizes: Sizes, reverse: bool) -> Any:
    """Return the gradients of the inputs; see `run_back`."""
    _, weight, hidden, cell = arrays
    found = run_back(*grads, *outs, weight, hidden, cell, "lstm", sizes, reverse)
    return found[:4]


@op("gru")
def gru(*arrays: Array, sizes: Sizes = (1,), reverse: bool = False) -> tuple[Array, ...]:
    """Return the hidden states and gates of a gated recurrent unit.

    With the three parts of p and of u = h weight + bias: r and z are the sigmoids of the first two
    parts of p + u, n = tanh(p_n + r u_n), and h' = (1 − z) n + z h. Cho et al., "Learning phrase
    representations using RNN encoder-decoder", 2014, arXiv:1406.1078.

    Args:
        arrays: the projections p of the inputs, of shape (rows, 3 H), the weight, of shape
            (H, 3 H), the initial hidden state, of shape (N, H), and optionally the bias of u.
        sizes, reverse: see `rnn`.

    Returns:
        Arrays of shape (rows, H) and (rows, 4 H): h', and r, z, n and u_n.
    """
    projected, weight, hidden, *bias = arrays
    return run(projected, weight, hidden, None, bias[0] if bias else None, "gru", sizes, reverse)


def gru_rule(grads: Any, outs: Any, arrays: Any, sizes: Sizes, reverse: bool) -> Any:
    """Return the gradients of the inputs; see `run_back`."""
    _, weight, hidden, *bias = arrays
    by_hidden, by_gates = grads
    out, gates = outs
    by_projected, by_weight, by_initial, _, by_bias = run_back(
        by_hidden, None, by_gates, out, None, gates, weight, hidden, None, "gru", sizes, reverse
    )
    return [by_projected, by_weight, by_initial, *([by_bias] if bias else [])]


@kernel("projected", "weight", "hidden")
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
    """Return the states and gates of each step.

    Args:
        projected, weight: see `lstm`.
        hidden, cell: the initial states; the second may be None.
        bias: the bias of the recurrent product, or None.
        kind: "lstm", "gru", "tanh" or "relu".
        sizes, reverse: see `rnn`.
    """
    if _are_fast(projected, weight, hidden, cell, bias):
        from tinytorch_layers.functional import recurrence_loops

        return recurrence_loops.run(projected, weight, hidden, cell, bias, kind, sizes, reverse)
    from tinytorch_layers.functional import recurrence_steps

    return recurrence_steps.run(projected, weight, hidden, cell, bias, kind, sizes, reverse)


@kernel("weight", "initial_hidden", "hidden")
def run_back(
    by_hidden: Array,
    by_cell: Array,
    by_gates: Array,
    hidden: Array,
    cell: Array,
    gates: Array,
    weight: Array,
    initial_hidden: Array,
    initial_cell: Array,
    kind: str,
    sizes: Sizes,
    reverse: bool,
) -> tuple[Array, ...]:
    """Return dL/dprojected, dL/dweight, dL/dhidden, dL/dcell and dL/dbias.

    The loop goes through the steps in the opposite order. The weight gets its gradient from one
    product over all steps.

    Args:
        by_hidden, by_cell, by_gates: the gradients of what `run` returned, or None.
        hidden, cell, gates: what it returned; those that the kind lacks are None.
        weight, initial_hidden, initial_cell, kind, sizes, reverse: its arguments.
    """
    from tinytorch_layers.functional import recurrence_steps

    given = (weight, initial_hidden, initial_cell, kind, sizes, reverse)
    if by_gates is None and _are_fast(hidden, by_hidden, by_cell, cell, gates, *given[:3]):
        from tinytorch_layers.functional import recurrence_loops

        found = recurrence_loops.run_back(by_hidden, by_cell, hidden, cell, gates, *given)
    else:
        grads, outs = (by_hidden, by_cell, by_gates), (hidden, cell, gates)
        found = recurrence_steps.run_back(grads, outs, *given)
    by_projected, by_product, *by_initial = found
    by_weight = recurrence_steps.by_weight(hidden, initial_hidden, by_product, sizes, reverse)
    return by_projected, by_weight, *by_initial, sum_rows(by_product) if kind == "gru" else None


def _are_fast(*arrays: Array) -> bool:
    """Return whether all arrays are NumPy's own, of one dtype for which BLAS has products."""
    dtype = arrays[0].dtype
    return (
        are_ndarrays(*arrays)
        and dtype.char in "fd"
        and all(x is None or x.dtype == dtype for x in arrays)
    )

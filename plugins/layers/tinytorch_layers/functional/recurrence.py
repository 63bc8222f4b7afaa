"""The recurrences of RNN, LSTM and GRU over whole sequences: three ops and their backward rules.

The rows of all sequences lie one step after another, as in a `PackedSequence`: first those of the
first step, then those of the second, and so on. `sizes` is the number of rows of each step; it
does not increase, because longer sequences come first.

For NumPy arrays, `recurrence_loops` computes in place. For other arrays, and for the Tensors of
higher derivatives, `recurrence_steps` computes with functional NumPy. Both are imported on first
use, so that programs without recurrent layers start faster.
"""

from __future__ import annotations

from typing import Any

from tinytorch_core import op
from tinytorch_core.extend import are_ndarrays, kernel, unwrap

Array = Any
Kept = list[Any]
Sizes = tuple[int, ...]


def recurrence(call: Any, x: Array, *arrays: Array, **options: Any) -> Any:
    """Run one of the ops below; `x` is one of its inputs only if it requires grad.

    Args:
        call: the op.
        x: the inputs of the layer, of shape (rows, I).
        arrays, options: the other inputs, and the parameters.
    """
    if getattr(x, "requires_grad", False):
        return call(x, *arrays, kept=[], **options)
    # No gradient is computed for a parameter.
    return call(*arrays, x=unwrap(x), kept=[], **options)


@op("rnn")
def rnn(
    *arrays: Array,
    x: Array = None,
    sizes: Sizes = (1,),
    reverse: bool = False,
    nonlinearity: str = "tanh",
    kept: Kept | None = None,
) -> tuple[Array, ...]:
    """Return the hidden states h' = tanh(x weight_ih + bias_ih + h weight_hh + bias_hh).

    Args:
        arrays: the inputs x, of shape (rows, I), unless they are a parameter; the weights, of
            shape (I, H) and (H, H); both biases, of shape (H,), or none; and the initial hidden
            state, of shape (N, H).
        x: the inputs if they are constant.
        sizes: the number of rows of each step; the first is N, and the sum is the number of rows.
        reverse: whether to begin with the last step.
        nonlinearity: "tanh" or "relu".
        kept: a list that receives what the rule need not compute again; or None.

    Returns:
        A tuple of one array, of shape (rows, H).
    """
    return _forward(arrays, x, nonlinearity, sizes, reverse, kept)


def rnn_rule(
    grads: Any,
    outs: Any,
    arrays: Any,
    x: Array,
    sizes: Sizes,
    reverse: bool,
    nonlinearity: str,
    kept: Kept | None,
) -> Any:
    """Return the gradients of the arrays; see `run_back`."""
    return _backward(grads, outs, arrays, x, nonlinearity, sizes, reverse, kept)


@op("lstm")
def lstm(
    *arrays: Array,
    x: Array = None,
    sizes: Sizes = (1,),
    reverse: bool = False,
    kept: Kept | None = None,
) -> tuple[Array, ...]:
    """Return the hidden states and the cell states of a long short-term memory.

    With i, f, o = sigmoid and g = tanh of the four parts of x weight_ih + bias_ih + h weight_hh +
    bias_hh, in the order i, f, g, o: c' = f c + i g and h' = o tanh(c'). Hochreiter & Schmidhuber,
    "Long short-term memory", 1997.

    Args:
        arrays: as for `rnn`, but the weights have 4 H columns, the biases are of shape (4 H,), and
            the initial cell state follows.
        x, sizes, reverse, kept: see `rnn`.

    Returns:
        Two arrays of shape (rows, H).
    """
    return _forward(arrays, x, "lstm", sizes, reverse, kept)


def lstm_rule(
    grads: Any, outs: Any, arrays: Any, x: Array, sizes: Sizes, reverse: bool, kept: Kept | None
) -> Any:
    """Return the gradients of the arrays; see `run_back`."""
    return _backward(grads, outs, arrays, x, "lstm", sizes, reverse, kept)


@op("gru")
def gru(
    *arrays: Array,
    x: Array = None,
    sizes: Sizes = (1,),
    reverse: bool = False,
    kept: Kept | None = None,
) -> tuple[Array, ...]:
    """Return the hidden states of a gated recurrent unit.

    With the three parts of p = x weight_ih + bias_ih and of u = h weight_hh + bias_hh: r and z are
    the sigmoids of the first two parts of p + u, n = tanh(p_n + r u_n), and h' = (1 − z) n + z h.
    Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014, arXiv:1406.1078.

    Args:
        arrays: as for `rnn`, but the weights have 3 H columns, and the biases are of shape (3 H,).
        x, sizes, reverse, kept: see `rnn`.

    Returns:
        A tuple of one array, of shape (rows, H).
    """
    return _forward(arrays, x, "gru", sizes, reverse, kept)


def gru_rule(
    grads: Any, outs: Any, arrays: Any, x: Array, sizes: Sizes, reverse: bool, kept: Kept | None
) -> Any:
    """Return the gradients of the arrays; see `run_back`."""
    return _backward(grads, outs, arrays, x, "gru", sizes, reverse, kept)


def _forward(
    arrays: Any, x: Array, kind: str, sizes: Sizes, reverse: bool, kept: Kept | None
) -> tuple[Array, ...]:
    """Return the states of each step, and put what the loop keeps into `kept`."""
    x, weight_ih, weight_hh, bias_ih, bias_hh, hidden, cell = _named(arrays, x, kind)
    found = run(x, weight_ih, weight_hh, bias_ih, bias_hh, hidden, cell, kind, sizes, reverse)
    count = 2 if kind == "lstm" else 1
    if kept is not None:
        kept[:] = found[count:]
    return found[:count]


def _backward(
    grads: Any,
    outs: Any,
    arrays: Any,
    x: Array,
    kind: str,
    sizes: Sizes,
    reverse: bool,
    kept: Kept | None,
) -> Any:
    """Return the gradients of the arrays."""
    by_cell, cell = (grads[1], outs[1]) if kind == "lstm" else (None, None)
    states = (grads[0], by_cell, outs[0], cell)
    gates, inputs = (*(kept or ()), None, None)[:2]
    named = _named(arrays, x, kind)
    call: Any = run_back
    return [*call(*states, *named, gates, inputs, kind, sizes, reverse, x is None)]


def _named(arrays: Any, x: Array, kind: str) -> list[Array]:
    """Return x, both weights, both biases and both states; those that are missing are None."""
    inputs = [*arrays] if x is None else [x, *arrays]
    states = 2 if kind == "lstm" else 1
    biases = inputs[3:-states] or [None, None]
    return [*inputs[:3], *biases, *inputs[-states:], *[None] * (2 - states)]


@kernel("x", "weight_ih", "weight_hh", "hidden")
def run(
    x: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias_ih: Array,
    bias_hh: Array,
    hidden: Array,
    cell: Array,
    kind: str,
    sizes: Sizes,
    reverse: bool,
) -> tuple[Array, ...]:
    """Return the states of each step, and what the loop over NumPy arrays keeps.

    Args:
        x, weight_ih, weight_hh, bias_ih, bias_hh: see `rnn`; the biases may be None.
        hidden, cell: the initial states; the second may be None.
        kind: "lstm", "gru", "tanh" or "relu".
        sizes, reverse: see `rnn`.
    """
    bias, bias_hh = _biases(bias_ih, bias_hh, kind)
    given = (x, weight_ih, weight_hh, bias, bias_hh, hidden, cell)
    if _are_fast(*given):
        from tinytorch_layers.functional import recurrence_loops

        return recurrence_loops.run(*given, kind, sizes, reverse)
    from tinytorch_layers.functional import recurrence_steps

    projected = recurrence_steps.projection(x, weight_ih, bias)
    return recurrence_steps.run(projected, *given[2:3], *given[4:], kind, sizes, reverse)


@kernel("hidden", "x", "weight_ih", "weight_hh", "initial_hidden")
def run_back(
    by_hidden: Array,
    by_cell: Array,
    hidden: Array,
    cell: Array,
    x: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias_ih: Array,
    bias_hh: Array,
    initial_hidden: Array,
    initial_cell: Array,
    gates: Array,
    inputs: Array,
    kind: str,
    sizes: Sizes,
    reverse: bool,
    with_x: bool,
) -> tuple[Array, ...]:
    """Return the gradients of x, both weights, both biases and both states, as far as they exist.

    The loop goes through the steps in the opposite order. The weights get their gradients from
    products over all steps.

    Args:
        by_hidden, by_cell: the gradients of the states, or None.
        hidden, cell: the states; the second may be None.
        x, weight_ih, weight_hh, bias_ih, bias_hh, initial_hidden, initial_cell, kind, sizes,
            reverse: the arguments of `run`.
        gates, inputs: what `run` kept, or None.
        with_x: whether to compute the gradient of x.
    """
    weights, initial = (weight_ih, weight_hh), (initial_hidden, initial_cell)
    states = (by_hidden, by_cell, hidden, cell)
    how: Any = (kind, sizes, reverse, with_x)
    biased = bias_ih is not None
    if gates is not None and _are_fast(x, *weights, *states, *initial):
        from tinytorch_layers.functional import recurrence_loops

        found = recurrence_loops.run_back(
            *states, x, *weights, biased, *initial, gates, inputs, *how
        )
    else:
        from tinytorch_layers.functional import recurrence_steps

        biases = _biases(bias_ih, bias_hh, kind)
        found = recurrence_steps.run_back(*states, x, *weights, *biases, biased, *initial, *how)
    return tuple(array for array in found if array is not None)


def _biases(bias_ih: Array, bias_hh: Array, kind: str) -> tuple[Array, Array]:
    """Return the biases of the projections and of the recurrent products.

    Only the gates of a GRU do not just use their sum.
    """
    return (bias_ih, bias_hh) if bias_ih is None or kind == "gru" else (bias_ih + bias_hh, None)


def _are_fast(*arrays: Array) -> bool:
    """Return whether all arrays are NumPy's own, of one dtype for which BLAS has products."""
    dtype = arrays[0].dtype
    return (
        are_ndarrays(*arrays)
        and dtype.char in "fd"
        and all(x is None or x.dtype == dtype for x in arrays)
    )

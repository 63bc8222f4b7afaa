"""Compiled steps use XLA's functions for convolution, pooling, erf, sort, scatter and recurrences.

The primitives in the program of JAX show which functions it uses, without compiling it.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
import pytest

from tinytorch_core import Tensor
from tinytorch_core.extend import unwrap

import tinytorch_xla as xla
from tinytorch_activations import gelu
from tinytorch_autograd import func
from tinytorch_layers import GRU, LSTM, RNN, pack_padded_sequence
from tinytorch_layers.functional import (
    avg_pool2d,
    conv1d,
    conv2d,
    conv_transpose1d,
    conv_transpose2d,
    embedding,
    max_pool2d,
)

pytestmark = pytest.mark.peers("jax")

NUMBERS = np.array([0, 2, 2, 1])
CONVOLUTION = "conv_general_dilated"
TILES = ("max", "stack", "stack")
INDEXING = ("gather", "scatter-add")


class Case(NamedTuple):
    """A function of two arrays, and a primitive in it and in its derivatives of orders 1 and 2."""

    name: str
    function: object
    shapes: tuple
    primitives: tuple[str, ...] = (CONVOLUTION,) * 3


def padded(convolve, **options):
    return lambda x, w: convolve(x, w, padding=1, **options)


def pooled(pool, *options):
    return lambda x, w: pool(x * w, *options)


CASES = [
    Case("conv1d", padded(conv1d, stride=2), ((2, 8, 7), (3, 8, 3))),
    Case("conv1d in groups", padded(conv1d, groups=2), ((2, 16, 5), (4, 8, 3))),
    Case("conv2d", padded(conv2d, dilation=2), ((2, 8, 6, 5), (3, 8, 3, 2))),
    Case("conv2d in groups", padded(conv2d, groups=2), ((2, 16, 4, 5), (4, 8, 3, 2))),
    Case("conv_transpose1d", padded(conv_transpose1d, stride=2), ((2, 3, 4), (3, 8, 3))),
    Case("conv_transpose2d", padded(conv_transpose2d), ((2, 3, 4, 3), (3, 8, 3, 2))),
    Case(
        "conv_transpose2d in groups",
        padded(conv_transpose2d, groups=2),
        ((1, 4, 4, 3), (4, 8, 3, 2)),
    ),
    # Those that sums of shifted images compute faster on a CPU.
    Case("conv2d of one channel", padded(conv2d), ((4, 1, 5, 4), (3, 1, 3, 2)), ()),
    Case(
        "conv2d of each channel",
        padded(conv2d, groups=3, stride=2, dilation=2),
        ((2, 3, 7, 6), (6, 1, 3, 2)),
        (),
    ),
    Case("conv2d of few channels", padded(conv2d), ((2, 3, 5, 4), (2, 3, 3, 2)), ()),
    Case("max_pool2d", pooled(max_pool2d, 3, 2), ((2, 2, 5, 5),) * 2, ("reduce_window_max",)),
    Case("max_pool2d side by side", pooled(max_pool2d, 2), ((2, 2, 4, 6),) * 2, TILES),
    Case("avg_pool2d", pooled(avg_pool2d, 3, 2), ((2, 2, 5, 5),) * 2, ("reduce_window_sum",) * 3),
    Case("erf", lambda x, w: gelu(x * w), ((3, 4),) * 2, ("erf",) * 3),
    Case("sort", lambda x, w: np.sort(x * w), ((3, 4),) * 2, ("sort",) * 3),
    Case("rows", lambda x, w: embedding(NUMBERS, x) * w, ((3, 5), (4, 5)), INDEXING),
    Case("elements", lambda x, w: x[NUMBERS] * w, ((3, 5), (4, 5)), INDEXING),
]


def mix(shape):
    return np.cos(np.arange(np.prod(shape, dtype=int)).reshape(shape))


def derivatives(function, x, w):
    """Return the value, the gradients, and the gradients of a sum of the gradients."""

    def first(x, w):
        return func.grad(lambda x, w: (function(x, w) * mix(function(x, w).shape)).sum(), (0, 1))(
            x, w
        )

    def second(x, w):
        found = func.grad(
            lambda x, w: sum(((g * g) * mix(g.shape)).sum() for g in first(x, w)), (0, 1)
        )
        return found(x, w)

    return [function(x, w)], first(x, w), second(x, w)


def inputs(case):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape) for shape in case.shapes]


def primitives(function, *arrays):
    """Return how often each primitive occurs in the program of a function of tensors."""
    import jax

    def traced(*values):
        return [unwrap(t).value for t in function(*[Tensor(xla.Array(v)) for v in values])]

    with jax.enable_x64(True):
        closed = jax.make_jaxpr(traced)(*arrays)
    found = Counter()

    def count(jaxpr):
        for equation in jaxpr.eqns:
            found[equation.primitive.name] += 1
            for value in equation.params.values():
                for part in value if isinstance(value, tuple | list) else (value,):
                    inner = getattr(part, "jaxpr", part)
                    if hasattr(inner, "eqns"):
                        count(inner)

    count(closed.jaxpr)
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_program_contains_xlas_function(case):
    for order, primitive in enumerate(case.primitives):
        found = primitives(lambda *xs, i=order: derivatives(case.function, *xs)[i], *inputs(case))
        assert found[primitive], (order, found)
        # The NumPy calls of a convolution select the pixels of all windows.
        assert primitive != CONVOLUTION or not found["gather"], found


def test_what_is_computed_in_another_way_has_the_results_of_numpy():
    cases = [case for case in CASES if case.primitives in ((), TILES)]
    arrays = [inputs(case) for case in cases]

    def compute(arrays):
        found = []
        for case, (x, w) in zip(cases, arrays, strict=True):
            found.append(derivatives(case.function, Tensor(x), Tensor(w)))
        return found

    compiled = xla.jit(compute)(arrays)
    for case, found, expected in zip(cases, compiled, compute(arrays), strict=True):
        for order in range(3):
            for one, other in zip(found[order], expected[order], strict=True):
                np.testing.assert_allclose(
                    np.asarray(one), other.numpy(), 1e-10, 1e-10, err_msg=f"{case.name}, {order}"
                )


LAYERS = {
    "lstm": lambda: LSTM(2, 3, generator=0, dtype=np.float64),
    "gru": lambda: GRU(2, 3, bidirectional=True, generator=0, dtype=np.float64),
    "tanh": lambda: RNN(2, 3, generator=0, dtype=np.float64),
    "relu": lambda: RNN(2, 3, nonlinearity="relu", generator=0, dtype=np.float64),
}


def trained(layer):
    """Return a step that returns the gradients of x and of the parameters."""

    def step(x, lengths=None):
        layer.zero_grad()
        x = Tensor(x, requires_grad=True)
        given = x if lengths is None else pack_padded_sequence(x, lengths)
        out, states = layer(given)
        states = states if isinstance(states, tuple) else (states,)
        total = out.sum() if lengths is None else (out.data * mix(out.data.shape)).sum()
        (total + sum((s * s).sum() for s in states)).backward()
        return [Tensor(x.grad), *(Tensor(p.grad) for p in layer.parameters())]

    return step


@pytest.mark.parametrize("name", LAYERS)
def test_the_program_of_a_long_sequence_is_not_longer(name):
    step = trained(LAYERS[name]())
    short, long = (
        primitives(lambda x: step(unwrap(x)), np.ones((length, 4, 2))) for length in (5, 500)
    )
    assert long["scan"] >= 2
    assert long.total() == short.total()


def test_recurrences_of_sequences_of_different_lengths():
    layers = [LAYERS[name]() for name in ("lstm", "gru", "relu")]
    x = np.random.default_rng(0).standard_normal((4, 3, 2))

    def compute(x):
        return [trained(layer)(x, (4, 3, 2)) for layer in layers]

    expected = compute(x)
    for found, others in zip(xla.jit(compute)(x), expected, strict=True):
        for one, other in zip(found, others, strict=True):
            np.testing.assert_allclose(np.asarray(one), other.numpy(), 1e-11, 1e-11)

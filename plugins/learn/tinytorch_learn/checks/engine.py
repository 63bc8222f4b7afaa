"""The checks of chapter 4."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_learn.framework import engine
from tinytorch_learn.report import expect, expect_that
from tinytorch_learn.trying import plain_tensors, with_engine


def _leaf() -> Any:
    return _tensor(None)


def _tensor(node: Any) -> Any:
    tensor = Tensor(0.0)
    # As the engine sets them, so that the check does not need the engine.
    vars(tensor).update(node=node, requires_grad=True, grad=None)
    return tensor


def _op(name: str, *inputs: Any) -> Any:
    """Return the result of an op that passes twice its gradient to each input."""
    functions = (lambda grad: 2 * grad,) * len(inputs)
    return _tensor(engine.Node(name, inputs, functions, {}))  # type: ignore[no-untyped-call]


@plain_tensors()
def ordered(answer: Any) -> None:
    """Check a chain, a diamond and a graph that is deeper than Python's recursion limit."""
    a = _op("a", _leaf())
    b, c = _op("b", a), _op("c", a)
    d = _op("d", b, c)
    _op("unrelated", a)
    hint = "Start with `last`, and follow x.node of the inputs until nothing new appears."
    found = answer(d.node)
    if found is None:
        expect(found, 0, "ordered(node)")
    names = [node.name for node in found]
    call = "ordered(d) for d = op(b, c), b = op(a), c = op(a)"
    expect_that(set(names) >= set("abcd"), call, "the nodes d, c, b, a", ", ".join(names), hint)
    hint = "The node a is used twice, and belongs in the list once: remember what you have found."
    expect_that(names.count("a") == 1, call, "each node once", ", ".join(names), hint)
    hint = "Sort by node.number, the latest first: a node must come before the nodes it used."
    expect_that(names == ["d", "c", "b", "a"], call, "d, c, b, a", ", ".join(names), hint)
    deep = _leaf()
    for _ in range(3000):
        deep = _op("step", deep)
    try:
        count = len(answer(deep.node))
    except RecursionError:
        count = -1
    hint = "Use a list of the nodes that wait to be looked at, instead of recursion."
    text = "RecursionError" if count < 0 else f"{count} nodes"
    expect_that(count == 3000, "ordered(...) of a chain of 3000 ops", "3000 nodes", text, hint)


@plain_tensors()
def propagate(answer: Any) -> None:
    """Check that gradients of a tensor that is used twice are added."""
    x = _leaf()
    y = _op("y", x)
    answer(y.node, np.array(1.0))
    hint = "node.gradients(grad) returns the gradients of node.inputs, in the same order."
    if x.grad is None:
        raise NotImplementedError
    expect(x.grad, 2.0, "x.grad for y = op(x), whose rule doubles the gradient", hint)
    answer(_op("y", x).node, np.array(1.0))
    hint = "Add to x.grad if it is not None: gradients of several passes accumulate."
    expect(x.grad, 4.0, "x.grad after the same pass again", hint)
    x, w = _leaf(), _leaf()
    a = _op("a", x, w)
    b, c = _op("b", a), _op("c", a)
    answer(_op("d", b, c).node, np.array(1.0))
    hint = "a is used by b and by c: add both gradients in `pending` before you go on from a."
    for leaf, name in ((x, "x"), (w, "w")):
        call = f"{name}.grad for a = op(x, w), b = op(a), c = op(a), d = op(b, c)"
        expect(leaf.grad, 16.0, call, hint)
    x = _leaf()
    answer(_op("y", x, x).node, np.array(1.0))
    expect(x.grad, 4.0, "x.grad for y = op(x, x)", "Both inputs are x: add both gradients.")


def fit_line(answer: Any) -> None:
    """Check the line that it finds."""
    points = Tensor([0.0, 1.0, 2.0, 3.0])
    with with_engine():
        weight, bias = answer(points, 2 * points + 1, steps=300, lr=0.1)
        call = "fit_line(x, 2 * x + 1, steps=300, lr=0.1)"
        hint = "Set both gradients to None before each backward(), and subtract lr · gradient."
        found = np.array([float(weight.data), float(bias.data)])
        expect(found, [2.0, 1.0], f"{call}, weight and bias", hint, tolerance=1e-3)
        weight, bias = answer(points, 2 * points + 1, steps=1, lr=0.1)
        found = np.array([float(weight.data), float(bias.data)])
        hint = "The loss is the mean of the squared differences, and a step subtracts lr · grad."
        expect(found, [1.7, 0.8], "the same after one step, from 0 and 0", hint, tolerance=1e-5)


EXERCISES = (
    (ordered, engine.ordered),
    (propagate, engine.propagate),
    (fit_line, engine.fit_line),
)

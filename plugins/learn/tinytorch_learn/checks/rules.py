"""The checks of chapter 3."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_learn.framework import rules
from tinytorch_learn.report import expect, expect_that


def tanh_rule(answer: Any) -> None:
    """Check the rule at two points, and with gradients other than 1."""
    out = np.tanh(np.array([0.0, 0.5]))
    hint = "The derivative of tanh x is 1 - tanh² x, and `out` is tanh x already."
    expect(answer(np.ones(2), out), [1.0, 0.7864477], "tanh_rule(grad, tanh([0, 0.5]))", hint)
    hint = "The chain rule: multiply the derivative by grad."
    call = "tanh_rule(grad, out) with grad = [2, 10]"
    expect(answer(np.array([2.0, 10.0]), out), [2.0, 7.864477], call, hint)


def matmul_rules(answer: Any) -> None:
    """Check the two functions."""
    random = np.random.default_rng(0)
    x, y, grad = (random.normal(size=shape) for shape in ((2, 3), (3, 4), (2, 4)))
    x_rule, y_rule = answer
    hint = "The gradient has the shape of the input. Which product of grad and y has it?"
    call = "matmul_x_rule(grad, y) for x of shape (2, 3), y of (3, 4)"
    expect(x_rule(grad, y), np.einsum("ik,jk->ij", grad, y), call, hint)
    hint = "Here the transposed x comes first: xᵀ @ grad."
    call = "matmul_y_rule(grad, x) for x of shape (2, 3), y of (3, 4)"
    expect(y_rule(grad, x), np.einsum("ij,ik->jk", x, grad), call, hint)
    x, y, grad = (random.normal(size=(5, *shape)) for shape in ((2, 3), (3, 4), (2, 4)))
    hint = "For stacks of matrices swap only the last two axes: np.swapaxes(y, -1, -2)."
    call = "matmul_x_rule(grad, y) for stacks of 5 matrices"
    expect(x_rule(grad, y), np.einsum("nik,njk->nij", grad, y), call, hint)
    expect(
        y_rule(grad, x),
        np.einsum("nij,nik->njk", x, grad),
        call.replace("x_rule(grad, y", "y_rule(grad, x"),
        hint,
    )


def unbroadcast(answer: Any) -> None:
    """Check leading axes, axes of length 1, both, and neither."""
    grad = np.arange(6.0).reshape(2, 3)
    for shape, expected, hint in (
        ((2, 3), grad, "An array that was not broadcast keeps its gradient."),
        ((3,), [3.0, 5.0, 7.0], "Sum over the axes that NumPy added at the front."),
        ((2, 1), [[3.0], [12.0]], "Sum over axes of length 1, and keep them (keepdims=True)."),
        ((1, 3), [[3.0, 5.0, 7.0]], "Sum over axes of length 1, and keep them (keepdims=True)."),
        ((), 15.0, "A number was added to each element: sum over all axes."),
    ):
        expect(answer(grad, shape), expected, f"unbroadcast([[0, 1, 2], [3, 4, 5]], {shape})", hint)
    found = answer(np.ones((4, 2, 3)), (2, 1))
    expect(found, [[12.0], [12.0]], "unbroadcast(ones of shape (4, 2, 3), (2, 1))")


def sum_rule(answer: Any) -> None:
    """Check sums over everything, over an axis, and with keepdims."""
    hint = "Each element counts once in the sum, so each gets the gradient of its sum."
    call = "sum_rule(grad, x_shape=(2, 3), axis={}, keepdims={})"
    found = answer(np.array(2.0), (2, 3), None, False)
    expect(found, np.full((2, 3), 2.0), call.format(None, False), hint)
    rows = np.array([[1.0, 1.0, 1.0], [5.0, 5.0, 5.0]])
    hint = "Without keepdims the summed axis is missing: np.expand_dims(grad, axis) restores it."
    expect(answer(np.array([1.0, 5.0]), (2, 3), 1, False), rows, call.format(1, False), hint)
    columns = np.array([[1.0, 2.0, 3.0]] * 2)
    expect(
        answer(np.array([1.0, 2.0, 3.0]), (2, 3), 0, False), columns, call.format(0, False), hint
    )
    hint = "With keepdims=True the axis is still there."
    expect(answer(np.array([[1.0], [5.0]]), (2, 3), 1, True), rows, call.format(1, True), hint)
    expect_that(
        np.shape(answer(np.array(1.0), (), None, False)) == (),
        call.replace("(2, 3)", "()").format(None, False),
        "the shape ()",
        "another shape",
    )


EXERCISES = (
    (tanh_rule, rules.tanh_rule),
    (matmul_rules, (rules.matmul_x_rule, rules.matmul_y_rule)),
    (unbroadcast, rules.unbroadcast),
    (sum_rule, rules.sum_rule),
)

"""The checks reject wrong rules, each of which is a correct rule with one mistake."""

import numpy as np
import pytest

from tinytorch_core.extend import unwrap

from tinytorch_autograd.node import functions
from tinytorch_autograd.rules.on_demand import family_of
from tinytorch_autograd.rules.reductions import sum_rule

from .cases import DESCRIBED
from .checks import check

# The function whose checks must fail, the name of its node, the index of the input, and the wrong
# function for that input, with the arguments of the correct one.
RULES = {
    "sign": ("cos", "Cos", 0, lambda grad, x: grad * np.sin(x)),
    "sign of one input": ("arctan2", "Arctan2", 1, lambda grad, x, y: grad * x / (x * x + y * y)),
    "factor": ("log10", "Log10", 0, lambda grad, x: grad / x),
    "factor of 2": ("square", "Square", 0, lambda grad, x: grad * x),
    "input instead of output": ("cbrt", "Cbrt", 0, lambda grad, out: grad / (3 * out**4)),
    "the other operand": (
        "hypot",
        "Hypot",
        0,
        lambda grad, out, x: grad * np.sqrt(1 - (x / out) ** 2),
    ),
    "wrong axis": (
        "cumsum",
        "Cumsum",
        0,
        lambda grad, x_shape, x_dtype, axis: np.cumsum(grad[::-1], axis=0)[::-1].reshape(x_shape),
    ),
    "not reversed": (
        "cumsum",
        "Cumsum",
        0,
        lambda grad, x_shape, x_dtype, axis: np.cumsum(grad, axis=axis).reshape(x_shape),
    ),
    "order not inverted": ("transpose", "Permute", 0, lambda grad, axes: np.transpose(grad, axes)),
    "transposition left out": ("linalg.inv", "Inv", 0, lambda grad, out: -out @ grad @ out.mT),
    "permutation not inverted": (
        "sort",
        "Sort",
        0,
        lambda grad, out, x, axis: np.take_along_axis(grad, np.argsort(unwrap(x), axis), axis),
    ),
    "count of one axis": (
        "mean",
        "Mean",
        0,
        lambda grad, x_shape, axis, keepdims: sum_rule(grad, x_shape, axis, keepdims) / x_shape[0],
    ),
    "not conjugated": ("absolute", "Abs", 0, lambda grad, x: np.real(grad) * x / np.abs(x)),
    "constant in higher orders": (
        "tan",
        "Tan",
        0,
        lambda grad, out: grad * (1 + unwrap(out) ** 2),
    ),
    "float64": ("exp2", "Exp2", 0, lambda grad, out: grad * out * np.log(2)),
    "writes into the input": ("sinh", "Sinh", 0, lambda grad, x: grad * cosh_that_writes(x)),
    "zero": ("fmod", "Fmod", 1, lambda grad, x, y: grad * 0),
}


def cosh_that_writes(x):
    derivative = np.cosh(x)
    unwrap(x)[...] += 1
    return derivative


@pytest.mark.parametrize("mistake", RULES)
def test_a_wrong_rule_is_rejected(mistake, monkeypatch):
    name, node, i, wrong = RULES[mistake]
    described = [d for d in DESCRIBED if d.name == name]
    check_all(described)
    # The generated source of the gradients calls the rule under this name.
    names = functions[f"{node}Backward"]().gradients.__globals__
    monkeypatch.setitem(names, f"_vjp_{i}", wrong)
    with pytest.raises((AssertionError, ValueError)):  # the engine itself rejects a wrong shape
        check_all(described)


COMPOSITIONS = {
    "factor": (np.trapezoid, lambda y, x=None, dx=1.0, axis=-1: np.sum(y, axis=axis) * dx),
    "sign": (np.diff, lambda a, n=1, axis=-1, **ends: a * 0),
    "not reversed": (np.flip, lambda m, axis=None: m * 1),
    "weights left out": (np.average, lambda a, axis=None, **options: np.mean(a, axis=axis)),
    "diagonal left out": (np.tril, lambda m, k=0: m * np.tril(np.ones(m.shape, m.dtype), k - 1)),
}


@pytest.mark.parametrize("mistake", COMPOSITIONS)
def test_a_wrong_composition_is_rejected(mistake, monkeypatch):
    function, wrong = COMPOSITIONS[mistake]
    monkeypatch.setitem(family_of(function).compositions, function, wrong)
    with pytest.raises(AssertionError):
        check_all([d for d in DESCRIBED if d.numpy is function])


def check_all(described):
    for d in described:
        for case in d.complex_cases():
            check(case, float32=False)
        for case in d.cases():
            check(case, float32=d.float32)

"""The checks that autograd adds to the devkit reject wrong rules and name a remedy."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from tinytorch_core import Tensor, plugins
from tinytorch_core.extend import unwrap

from tests.devkit.subtle import SUBTLE
from tests.devkit.wrong import Wrong, plugin
from tinytorch_devkit import call, cases_of, check_plugin, table_of_checks


def _square(x):
    return x * x


def _writes_into_grad(grad, x):
    grad *= 2 * x
    return grad


def _writes_into_input(grad, x):
    x += 1
    return 2 * grad * (x - 1)


def _float64_when_recorded(grad, x):
    return grad * x * (np.float64(2) if isinstance(grad, Tensor) else 2)


def _detaches(x):
    return x.copy() if isinstance(x, np.ndarray) else type(x)(x.data)


def _right(grad, x):
    return 2 * grad * x


def _unstable(x):
    """The sigmoid, with a denominator that overflows."""
    return 1 / (1 + np.exp(-x))


@np.errstate(over="ignore")
def _swish(x):
    return x / (1 + np.exp(-x))


WRONG = [
    Wrong(
        "has_a_rule",
        plugin(_square),
        "a rule, or a declaration that wrong is not differentiable",
        "has no backward rule",
        "rules.add('wrong', ...) or rules.no_derivative('wrong')",
    ),
    Wrong(
        "loses_no_gradient",
        plugin(_square, no_derivative=True),
        "to be tracked, because it depends on x",
        "gradient would silently be zero",
        "remove rules.no_derivative",
    ),
    Wrong(
        "loses_no_gradient",
        plugin(_square, None, _right, function=_detaches),
        "to be tracked, because it depends on x",
        "gradient would silently be zero",
        "compute with Tensors, not with x.data",
    ),
    Wrong(
        "has_the_right_derivative",
        plugin(_square, None, lambda grad, x: grad * x),
        "as derivative of order 1 with respect to x[0, 0], where it is 1.63",
        "",
        "correct the function for x in rules.add('wrong', ...)",
    ),
    Wrong(
        "has_the_right_derivative",
        plugin(lambda x, y: x * y * y, None, lambda grad, y: grad * y * y, None),
        "as derivative of order 1 with respect to y",
        "0",
        "correct the function for y in rules.add('wrong', ...)",
    ),
    Wrong(
        "has_the_right_derivative",
        plugin(_square, None, lambda grad, x: 2.00001 * grad * x),
        "as derivative of order 1 with respect to x",
        "",
        "correct the function for x",
    ),
    Wrong(
        "has_the_right_derivative",
        plugin(_square, None, lambda grad, x: grad * np.nan),
        "with respect to x",
        "nan",
        "correct the function for x",
    ),
    Wrong(
        "has_the_right_derivative",
        plugin(np.abs, None, lambda grad, x: grad * np.sign(x), domain=(-1e-4, 1e-4)),
        "with respect to x",
        "",
        "if the op has a kink nearby, declare it with kinks=",
    ),
    Wrong(
        "has_the_right_second_derivative",
        plugin(_square, None, lambda grad, x: 2 * grad * unwrap(x)),
        "as derivative of order 2 with respect to x",
        "",
        "write the rule for x in ops that have rules themselves",
    ),
    Wrong(
        "has_the_right_derivative",
        plugin(np.floor, None, lambda grad, x: grad * x, stepwise=["x"]),
        "0 as derivative of order 1 with respect to x[0, 0], where it is",
        "",
        "correct the function for x",
    ),
    Wrong(
        "has_the_right_second_derivative",
        plugin(lambda x: 2 * x, None, lambda grad: 2 * unwrap(grad)),
        "as derivative of order 2 with respect to x",
        "",
        "write the rule for x in ops that have rules themselves",
    ),
    Wrong(
        "has_derivatives_at_large_numbers",
        plugin(_swish, None, lambda grad, out, x: grad * (_unstable(x) * (1 + x - out))),
        "a derivative of order 2 at -1000 in wrong(<float64 of shape (8,)>), where the op",
        "nan",
        "write the sigmoid as 0.5 * (1 + np.tanh(0.5 * x))",
    ),
    Wrong(
        "has_derivatives_at_large_numbers",
        plugin(np.tanh, None, lambda grad, x: grad * 4 * np.exp(-2 * x) * _unstable(2 * x) ** 2),
        "a derivative of order 1 at -1000 in wrong(<float64 of shape (8,)>), where the op",
        "nan",
        "let no part of the rule overflow",
    ),
    Wrong(
        "keeps_dtypes_of_gradients",
        plugin(_square, None, lambda grad, x: grad * x * np.float64(2)),
        "float32 for the gradient of x in wrong(<float32 of shape (2, 3)>)",
        "float64",
        "math.log(2), not np.log(2)",
    ),
    Wrong(
        "keeps_dtypes_of_gradients",
        plugin(_square, None, _float64_when_recorded),
        "float32 for the gradient of x in wrong(<float32 of shape (2, 3)>)",
        "float64, where the backward pass is recorded",
        "math.log(2), not np.log(2)",
    ),
    Wrong(
        "leaves_saved_arrays_alone",
        plugin(_square, None, _writes_into_grad),
        "to stay unchanged by the backward pass of wrong(<float64 of shape (2, 3)>)",
        "[[",
        "create new arrays in the rule: grad * 2 instead of grad *= 2",
    ),
    Wrong(
        "leaves_saved_arrays_alone",
        plugin(_square, None, _writes_into_input),
        "to stay unchanged by the backward pass of wrong(<float64 of shape (2, 3)>)",
        "[[",
        "create new arrays in the rule",
    ),
    Wrong(
        "differentiates_any_array",
        plugin(_square, None, lambda grad, x: 2 * grad * x if x.any() else grad * 0),
        "the derivatives of wrong(<float64 of shape (2, 3)>) to work on arrays of other libraries",
        "bool(): arrays of other libraries may have no values yet",
        "no branch on a value",
    ),
]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_the_check_rejects_a_wrong_rule_and_names_a_remedy(wrong: Wrong) -> None:
    failure = wrong.failure()
    assert wrong.expected in failure.expected
    assert wrong.found in failure.found
    assert wrong.remedy in failure.remedy
    assert str(failure).startswith(f"wrong fails {wrong.check}\n")


def test_every_check_of_autograd_rejects_some_plugin() -> None:
    own = {check.name for check in table_of_checks() if check.provider == "autograd"}
    assert own <= {wrong.check for wrong in [*WRONG, *SUBTLE]}


@pytest.mark.parametrize(
    "correct",
    [
        plugin(_square, None, _right),
        plugin(
            np.hypot, None, lambda grad, out, x: grad * x / out, lambda grad, out, y: grad * y / out
        ),
        plugin(np.floor, no_derivative=True, kinks=range(-3, 4)),
        plugin(np.floor, None, lambda grad, x: grad * 0, domain=(-1e-4, 1e-4), stepwise=["x"]),
        plugin(lambda x: x * 0 + 3, None, lambda grad, x: grad * 0),
        plugin(np.exp, None, lambda grad, out: grad * out),
        plugin(np.sqrt, None, lambda grad, out: grad / (2 * out), domain=(0, np.inf)),
        plugin(
            lambda *arrays: np.concatenate(arrays),
            None,
            lambda grad, arrays: _split(grad, arrays),
            shapes=[((2,), (3,))],
        ),
    ],
    ids=[
        "square",
        "two inputs",
        "not differentiable",
        "stepwise",
        "constant",
        "exp",
        "sqrt",
        "variadic",
    ],
)
def test_correct_rules_pass(correct: Any) -> None:
    results = check_plugin(correct, checks=[w.check for w in WRONG])
    assert len(results) == 8
    assert not [str(r.failure) for r in results if r.failure]


def _split(grad, arrays):
    return np.split(grad, [len(arrays[0])])


def test_autograd_can_be_imported_without_the_devkit() -> None:
    program = """
import sys
sys.modules["tinytorch_devkit"] = None
import importlib, pkgutil, tinytorch_autograd
for module in pkgutil.walk_packages(tinytorch_autograd.__path__, "tinytorch_autograd."):
    importlib.import_module(module.name)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_autograd_adds_no_checks_while_it_is_off() -> None:
    with plugins.disable("autograd"):
        assert not [c for c in cases_of(plugin(_square)) if c.check.provider == "autograd"]


def test_an_op_on_integers_is_not_checked_for_derivatives() -> None:
    integers = plugin(lambda x: x + 1, calls=[call(np.arange(3))])
    assert not [c for c in cases_of(integers) if c.check.provider == "autograd"]

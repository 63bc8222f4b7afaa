"""gradcheck and gradgradcheck accept correct derivatives and explain wrong ones."""

import itertools
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from tinytorch_core import Tensor, hookimpl, plugins

from tinytorch_autograd import GradcheckError, gradcheck, gradgradcheck


@contextmanager
def cube(rule):
    """Register an op x**3 with a given rule inside a `with` block."""

    @hookimpl
    def tinytorch_register_ops(ops):
        ops.add("cube", lambda x: x * x * x, method=True)

    @hookimpl(optionalhook=True)
    def tinytorch_register_backward(rules):
        rules.add("cube", rule)

    plugin = SimpleNamespace(
        tinytorch_register_ops=tinytorch_register_ops,
        tinytorch_register_backward=tinytorch_register_backward,
    )
    plugins.register(plugin, name="cubes")
    try:
        yield
    finally:
        plugins.unregister("cubes")


POINT = np.array([[0.5, -1.5, 2.0], [1.0, 3.0, -0.5]])

RIGHT = {
    "one array": (lambda x: np.sin(x) * x, POINT),
    "several": (lambda x, y, k: (x @ y) ** k, (POINT, POINT.T, 2)),
    "nested": (
        lambda p, x: {"a": p["w"] * x, "b": [p["b"][0].sum()]},
        [{"w": POINT, "b": (POINT, None)}, POINT],
    ),
    "tensors": (lambda x: np.tanh(x).sum(), [Tensor(POINT, requires_grad=True)]),
    "0-d": (lambda x: x**3, 2.0 * np.ones(())),
    "empty": (lambda x: np.exp(x), np.ones((0, 3))),
    "independent": (lambda x: Tensor([1.0]), POINT),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_derivatives_pass(name):
    f, inputs = RIGHT[name]
    assert gradcheck(f, inputs) is True
    assert gradgradcheck(f, inputs) is True


def test_a_rule_that_works_on_arrays_only_fails_at_the_second_order():
    with cube(lambda grad, x: 3 * grad * (x.data if isinstance(x, Tensor) else x) ** 2):
        f = lambda x: x.cube()  # noqa: E731
        x = np.array([1.0, 2.0])
        assert gradcheck(f, x)
        with pytest.raises(GradcheckError, match="the backward pass of"):
            gradgradcheck(f, x)
        assert not gradgradcheck(f, x, raise_exception=False)


def wrong(f, inputs, **options):
    with pytest.raises(GradcheckError) as caught:
        gradcheck(f, inputs, **options)
    assert gradcheck(f, inputs, raise_exception=False, **options) is False
    return str(caught.value)


def test_a_report_shows_element_expected_found_and_error():
    def slope(grad, x):
        slope = 3 * grad * x * x
        return slope + np.array([[0, 0, 0.25], [0, 0, 0]])

    with cube(slope):
        text = wrong(lambda p: [p["w"].cube()], ({"w": POINT},))
    first, line, *_ = text.splitlines()
    assert "6 of 36 derivatives" in first
    assert "eps=1e-06" in first
    assert "/ d input 0['w'][0, 2]: expected" in text
    assert "error 0.25" in line
    assert "and 1 more" in text


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (lambda grad, x: 6 * grad * x * x, "2 times the expected"),
        (lambda grad, x: -3 * grad * x * x, "-1 times the expected"),
        (lambda grad, x: grad * 0, "zero everywhere"),
        (lambda grad, x: grad * np.nan, r"detect_anomaly\(\)"),
    ],
)
def test_the_likely_reason_for_a_wrong_rule(rule, reason):
    with cube(rule), pytest.raises(GradcheckError, match=f"Likely reason: .*{reason}"):
        gradcheck(lambda x: x.cube(), np.array([1.0, 2.0]))


@pytest.mark.parametrize(
    ("f", "inputs", "words"),
    [
        (lambda x: x * x, np.array([1.0, 2.0], np.float32), ["input 0 is float32", "float64"]),
        (
            lambda x: np.where(x > 0, x, 3 * x),
            np.array([1.0, 0.0]),
            ["kink", r"input 0\[1\] = 0", "3 below", "1 above"],
        ),
        (lambda x: np.floor(x) + x, np.array([2.0]), ["kink or a jump"]),
        (lambda x: x.detach() * 2, np.array([2.0]), [r"detach\(\)"]),
    ],
)
def test_the_likely_reason_for_an_unsuitable_point(f, inputs, words):
    with pytest.raises(GradcheckError) as text:
        gradcheck(f, inputs)
    for word in ["Likely reason", *words]:
        text.match(word)


def test_a_random_function_raises():
    count = itertools.count()
    with pytest.raises(GradcheckError, match="different values for the same inputs"):
        gradcheck(lambda x: x * next(count), np.ones(2))


def test_untracked_tensors_are_constants_if_another_is_tracked():
    x, c = Tensor(POINT, requires_grad=True), Tensor(POINT)
    assert gradcheck(lambda x, c: x * c.detach(), (x, c))
    wrong(lambda x, c: x * c.detach(), (x, Tensor(POINT, requires_grad=True)))


def test_nothing_to_check_is_an_error():
    with pytest.raises(ValueError, match="nothing to check"):
        gradcheck(lambda x: x * 1.0, np.array([1, 2]))


def test_tolerances_are_applied():
    with cube(lambda grad, x: 3.01 * grad * x * x):
        f = lambda x: x.cube()  # noqa: E731
        assert gradcheck(f, np.ones(2), rtol=0.01)
        assert gradcheck(f, np.ones(2), atol=0.1)
        assert not gradcheck(f, np.ones(2), raise_exception=False)


def test_inputs_are_not_modified():
    x = Tensor(POINT, requires_grad=True)
    gradgradcheck(lambda x: x**3, (x,))
    np.testing.assert_array_equal(x.data, POINT)
    assert x.grad is None

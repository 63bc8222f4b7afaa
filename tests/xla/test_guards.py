"""A compiled step is compiled again if something changes that was taken as fixed."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from tinytorch_core import Tensor

import tinytorch_xla as xla
from tinytorch_activations import ReLU
from tinytorch_autograd import no_grad
from tinytorch_layers import Dropout
from tinytorch_losses import binary_cross_entropy, cross_entropy

pytestmark = pytest.mark.peers("jax")

X = np.arange(3.0)
FACTOR = 2.0


class Scale:
    """An object of the user, with state in its attributes, a list, a set and its class."""

    power = 1

    def __init__(self):
        self.factor, self.terms, self.names = 2.0, [1.0, 2.0], {"a"}
        self.module = ReLU()

    def __call__(self, x):
        extra = len(vars(self)) + len(vars(self.module)) + len(self.names)
        return self.module(x) ** self.power * self.factor + sum(self.terms) + extra


def _set_global(scale):
    global FACTOR
    FACTOR += 1.0


CHANGES = {
    "attribute": lambda scale: setattr(scale, "factor", 3.0),
    "new attribute": lambda scale: setattr(scale, "other", 3.0),
    "attribute of a module": lambda scale: setattr(scale.module, "other", 3.0),
    "item": lambda scale: scale.terms.__setitem__(0, 3.0),
    "new item": lambda scale: scale.terms.append(0.0),
    "removed item": lambda scale: scale.terms.pop(),
    "set": lambda scale: scale.names.add("b"),
    "attribute of a class": lambda scale: setattr(type(scale), "power", 2),
    "global variable": _set_global,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_of_the_state(change, monkeypatch):
    monkeypatch.setattr(Scale, "power", 1)
    monkeypatch.setitem(globals(), "FACTOR", 2.0)
    scale = Scale()

    def step(x):
        return scale(x) * FACTOR

    compiled = xla.jit(step)
    for _ in range(2):
        np.testing.assert_allclose(compiled(X), step(X))
    assert "1 program" in repr(compiled)
    change(scale)
    for _ in range(2):
        np.testing.assert_allclose(compiled(X), step(X))
    assert "2 programs" in repr(compiled)


def test_an_equal_number_does_not_compile_again():
    scale = Scale()
    compiled = xla.jit(lambda x: scale(x))
    compiled(X)
    scale.factor = scale.terms[1] = float("2")
    np.testing.assert_allclose(compiled(X), scale(X))
    assert "1 program" in repr(compiled)


POINT = SimpleNamespace(y=2.0)
ARGUMENTS = {
    "shape": ((X,), (X[:2],)),
    "dtype": ((X,), (X.astype(np.float32),)),
    "class": ((X,), (Tensor(X),)),
    "number": ((X, 2.0), (X, 3.0)),
    "type of a number": ((X, True), (X, 1)),
    "order of keys": (({"x": X, "y": 1.0},), ({"y": 1.0, "x": X},)),
    "length": (([X, X],), ([X],)),
    "object": ((X, POINT), (X, SimpleNamespace(y=5.0))),
    "nothing": ((X, None), (X, 1.0)),
}


@pytest.mark.parametrize(("first", "second"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_other_arguments(first, second):
    def step(given, number=0.0):
        if isinstance(given, dict):
            first, *_ = given
            return given["x"] * (2.0 if first == "x" else 3.0)
        x = given[0] * len(given) if isinstance(given, list) else given
        if isinstance(number, SimpleNamespace):
            return x * number.y
        return x * (7.0 if number is None else number + isinstance(number, bool))

    compiled = xla.jit(step)
    for args in (first, first, second, second, first):
        found = compiled(*args)
        assert isinstance(found, Tensor) == isinstance(args[0], Tensor)
        np.testing.assert_allclose(np.asarray(found), np.asarray(step(*args)))
        assert found.dtype == step(*args).dtype
    assert "2 programs" in repr(compiled)


def test_keyword_arguments_and_nested_results():
    def step(x, *, pair, scale=2.0):
        return {"sum": pair[0] + pair[1], "rest": [x * scale, ("text", None)]}

    compiled = xla.jit(step)
    for shift in range(3):
        found = compiled(X, pair=(X, Tensor(X + shift)))
        assert found["rest"][1] == ("text", None)
        np.testing.assert_allclose(np.asarray(found["sum"]), X + X + shift)
        np.testing.assert_allclose(found["rest"][0], X * 2)
    np.testing.assert_allclose(compiled(X, scale=3.0, pair=(X, X))["rest"][0], X * 3)
    np.testing.assert_allclose(compiled(X, pair=(X, X))["rest"][0], X * 2)
    with pytest.raises(TypeError, match="pair"):
        compiled(X)


def test_a_gradient_and_a_mode():
    weight = Tensor(X, requires_grad=True)

    @xla.jit
    def step(x):
        y = (weight * x).sum()
        if y.requires_grad:
            y.backward()
        return y

    def gradient(start):
        weight.grad = start
        step(X)
        return np.asarray(weight.grad)

    for start in (None, None, None, X, X, None, X):
        np.testing.assert_allclose(gradient(start), X if start is None else 2 * X)
    with no_grad():
        np.testing.assert_allclose(gradient(X), X)
    np.testing.assert_allclose(gradient(X), 2 * X)
    assert "3 programs" in repr(step)


def test_an_argument_that_requires_grad_is_refused():
    compiled = xla.jit(lambda x: x * 2)
    compiled(Tensor(X))
    with pytest.raises(xla.XlaError, match="requires grad"):
        compiled(Tensor(X, requires_grad=True))


@pytest.mark.parametrize("on_device", [False, True])
def test_arguments_are_checked_in_every_call(on_device):
    def put(x):
        return xla.device_put(x) if on_device else x

    inputs = np.eye(3, dtype=np.float32)
    compiled = xla.jit(lambda target: cross_entropy(Tensor(inputs), target))
    target = put(np.array([0, 1, 2]))
    for _ in range(3):
        compiled(target)
    with pytest.raises(IndexError, match="class numbers"):
        compiled(put(np.array([0, 1, 3])))
    expected = cross_entropy(inputs, target).item()
    np.testing.assert_allclose(compiled(target).item(), expected, rtol=1e-6)
    assert "1 program" in repr(compiled)


def test_two_programs_check_the_same_argument():
    """An array that was valid for one program may not be valid for another one."""
    target = xla.device_put(np.array([0, 1, 2]))
    compiled = xla.jit(lambda x, target: cross_entropy(Tensor(x), target))
    compiled(np.zeros((3, 3), np.float32), target)
    with pytest.raises(IndexError, match="class numbers"):
        compiled(np.zeros((3, 2), np.float32), target)


def test_probabilities_are_checked():
    compiled = xla.jit(lambda p: binary_cross_entropy(p, np.ones(2)))
    compiled(np.array([0.5, 0.5]))
    with pytest.raises(ValueError, match=r"1\.5"):
        compiled(np.array([0.5, 1.5]))


def test_generators():
    """A program that draws advances the generator that the step has now; others do not."""
    layer = Dropout(0.5, generator=0)
    compiled = xla.jit(lambda x: layer(x))
    x = np.ones(64)
    first, second = compiled(x), compiled(x)
    assert not np.array_equal(first, second)
    layer.generator = np.random.default_rng(0)
    np.testing.assert_array_equal(compiled(x), first)
    layer.eval()
    before = layer.generator.bit_generator.state
    np.testing.assert_array_equal(compiled(x), x)
    assert layer.generator.bit_generator.state == before

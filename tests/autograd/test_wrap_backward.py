"""`tinytorch_wrap_backward`: plugins can wrap backward rules."""

from types import SimpleNamespace

import numpy as np
import pytest

from tinytorch_core import PluginError, Tensor, hookimpl, plugins

import tinytorch_autograd
from tinytorch_autograd import Function, grad


def wrapping(wrap):
    """Return a plugin that wraps every rule with `wrap(op, call)`."""

    @hookimpl(optionalhook=True)
    def tinytorch_wrap_backward(op, call):
        return wrap(op, call)

    return SimpleNamespace(tinytorch_wrap_backward=tinytorch_wrap_backward)


@pytest.fixture
def register():
    """Register plugins for one test."""
    names = []

    def register(wrap, name="wrapping"):
        plugins.register(wrapping(wrap), name=name)
        names.append(name)

    yield register
    for name in names:
        plugins.unregister(name)


def recording_calls(seen, label=""):
    """Return a `wrap` function whose wrappers append their arguments to `seen`."""

    def wrap(op, call):
        def wrapper(node, gradient):
            seen.append((label + op.name, node, gradient))
            return call(node, gradient)

        return wrapper

    return wrap


def test_a_wrapper_is_given_the_node_and_the_gradient_of_each_op(register):
    seen = []
    register(recording_calls(seen))
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    total = y.sum()
    total.backward()
    assert [name for name, _, _ in seen] == ["sum", "mul"]
    assert [node for _, node, _ in seen] == [total.grad_fn, y.grad_fn]
    np.testing.assert_array_equal(seen[1][2], [1, 1])
    np.testing.assert_array_equal(x.grad, [2, 4])


def test_a_wrapper_may_change_the_gradients(register):
    register(lambda op, call: lambda node, gradient: tuple(10 * g for g in call(node, gradient)))
    x = Tensor([3.0], requires_grad=True)
    np.exp(-x).backward()
    np.testing.assert_allclose(x.grad, [-100 * np.exp(-3.0)], rtol=1e-6)


def test_a_wrapper_is_given_tensors_if_the_backward_pass_is_recorded(register):
    seen = []
    register(recording_calls(seen))
    x = Tensor([2.0], requires_grad=True)
    slope = grad(x**3, x, create_graph=True)
    assert isinstance(seen[0][2], Tensor)
    assert grad(slope, x).item() == 12
    assert len(seen) > 2


def test_wrappers_are_nested_in_the_order_of_plugin_names(register):
    seen = []
    register(recording_calls(seen, "outer "), "b")
    register(recording_calls(seen, "inner "), "a")
    (Tensor([1.0], requires_grad=True) * 2).backward()
    assert [label for label, _, _ in seen] == ["outer mul", "inner mul"]


def test_nodes_keep_their_class(register):
    register(recording_calls([]))
    node = (Tensor([1.0], requires_grad=True) * 2).grad_fn
    assert isinstance(node, tinytorch_autograd.MulBackward)
    assert repr(node) == "<MulBackward>"
    assert type(node).__doc__ == tinytorch_autograd.MulBackward.__doc__
    (double,) = [g for g in node.apply(np.ones(1)) if g is not None]
    assert double == 2


def test_returning_none_leaves_the_rule_unwrapped(register):
    register(lambda op, call: recording_calls([])(op, call) if op.name == "mul" else None)
    x = Tensor([1.0], requires_grad=True)
    assert type((x + 2).grad_fn) is tinytorch_autograd.AddBackward
    assert type((x * 2).grad_fn) is not tinytorch_autograd.MulBackward


def test_rules_are_not_wrapped_while_the_plugin_is_off(register):
    seen = []
    register(recording_calls(seen))
    with plugins.disable("wrapping"):
        node = (Tensor([1.0], requires_grad=True) * 2).grad_fn
    assert type(node) is tinytorch_autograd.MulBackward
    assert type(node).__mro__[1] is Function
    assert type(node).gradients.__code__.co_varnames[:2] == ("_self", "grad")
    assert not seen


@pytest.mark.parametrize(
    ("wrap", "message"),
    [
        (lambda op, call: 3, r"in tinytorch_wrap_backward: returned 3 for the op 'add'"),
        (lambda op, call: 1 / 0, r"in tinytorch_wrap_backward: ZeroDivisionError"),
    ],
    ids=["returns a number", "raises"],
)
def test_an_invalid_wrapper_raises_and_names_the_plugin(wrap, message):
    before = Tensor.__bases__
    with pytest.raises(PluginError, match=f"plugin 'wrong' .*{message}"):
        plugins.register(wrapping(wrap), name="wrong")
    assert Tensor.__bases__ == before

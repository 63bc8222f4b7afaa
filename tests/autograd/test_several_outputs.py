"""Ops with several outputs: each output is a tensor with its own node."""

import gc
import weakref
from collections import namedtuple
from types import SimpleNamespace

import numpy as np
import pytest

import tinytorch_core
from tinytorch_core import PluginError, Tensor, hookimpl, plugins

import tinytorch_autograd
from tinytorch_autograd import GraphFreedError, grad
from tinytorch_autograd.debug.numerical import check_derivative

Waves = namedtuple("Waves", "sine cosine sign")


def waves(x, speed=1.0):
    """Return two outputs with a derivative and one of integers."""
    return Waves(np.sin(speed * x), np.cos(speed * x), np.sign(x).astype(int))


def waves_rule(grads, outs, speed):
    by_sine, by_cosine, by_sign = grads
    sine, cosine, _ = outs
    assert by_sign is None
    found = 0 * sine
    if by_sine is not None:
        found = found + speed * by_sine * cosine
    if by_cosine is not None:
        found = found - speed * by_cosine * sine
    return found


def plugin(forward, *vjps, name="waves"):
    @hookimpl
    def tinytorch_register_ops(ops):
        ops.add(name, forward, method=True)

    @hookimpl(optionalhook=True)
    def tinytorch_register_backward(rules):
        rules.add(name, *vjps)

    return SimpleNamespace(
        tinytorch_register_ops=tinytorch_register_ops,
        tinytorch_register_backward=tinytorch_register_backward,
    )


@pytest.fixture(autouse=True)
def registered():
    plugins.register(plugin(waves, waves_rule), name="waves")
    yield
    plugins.unregister("waves")


@pytest.fixture
def x():
    return Tensor(np.array([0.5, -1.0, 2.0]), requires_grad=True)


def test_outputs_have_the_structure_that_the_op_returns(x):
    out = x.waves()
    assert type(out) is Waves
    assert all(isinstance(tensor, Tensor) for tensor in out)
    np.testing.assert_array_equal(out.cosine.data, np.cos(x.data))


def test_only_outputs_that_can_have_a_gradient_are_tracked(x):
    assert [tensor.requires_grad for tensor in x.waves()] == [True, True, False]
    assert not any(tensor.requires_grad for tensor in x.detach().waves())


@pytest.mark.parametrize(
    ("used", "slope"),
    [
        (lambda w: w.sine, np.cos),
        (lambda w: w.cosine, lambda x: -np.sin(x)),
        (lambda w: w.sine * w.cosine, lambda x: np.cos(2 * x)),
        (lambda w: w.sine + w.sine * w.sine, lambda x: np.cos(x) + np.sin(2 * x)),
        (lambda w: w.sine * w.sign.data, lambda x: np.sign(x) * np.cos(x)),
    ],
    ids=["first", "second", "both", "one twice", "integers as constants"],
)
def test_backward_from_some_of_the_outputs(x, used, slope):
    used(x.waves()).sum().backward()
    np.testing.assert_allclose(x.grad, slope(x.data), rtol=1e-14)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_derivatives_of_any_order(order):
    def function(x):
        sine, cosine, _ = x.waves(speed=1.5)
        return sine * cosine**2 + np.exp(cosine)

    check_derivative(function, [np.array([[0.5, -1.0], [2.0, 0.25]])], order)


def test_a_rule_runs_once_for_all_outputs(x, monkeypatch):
    calls = []
    kind = tinytorch_autograd.WavesBackward
    rule = kind.gradients
    monkeypatch.setattr(kind, "gradients", lambda self, g: calls.append(g) or rule(self, g))
    sine, cosine, _ = x.waves()
    (sine + cosine * sine).sum().backward()
    assert len(calls) == 1


def test_gradients_of_several_outputs(x):
    sine, cosine, _ = x.waves()
    (found,) = grad([sine, cosine], [x], [np.ones(3), 2 * np.ones(3)])
    np.testing.assert_allclose(found.data, np.cos(x.data) - 2 * np.sin(x.data))


def test_the_gradient_of_an_output(x):
    sine, cosine, _ = x.waves()
    loss = (sine * cosine).sum()
    by_sine, by_x = grad(loss, [sine, x], retain_graph=True)
    np.testing.assert_allclose(by_sine.data, np.cos(x.data))
    np.testing.assert_allclose(by_x.data, np.cos(2 * x.data))
    with pytest.raises(tinytorch_autograd.UntrackedError):
        grad(sine.sum(), cosine, retain_graph=True)


def test_a_derivative_depends_on_a_saved_output(x):
    sine, cosine, _ = x.waves()
    slope = grad(sine.sum(), x, create_graph=True)  # the cosine, which the rule had saved
    by_cosine = grad((slope * slope).sum(), cosine)
    np.testing.assert_allclose(by_cosine.data, 2 * np.cos(x.data))


def test_retain_grad_of_an_output(x):
    sine, cosine, _ = x.waves()
    cosine.retain_grad()
    (sine * cosine).sum().backward()
    np.testing.assert_allclose(cosine.grad, np.sin(x.data))
    assert sine.grad is None


def test_a_hook_of_the_op_sees_the_gradients_of_all_outputs(x):
    seen = []
    sine, cosine, _ = x.waves()
    (node,) = sine.grad_fn.next_functions
    node.hooks = [lambda grads: seen.append(dict(grads))]
    (sine + 2 * cosine).sum().backward()
    assert {index: grad.tolist() for index, grad in seen[0].items()} == {0: [1] * 3, 1: [2] * 3}


def test_a_second_backward_pass_needs_retain_graph(x):
    sine, cosine, _ = x.waves()
    sine.sum().backward(retain_graph=True)
    sine.sum().backward()
    np.testing.assert_allclose(x.grad, 2 * np.cos(x.data))
    for output in (sine, cosine):
        with pytest.raises(GraphFreedError, match="retain_graph=True"):
            output.sum().backward()


def test_the_nodes_of_outputs_lead_to_the_node_of_the_op(x):
    sine, cosine, _ = x.waves()
    assert repr(cosine.grad_fn) == "<WavesBackward output 1>"
    assert cosine.grad_fn.next_functions == sine.grad_fn.next_functions
    (node,) = sine.grad_fn.next_functions
    assert type(node) is tinytorch_autograd.WavesBackward
    assert (node.op.name, sine.grad_fn.op.name) == ("waves", "waves")
    assert node.next_functions == (x._node,)


def test_nodes_can_be_applied_by_hand(x):
    cosine = x.waves().cosine
    ones = np.ones(3)
    (passed,) = cosine.grad_fn.apply(ones)
    assert passed[0] is None
    assert passed[2] is None
    (node,) = cosine.grad_fn.next_functions
    (found,) = node.apply(passed)
    np.testing.assert_allclose(found, -np.sin(x.data))
    (recorded,) = node.apply((Tensor(ones), None, None))
    assert recorded.requires_grad


def test_a_node_created_by_hand(x):
    node = tinytorch_autograd.WavesBackward(x.data, speed=2.0)
    (found,) = node.apply((np.ones(3), None, None))
    np.testing.assert_allclose(found, 2 * np.cos(2 * x.data))


def test_the_graph_is_freed_with_the_outputs(x):
    gc.collect()
    gc.disable()
    try:
        sine, cosine, _ = x.waves()
        (node,) = map(weakref.ref, sine.grad_fn.next_functions)
        loss = (sine * cosine).sum()
        grad(loss, x, create_graph=True)
        del sine, cosine, loss, _
        assert node() is None
    finally:
        gc.enable()


def test_a_loop_that_feeds_an_output_back(x):
    y = x
    for _ in range(2_000):
        y, _, _ = y.waves(speed=0.5)
    y.sum().backward()
    assert np.isfinite(x.grad).all()


def test_an_op_that_returns_one_or_several_outputs():
    def halves(x, parts=2):
        return np.split(x, parts) if parts > 1 else x * 1

    def rule(grads, outs_shape, x_shape):
        parts = [np.zeros(s) if g is None else g for g, s in zip(grads, outs_shape, strict=True)]
        return np.concatenate(parts).reshape(x_shape)

    plugins.register(plugin(halves, rule, name="halves"), name="halves")
    try:
        x = Tensor(np.arange(4.0), requires_grad=True)
        _, second = x.halves()
        (second.sum() + (x.halves(parts=1) * 10).sum()).backward()
        assert x.grad.tolist() == [10, 10, 11, 11]
    finally:
        plugins.unregister("halves")


def test_a_rule_cannot_mix_arguments_for_one_and_several_outputs():
    wrong = plugin(waves, lambda grad, outs: grad * outs[0], name="other")
    with pytest.raises(PluginError, match=r"'grad'.*'outs'"):
        plugins.register(wrong, name="wrong")
    assert not hasattr(tinytorch_core.Tensor, "other")


def test_a_rule_for_one_output_raises_for_several(x):
    plugins.register(plugin(waves, lambda grad, x: grad * x, name="lossy"), name="lossy")
    try:
        with pytest.raises(TypeError, match=r"lossy returned 3 outputs.*`grads`"):
            x.lossy()
    finally:
        plugins.unregister("lossy")


def test_a_plugin_can_wrap_the_op(x):
    seen = []

    @hookimpl
    def tinytorch_wrap_op(op, call):
        if op.name != "waves":
            return None

        def wrapper(*args, **kwargs):
            seen.append(op.name)
            return call(*args, **kwargs)

        return wrapper

    plugins.register(SimpleNamespace(tinytorch_wrap_op=tinytorch_wrap_op), name="wrapping")
    try:
        x.waves().sine.sum().backward()
    finally:
        plugins.unregister("wrapping")
    assert seen == ["waves"]
    np.testing.assert_allclose(x.grad, np.cos(x.data))

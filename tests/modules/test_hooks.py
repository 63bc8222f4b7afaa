"""Hooks of modules: before and after forward, and with gradients."""

import copy

import numpy as np
import pytest

from tinytorch_core import Tensor, plugins

from tinytorch_autograd import func
from tinytorch_layers import Linear, Module, Sequential


@pytest.fixture
def layer():
    return Linear(2, 1, generator=0, dtype=np.float64)


X = np.array([[1.0, -2.0], [0.5, 3.0]])


def test_forward_hooks_see_and_replace_arguments_and_output(layer):
    plain = layer(X).data
    seen = []
    before = layer.register_forward_pre_hook(lambda module, args: (args[0] * 2,))
    after = layer.register_forward_hook(lambda module, args, y: seen.append((module, args, y)))
    doubled = layer(X)
    np.testing.assert_allclose(doubled.data - layer.bias.data, 2 * (plain - layer.bias.data))
    (found,) = seen
    assert found[0] is layer
    np.testing.assert_array_equal(found[1][0], X * 2)
    assert found[2] is doubled
    before.remove()
    after.remove()
    after.remove()
    np.testing.assert_array_equal(layer(X).data, plain)
    assert vars(layer).keys() == vars(Linear(2, 1)).keys()


def test_hooks_run_in_the_order_of_registration(layer):
    first = layer.register_forward_hook(lambda module, args, y: y + 1)
    with layer.register_forward_hook(lambda module, args, y: y * 10):
        both = layer(X).data
    first.remove()
    np.testing.assert_allclose(both, (layer(X).data + 1) * 10)


def test_a_hook_that_is_registered_twice_is_removed_once(layer):
    def add_one(module, args, y):
        return y + 1

    layer.register_forward_hook(add_one)
    layer.register_forward_hook(add_one).remove()
    with_hook = layer(X).data
    layer.registered_hooks = None
    np.testing.assert_allclose(with_hook, layer(X).data + 1)


@pytest.mark.parametrize("tracked", [True, False])
def test_backward_hooks_get_the_gradients_of_arguments_and_output(layer, tracked):
    x = Tensor(X, requires_grad=tracked)
    seen = []
    layer.register_full_backward_pre_hook(lambda module, outer: seen.append(outer))
    layer.register_full_backward_hook(lambda module, inner, outer: seen.append((inner, outer)))
    # x is also used outside of the layer, which must not change what the hook sees.
    (layer(x) ** 2).sum().backward()
    (before,), ((inner,), (outer,)) = seen
    expected = 2 * (X @ layer.weight.data + layer.bias.data)
    np.testing.assert_allclose(before.data, expected)
    np.testing.assert_allclose(outer.data, expected)
    if tracked:
        np.testing.assert_allclose(inner.data, expected @ layer.weight.data.T)
        np.testing.assert_allclose(x.grad, inner.data)
    else:
        assert inner is None
    np.testing.assert_allclose(layer.weight.grad, X.T @ expected)


def test_backward_hooks_replace_gradients(layer):
    x = Tensor(X, requires_grad=True)
    layer.register_full_backward_pre_hook(lambda module, outer: (outer[0] * 0 + 1,))
    layer.register_full_backward_hook(lambda module, inner, outer: (inner[0] * 3,))
    (layer(x) ** 2).sum().backward()
    np.testing.assert_allclose(x.grad, 3 * np.ones((2, 1)) @ layer.weight.data.T)
    np.testing.assert_allclose(layer.weight.grad, X.T @ np.ones((2, 1)))


class Pair(Module):
    def forward(self, x, y):
        return x * y, x + y


def test_backward_hooks_of_several_arguments_and_outputs():
    x, y = (Tensor([value], requires_grad=True, dtype=np.float64) for value in (2.0, 5.0))
    module, seen = Pair(), []
    module.register_full_backward_hook(lambda module, inner, outer: seen.append((inner, outer)))
    product, total = module(x, y)
    (product * 3 + total * x).sum().backward()
    ((of_x, of_y), (of_product, of_total)) = seen[0]
    assert [g.item() for g in (of_x, of_y, of_product, of_total)] == [17, 8, 3, 2]
    assert x.grad.tolist() == [17 + 7]
    assert y.grad.tolist() == [8]


def test_higher_derivatives_pass_through_hooks(layer):
    layer.register_full_backward_hook(lambda module, inner, outer: None)
    hessian = func.hessian(lambda x: (layer(x) ** 3).sum())(Tensor(X))
    layer.registered_hooks = None
    expected = func.hessian(lambda x: (layer(x) ** 3).sum())(Tensor(X))
    np.testing.assert_allclose(hessian.data, expected.data)


def test_wrong_hooks(layer):
    with pytest.raises(TypeError, match="a hook of Linear must be a function, not int"):
        layer.register_forward_hook(3)
    assert layer.registered_hooks is None
    layer.register_full_backward_hook(lambda module, inner, outer: (1, 2))
    with pytest.raises(ValueError, match="returned 2 gradients of the input, but there are 1"):
        layer(Tensor(X, requires_grad=True)).sum().backward()

    class Text(Module):
        def forward(self, x):
            return x, "text"

    module = Text()
    module.register_full_backward_hook(lambda *args: None)
    with pytest.raises(TypeError, match="that returns tensors, but Text returned tuple"):
        module(Tensor(X, requires_grad=True))


def test_copies_have_hooks_of_their_own(layer):
    calls = []
    model = Sequential(layer)
    handle = layer.register_forward_hook(lambda *args: calls.append(1))
    other = copy.deepcopy(model)
    handle.remove()
    model(X)
    assert not calls
    other(X)
    assert calls == [1]


def test_forward_hooks_work_without_autograd(layer):
    with plugins.disable("autograd"), layer.register_forward_hook(lambda m, a, y: y + 1):
        plain = layer.forward(X)
        np.testing.assert_allclose(layer(X), plain + 1)

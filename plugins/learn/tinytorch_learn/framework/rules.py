"""Chapter 3: a table of backward rules, a hook that fills it, and the rules of the plain ops."""

import math

import numpy as np

from tinytorch_core import hookimpl, hookspec


class Rules(dict):
    """Backward rules: for the name of each op one function for each of its inputs."""

    def add(self, name, *functions):
        """Add the rule of the op `name`."""
        self[name] = functions


class Hooks:
    """The hook that the rule book adds, under the name that tinytorch-autograd uses too."""

    @hookspec
    def tinytorch_register_backward(self, rules):
        """Adds backward rules."""


def collect_rules(surface):
    """Return the rules that the active plugins add."""
    rules = Rules()
    surface.call_hook("tinytorch_register_backward", lambda plugin: {"rules": rules})
    return rules


def unbroadcast(grad, shape):
    """Return `grad` summed over the axes along which an array of `shape` was repeated."""
    added = grad.ndim - len(shape)
    grad = grad.sum(axis=tuple(range(added)))
    repeated = tuple(i for i, n in enumerate(shape) if n == 1 and grad.shape[i] > 1)
    return grad.sum(axis=repeated, keepdims=True)


def tanh_rule(grad, out):
    """Return grad · (1 - tanh² x)."""
    return grad * (1 - out * out)


def matmul_x_rule(grad, y):
    """Return grad @ yᵀ."""
    return grad @ np.swapaxes(y, -1, -2)


def matmul_y_rule(grad, x):
    """Return xᵀ @ grad."""
    return np.swapaxes(x, -1, -2) @ grad


def sum_rule(grad, x_shape, axis, keepdims):
    """Return `grad` repeated along the axes that were summed."""
    if axis is not None and not keepdims:
        grad = np.expand_dims(grad, axis)
    return np.broadcast_to(grad, x_shape)


def mean_rule(grad, x_shape, axis, keepdims):
    """Return the gradient of the sum, divided by the number of elements that were averaged."""
    axes = range(len(x_shape)) if axis is None else np.atleast_1d(axis)
    count = math.prod(x_shape[i] for i in axes)
    return sum_rule(grad, x_shape, axis, keepdims) / count


def permute_rule(grad, axes):
    """Return `grad` with its axes back in the original order."""
    return np.transpose(grad, None if axes is None else np.argsort(axes))


def getitem_rule(grad, x_shape, index):
    """Return zeros with `grad` at `index`, where elements selected twice add up."""
    out = np.zeros(x_shape, grad.dtype)
    np.add.at(out, index, grad)
    return out


class RuleBook:
    """A plugin that adds the hook, and the rules of the ops of the plain Tensor."""

    @hookimpl
    def tinytorch_add_hookspecs(self, manager):
        manager.add_hookspecs(Hooks)

    @hookimpl(optionalhook=True)
    def tinytorch_register_backward(self, rules):
        rules.add("add", lambda grad: grad, lambda grad: grad)
        rules.add("sub", lambda grad: grad, lambda grad: -grad)
        rules.add("mul", lambda grad, y: grad * y, lambda grad, x: grad * x)
        rules.add("div", lambda grad, y: grad / y, lambda grad, out, y: -grad * out / y)
        rules.add("neg", lambda grad: -grad)
        rules.add("exp", lambda grad, out: grad * out)
        rules.add("log", lambda grad, x: grad / x)
        rules.add("sqrt", lambda grad, out: grad / (2 * out))
        rules.add("tanh", tanh_rule)
        rules.add("matmul", matmul_x_rule, matmul_y_rule)
        rules.add("sum", sum_rule)
        rules.add("mean", mean_rule)
        rules.add("reshape", lambda grad, x_shape: grad.reshape(x_shape))
        rules.add("permute", permute_rule)
        rules.add("swapaxes", lambda grad, axis1, axis2: np.swapaxes(grad, axis1, axis2))
        rules.add("getitem", getitem_rule)

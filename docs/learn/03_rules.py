# %% [markdown]
# # 3. Rules
#
# To train a network, you must know how its error changes if you change each of its numbers a
# little. For each op a *rule* answers the small version of this question. In this chapter you write
# rules; the next one connects them.
#
# | | |
# |---|---|
# | **You learn** | what a backward rule computes; how to test it; rules for matrix products, sums and broadcasting; how to add a hook of your own |
# | **You need** | chapter 2; the chain rule and partial derivatives |
# | **Time** | 45 minutes |

# %%
import os

os.environ["TINYTORCH_PLUGINS"] = "none"

import math

import numpy as np

from tinytorch_core import hookimpl, hookspec, plugins

from tinytorch_learn import check, plug_in

# %% [markdown]
# ## One op
#
# Let y = x³, and let the *loss* be one number that depends on y, for example the error of a
# network. Suppose somebody tells you how the loss changes with y, the derivative ∂loss/∂y. Then the
# chain rule gives you the derivative for x:
#
#     ∂loss/∂x  =  ∂loss/∂y · 3x²
#
# A rule is a function that does this step. It gets `grad`, the gradient of the op's output, and
# whatever else it needs, and returns the gradient of the input:


# %%
def cube_rule(grad, x):
    """Return grad · 3x²."""
    return grad * 3 * x * x


print(cube_rule(1.0, 2.0))  # x³ changes 12 times as fast as x, at x = 2

# %% [markdown]
# ## How to test a rule
#
# Move one element of x up and down by a small step, and see how the loss changes. This is slow,
# because the loss is computed twice for each element, but it needs no rule. Here the loss is
# Σ weights · f(x), because its gradient for f(x) is `weights`.


# %%
def numerical_gradient(loss, x, step=1e-6):
    """Return the gradient of `loss(x)`, a number, for each element of the array x."""
    out = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        move = np.zeros_like(x)
        move[i] = step
        out[i] = (loss(x + move) - loss(x - move)) / (2 * step)
    return out


x, weights = np.array([-1.0, 0.5, 2.0]), np.array([1.0, 10.0, 100.0])
print(numerical_gradient(lambda x: (weights * x**3).sum(), x))
print(cube_rule(weights, x))

# %% [markdown]
# A rule can ask for the output, `out`, instead of the input. For y = eˣ the derivative is y itself:
# `lambda grad, out: grad * out`.
#
# **Exercise 3.1.** The derivative of tanh x is 1 - tanh² x. Write the rule of `tanh`, given its
# output.


# %%
def tanh_rule(grad, out):
    """Return grad · (1 - tanh² x)."""
    raise NotImplementedError


# %%
tanh_rule = check("3.1", tanh_rule)

# %%
print(numerical_gradient(lambda x: (weights * np.tanh(x)).sum(), x))
print(tanh_rule(weights, np.tanh(x)))

# %% [markdown] tags=["solution"]
# <details markdown="1">
# <summary>Solution of exercise 3.1</summary>
#
# ```python
# def tanh_rule(grad, out):
#     """Return grad · (1 - tanh² x)."""
#     return grad * (1 - out * out)
# ```
#
# </details>

# %% [markdown]
# ## Two inputs
#
# An op with two inputs has two functions, one for the gradient of each. For x · y the derivative
# for x is y, and the other way round:
#
#     lambda grad, y: grad * y        # the gradient of x
#     lambda grad, x: grad * x        # the gradient of y
#
# For the matrix product, a trick saves the calculation with indices: the gradient of an input has
# the shape of the input. If x has the shape (2, 3) and y (3, 4), then x @ y and `grad` have (2, 4).
# Which product of `grad` and y has the shape (2, 3)?
#
# **Exercise 3.2.** Write the two functions for `x @ y`. In stacks of matrices, only the last two
# axes are rows and columns, so swap these: `np.swapaxes(y, -1, -2)`.


# %%
def matmul_x_rule(grad, y):
    """Return grad @ yᵀ."""
    raise NotImplementedError


def matmul_y_rule(grad, x):
    """Return xᵀ @ grad."""
    raise NotImplementedError


# %%
matmul_x_rule, matmul_y_rule = check("3.2", (matmul_x_rule, matmul_y_rule))

# %% [markdown] tags=["solution"]
# <details markdown="1">
# <summary>Solution of exercise 3.2</summary>
#
# ```python
# def matmul_x_rule(grad, y):
#     """Return grad @ yᵀ."""
#     return grad @ np.swapaxes(y, -1, -2)
#
#
# def matmul_y_rule(grad, x):
#     """Return xᵀ @ grad."""
#     return np.swapaxes(x, -1, -2) @ grad
# ```
#
# </details>

# %% [markdown]
# ## Broadcasting, backwards
#
# A bias of shape (3,) is added to a batch of shape (2, 3). NumPy repeats the bias for both rows, so
# each of its numbers influences the loss twice. Influences add up: the gradient of the bias is the
# sum over the rows. In general, *where the forward pass repeats, the backward pass sums*.
#
# **Exercise 3.3.** `unbroadcast(grad, shape)` returns `grad` summed to `shape`, the shape that the
# input had. NumPy repeats in two ways, and you undo both: it adds axes at the front, and it repeats
# along axes of length 1.


# %%
def unbroadcast(grad, shape):
    """Return `grad` summed over the axes along which an array of `shape` was repeated."""
    raise NotImplementedError


# %%
unbroadcast = check("3.3", unbroadcast)

# %%
print(unbroadcast(np.ones((2, 3)), (3,)), unbroadcast(np.ones((2, 3)), (2, 1)))

# %% [markdown] tags=["solution"]
# <details markdown="1">
# <summary>Solution of exercise 3.3</summary>
#
# ```python
# def unbroadcast(grad, shape):
#     """Return `grad` summed over the axes along which an array of `shape` was repeated."""
#     added = grad.ndim - len(shape)
#     grad = grad.sum(axis=tuple(range(added)))
#     repeated = tuple(i for i, n in enumerate(shape) if n == 1 and grad.shape[i] > 1)
#     return grad.sum(axis=repeated, keepdims=True)
# ```
#
# </details>

# %% [markdown]
# ## Sums, backwards
#
# And the other way round: where the forward pass sums, the backward pass repeats. Each element
# counts once in its sum, so it gets the gradient of this sum. A rule can ask for the parameters of
# the op, here `axis` and `keepdims`, and for the shape of an input, `x_shape`.
#
# **Exercise 3.4.** Write the rule of `x.sum(axis, keepdims)`. `np.broadcast_to` repeats. Without
# `keepdims` the summed axis is missing in `grad`, and `np.expand_dims(grad, axis)` restores it;
# with `axis=None` everything was summed, and NumPy repeats a single number without further help.


# %%
def sum_rule(grad, x_shape, axis, keepdims):
    """Return `grad` repeated along the axes that were summed."""
    raise NotImplementedError


# %%
sum_rule = check("3.4", sum_rule)

# %% [markdown] tags=["solution"]
# <details markdown="1">
# <summary>Solution of exercise 3.4</summary>
#
# ```python
# def sum_rule(grad, x_shape, axis, keepdims):
#     """Return `grad` repeated along the axes that were summed."""
#     if axis is not None and not keepdims:
#         grad = np.expand_dims(grad, axis)
#     return np.broadcast_to(grad, x_shape)
# ```
#
# </details>

# %% [markdown]
# ## A hook of your own
#
# Rules belong to ops, and ops come from plugins. So each plugin should be able to add the rules of
# its ops, and for this it needs a hook that the core does not have: the core knows nothing about
# gradients. A plugin can add hooks too. `@hookspec` marks the description of a hook.


# %%
class Hooks:
    """The hook that the rule book adds, under the name that tinytorch-autograd uses too."""

    @hookspec
    def tinytorch_register_backward(self, rules):
        """Adds backward rules."""


class Rules(dict):
    """Backward rules: for the name of each op one function for each of its inputs."""

    def add(self, name, *functions):
        """Add the rule of the op `name`."""
        self[name] = functions


# %% [markdown]
# `collect_rules` calls the hook of all active plugins with an empty table, and returns the table.


# %%
def collect_rules(surface):
    """Return the rules that the active plugins add."""
    rules = Rules()
    surface.call_hook("tinytorch_register_backward", lambda plugin: {"rules": rules})
    return rules


# %% [markdown]
# The plugin adds the hook, and then uses it: it adds the rules of the ops of the plain tensor. Most
# are one line. With `optionalhook=True` the plugin also works if no plugin adds this hook, so that
# ops with rules can be used without an engine.


# %%
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


plug_in("my-rules", RuleBook())
print(sorted(collect_rules(plugins.surface())))

# %% [markdown]
# Another plugin adds its op together with its rule, and the table contains both. This is the
# complete plugin for `cube`:


# %%
class Cubes:
    """A plugin with the op `cube` and its rule."""

    @hookimpl
    def tinytorch_register_ops(self, ops):
        ops.add("cube", lambda x: x * x * x, method=True)

    @hookimpl(optionalhook=True)
    def tinytorch_register_backward(self, rules):
        rules.add("cube", cube_rule)


plug_in("cubes", Cubes())
print("cube" in collect_rules(plugins.surface()))
with plugins.disable("cubes"):
    print("cube" in collect_rules(plugins.surface()))

# %% [markdown]
# ## In the package
#
# | file | read |
# |---|---|
# | `plugins/autograd/tinytorch_autograd/rule.py` | `Rules`, which also checks that the functions fit the op |
# | `plugins/autograd/tinytorch_autograd/rules/arithmetic.py` | the rules of the operators, and `matmul` for vectors too |
# | `plugins/autograd/tinytorch_autograd/rules/reductions.py` | sums, means, maxima |
# | `plugins/autograd/tinytorch_autograd/plugin.py` | `tinytorch_add_hookspecs` adds the hook of the same name as yours |
#
# ## Summary
#
# - A rule turns the gradient of an op's output into the gradient of an input.
# - The gradient of an input has the shape of the input. Repeating and summing are each other's
#   rules.
# - A numerical derivative, which needs the forward function only, tests a rule.
# - A plugin can add hooks, so that further plugins can extend it.
#
# Next: [the engine](04_engine.py). Before: [the first op](02_ops.py).

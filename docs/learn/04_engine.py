# %% [markdown]
# # 4. The engine
#
# Each op has a rule. A network is a long chain of ops. The engine records which ops ran, and then
# applies their rules from the last to the first. This is *backpropagation*, and here it takes about
# 80 lines.
#
# | | |
# |---|---|
# | **You learn** | what a graph is; how ops are recorded; the order of the backward pass; why gradients are added |
# | **You need** | chapter 3 |
# | **Time** | 45 minutes |
#
# The rules come from chapter 3. If you saved your own in a file, import them instead.

# %%
import os

os.environ["TINYTORCH_PLUGINS"] = "none"

import inspect

import numpy as np

from tinytorch_core import Tensor, hookimpl

from tinytorch_learn import check, draw_curves, draw_graph, plug_in
from tinytorch_learn.framework.rules import RuleBook, collect_rules, unbroadcast

plug_in("my-rules", RuleBook())

# %% [markdown]
# ## The graph
#
# For each result, the engine must remember three things: which op computed it, from which tensors,
# and the values that the rule will ask for. This is a *node*. The inputs of a node are tensors, and
# each of them may have a node of its own: together they form a graph, from the loss back to the
# numbers at which everything began, the *leaves*.
#
# A rule names what it needs, as in `lambda grad, y: grad * y`. The node reads these names from the
# function with `inspect.signature`, and passes the values. If the input was broadcast, it sums the
# gradient to the shape of the input.


# %%
class Node:
    """One recorded op: its rule, its inputs, and the arrays that the rule may ask for."""

    created = 0

    def __init__(self, name, inputs, functions, values):
        self.name, self.inputs, self.functions, self.values = name, inputs, functions, values
        Node.created += 1
        self.number = Node.created

    def gradients(self, grad):
        """Return the gradient of each input: an array, or None if the input needs none."""
        if self.functions is None:
            raise RuntimeError(f"the op {self.name!r} has no rule; add one, or avoid the op")
        return [
            self.gradient(x, function, grad) if is_tracked(x) and function else None
            for x, function in zip(self.inputs, self.functions, strict=True)
        ]

    def gradient(self, x, function, grad):
        """Return the gradient of the input `x`: call its function with the values it names."""
        values = {**self.values, "grad": grad}
        part = function(**{name: values[name] for name in inspect.signature(function).parameters})
        return unbroadcast(part, x.shape)


def is_tracked(x):
    """Return whether `x` is a tensor whose ops are recorded."""
    return isinstance(x, Tensor) and x.requires_grad


# %% [markdown]
# ## Recording
#
# `record` wraps the call of an op, as your counter did in chapter 2. If one of the inputs is
# tracked, so is the result, and it gets a node.


# %%
def record(op, call, functions):
    """Return `call`, the call of an op, with a node added to each result of a tracked tensor."""
    signature = op.signature

    def recorded(*args, **kwargs):
        out = call(*args, **kwargs)
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        arguments = given.arguments
        inputs = [arguments[name] for name in op.inputs]
        if isinstance(out, Tensor) and any(is_tracked(x) for x in inputs):
            arrays = {k: v.data if isinstance(v, Tensor) else v for k, v in arguments.items()}
            shapes = {f"{name}_shape": np.shape(arrays[name]) for name in op.inputs}
            out.requires_grad = True
            out.node = Node(op.name, inputs, functions, {**arrays, **shapes, "out": out.data})
        return out

    return recorded


def refuse(op, call):
    """Return `call` with an error for tracked tensors, whose gradient would be lost."""

    def refused(*args, **kwargs):
        inputs = [y for x in args for y in (x if isinstance(x, list | tuple) else [x])]
        if any(is_tracked(x) for x in inputs):
            raise RuntimeError(f"the engine cannot record {op.name!r}; use another op")
        return call(*args, **kwargs)

    return refused


# %% [markdown]
# `refuse` is for ops that the engine cannot record, such as `x += 1`, which overwrites a value that
# a rule may need. An error is annoying. A gradient that is silently wrong is worse: the network
# still learns a little, and you search for days.
#
# ## The order
#
# The backward pass must come to a node only after all nodes that used its result, because the node
# needs its complete gradient. Nodes are numbered as they are created, and an op can only use what
# exists. So the order is simple: the largest number first.
#
# **Exercise 4.1.** `ordered(last)` returns a list of the node `last` and of all nodes that it
# depends on, the latest first, each of them once. `node.inputs` are the inputs, some of which are
# plain numbers; for a tracked tensor, `x.node` is its node, or None for a leaf.


# %%
def ordered(last):
    """Return the nodes that `last` depends on and itself, the latest first, each of them once."""
    raise NotImplementedError


# %%
ordered = check("4.1", ordered)

# %% [markdown] tags=["solution"]
# <details markdown="1">
# <summary>Solution of exercise 4.1</summary>
#
# ```python
# def ordered(last):
#     """Return the nodes that `last` depends on and itself, the latest first, each of them once."""
#     found, waiting = {last}, [last]
#     while waiting:
#         for x in waiting.pop().inputs:
#             if is_tracked(x) and x.node is not None and x.node not in found:
#                 found.add(x.node)
#                 waiting.append(x.node)
#     return sorted(found, key=lambda node: node.number, reverse=True)
# ```
#
# </details>

# %% [markdown]
# ## The backward pass
#
# Now the heart of it. `pending` holds the gradients of nodes that are still to come. Take the
# node's gradient out of it, ask the node for the gradients of its inputs, and hand these on: to
# `x.grad` if the input is a leaf, otherwise to the node of the input.
#
# **Exercise 4.2.** Complete `propagate`. A tensor may be used several times. Each use contributes
# to its gradient, and contributions are added.


# %%
def propagate(last, grad):
    """Add to `x.grad` of each leaf x the gradient, given the gradient of the result of `last`."""
    pending = {last: grad}
    for node in ordered(last):
        for x, part in zip(node.inputs, node.gradients(pending.pop(node)), strict=True):
            if part is None:
                continue
            raise NotImplementedError  # add `part` to x.grad, or to pending[x.node]


# %%
propagate = check("4.2", propagate)

# %% [markdown] tags=["solution"]
# <details markdown="1">
# <summary>Solution of exercise 4.2</summary>
#
# ```python
# def propagate(last, grad):
#     """Add to `x.grad` of each leaf x the gradient, given the gradient of the result of `last`."""
#     pending = {last: grad}
#     for node in ordered(last):
#         for x, part in zip(node.inputs, node.gradients(pending.pop(node)), strict=True):
#             if part is None:
#                 continue
#             if x.node is None:
#                 x.grad = part if x.grad is None else x.grad + part
#             else:
#                 pending[x.node] = pending[x.node] + part if x.node in pending else part
# ```
#
# </details>

# %% [markdown]
# ## The plugin
#
# The plugin adds the attributes `node` and `grad`, the method `backward` and the keyword
# `requires_grad`, as in chapter 1, and wraps every op, as in chapter 2. `stage="recording"` places
# the wrapper between those of other plugins. `surface.once(collect_rules)` collects the rules once
# for each surface. `tinytorch_needs` names the plugins without which this one cannot be on.


# %%
def backward(self):
    """Compute the gradient of this tensor, a single number, for each leaf it depends on."""
    if self.size != 1 or self.node is None:
        raise ValueError("backward() starts from one number computed from tracked tensors")
    propagate(self.node, np.ones_like(self.data))


class Engine:
    """A plugin that adds `requires_grad`, `grad` and `backward` to Tensor, and records ops."""

    tinytorch_needs = ("my-rules",)

    @hookimpl
    def tinytorch_extend_tensor(self, tensor):
        tensor.add("node", None)
        tensor.add("grad", None)
        tensor.add("backward", backward)
        tensor.add("requires_grad", False)
        tensor.add_keyword(
            "requires_grad",
            lambda x, value: setattr(x, "requires_grad", value),
            lambda x: x.requires_grad,
            False,
        )

    @hookimpl(stage="recording")
    def tinytorch_wrap_op(self, op, call, surface):
        if op.raw:  # float(x) and the like return a number
            return None
        if op.in_place or op.numpy_call:
            return refuse(op, call)
        return record(op, call, surface.once(collect_rules).get(op.name))


plug_in("my-engine", Engine())

# %% [markdown]
# ## It works
#
# The same `Tensor` class now computes gradients:

# %%
x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
w = Tensor(2.0, requires_grad=True)
loss = ((x * w).tanh() * x).sum()
loss.backward()
print(x.grad, w.grad)

# %% [markdown]
# This is the graph. `x` is used twice, so two arrows leave it, and its gradient is the sum of two
# contributions. `w` was broadcast, and its gradient summed.

# %%
draw_graph(loss, x=x, w=w)

# %% [markdown]
# Check it as in chapter 3, with small steps. In float64 the two agree to many digits.


# %%
def loss_at(values):
    return float(((values * 2.0).tanh() * values).sum())


step = 1e-5
base = np.array([1.0, 2.0, 3.0])
moves = step * np.eye(3)
print(
    [(loss_at(Tensor(base + m)) - loss_at(Tensor(base - m))) / (2 * step) for m in moves],
)

# %% [markdown]
# ## Learning
#
# With gradients a program can learn: compute the loss, ask for the gradient, and move each number a
# little in the direction in which the loss falls. This is *gradient descent*, and the size of the
# step is the *learning rate*.
#
# **Exercise 4.3.** Fit a line to points. Start with `weight` and `bias` 0. The loss is the mean of
# (x · weight + bias - y)². In each step set both gradients to None, call `backward()`, and subtract
# `lr` times the gradient from the *data* of each. (Why the data? Because the update must not be
# recorded.) Return weight and bias.


# %%
def fit_line(x, y, steps, lr):
    """Return the weight and the bias of the line that gradient descent finds for these points."""
    weight, bias = Tensor(0.0, requires_grad=True), Tensor(0.0, requires_grad=True)
    raise NotImplementedError


# %%
fit_line = check("4.3", fit_line)

# %%
random = np.random.default_rng(0)
points = Tensor(random.uniform(-1, 1, 50))
heights = points * 3 - 1 + Tensor(random.normal(0, 0.1, 50))
weight, bias = fit_line(points, heights, steps=100, lr=0.3)
print(f"y = {float(weight.data):.2f} x + {float(bias.data):.2f}")

# %% [markdown] tags=["solution"]
# <details markdown="1">
# <summary>Solution of exercise 4.3</summary>
#
# ```python
# def fit_line(x, y, steps, lr):
#     """Return the weight and the bias of the line that gradient descent finds for these points."""
#     weight, bias = Tensor(0.0, requires_grad=True), Tensor(0.0, requires_grad=True)
#     for _ in range(steps):
#         weight.grad = bias.grad = None
#         error = x * weight + bias - y
#         (error * error).mean().backward()
#         weight.data = weight.data - lr * weight.grad
#         bias.data = bias.data - lr * bias.grad
#     return weight, bias
# ```
#
# </details>

# %% [markdown]
# The loss after each number of steps, for two learning rates:


# %%
def loss_after(steps, lr):
    weight, bias = fit_line(points, heights, steps, lr)
    error = points * weight.data + bias.data - heights
    return float((error * error).mean())


draw_curves({f"lr = {lr}": [loss_after(n, lr) for n in range(25)] for lr in (0.03, 0.3)})

# %% [markdown]
# ## In the package
#
# The engine of tinytorch-autograd does the same. It also computes gradients of gradients: it calls
# the rules with tensors instead of arrays and records what they do. It frees the graph during the
# backward pass, saves only what a rule names, and generates the text of each recorded op, so that
# recording takes less than a microsecond.
#
# | file | read |
# |---|---|
# | `plugins/autograd/tinytorch_autograd/engine.py` | `backward_pass` and `propagate` |
# | `plugins/autograd/tinytorch_autograd/node.py` | `Function`, the node of an op, and `AccumulateGrad`, that of a leaf |
# | `plugins/autograd/tinytorch_autograd/record.py` | `recorded`, your `record` |
# | `plugins/autograd/tinytorch_autograd/gradients.py` | `backward` and `grad` |
#
# ## Summary
#
# - The forward pass records a graph of nodes; the backward pass goes through it from the last node
#   to the first.
# - Gradients of a tensor that is used several times are added.
# - An engine that cannot record something must raise an error.
# - Gradient descent: compute the loss, go backward, move the numbers, and start again.
#
# Next: [activations and losses](05_activations.py). Before: [rules](03_rules.py).

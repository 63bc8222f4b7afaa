"""Chapter 4: a plugin that records ops in a graph, and computes gradients from it."""

import inspect

import numpy as np

from tinytorch_core import Tensor, hookimpl

from tinytorch_learn.framework.rules import collect_rules, unbroadcast


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


def ordered(last):
    """Return the nodes that `last` depends on and itself, the latest first, each of them once."""
    found, waiting = {last}, [last]
    while waiting:
        for x in waiting.pop().inputs:
            if is_tracked(x) and x.node is not None and x.node not in found:
                found.add(x.node)
                waiting.append(x.node)
    return sorted(found, key=lambda node: node.number, reverse=True)


def propagate(last, grad):
    """Add to `x.grad` of each leaf x the gradient, given the gradient of the result of `last`."""
    pending = {last: grad}
    for node in ordered(last):
        for x, part in zip(node.inputs, node.gradients(pending.pop(node)), strict=True):
            if part is None:
                continue
            if x.node is None:
                x.grad = part if x.grad is None else x.grad + part
            else:
                pending[x.node] = pending[x.node] + part if x.node in pending else part


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


def fit_line(x, y, steps, lr):
    """Return the weight and the bias of the line that gradient descent finds for these points."""
    weight, bias = Tensor(0.0, requires_grad=True), Tensor(0.0, requires_grad=True)
    for _ in range(steps):
        weight.grad = bias.grad = None
        error = x * weight + bias - y
        (error * error).mean().backward()
        weight.data = weight.data - lr * weight.grad
        bias.data = bias.data - lr * bias.grad
    return weight, bias

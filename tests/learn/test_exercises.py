"""The checks accept the solutions, and explain what is wrong with plausible wrong answers."""

from __future__ import annotations

import numpy as np
import pytest

from tinytorch_core import Tensor, hookimpl, plugins

from tinytorch_learn import check, exercises
from tinytorch_learn.framework import layers, ops, package, tensor, text
from tinytorch_learn.framework.activations import softmax
from tinytorch_learn.framework.engine import Node, ordered, propagate
from tinytorch_learn.framework.optimizers import SGD, Adam

NUMBERS = list(exercises())


def undone(*args, **kwargs):
    raise NotImplementedError


class UnscaledLinear(layers.Linear):
    def __init__(self, inputs, outputs, generator):
        self.weight = layers.parameter(generator.normal(size=(inputs, outputs)))
        self.bias = layers.parameter(np.zeros(outputs))


class NormOfEverything(layers.LayerNorm):
    def forward(self, x):
        x = x - x.mean()
        return x / ((x * x).mean() + 1e-5).sqrt() * self.weight + self.bias


class BoxOfBoxes(tensor.Box):
    def __add__(self, other):
        return type(self)(self.data + other.data)


class InPlaceBox(tensor.Box):
    def __add__(self, other):
        self.data += getattr(other, "data", other)
        return self

    __mul__ = tensor.Box.__mul__


class NoDeviation:
    @hookimpl
    def tinytorch_extend_tensor(self, tensor):
        tensor.add("standardize", lambda x: x - x.mean())


class Unmarked:
    @hookimpl
    def tinytorch_activate(self):
        pass

    def tinytorch_extend_tensor(self, tensor):
        tensor.add("standardize", lambda x: (x - x.mean()) / x.std())


class BritishStandard:
    @hookimpl
    def tinytorch_extend_tensor(self, tensor):
        tensor.add("standardise", lambda x: (x - x.mean()) / x.std())


class AddsNothing:
    @hookimpl
    def tinytorch_extend_tensor(self, tensor):
        tensor.standardize = lambda x: (x - x.mean()) / x.std()


class OnlyTheAttribute:
    @hookimpl
    def tinytorch_extend_tensor(self, tensor):
        tensor.add("label", None)


class OnlyTheKeyword:
    @hookimpl
    def tinytorch_extend_tensor(self, tensor):
        tensor.add_keyword("label", lambda x, value: None, lambda x: None, None)


class AlwaysLabels(tensor.Labels):
    @hookimpl
    def tinytorch_extend_tensor(self, tensor):
        tensor.add("label", None)
        set_label = lambda x, value: setattr(x, "label", value)  # noqa: E731
        tensor.add_keyword("label", set_label, lambda x: x.label, None)
        tensor.add_repr(lambda x: f"label={x.label!r}")


class SwappedBlending:
    @hookimpl
    def tinytorch_register_ops(self, ops):
        forward = lambda x, y, share=0.5: share * x + (1 - share) * y  # noqa: E731
        ops.add("blend", forward, method=True)


def blending(name, **options):
    class Blending:
        @hookimpl
        def tinytorch_register_ops(self, ops):
            ops.add(name, lambda x, y, share=0.5: x + share * (y - x), **options)

    return Blending


class CountsHookCalls(ops.Counter):
    @hookimpl
    def tinytorch_wrap_op(self, op, call):
        self.counts[op.name] = self.counts.get(op.name, 0) + 1


class DropsResults(ops.Counter):
    @hookimpl
    def tinytorch_wrap_op(self, op, call):
        def counted(*args, **kwargs):
            self.counts[op.name] = self.counts.get(op.name, 0) + 1
            call(*args, **kwargs)

        return counted


class DropsKeywords(ops.Counter):
    @hookimpl
    def tinytorch_wrap_op(self, op, call):
        def counted(*args):
            self.counts[op.name] = self.counts.get(op.name, 0) + 1
            return call(*args)

        return counted


def recursive_order(last):
    order = []

    def visit(node):
        if node not in order:
            order.append(node)
            for x in node.inputs:
                if x.node is not None:
                    visit(x.node)

    visit(last)
    return sorted(order, key=lambda node: -node.number)


def repeating_order(last):
    found, waiting = [last], [last]
    while waiting:
        for x in waiting.pop().inputs:
            if x.node is not None and len(found) < 100:
                found.append(x.node)
                waiting.append(x.node)
    return sorted(found, key=lambda node: -node.number)


def overwriting(last, grad):
    pending = {last: grad}
    for node in ordered(last):
        for x, part in zip(node.inputs, node.gradients(pending.pop(node)), strict=True):
            if x.node is None:
                x.grad = part
            else:
                pending[x.node] = part


def forgetful_line(x, y, steps, lr):
    weight, bias = Tensor(0.0, requires_grad=True), Tensor(0.0, requires_grad=True)
    for _ in range(steps):
        error = x * weight + bias - y
        (error * error).mean().backward()
        weight.data = weight.data - lr * weight.grad
        bias.data = bias.data - lr * bias.grad
    return weight, bias


def overwriting_rows(grad, table_shape, numbers):
    out = np.zeros(table_shape)
    out[numbers] += grad
    return out


class Uphill(SGD):
    def step(self):
        for p in self.parameters:
            p.data = p.data + self.lr * p.grad


class UncorrectedAdam(Adam):
    def step(self):
        b1, b2 = self.betas
        for i, p in enumerate(self.parameters):
            self.m[i] = b1 * self.m[i] + (1 - b1) * p.grad
            self.v[i] = b2 * self.v[i] + (1 - b2) * p.grad * p.grad
            p.data = p.data - self.lr * self.m[i] / (np.sqrt(self.v[i]) + self.eps)


def unmasked(q, k, v):
    return softmax(q @ k.swapaxes(-1, -2) / q.shape[-1] ** 0.5) @ v


def unscaled(q, k, v):
    length = q.shape[-2]
    later = np.triu(np.full((length, length), -1e9, np.float32), k=1)
    return softmax(q @ k.swapaxes(-1, -2) + later) @ v


def greedy(logits, temperature, generator):
    return int(np.argmax(logits))


def no_temperature(logits, temperature, generator):
    return text.sample(logits, 1.0, generator)


def leading_only(grad, shape):
    return grad.sum(axis=tuple(range(grad.ndim - len(shape))))


def without_keepdims(grad, shape):
    grad = leading_only(grad, shape)
    return grad.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1))


# The number of an exercise, a wrong answer, and a part of what the check says.
WRONG = [
    ("1.1", BoxOfBoxes, "AttributeError: 'int' object has no attribute 'data'"),
    ("1.1", InPlaceBox, "found:    [1"),
    ("1.1", tensor.Box([1.0]), "Pass the class itself, by its name without parentheses"),
    ("1.2", NoDeviation, "divide the difference by x.std()"),
    ("1.2", Unmarked, "Mark it: from tinytorch_core import hookimpl"),
    ("1.2", BritishStandard, "adds 'standardise'. Give it the name 'standardize'"),
    ("1.2", AddsNothing, "must call the method add of its argument"),
    ("1.3", tensor.Standard, "must add 'label' to Tensor"),
    ("1.3", OnlyTheAttribute, "no keyword 'label'. Known: data, dtype.\n  when the check ran: x"),
    ("1.3", OnlyTheKeyword, "tensor.add('label', None) adds the attribute"),
    ("1.3", AlwaysLabels, "no label in the repr"),
    ("2.1", lambda x: np.log(1 + np.exp(x)), "np.logaddexp"),
    ("2.1", lambda x: np.maximum(x, 0), "log(1 + eˣ)"),
    ("2.1", lambda x: np.logaddexp(np.float64(0), x), "float64"),
    ("2.1", np.zeros(3), "expects the function softplus, but found an object of the class ndarray"),
    ("2.2", blending("blend"), "with method=True, ops.add makes it a method too"),
    ("2.2", blending("mix"), "has an op 'mix'. Give it the name 'blend'"),
    ("2.2", blending("mix", method=True), "adds 'mix'. Give it the name 'blend'"),
    ("2.2", SwappedBlending, "The result is (1 - share) · x + share · y"),
    ("2.3", CountsHookCalls, " ...\nCount under op.name, in the function that you return"),
    ("2.3", DropsResults, "must return call"),
    ("2.3", DropsKeywords, "'axis'\n  when the check ran: x.sum(axis=0)"),
    ("3.1", lambda grad, out: 1 - out * out, "multiply the derivative by grad"),
    ("3.1", lambda grad, out: None, "return its result"),
    ("3.2", (lambda grad, y: grad * y, lambda grad, x: x.T @ grad), "ValueError"),
    ("3.2", (lambda grad, y: grad @ y.T, lambda grad, x: x.T @ grad), "ValueError"),
    ("3.3", leading_only, "axes of length 1"),
    ("3.3", without_keepdims, "keepdims=True"),
    ("3.4", lambda grad, x_shape, axis, keepdims: np.broadcast_to(grad, x_shape), "ValueError"),
    ("3.4", lambda grad, x_shape, axis, keepdims: np.ones(x_shape), "gets the gradient of its sum"),
    ("4.1", recursive_order, "instead of recursion"),
    ("4.1", repeating_order, "remember what you have found"),
    ("4.1", lambda last: [last], "follow x.node"),
    ("4.2", overwriting, "Add to x.grad if it is not None"),
    ("4.3", forgetful_line, "Set both gradients to None"),
    ("5.1", lambda grad, out: grad, "the derivative is 0"),
    ("5.1", lambda grad, out: out > 0, "relu_rule(grad, out)"),
    ("5.2", lambda x: np.exp(x) / np.sum(np.exp(x)), "divided by its own sum"),
    (
        "5.2",
        lambda x: np.exp(x) / np.sum(np.exp(x), axis=-1, keepdims=True),
        "Subtract the largest element",
    ),
    ("5.3", lambda grad, out: grad * out * (1 - out), "p (g - Σ g p)"),
    (
        "5.4",
        lambda grad, x, targets: grad * (softmax(x) - np.eye(2)[targets]),
        "N the number of rows",
    ),
    ("6.1", overwriting_rows, "np.add.at"),
    ("6.2", UnscaledLinear, "about 1 / √400"),
    ("6.3", NormOfEverything, "belong to each row"),
    ("6.4", unmasked, "Position 0 sees only itself"),
    ("6.4", unscaled, "root of the width"),
    ("7.1", Uphill, "Subtract lr"),
    ("7.2", UncorrectedAdam, "each number moves by lr"),
    ("7.3", greedy, "Draw symbol i with the probability"),
    ("7.3", no_temperature, "Divide the logits by the temperature"),
    ("8.1", "[project", "not valid TOML"),
    (
        "8.1",
        package.PYPROJECT.replace('hardswish = "tinytorch_hardswish"', 'swish = "hardswish"'),
        "the plugin's name",
    ),
    ("8.2", lambda grad, x: grad * (2 * x + 3) / 6, "1 above"),
]


@pytest.mark.parametrize("number", NUMBERS)
def test_the_solution_passes(number, capsys):
    solution = exercises()[number].solution
    assert check(number, solution) is solution
    assert capsys.readouterr().out == f"Exercise {number}: passed\n"


@pytest.mark.parametrize(
    ("number", "answer", "hint"), WRONG, ids=[f"{n}-{i}" for i, (n, *_) in enumerate(WRONG)]
)
def test_a_wrong_answer_is_explained(number, answer, hint, capsys):
    assert check(number, answer) is exercises()[number].solution
    printed = capsys.readouterr().out
    assert printed.startswith(f"Exercise {number}: not right yet\n")
    assert hint in printed
    assert printed.endswith("The chapter continues with the solution.\n")


def test_every_exercise_has_a_wrong_answer_here():
    assert {number for number, *_ in WRONG} == set(NUMBERS)


def test_an_answer_that_raises_is_reported_with_its_line(capsys):
    def rule(grad, out):
        return grad * missing  # noqa: F821

    check("5.1", rule)
    printed = capsys.readouterr().out
    assert "Your code raised NameError: name 'missing' is not defined" in printed
    assert "in rule, line" in printed


def test_the_number_of_an_exercise_may_be_a_number(capsys):
    assert check(5.1, exercises()["5.1"].solution) is exercises()["5.1"].solution
    assert capsys.readouterr().out == "Exercise 5.1: passed\n"


def test_what_an_answer_prints_is_not_repeated_for_each_value(capsys):
    def rule(grad, out):
        print("debugging")
        return grad * (out > 0)

    check("5.1", rule)
    assert capsys.readouterr().out == "Exercise 5.1: passed\n"


def test_an_unknown_number_is_an_error_that_lists_the_numbers():
    with pytest.raises(ValueError, match=r"no exercise has the number 9.9; they are 1.1, 1.2"):
        check("9.9", undone)


def test_the_engine_of_chapter_4_does_not_go_through_shared_nodes_twice():
    calls = []

    def doubled(grad):
        calls.append(1)
        return grad

    with plugins.disabled():
        x = leaf = Tensor(1.0)
        vars(x).update(node=None, requires_grad=True, grad=None)
        for _ in range(40):
            y = Tensor(1.0)
            vars(y).update(node=Node("twice", [x, x], (doubled, doubled), {}), requires_grad=True)
            last, x = y.node, y
        propagate(last, np.array(1.0))
    assert len(calls) == 80
    assert vars(leaf)["grad"] == 2.0**40

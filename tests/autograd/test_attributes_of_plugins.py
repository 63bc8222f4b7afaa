"""Attributes that plugins keep are kept through gradients."""

from types import SimpleNamespace

import pytest

from tinytorch_core import Tensor, hookimpl, plugins

from tinytorch_autograd import (
    GradientTape,
    checkpoint,
    custom_gradient,
    grad,
    stop_gradient,
)

from .checks import tracked


@pytest.fixture
def with_unit():
    """Return a function that gives a tensor a unit, which a plugin keeps in all forms."""
    extension = SimpleNamespace(
        tinytorch_extend_tensor=hookimpl(
            lambda tensor: tensor.add("unit", None, keep_in=["copy", "like"])
        )
    )

    def add(x):
        x.unit = "m"
        return x

    plugins.register(extension, name="units")
    yield add
    plugins.unregister("units")


def gradient_of_a_tape(x):
    with GradientTape() as tape:
        tape.watch(x)
        y = (x * x).sum()
    return tape.gradient(y, x)


def seen(x):
    """Return x * x; x must have a unit."""
    assert x.unit == "m"
    return x * x


def second_order(f, x):
    return grad(grad(f(x).sum(), x, create_graph=True).sum(), x)


MADE_WITHOUT_AN_OP = {
    "Tensor": Tensor,
    "detach": lambda x: x.detach(),
    "stop_gradient": stop_gradient,
    "custom_gradient": custom_gradient(lambda x: (x, lambda grad: grad)),
    "checkpoint": checkpoint(lambda x: x),
    "second order of checkpoint": lambda x: second_order(checkpoint(seen), x),
    "second order of custom_gradient": lambda x: second_order(
        custom_gradient(lambda x: (seen(x), lambda grad: 2 * grad * x)), x
    ),
    "grad": lambda x: grad((x * x).sum(), x),
    "create_graph": lambda x: grad((x * x).sum(), x, create_graph=True),
    "of a linear function": lambda x: grad(x.sum(), x, create_graph=True),
    "tape": gradient_of_a_tape,
}


@pytest.mark.parametrize("made", MADE_WITHOUT_AN_OP.values(), ids=MADE_WITHOUT_AN_OP)
def test_attributes_of_plugins_are_kept_where_no_op_runs(with_unit, made):
    x = with_unit(tracked([1.0, 2.0]))
    assert made(x).unit == "m"


def test_attributes_of_the_first_gradient_stay_out_of_the_backward_pass(with_unit):
    x = tracked([1.0, 2.0])
    seen = []

    @custom_gradient
    def watched(x):
        return x * 1, lambda grad: seen.append(grad.unit) or grad

    direction = with_unit(tracked([1.0, 1.0]))
    found = grad(watched(x), x, direction, create_graph=True)
    assert (seen, found.unit) == ([None], None)
    assert grad(found.sum(), direction).tolist() == [1.0, 1.0]

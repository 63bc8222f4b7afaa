"""Gradients that one compiled function computes are used by another one."""

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_activations import ReLU
from tinytorch_compile import compile
from tinytorch_layers import Linear, Sequential
from tinytorch_losses import mse_loss
from tinytorch_training import SGD


def trained_with_two_functions(change, between):
    """Return the losses and weights if one function computes gradients and another one uses them.

    Args:
        change: `compile`, or a function that returns its argument.
        between: what happens to the parameters between both.
    """
    model = Sequential(Linear(3, 4, generator=0), ReLU(), Linear(4, 3, generator=1))
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.5)

    def backward(inputs, targets):
        optimizer.zero_grad()
        loss = mse_loss(model(inputs), targets)
        loss.backward()
        return loss

    functions = change(backward), change(lambda: optimizer.step())
    rng = np.random.default_rng(0)
    losses = []
    for number in range(8):
        losses.append(functions[0](*(Tensor(rng.standard_normal((5, 3))) for _ in range(2))).item())
        between(number, list(model.parameters()))
        functions[1]()
    return functions, losses, [p.data.tobytes() for p in model.parameters()]


def nothing(number, parameters):
    pass


def new_gradients(number, parameters):
    for p in parameters:
        p.grad = p.grad * 0.5


def changed_elements(number, parameters):
    parameters[0].grad[...] *= number


def another_layout(number, parameters):
    if number % 3 == 2:
        parameters[0].grad = np.asfortranarray(parameters[0].grad)


def gradients_that_are_parameters(number, parameters):
    if number > 5:
        parameters[0].grad = parameters[0].data[::-1]
        parameters[3].grad = parameters[3].data


def one_gradient_for_two_parameters(number, parameters):
    if number > 5:
        parameters[3].grad = parameters[1].grad[:3]


def kept_gradients(number, parameters, kept=[]):  # noqa: B006
    kept.append((parameters[0].grad, parameters[0].grad.copy()))
    assert all((held == then).all() for held, then in kept)


BETWEEN = [
    *(nothing, new_gradients, changed_elements, another_layout, gradients_that_are_parameters),
    *(one_gradient_for_two_parameters, kept_gradients),
]


@pytest.mark.filterwarnings("ignore::tinytorch_compile.RecaptureWarning")
@pytest.mark.parametrize("between", BETWEEN)
def test_gradients_may_be_computed_by_another_function(between):
    (_, update), *found = trained_with_two_functions(compile, between)
    _, *expected = trained_with_two_functions(lambda step: step, between)

    assert found == expected
    assert (update.reason is None) == (between is not gradients_that_are_parameters)
    if between in (nothing, new_gradients, changed_elements):
        assert "1 program" in repr(update)


@pytest.mark.parametrize("first", [0, 3, 5])
def test_gradients_that_are_added_to_do_not_change_where_the_user_keeps_them(first):
    def kept(change):
        weight = Tensor(np.ones(3), requires_grad=True)
        step = change(lambda x: (weight * x).sum().backward())
        found = []
        for number in range(8):
            step(np.full(3, float(number)))
            if number >= first:
                found.append(weight.grad)
        return np.array(found)

    assert (kept(compile) == kept(lambda step: step)).all()

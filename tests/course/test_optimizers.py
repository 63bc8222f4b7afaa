"""Optimizers update from gradients that programs compute or set."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from .checks import close

pytestmark = pytest.mark.usefixtures("course")


def test_optimizers_take_their_first_step() -> None:
    import tinytorch
    from tinytorch import Tensor

    for name, options, expected in [
        ("SGD", {"lr": 0.1}, 1 - 0.1 * 0.5),
        ("SGD", {"lr": 0.1, "weight_decay": 0.1}, 1 - 0.1 * (0.5 + 0.1)),
        ("Adam", {"lr": 0.1}, 1 - 0.1),
        ("AdamW", {"lr": 0.1, "weight_decay": 0.1}, 1 - 0.1 * 0.1 - 0.1),
        ("SGD", {}, 1 - 0.01 * 0.5),
    ]:
        w = Tensor([1.0], requires_grad=True)
        w.grad = np.array([0.5])  # float64, as programs set it
        optimizer = getattr(tinytorch, name)([w], **options)
        optimizer.step()
        close(w, [expected])
        assert optimizer.step_count == 1
        optimizer.zero_grad()
        assert w.grad is None
        optimizer.step()
        close(w, [expected])


def test_the_learning_rate_can_be_changed() -> None:
    from tinytorch import SGD, Tensor

    w = Tensor([1.0], requires_grad=True)
    optimizer = SGD([w], lr=0.1)
    optimizer.lr = 1
    w.grad = np.ones(1)
    optimizer.step()
    close(w, [0])
    assert optimizer.lr == 1.0


def test_the_momentum_can_be_saved() -> None:
    from tinytorch import SGD, Tensor

    def run(restored: bool) -> Any:
        w = Tensor([1.0], requires_grad=True)
        optimizer = SGD([w], lr=0.1, momentum=0.9)
        for step in range(4):
            if restored and step == 2:
                state = optimizer.get_momentum_state()
                optimizer = SGD([w], lr=0.1, momentum=0.9)
                optimizer.set_momentum_state(state)
            w.grad = np.ones(1)
            optimizer.step()
        return w.data

    close(run(restored=True), run(restored=False))
    w = Tensor([1.0], requires_grad=True)
    assert not SGD([w]).has_momentum()
    assert SGD([w]).get_momentum_state() is None
    optimizer = SGD([w], momentum=0.9)
    assert optimizer.has_momentum()
    assert optimizer.get_momentum_state() == [None]
    optimizer.set_momentum_state(None)
    optimizer.set_momentum_state([None])
    for wrong in ([np.ones(2)], []):
        with pytest.raises(ValueError, match="pass one array for each parameter"):
            optimizer.set_momentum_state(wrong)


def test_an_optimizer_explains_which_parameters_it_expects() -> None:
    from tinytorch import SGD, AdamW, Linear

    for optimizer in (SGD, AdamW):
        for wrong in (Linear(2, 1), Linear(2, 1).weight):
            with pytest.raises(TypeError, match=r"such as model.parameters\(\) or \[w, b\], not"):
                optimizer(wrong)


def test_an_optimizer_of_a_program() -> None:
    from tinytorch import Optimizer, Tensor

    w = Tensor([1.0], requires_grad=True)
    with pytest.raises(NotImplementedError, match="Optimizer must define step"):
        Optimizer([w]).step()

"""LBFGS: closures, states and errors. test_against_pytorch.py compares the steps with PyTorch."""

from __future__ import annotations

import copy
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tinytorch_core import Tensor, hookimpl, plugins

from tinytorch_autograd import ModifiedError, is_grad_enabled, no_grad
from tinytorch_training import LBFGS, load_checkpoint, save_checkpoint

from . import reference


def parameters(dtype: Any = np.float64) -> list[Tensor]:
    return [Tensor(p.astype(dtype), requires_grad=True) for p in reference.start()[:2]]


def closure_of(optimizer: LBFGS, loss: Any = reference.rosenbrock) -> Any:
    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(*optimizer.parameters())
        value.backward()
        return value

    return closure


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_state_restores_another_optimizer(search: str | None, tmp_path: Any) -> None:
    options = {"lr": 0.01, "max_iter": 3, "history_size": 4, "line_search_fn": search}
    first = LBFGS(parameters(), **options)
    for _ in range(3):
        first.step(closure_of(first))
    save_checkpoint(tmp_path / "state", first.state_dict())
    second = LBFGS(parameters(), **options)
    for p, other in zip(first.parameters(), second.parameters(), strict=True):
        other.data = p.data.copy()
    second.load_state_dict(load_checkpoint(tmp_path / "state"))
    for _ in range(2):
        assert first.step(closure_of(first)).item() == second.step(closure_of(second)).item()
    for p, other in zip(first.parameters(), second.parameters(), strict=True):
        np.testing.assert_array_equal(p.data, other.data)


def test_state_dict_is_a_copy() -> None:
    optimizer = LBFGS(parameters(), lr=0.01)
    optimizer.step(closure_of(optimizer))
    state = optimizer.state_dict()
    before = copy.deepcopy(state)
    optimizer.step(closure_of(optimizer))
    np.testing.assert_equal(state, before)


def test_states_for_other_parameters_change_nothing() -> None:
    optimizer = LBFGS(parameters(), lr=0.01)
    optimizer.step(closure_of(optimizer))
    state = optimizer.state_dict()
    state["state"][0]["old_dirs"][1] = np.zeros(3)
    before = optimizer.state_dict()
    with pytest.raises(ValueError, match=r"'old_dirs' has shape \(3,\) .* have 10 elements"):
        optimizer.load_state_dict(state)
    np.testing.assert_equal(optimizer.state_dict(), before)


def test_steps_are_made_in_place_by_an_op_in_float32() -> None:
    seen = []

    @hookimpl
    def tinytorch_wrap_op(op, call):
        def listed(*args):
            seen.append(args[0].shape)
            return call(*args)

        return listed if op.name.endswith("_update") else None

    tensors = parameters(np.float32)
    arrays = [p.data for p in tensors]
    optimizer = LBFGS(tensors, line_search_fn="strong_wolfe", max_iter=4)
    plugins.register(SimpleNamespace(tinytorch_wrap_op=tinytorch_wrap_op), name="listing")
    try:
        losses = [optimizer.step(closure_of(optimizer)).item() for _ in range(4)]
    finally:
        plugins.unregister("listing")
    assert set(seen) == {(3, 2), (4,)}
    assert all(p.data is a and a.dtype == np.float32 for p, a in zip(tensors, arrays, strict=True))
    assert losses == sorted(losses, reverse=True)
    state = optimizer.state[tensors[0]]
    assert {state[key].dtype for key in ("d", "prev_flat_grad")} == {np.dtype(np.float32)}


def test_closure_records_even_inside_no_grad() -> None:
    optimizer = LBFGS(parameters(), lr=0.01)
    seen = []

    def closure() -> Tensor:
        seen.append(is_grad_enabled())
        return closure_of(optimizer)()

    with no_grad():
        optimizer.step(closure)
        assert not is_grad_enabled()
    assert set(seen) == {True}


def test_error_of_the_closure_leaves_the_parameters_unchanged() -> None:
    optimizer = LBFGS(parameters(), line_search_fn="strong_wolfe")
    before = [p.data.copy() for p in optimizer.parameters()]
    calls = []

    def closure() -> Tensor:
        calls.append(None)
        if len(calls) == 2:
            raise KeyError("interrupted")
        return closure_of(optimizer)()

    with pytest.raises(KeyError, match="interrupted"):
        optimizer.step(closure)
    for p, array in zip(optimizer.parameters(), before, strict=True):
        np.testing.assert_array_equal(p.data, array)


def test_losses_that_are_not_finite_end_the_search() -> None:
    w = Tensor(np.array([4.0, -2.0]), requires_grad=True)
    optimizer = LBFGS([w], lr=50.0, line_search_fn="strong_wolfe", max_iter=10)
    with np.errstate(all="ignore"):
        for _ in range(6):
            optimizer.step(closure_of(optimizer, lambda w: (w * w * np.exp(w * w)).sum()))
    np.testing.assert_allclose(w.data, 0, atol=0.05)


def test_parameters_without_gradient_do_not_move() -> None:
    used, unused = (Tensor([2.0], requires_grad=True) for _ in range(2))
    optimizer = LBFGS([used, unused])
    optimizer.step(closure_of(optimizer, lambda used, unused: (used * used).sum()))
    assert unused.tolist() == [2.0]
    assert abs(used.item()) < 1e-3


def test_no_iteration_at_a_minimum() -> None:
    w = Tensor([0.0], requires_grad=True)
    optimizer = LBFGS([w])
    assert optimizer.step(closure_of(optimizer, lambda w: (w * w).sum())).item() == 0
    assert optimizer.state[w] == {"n_iter": 0, "func_evals": 1}


def test_writes_into_parameters_are_noted() -> None:
    w = Tensor([2.0], requires_grad=True)
    optimizer = LBFGS([w], line_search_fn="strong_wolfe")
    loss = (w * w).sum()
    optimizer.step(closure_of(optimizer, lambda w: (w * w).sum()))
    with pytest.raises(ModifiedError):
        loss.backward()


W = Tensor([1.0, 2.0], requires_grad=True)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: LBFGS([W]).step(), TypeError, r"step\(\) needs a function .* step\(closure\)"),
        (lambda: LBFGS([W]).step(3.0), TypeError, "returns the loss, not 3.0"),
        (
            lambda: LBFGS([{"params": [W]}, {"params": [Tensor([1.0])]}]),
            ValueError,
            "only one group of parameters",
        ),
        (lambda: LBFGS(3), TypeError, "LBFGS expects an iterable of tensors"),
        (lambda: LBFGS([W], lr=-1), ValueError, "lr of LBFGS"),
        (lambda: LBFGS([W], max_iter=0), ValueError, "max_iter of LBFGS"),
        (lambda: LBFGS([W], max_eval=0.5), TypeError, "max_eval of LBFGS"),
        (lambda: LBFGS([W], tolerance_grad=math.nan), ValueError, "tolerance_grad of LBFGS"),
        (lambda: LBFGS([W], tolerance_change=-1), ValueError, "tolerance_change of LBFGS"),
        (lambda: LBFGS([W], history_size=0), ValueError, "history_size of LBFGS"),
        (lambda: LBFGS([W], line_search_fn="wolfe"), ValueError, "'strong_wolfe' or None"),
    ],
)
def test_wrong_input_raises(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()

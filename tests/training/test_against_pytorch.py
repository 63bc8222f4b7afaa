"""Optimizers, schedules and clipping agree with PyTorch to 1e-10 in float64.

They are compared with stored results in reference.json, and with PyTorch if it is installed.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tinytorch_core import Tensor

import tinytorch_training as training
from tinytorch_training.line_search import Point, strong_wolfe

from . import reference

STORED = json.loads(reference.FILE.read_text("utf-8"))


@pytest.fixture(scope="module", params=["stored", pytest.param("live", marks=pytest.mark.peers)])
def expected(request: pytest.FixtureRequest) -> dict[str, Any]:
    if request.param == "stored":
        return STORED
    return reference.with_pytorch(request.getfixturevalue("torch"))


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


def parameters() -> list[Tensor]:
    return [Tensor(p, requires_grad=True) for p in reference.start()]


@pytest.mark.parametrize("case", reference.OPTIMIZERS)
def test_ten_steps_equal_those_of_pytorch(case: str, expected: dict[str, Any]) -> None:
    path = optimized(*reference.OPTIMIZERS[case], steps=reference.STEPS)
    close([path[i] for i in reference.COMPARED], expected["optimizers"][case])


@pytest.mark.parametrize("case", reference.LATER_OPTIMIZERS)
def test_twenty_steps_equal_those_of_pytorch(case: str, expected: dict[str, Any]) -> None:
    path = optimized(*reference.LATER_OPTIMIZERS[case], steps=reference.LATER_STEPS)
    close([path[i] for i in reference.LATER_COMPARED], expected["later optimizers"][case])


def optimized(name: str, options: dict[str, Any], steps: int) -> list[list[float]]:
    """Return the elements of the parameters after each step."""
    tensors = [Tensor(p, requires_grad=True) for p in reference.start(name)]
    optimizer = getattr(training, name)(tensors, **options)
    path = []
    for step in range(steps):
        gradients = reference.gradients([p.data for p in tensors], step)
        for p, g in zip(tensors, gradients, strict=True):
            p.grad = g
        optimizer.step()
        for p, g in zip(tensors, gradients, strict=True):
            assert g is None or p.grad is g
        path.append(reference.elements([p.data for p in tensors]))
    return path


@pytest.mark.parametrize("case", reference.CLOSURES)
def test_lbfgs_equals_that_of_pytorch(case: str, expected: dict[str, Any]) -> None:
    name, options = reference.CLOSURES[case]
    x, y = parameters()[:2]
    optimizer = training.LBFGS([x, y], **options)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = getattr(reference, name)(x, y)
        loss.backward()
        return loss

    found = []
    for _ in range(reference.CALLS):
        loss = optimizer.step(closure).item()
        counts = [optimizer.state[x][key] for key in ("func_evals", "n_iter")]
        found.append([loss, *reference.elements([x.data, y.data]), *counts])
    close(found, expected["minimized"][case])


@pytest.mark.parametrize("most", [3, 25])
@pytest.mark.parametrize("name", reference.LINES)
def test_line_searches_equal_those_of_pytorch(
    name: str, most: int, expected: dict[str, Any]
) -> None:
    def evaluate(t: float) -> Point:
        gradient = reference.slope(name, t)
        return Point(t, reference.LINES[name][0](t), np.array([gradient]), gradient)

    found = []
    for t in reference.FIRST_STEPS:
        end, count = strong_wolfe(evaluate, evaluate(0.0), t, 1.0, 1e-9, most)
        found.append([end.t, end.loss, count])
    close(found, expected["searches"][f"{name}, {most}"])


def rates(make: Any) -> list[list[float]]:
    first, second = (Tensor([0.0], requires_grad=True) for _ in range(2))
    groups = [{"params": [first]}, {"params": [second], "lr": 2}]
    optimizer = training.SGD(groups, lr=0.1)
    schedule = make(optimizer)
    found = []
    for _ in range(reference.SCHEDULE_STEPS):
        found.append([group["lr"] for group in optimizer.param_groups])
        assert schedule.get_last_lr() == found[-1]
        schedule.step()
    return found


@pytest.mark.parametrize("case", reference.SCHEDULES)
def test_schedules_equal_those_of_pytorch(case: str, expected: dict[str, Any]) -> None:
    name, options = reference.SCHEDULES[case]
    found = rates(lambda optimizer: getattr(training, name)(optimizer, **options))
    close(found, expected["schedules"][case])


@pytest.mark.parametrize("case", reference.LONG_SCHEDULES)
def test_sixty_steps_of_schedules_equal_those_of_pytorch(
    case: str, expected: dict[str, Any]
) -> None:
    name, options, (kind, defaults) = reference.LONG_SCHEDULES[case]
    first, second = (Tensor([0.0], requires_grad=True) for _ in range(2))
    groups = [{"params": [first]}, {"params": [second], "lr": 2}]
    optimizer = getattr(training, kind)(groups, lr=0.1, **defaults)
    schedule = getattr(training, name)(optimizer, **options)
    found = []
    for t in range(len(expected["long schedules"][case])):
        found.append([x for g in optimizer.param_groups for x in reference.options_of(g)])
        assert schedule.get_last_lr() == found[-1][::2]
        schedule.step(*([reference.metric(t)] if schedule.takes_metric else []))
    close(found, expected["long schedules"][case])


def test_schedules_in_sequence_equal_those_of_pytorch(expected: dict[str, Any]) -> None:
    def make(optimizer: Any) -> Any:
        parts = [getattr(training, name)(optimizer, **o) for name, o in reference.SEQUENCE]
        return training.SequentialLR(optimizer, parts, reference.MILESTONES)

    close(rates(make), expected["schedules"]["sequence"])


@pytest.mark.parametrize("case", reference.CLIPS)
def test_clipped_gradients_equal_those_of_pytorch(case: str, expected: dict[str, Any]) -> None:
    kind, options = reference.CLIPS[case]
    tensors = parameters()
    for p, g in zip(tensors, reference.clipped_gradients(), strict=True):
        p.grad = g
    # model.parameters() is a generator, too.
    norm = getattr(training, f"clip_grad_{kind}")((p for p in tensors), **options)
    close(reference.elements([p.grad for p in tensors]), expected["clips"][case]["gradients"])
    if kind == "norm":
        close(norm, expected["clips"][case]["norm"])

"""Optimizers and gradient clipping work on the arrays of other libraries, functionally."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from tinytorch_core import Tensor, hookimpl, plugins

from tinytorch_devkit import StrictArray, values_of
from tinytorch_training import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    CosineAnnealingLR,
    Lion,
    Muon,
    NAdam,
    RAdam,
    RMSprop,
    StepLR,
    clip_grad_norm,
    clip_grad_value,
)
from tinytorch_training.adam_updates import adam_update, radam_update

SHAPES = ((3, 2), (4,), ())

OPTIMIZERS = {
    "SGD": lambda p: SGD(p, lr=0.1),
    "SGD with decay": lambda p: SGD(p, lr=0.1, weight_decay=0.2),
    "momentum": lambda p: SGD(p, lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.2),
    "Nesterov": lambda p: SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    "Adam": lambda p: Adam(p, lr=0.1, weight_decay=0.1),
    "AMSGrad": lambda p: Adam(p, lr=0.1, amsgrad=True),
    "AdamW": lambda p: AdamW(p, lr=0.1),
    "RMSprop": lambda p: RMSprop(p, lr=0.1),
    "Adagrad": lambda p: Adagrad(p, lr=0.1, lr_decay=0.1, weight_decay=0.1),
    "NAdam": lambda p: NAdam(p, lr=0.1, weight_decay=0.1),
    "decoupled NAdam": lambda p: NAdam(p, 0.1, weight_decay=0.1, decoupled_weight_decay=True),
    "RAdam": lambda p: RAdam(p, lr=0.1, betas=(0.8, 0.6), weight_decay=0.1),
    "rectified RAdam": lambda p: RAdam(p, lr=0.1, betas=(0.8, 0.95)),
    "Lion": lambda p: Lion(p, lr=0.1, weight_decay=0.1),
    "maximizing": lambda p: SGD(p, lr=0.1, momentum=0.9, maximize=True),
    "centered RMSprop": lambda p: RMSprop(p, 0.1, weight_decay=0.1, momentum=0.9, centered=True),
}
each_optimizer = pytest.mark.parametrize("create", OPTIMIZERS.values(), ids=OPTIMIZERS)


def parameters(kind, repeats=1):
    rng = np.random.default_rng(0)
    arrays = [np.asarray(rng.normal(size=s), np.float32) for s in SHAPES * repeats]
    return [Tensor(kind(a), requires_grad=True) for a in arrays]


def trained(create, kind, repeats=1, schedule=None):
    """Return the parameters and their states after five steps."""
    tensors = parameters(kind, repeats)
    optimizer = create(tensors)
    scheduler = schedule and schedule(optimizer)
    for _ in range(5):
        optimizer.zero_grad()
        sum(((t * t).sum() + np.sin(t).sum() for t in tensors), start=Tensor(0.0)).backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
    return tensors, optimizer


def check_same(found, expected):
    tensors, optimizer = found
    for t, e in zip(tensors, expected[0], strict=True):
        assert type(t.data) is StrictArray
        assert t.dtype == np.float32
        np.testing.assert_array_equal(values_of(t.data), e.data)
    for state, other in zip(optimizer.state.values(), expected[1].state.values(), strict=True):
        assert state.keys() == other.keys()
        for name, value in state.items():
            assert isinstance(value, StrictArray | int | float)
            np.testing.assert_array_equal(values_of(value), other[name])


@each_optimizer
@pytest.mark.parametrize("repeats", [1, 4], ids=["single", "enough to be updated together"])
def test_steps_are_those_of_ndarrays(create, repeats):
    check_same(trained(create, StrictArray, repeats), trained(create, np.asarray, repeats))


@each_optimizer
def test_an_optimizer_keeps_no_array_of_a_parameter_that_it_has_replaced(create):
    tensors = parameters(StrictArray)
    optimizer = create(tensors)
    before = [t.data for t in tensors]
    for t in tensors:
        t.grad = StrictArray(np.ones(t.shape, np.float32))
    optimizer.step()
    for t, array in zip(tensors, before, strict=True):
        assert t.data is not array
        assert not any(isinstance(a, StrictArray) for s in optimizer._scratch.values() for a in s)


@pytest.mark.parametrize(
    "schedule",
    [lambda o: StepLR(o, 2, gamma=0.1), lambda o: CosineAnnealingLR(o, 4)],
    ids=["StepLR", "CosineAnnealingLR"],
)
def test_schedules(schedule):
    create = OPTIMIZERS["momentum"]
    expected = trained(create, np.asarray, schedule=schedule)
    check_same(trained(create, StrictArray, schedule=schedule), expected)


@pytest.mark.parametrize("decoupled", [False, True])
def test_the_step_and_the_learning_rate_may_be_arrays(decoupled):
    found = {}
    for kind in (np.asarray, StrictArray):
        rng = np.random.default_rng(0)
        arrays = [rng.uniform(0.5, 1, 4).astype(np.float32) for _ in range(4)]
        parameter, grad, average, squares = map(kind, arrays)
        state = {"exp_avg": average, "exp_avg_sq": squares}
        step, lr = (3, 0.1) if kind is np.asarray else (kind(np.array(3)), kind(np.array(0.1)))
        scratch = np.empty(4, np.float32), np.empty(4, np.float32)
        tensor = Tensor(parameter)
        options = ((0.9, 0.999), 1e-8, 0.1, decoupled, False)
        assert adam_update(tensor, grad, state, scratch, step, lr, *options) is tensor
        found[kind] = tensor.data
    assert found[StrictArray].dtype == np.float32
    np.testing.assert_allclose(values_of(found[StrictArray]), found[np.asarray], rtol=1e-6)


@pytest.mark.parametrize("step", [3, 9])
def test_the_step_of_radam_may_be_an_array(step):
    found = {}
    for kind in (np.asarray, StrictArray):
        rng = np.random.default_rng(0)
        arrays = [rng.uniform(0.5, 1, 4).astype(np.float32) for _ in range(4)]
        parameter, grad, average, squares = map(kind, arrays)
        state = {"exp_avg": average, "exp_avg_sq": squares}
        number = step if kind is np.asarray else kind(np.array(step))
        scratch = np.empty(4, np.float32), np.empty(4, np.float32)
        tensor = Tensor(parameter)
        options = (0.1, (0.8, 0.95), 1e-8, 0.1, False)
        assert radam_update(tensor, grad, state, scratch, number, *options) is tensor
        found[kind] = tensor.data
    assert found[StrictArray].dtype == np.float32
    np.testing.assert_allclose(values_of(found[StrictArray]), found[np.asarray], rtol=1e-6)


@pytest.mark.parametrize("options", [{}, {"nesterov": False, "adjust_lr_fn": "match_rms_adamw"}])
def test_muon(options):
    found = []
    for kind in (np.asarray, StrictArray):
        rng = np.random.default_rng(0)
        tensors = [
            Tensor(kind(rng.normal(size=s).astype(np.float32)), requires_grad=True)
            for s in ((3, 2), (2, 4))
        ]
        optimizer = Muon(tensors, lr=0.1, **options)
        for _ in range(3):
            optimizer.zero_grad()
            sum(((t * t).sum() for t in tensors), start=Tensor(0.0)).backward()
            optimizer.step()
        found.append((tensors, optimizer))
    check_same(found[1], found[0])


def with_gradients(kind, scale):
    tensors = parameters(kind)
    for t in tensors:
        t.grad = kind(np.full(t.shape, scale, np.float32))
    return tensors


@pytest.mark.parametrize("norm_type", [2.0, 1.0, math.inf])
@pytest.mark.parametrize("scale", [0.01, 3.0, math.inf])
def test_clipping_by_norm(norm_type, scale):
    expected, found = with_gradients(np.asarray, scale), with_gradients(StrictArray, scale)
    norm = clip_grad_norm(expected, 1.0, norm_type)
    np.testing.assert_array_equal(values_of(clip_grad_norm(found, 1.0, norm_type)), norm)
    for t, e in zip(found, expected, strict=True):
        assert t.grad.dtype == np.float32
        np.testing.assert_array_equal(values_of(t.grad), e.grad)


def test_clipping_by_value():
    expected, found = with_gradients(np.asarray, 3.0), with_gradients(StrictArray, 3.0)
    clip_grad_value(expected, 0.5)
    clip_grad_value(found, 0.5)
    for t, e in zip(found, expected, strict=True):
        np.testing.assert_array_equal(values_of(t.grad), e.grad)


def test_the_state_is_read_and_replaced_by_name():
    tensors, optimizer = trained(OPTIMIZERS["Adam"], np.asarray)
    names = [f"{i}.{key}" for i in range(3) for key in ("step", "exp_avg", "exp_avg_sq")]
    assert [name for name, _ in optimizer.named_state()] == names
    array = StrictArray(np.zeros(4, np.float32))
    optimizer.set_state("1.exp_avg", array)
    assert optimizer.state[tensors[1]]["exp_avg"] is array
    assert dict(optimizer.named_state())["1.exp_avg"] is array
    with pytest.raises(ValueError, match=r"Adam has no '1.exp_agv'.*exp_avg"):
        optimizer.set_state("1.exp_agv", array)


def test_a_state_that_was_replaced_is_used_by_parameters_that_are_updated_together():
    tensors, optimizer = trained(OPTIMIZERS["momentum"], np.asarray, repeats=4)
    optimizer.set_state("0.momentum_buffer", np.full(SHAPES[0], 7, np.float32))
    expected = tensors[0].data - 0.1 * (0.9 * 7 + 0.7 * 0.2 * tensors[0].data)
    for t in tensors:
        t.grad = np.zeros(t.shape, np.float32)
    optimizer.step()
    np.testing.assert_allclose(tensors[0].data, expected, rtol=1e-6)


@pytest.mark.parametrize("repeats", [1, 4], ids=["single", "together"])
@pytest.mark.parametrize("name", ["SGD", "momentum", "Adam", "AdamW", "RMSprop"])
def test_a_plugin_sees_the_learning_rate_and_the_step_of_every_update(name, repeats):
    seen = []

    @hookimpl
    def tinytorch_wrap_op(op, call):
        def watched(*args):
            given = dict(zip(op.argument_names, args, strict=True))
            seen.append((given["lr"], given.get("step")))
            return call(*args)

        return watched if op.name.endswith("_update") else None

    plugins.register(SimpleNamespace(tinytorch_wrap_op=tinytorch_wrap_op), name="watch")
    try:
        trained(OPTIMIZERS[name], np.asarray, repeats, lambda o: StepLR(o, 2, gamma=0.5))
    finally:
        plugins.unregister("watch")
    updates = len(seen) // 5
    rates = [rate for rate in (0.1, 0.1, 0.05, 0.05, 0.025) for _ in range(updates)]
    assert [lr for lr, _ in seen] == pytest.approx(rates)
    if "Adam" in name:
        assert [step for _, step in seen] == [i for i in range(1, 6) for _ in range(updates)]

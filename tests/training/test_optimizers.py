"""Optimizers and schedules: state, groups, plugins and errors.

test_against_pytorch.py compares the results with PyTorch.
"""

from __future__ import annotations

import copy
import math
import pickle
from types import SimpleNamespace

import numpy as np
import pytest

from tinytorch_core import Tensor, hookimpl, plugins

from tinytorch_autograd import no_grad
from tinytorch_layers import Linear, Sequential
from tinytorch_training import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    CosineAnnealingLR,
    LinearLR,
    Lion,
    Muon,
    NAdam,
    RAdam,
    RMSprop,
    SequentialLR,
    StepLR,
    clip_grad_norm,
    clip_grad_value,
)
from tinytorch_training.updates import sgd_update

ALL = [
    lambda p: SGD(p, lr=0.1),
    lambda p: SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    lambda p: Adam(p, lr=0.1, weight_decay=0.1, amsgrad=True),
    lambda p: AdamW(p, lr=0.1),
    lambda p: RMSprop(p, lr=0.01, momentum=0.5, centered=True, weight_decay=0.1),
    lambda p: Adagrad(p, lr=0.1, lr_decay=0.1, initial_accumulator_value=0.5),
    lambda p: NAdam(p, lr=0.1, weight_decay=0.1),
    lambda p: RAdam(p, lr=0.1, betas=(0.8, 0.9), decoupled_weight_decay=True, weight_decay=0.1),
    lambda p: Lion(p, lr=0.01, weight_decay=0.1),
]
NAMES = ["sgd", "nesterov", "adam", "adamw", "rmsprop", "adagrad", "nadam", "radam", "lion"]
every_optimizer = pytest.mark.parametrize("make", ALL, ids=NAMES)


def weights(dtype=np.float64) -> list[Tensor]:
    rng = np.random.default_rng(0)
    shapes = ((3, 2), (2,), ())
    return [Tensor(rng.normal(size=s).astype(dtype), requires_grad=True) for s in shapes]


def learn(optimizer, tensors, steps=1) -> None:
    """Take steps that minimize the sum of squares."""
    for _ in range(steps):
        optimizer.zero_grad()
        sum((p * p).sum() for p in tensors).backward()
        optimizer.step()


@every_optimizer
def test_step_lowers_the_loss_in_place_and_keeps_the_dtype(make) -> None:
    tensors = weights(np.float32)
    arrays = [p.data for p in tensors]
    before = sum(float((a * a).sum()) for a in arrays)
    optimizer = make(tensors)
    learn(optimizer, tensors, 5)
    assert all(p.data is a and a.dtype == np.float32 for p, a in zip(tensors, arrays, strict=True))
    states = optimizer.state.values()
    buffers = [v for state in states for v in state.values() if hasattr(v, "dtype")]
    assert all(v.dtype == np.float32 for v in buffers)
    assert sum(float((a * a).sum()) for a in arrays) < before


@every_optimizer
def test_state_dict_restores_another_optimizer(make) -> None:
    tensors, others = weights(), weights()
    optimizer = make(tensors)
    learn(optimizer, tensors, 3)
    state = optimizer.state_dict()
    for p, other in zip(tensors, others, strict=True):
        other.data = p.data.copy()
    twin = make(others)
    twin.param_groups[0]["lr"] = 77.0
    twin.load_state_dict(state)
    learn(optimizer, tensors, 3)
    learn(twin, others, 3)
    for p, other in zip(tensors, others, strict=True):
        np.testing.assert_array_equal(p.data, other.data)


@every_optimizer
def test_maximize_takes_the_steps_of_the_negated_loss(make) -> None:
    tensors, others = weights(), weights()
    optimizer, twin = make(tensors), make(others)
    twin.param_groups[0]["maximize"] = True
    for _ in range(3):
        for one, other in zip(tensors, others, strict=True):
            one.grad = np.asarray(np.cos(one.data))
            other.grad = np.asarray(-np.cos(other.data))
        optimizer.step()
        twin.step()
        for one, other in zip(tensors, others, strict=True):
            np.testing.assert_array_equal(one.data, other.data)
            np.testing.assert_array_equal(other.grad, -one.grad)


def test_state_without_maximize_can_be_loaded() -> None:
    optimizer = SGD(weights(), maximize=True)
    state = optimizer.state_dict()
    for group in state["param_groups"]:
        del group["maximize"]
    optimizer.load_state_dict(state)
    assert optimizer.param_groups[0]["maximize"]


def test_muon_orthogonalizes_its_steps() -> None:
    rng = np.random.default_rng(0)
    for shape in ((6, 3), (3, 6), (4, 4)):
        before = rng.normal(size=shape)
        w = Tensor(before, requires_grad=True)
        optimizer = Muon([w], lr=1.0, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
        w.grad = rng.normal(size=shape)
        optimizer.step()
        step = (before - w.data) / (0.2 * max(shape) ** 0.5)
        values = np.linalg.svd(step, compute_uv=False)
        assert np.all((values > 0.5) & (values < 1.3))


def test_muon_of_a_gradient_of_zeros_only_decays() -> None:
    w = Tensor(np.ones((2, 3)), requires_grad=True)
    w.grad = np.zeros((2, 3))
    Muon([w], lr=0.5, weight_decay=0.1).step()
    np.testing.assert_allclose(w.data, 0.95)


def test_state_dict_is_a_copy() -> None:
    tensors = weights()
    optimizer = Adam(tensors)
    learn(optimizer, tensors)
    state = optimizer.state_dict()
    before = state["state"][0]["exp_avg"].copy()
    learn(optimizer, tensors)
    np.testing.assert_array_equal(state["state"][0]["exp_avg"], before)
    fresh = Adam(tensors)
    fresh.load_state_dict(state)
    learn(fresh, tensors)
    np.testing.assert_array_equal(state["state"][0]["exp_avg"], before)


def test_groups_have_separate_options() -> None:
    slow, fast = Tensor([1.0], requires_grad=True), Tensor([1.0], requires_grad=True)
    optimizer = SGD([{"params": [slow]}, {"params": [fast], "lr": 0.5}], lr=0.01)
    (slow + fast).sum().backward()
    optimizer.step()
    assert (slow.item(), fast.item()) == (pytest.approx(0.99), 0.5)
    assert [g["lr"] for g in optimizer.param_groups] == [0.01, 0.5]


def test_options_of_a_group_can_be_changed() -> None:
    w = Tensor([1.0], requires_grad=True)
    optimizer = SGD([w], lr=0.01)
    group = optimizer.param_groups[0]
    group["lr"] = np.float32(0.5)
    group.update(momentum=0.5, weight_decay=0)
    assert type(group["lr"]) is float
    w.sum().backward()
    optimizer.step()
    assert w.item() == 0.5
    with pytest.raises(ValueError, match="momentum of SGD"):
        group.update(lr=0.1, momentum=2)
    assert (group["lr"], group["momentum"]) == (0.5, 0.5)


# An optimizer, options before and after a change, and the buffers that are needed afterwards.
CHANGED = {
    "no amsgrad": (Adam, {"amsgrad": True}, {"amsgrad": False}, ["exp_avg", "exp_avg_sq"]),
    "amsgrad": (
        AdamW,
        {"amsgrad": False},
        {"amsgrad": True},
        ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"],
    ),
    "not centered": (RMSprop, {"centered": True}, {"centered": False}, ["square_avg"]),
    "centered": (RMSprop, {"centered": False}, {"centered": True}, ["square_avg", "grad_avg"]),
    "momentum": (RMSprop, {}, {"momentum": 0.5}, ["square_avg", "momentum_buffer"]),
    "no momentum": (RMSprop, {"momentum": 0.5}, {"momentum": 0.0}, ["square_avg"]),
    "no momentum of SGD": (SGD, {"momentum": 0.9, "dampening": 0.5}, {"momentum": 0.0}, []),
}


@pytest.mark.parametrize("number", [1, 9])
@pytest.mark.parametrize("case", CHANGED)
def test_buffers_are_used_if_the_options_need_them(case: str, number: int) -> None:
    """With 9 parameters, small ones are updated together."""
    cls, before, after, needed = CHANGED[case]
    tensors = [Tensor([1.0, -2.0], requires_grad=True) for _ in range(number)]
    optimizer = cls(tensors, **before)
    learn(optimizer, tensors, steps=3)
    copies = [Tensor(p.data, requires_grad=True) for p in tensors]
    other = cls(copies, **{**before, **after})
    for tensor, twin in zip(tensors, copies, strict=True):
        state, zeros = optimizer.state.get(tensor, {}), np.zeros_like(tensor.data)
        found = {name: copy.copy(state.get(name, zeros)) for name in ("step", *needed) if state}
        other.state[twin] = {k: v for k, v in found.items() if k != "step" or "step" in state}
    optimizer.param_groups[0].update(after)
    for steps in (1, 2):
        learn(optimizer, tensors, steps)
        learn(other, copies, steps)
        np.testing.assert_array_equal([p.data for p in tensors], [p.data for p in copies])


def test_gradients_can_be_set_to_zeros() -> None:
    used, unused = (Tensor([1.0], requires_grad=True) for _ in range(2))
    optimizer = SGD([used, unused], lr=0.5, momentum=0.5)
    used.sum().backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)
    assert (used.grad.tolist(), unused.grad) == ([0.0], None)
    optimizer.step()
    assert used.item() == 0.25
    optimizer.zero_grad()
    assert used.grad is None


@every_optimizer
def test_a_step_with_a_closure_equals_one_after_it(make) -> None:
    tensors, others = weights(), weights()
    optimizer, other = make(tensors), make(others)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = sum((p * p).sum() for p in tensors)
        loss.backward()
        return loss

    for _ in range(2):
        expected = sum((p.data**2).sum() for p in tensors)
        with no_grad():  # the closure records all the same
            assert optimizer.step(closure).item() == pytest.approx(expected)
    learn(other, others, steps=2)
    np.testing.assert_equal([p.data for p in tensors], [p.data for p in others])
    assert other.step() is None


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_copies_of_optimizers_are_independent(copied) -> None:
    optimizer = SGD(weights(), lr=0.1)
    twin = copied(optimizer)
    twin.param_groups[0]["lr"] = 0.5
    assert optimizer.param_groups[0]["lr"] == 0.1
    with pytest.raises(ValueError, match="no option 'rate'"):
        twin.param_groups[0]["rate"] = 0.5
    learn(twin, twin.parameters())
    np.testing.assert_equal([p.data for p in optimizer.parameters()], [p.data for p in weights()])


def test_parameters_without_gradient_are_unchanged() -> None:
    used, unused = Tensor([1.0], requires_grad=True), Tensor([1.0], requires_grad=True)
    frozen = Tensor([1.0])
    optimizer = AdamW([used, unused, frozen], lr=0.1, weight_decay=0.5)
    (used * 2).sum().backward()
    optimizer.step()
    assert used.item() < 1
    assert unused.item() == frozen.item() == 1
    optimizer.zero_grad()
    assert used.grad is None


def test_update_is_an_op_that_other_plugins_can_wrap() -> None:
    seen = []

    @hookimpl
    def tinytorch_wrap_op(op, call):
        def listed(*args):
            seen.append(op.name)
            return call(*args)

        return listed if op.name.endswith("_update") else None

    plugins.register(SimpleNamespace(tinytorch_wrap_op=tinytorch_wrap_op), name="listing")
    try:
        for make in ALL:
            tensors = weights()[:1]
            learn(make(tensors), tensors)
    finally:
        plugins.unregister("listing")
    kinds = ["sgd", "sgd", "adam", "adam", "rmsprop", "adagrad", "nadam", "radam", "lion"]
    assert seen == [f"{kind}_update" for kind in kinds]


def test_step_raises_if_the_plugin_is_disabled() -> None:
    tensors = weights()
    optimizer = SGD(tensors)
    with plugins.disable("training"), pytest.raises(AttributeError, match="'sgd_update'"):
        learn(optimizer, tensors)


def test_optimizers_raise_if_autograd_is_disabled() -> None:
    tensors = weights()
    optimizer = SGD(tensors)
    with plugins.disable("autograd"):
        with pytest.raises(AttributeError, match="autograd"):
            optimizer.step()
        with pytest.raises(ValueError, match=r"requires grad.*plugin autograd is enabled"):
            SGD([Tensor([1.0])])


@pytest.mark.parametrize("others", ["none", "autograd"])
def test_update_of_tensors_and_arrays_with_and_without_autograd(others: str) -> None:
    array = np.array([1.0, 2.0])
    scratch = np.empty(2), np.empty(2)
    arguments = (np.array([0.5, 1.0]), {}, scratch, 0.1, 0.0, 0.0, 0.0, False)
    with plugins.only("training", *([others] if others != "none" else [])):
        tensor = Tensor(array)
        assert sgd_update(tensor, *arguments) is tensor
        sgd_update(array, *arguments)
    assert tensor.tolist() == array.tolist() == [0.95, 1.9]


# Wrong input.


def exhausted():
    generator = (p for p in weights())
    list(generator)
    return generator


W = Tensor([1.0, 2.0], requires_grad=True)

WRONG = {
    "no parameters": (lambda: SGD([]), ValueError, "SGD got no parameters. The list is empty"),
    "an exhausted generator": (
        lambda: Adam(exhausted()),
        ValueError,
        "The generator is already exhausted",
    ),
    "an exhausted iterator": (lambda: SGD(iter([])), ValueError, "already exhausted"),
    "clipping an exhausted generator": (
        lambda: clip_grad_norm(exhausted(), 1.0),
        ValueError,
        "clip_grad_norm got no parameters. The generator is already exhausted",
    ),
    "a module": (
        lambda: SGD(Sequential(Linear(1, 1))),
        TypeError,
        r"such as model.parameters\(\).*not Sequential",
    ),
    "a single tensor": (lambda: SGD(W), TypeError, r"such as model.parameters\(\).*not Tensor"),
    "an array": (lambda: SGD([np.ones(2)]), TypeError, "parameter 0 is of type ndarray"),
    "integers": (
        lambda: SGD([Tensor([1], dtype=int)]),
        TypeError,
        r"shape \(1,\), has dtype int64",
    ),
    "computed": (lambda: SGD([W * 2]), ValueError, "was computed by <MulBackward>"),
    "untracked": (
        lambda: SGD([Tensor([1.0])]),
        ValueError,
        "none of the parameters of SGD requires",
    ),
    "one twice": (lambda: SGD([W, W]), ValueError, "the same parameter more than once"),
    "one in two groups": (
        lambda: SGD([{"params": [W]}, {"params": [W]}]),
        ValueError,
        "already has one of these parameters in a different group",
    ),
    "negative lr": (lambda: SGD([W], lr=-0.1), ValueError, "lr of SGD must be 0 or more, not -0.1"),
    "lr of NaN": (lambda: Adam([W], lr=math.nan), ValueError, "lr of Adam must be a finite.*nan"),
    "infinite lr": (lambda: AdamW([W], lr=math.inf), ValueError, "lr of AdamW.*finite.*inf"),
    "lr a word": (lambda: SGD([W], lr="fast"), TypeError, "lr of SGD must be a number, not str"),
    "lr of a group": (
        lambda: SGD([{"params": [W], "lr": -1}]),
        ValueError,
        "lr of SGD must be 0 or more",
    ),
    "betas": (lambda: Adam([W], betas=(0.9, 1.0)), ValueError, r"betas\[1\] of Adam.*below 1"),
    "one beta": (lambda: Adam([W], betas=0.9), TypeError, "betas of Adam must be two numbers"),
    "eps": (lambda: RMSprop([W], eps=-1), ValueError, "eps of RMSprop must be 0 or more"),
    "alpha": (lambda: RMSprop([W], alpha=1.5), ValueError, "alpha of RMSprop.*below 1, not 1.5"),
    "momentum": (lambda: SGD([W], momentum=-1), ValueError, "momentum of SGD"),
    "decay": (lambda: AdamW([W], weight_decay=-1), ValueError, "weight_decay of AdamW"),
    "large momentum": (lambda: SGD([W], momentum=1.5), ValueError, "momentum of SGD.*below 1"),
    "large momentum of RMSprop": (
        lambda: RMSprop([W], momentum=1.0),
        ValueError,
        "momentum of RMSprop must be 0 or more and below 1, not 1.0",
    ),
    "large dampening": (
        lambda: SGD([W], momentum=0.9, dampening=1.5),
        ValueError,
        "dampening of SGD must be from 0 to 1, not 1.5",
    ),
    "lr of True": (lambda: SGD([W], lr=True), TypeError, "lr of SGD must be a number, not bool"),
    "steps of True": (lambda: StepLR(SGD([W]), True), TypeError, "an integer, not True"),
    "setting lr": (
        lambda: setattr(SGD([W]), "lr", 0.5),
        AttributeError,
        r"SGD has no attribute 'lr', .*use optimizer.param_groups\[0\]\['lr'\]",
    ),
    "setting betas": (lambda: setattr(Adam([W]), "betas", (0, 0)), AttributeError, "param_groups"),
    "reading lr": (lambda: SGD([W]).lr, AttributeError, r"use optimizer.param_groups\[0\]"),
    "reading an unknown attribute": (
        lambda: SGD([W]).betas,
        AttributeError,
        "'SGD' object has no attribute 'betas'",
    ),
    "unknown key of a group": (
        lambda: SGD([W]).param_groups[0].__setitem__("learning_rate", 0.5),
        ValueError,
        "SGD has no option 'learning_rate'. Known: dampening, lr",
    ),
    "wrong value in a group": (
        lambda: SGD([W]).param_groups[0].__setitem__("lr", "fast"),
        TypeError,
        "lr of SGD must be a number, not str: 'fast'",
    ),
    "wrong parameters in a group": (
        lambda: SGD([W]).param_groups[0].__setitem__("params", [3]),
        TypeError,
        "parameter 0 is of type int",
    ),
    "nesterov alone": (lambda: SGD([W], nesterov=True), ValueError, "requires a momentum above 0"),
    "nesterov, dampened": (
        lambda: SGD([W], momentum=0.9, dampening=0.1, nesterov=True),
        ValueError,
        "a dampening of 0, not momentum=0.9 and dampening=0.1",
    ),
    "maximize": (lambda: Adam([W], maximize=1), TypeError, "maximize of Adam must be True or F"),
    "lr_decay": (lambda: Adagrad([W], lr_decay=-1), ValueError, "lr_decay of Adagrad"),
    "lr of Adagrad": (lambda: Adagrad([W], lr="fast"), TypeError, "lr of Adagrad"),
    "decoupled NAdam": (lambda: NAdam([W], decoupled_weight_decay=2), TypeError, "decoupled_w"),
    "eps of RAdam": (lambda: RAdam([W], eps=-1), ValueError, "eps of RAdam must be 0 or more"),
    "large betas of Lion": (lambda: Lion([W], betas=(0.9, 1)), ValueError, r"betas\[1\] of Lion"),
    "an array in Muon": (
        lambda: Muon([Tensor(np.ones((2, 2)), requires_grad=True)]).add_param_group({"params": 3}),
        TypeError,
        "Muon expects an iterable of tensors",
    ),
    "momentum_decay": (lambda: NAdam([W], momentum_decay=-1), ValueError, "momentum_decay of NAd"),
    "betas of Lion": (lambda: Lion([W], betas=(0.9,)), TypeError, "betas of Lion"),
    "decoupled": (lambda: RAdam([W], decoupled_weight_decay=2), TypeError, "decoupled_weight_dec"),
    "a vector in Muon": (
        lambda: Muon([W]),
        ValueError,
        r"Muon expects matrices, but parameter 0 has shape \(2,\); use another optimizer",
    ),
    "coefficients": (
        lambda: Muon([W], ns_coefficients=(1, 2)),
        TypeError,
        r"ns_coefficients of Muon must be three numbers, not \(1, 2\)",
    ),
    "ns_steps": (lambda: Muon([W], ns_steps=-1), ValueError, "ns_steps of Muon must be 0 or more"),
    "adjust_lr_fn": (
        lambda: Muon([W], adjust_lr_fn="rms"),
        ValueError,
        "adjust_lr_fn of Muon must be 'original', 'match_rms_adamw' or None, not 'rms'",
    ),
    "no closure": (
        lambda: SGD([W]).step(W.sum()),
        TypeError,
        r"step\(\) of SGD takes a function that .* returns the loss, not Tensor",
    ),
    "unknown option": (
        lambda: SGD([{"params": [W], "momentun": 0.9}]),
        ValueError,
        "no option 'momentun'. Did you mean 'momentum'",
    ),
    "schedule of nothing": (
        lambda: StepLR([W], 3),
        TypeError,
        "StepLR expects an optimizer, not list",
    ),
    "step size": (lambda: StepLR(SGD([W]), 0), ValueError, "step_size of StepLR must be 1 or more"),
    "half a step": (lambda: StepLR(SGD([W]), 1.5), TypeError, "must be an integer, not 1.5"),
    "gamma": (lambda: StepLR(SGD([W]), 1, gamma=-1), ValueError, "gamma of StepLR"),
    "T_max": (lambda: CosineAnnealingLR(SGD([W]), 0), ValueError, "T_max of Cosine"),
    "start": (lambda: LinearLR(SGD([W]), 0.0), ValueError, "start_factor of LinearLR.*above 0"),
    "max_norm": (lambda: clip_grad_norm([W], -1), ValueError, "max_norm of clip_grad_norm"),
    "norm of NaN": (lambda: clip_grad_norm([W], math.nan), ValueError, "finite number, not nan"),
    "norm 0": (lambda: clip_grad_norm([W], 1.0, 0), ValueError, "norm_type of clip_grad_norm"),
    "clip value": (lambda: clip_grad_value([W], -1), ValueError, "clip_value of clip_grad_value"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_raises(case: str) -> None:
    make, error, message = WRONG[case]
    with pytest.raises(error, match=message):
        make()


def test_wrong_sequences_of_schedules_raise() -> None:
    optimizer = SGD([W])
    parts = [StepLR(optimizer, 2), StepLR(optimizer, 3)]
    with pytest.raises(ValueError, match=r"one milestone fewer than schedules, got 2 for 2"):
        SequentialLR(optimizer, parts, [1, 2])
    with pytest.raises(ValueError, match="must be increasing"):
        SequentialLR(optimizer, [*parts, StepLR(optimizer, 4)], [2, 2])
    with pytest.raises(ValueError, match="for the optimizer passed to SequentialLR"):
        SequentialLR(SGD([W]), parts, [2])


@pytest.mark.parametrize("make", [lambda o: StepLR(o, 2), lambda o: LinearLR(o, total_iters=9)])
def test_state_dict_restores_another_schedule(make) -> None:
    first, second = SGD([W], lr=0.8), SGD([W], lr=0.3)
    schedule = make(first)
    for _ in range(5):
        schedule.step()
    other = make(second)
    other.load_state_dict(schedule.state_dict())
    assert second.param_groups[0]["lr"] == first.param_groups[0]["lr"]
    with pytest.raises(ValueError, match=r"for 2 groups of parameters, but .* is for 1"):
        schedule.load_state_dict({"last_epoch": 1, "base_lrs": [1.0, 2.0]})


def test_group_added_later_follows_the_schedule_from_its_own_rate() -> None:
    first, second = (Tensor([1.0], requires_grad=True) for _ in range(2))
    optimizer = SGD([first], lr=1.0)
    warm_up, steps = LinearLR(optimizer, 0.5, total_iters=1), StepLR(optimizer, 1, gamma=0.5)
    schedule = SequentialLR(optimizer, [warm_up, steps], [1])
    optimizer.add_param_group({"params": [second], "lr": 0.25})
    assert [g["lr"] for g in optimizer.param_groups] == [0.5, 0.25]
    assert schedule.state_dict()["base_lrs"] == [1.0, 0.25]
    schedule.step()
    schedule.step()
    assert [g["lr"] for g in optimizer.param_groups] == schedule.get_last_lr() == [0.5, 0.125]
    # A new process adds the group before or after it creates the schedule.
    state = schedule.state_dict()
    other = SGD([first], lr=0.1)
    twin = StepLR(other, 1, gamma=0.5)
    other.add_param_group({"params": [second]})
    twin.load_state_dict(state)
    assert [g["lr"] for g in other.param_groups] == [0.25, 0.0625]


def test_load_state_dict_rejects_other_states_and_changes_nothing() -> None:
    tensors = weights()
    optimizer = Adam(tensors)
    learn(optimizer, tensors)
    before = optimizer.state_dict()
    reshaped = optimizer.state_dict()
    reshaped["state"][1]["exp_avg"] = np.zeros(3)
    odd = optimizer.state_dict()
    odd["state"][0]["step"] = 0.5
    text = optimizer.state_dict()
    text["state"][0]["exp_avg"] = "zeros"
    others = {
        "has 1 groups of .1. parameters, but Adam has 1 groups of .3.": Adam([W]).state_dict(),
        "does not belong to Adam: it was saved by SGD": SGD(tensors).state_dict(),
        "does not belong to Adam: it was saved by AdamW": AdamW(tensors).state_dict(),
        "does not belong to Adam: it has no option 'amsgrad'": {
            name: value for name, value in SGD(tensors).state_dict().items() if name != "optimizer"
        },
        "not a state of Adam.*got 'weight'": {"weight": 1},
        r"'exp_avg' of parameter 1 has shape \(3,\)": reshaped,
        "step of parameter 0 of Adam must be an integer": odd,
        "'exp_avg' of parameter 0 of Adam must be a number, not str": text,
        "a state of Adam must be a dict, not 3": 3,
    }
    for message, state in others.items():
        with pytest.raises((TypeError, ValueError), match=message):
            optimizer.load_state_dict(state)
    after = optimizer.state_dict()
    assert after["param_groups"] == before["param_groups"]
    for old, new in zip(before["state"], after["state"], strict=True):
        np.testing.assert_equal(new, old)


def test_gradients_with_a_non_finite_norm_are_not_clipped() -> None:
    w = Tensor([1.0, 2.0], requires_grad=True)
    w.grad = np.array([np.inf, 1.0], np.float32)
    assert clip_grad_norm([w], 1.0) == math.inf
    assert w.grad.tolist() == [math.inf, 1.0]


def test_clipping_without_gradients_does_nothing() -> None:
    w = Tensor([1.0, 2.0], requires_grad=True)
    assert clip_grad_norm([w], 1.0) == 0.0
    clip_grad_value([w], 1.0)
    assert w.grad is None

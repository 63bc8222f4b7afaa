"""Layers, losses and optimizers inside compiled training steps agree with NumPy."""

from __future__ import annotations

import copy
import re

import numpy as np
import pytest

from tinytorch_core import Tensor

import tinytorch_xla as xla
from tinytorch_activations import ReLU
from tinytorch_layers import BatchNorm1d, Dropout, Linear, Sequential
from tinytorch_losses import CrossEntropyLoss
from tinytorch_training import (
    SGD,
    Adam,
    EarlyStopping,
    LambdaLR,
    NonFiniteError,
    RMSprop,
    StepLR,
    Trainer,
    clip_grad_norm,
)

from ..layers.cases import CASES as LAYERS  # noqa: TID252
from ..layers.cases import mixed  # noqa: TID252
from ..training.test_any_array import OPTIMIZERS  # noqa: TID252

pytestmark = pytest.mark.peers("jax")

RNG = np.random.default_rng(0)
X = RNG.standard_normal((6, 16, 5)).astype(np.float32)
Y = RNG.integers(0, 3, (6, 16))


def arrays_of(layer):
    named = [*layer.named_parameters(), *layer.named_buffers()]
    found = {name: getattr(value, "data", value) for name, value in named}
    grads = {f"{name}.grad": p.grad for name, p in layer.named_parameters()}
    return {k: np.asarray(v) for k, v in (found | grads).items() if v is not None}


# One case of each layer, compiled together, because XLA takes long for the smallest program.
ONE_OF_EACH = {re.match(r"(?:(?:Recur|Step|Attend|Decode)\()?\w+", c.call)[0]: c for c in LAYERS}
GROUPS = [[*ONE_OF_EACH.values()][i::8] for i in range(8)]


@pytest.mark.parametrize("cases", GROUPS, ids=lambda cases: f"{cases[0].call} and others")
def test_layers(cases):
    def trained(compile):
        layers = [case.layer() for case in cases]

        @compile
        def step(inputs):
            outputs = []
            for layer, x in zip(layers, inputs, strict=True):
                layer.zero_grad()
                tensor = Tensor(x, requires_grad=x.dtype.kind == "f")
                out = layer(tensor)
                out.backward(mixed(out.shape, 0.5, 1.5))
                outputs += [out, out if tensor.grad is None else Tensor(tensor.grad)]
            return outputs

        inputs = [case.x() for case in cases]
        outputs = [np.asarray(out.data) for _ in range(3) for out in step(inputs)]
        return outputs, [arrays_of(layer) for layer in layers]

    expected, found = trained(lambda step: step), trained(xla.jit)
    for one, other in zip(found[0], expected[0], strict=True):
        np.testing.assert_allclose(one, other, 1e-12, 1e-12)
    for case, ones, others in zip(cases, found[1], expected[1], strict=True):
        assert ones.keys() == others.keys()
        for name, other in others.items():
            message = f"{name} of {case.id}"
            assert ones[name].dtype == other.dtype, message
            np.testing.assert_allclose(ones[name], other, 1e-11, 1e-11, err_msg=message)


def network(dropout=0.0):
    return Sequential(
        Linear(5, 8, generator=0),
        BatchNorm1d(8),
        ReLU(),
        Dropout(dropout, generator=1),
        Linear(8, 3, generator=2),
    )


def train(create, compile=lambda step: step, schedule=None, dropout=0.0, steps=6):
    """Return the losses, the network and the optimizer after some steps."""
    model, loss = network(dropout), CrossEntropyLoss()
    optimizer = create(model.parameters())
    scheduler = schedule and schedule(optimizer)

    @compile
    def step(x, y):
        optimizer.zero_grad()
        out = loss(model(x), y)
        out.backward()
        clip_grad_norm(model.parameters(), 1.0)
        optimizer.step()
        return out

    losses = []
    for i in range(steps):
        losses.append(step(Tensor(X[i % 6]), Y[i % 6]).item())
        if scheduler is not None:
            scheduler.step()
    return losses, model, optimizer, step


def test_optimizers():
    """All numbers, such as the count of steps, are those of NumPy, in float64."""

    def trained(compile):
        optimizers, schedules = {}, []
        for name, create in OPTIMIZERS.items():
            tensors = [Tensor(mixed(s), requires_grad=True) for s in ((3, 2), (4,))]
            optimizers[name] = create(tensors)
            schedules.append(StepLR(optimizers[name], 2, gamma=0.5))

        @compile
        def step():
            for optimizer in optimizers.values():
                optimizer.zero_grad()
                tensors = optimizer.parameters()
                sum(((t * t).sum() + np.sin(t).sum() for t in tensors), Tensor(0.0)).backward()
                optimizer.step()

        for _ in range(5):
            step()
            for schedule in schedules:
                schedule.step()
        return optimizers, step

    (expected, _), (found, step) = trained(lambda step: step), trained(xla.jit)
    # RAdam computes its steps in another way once its variance is known.
    assert repr(step) in ("<jit step: 1 program>", "<jit step: 2 programs>")
    for name, optimizer in expected.items():
        for one, other in zip(found[name].parameters(), optimizer.parameters(), strict=True):
            np.testing.assert_allclose(np.asarray(one.data), other.data, 1e-12, 1e-12, err_msg=name)
        states = zip(found[name].named_state(), optimizer.named_state(), strict=True)
        for (key, one), (_, other) in states:
            assert isinstance(one, xla.Array | int | float)
            np.testing.assert_allclose(
                np.asarray(one), other, 1e-12, 1e-12, err_msg=f"{key} of {name}"
            )


@pytest.mark.parametrize(
    "schedule",
    [lambda o: StepLR(o, 2, gamma=0.1), lambda o: LambdaLR(o, lambda t: 1 / (1 + t))],
    ids=["StepLR", "LambdaLR"],
)
def test_a_schedule_does_not_compile_again(schedule):
    create = lambda p: Adam(p, lr=0.01, weight_decay=0.1)  # noqa: E731
    expected = train(create, schedule=schedule)
    found = train(create, xla.jit, schedule=schedule)
    np.testing.assert_allclose(found[0], expected[0], 1e-6)
    assert repr(found[3]) == "<jit step: 1 program>"
    state = found[2].state_dict()
    assert state["param_groups"][0]["lr"] == expected[2].param_groups[0]["lr"]
    assert [s["step"] for s in state["state"]] == [6] * len(state["state"])


def test_float32_training_agrees_within_1e_6():
    expected = train(lambda p: SGD(p, lr=0.1, momentum=0.9), steps=12)
    found = train(lambda p: SGD(p, lr=0.1, momentum=0.9), xla.jit, steps=12)
    np.testing.assert_allclose(found[0], expected[0], 1e-6)
    ones, others = arrays_of(found[1]), arrays_of(expected[1])
    for name in ("0.weight", "1.running_mean", "4.weight"):
        np.testing.assert_allclose(ones[name], others[name], 1e-5, 1e-6)


def test_a_mask_differs_at_every_step_and_repeats_for_a_seed():
    def masks(seed):
        layer = Dropout(0.5, generator=seed)
        step = xla.jit(lambda x: layer(x))
        return [np.asarray(step(Tensor(np.ones(50, np.float32))).data) for _ in range(3)]

    one, other, different = masks(0), masks(0), masks(1)
    np.testing.assert_array_equal(one, other)
    assert not np.array_equal(one[0], one[1])
    assert not np.array_equal(one[1], one[2])
    assert not np.array_equal(one[0], different[0])
    assert set(one[0]) == {0.0, 2.0}


def test_training_with_dropout_repeats_for_a_seed():
    first = train(lambda p: RMSprop(p, lr=0.01), xla.jit, dropout=0.5)[0]
    assert train(lambda p: RMSprop(p, lr=0.01), xla.jit, dropout=0.5)[0] == first


def test_the_mode_of_a_module_compiles_another_program():
    model = network(dropout=0.5)
    predict = xla.jit(lambda x: model(x))
    x = Tensor(X[0])
    predict(x)
    model.eval()
    expected = model(x).data
    np.testing.assert_allclose(np.asarray(predict(x).data), expected, 1e-5, 1e-6)
    assert repr(predict) == "<jit <lambda>: 2 programs>"


def test_an_option_that_decides_compiles_another_program():
    def trained(compile):
        weight = Tensor([1.0, 2.0], requires_grad=True)
        optimizer = SGD([weight], lr=0.1)

        @compile
        def step():
            optimizer.zero_grad()
            (weight * weight).sum().backward()
            optimizer.step()

        for decay in (0.0, 0.0, 0.5, 0.25):
            optimizer.param_groups[0]["weight_decay"] = decay
            step()
        return np.asarray(weight.data), step

    expected, found = trained(lambda step: step), trained(xla.jit)
    np.testing.assert_allclose(found[0], expected[0], 1e-6)
    assert repr(found[1]) == "<jit step: 2 programs>"


def test_numbers_that_the_step_changes_are_state():
    class Counter:
        def __init__(self):
            self.count, self.scale = 0, 1.0

    counter = Counter()

    @xla.jit
    def step(x):
        counter.count += 1
        counter.scale *= 0.5
        return x * counter.scale + counter.count

    found = [np.asarray(step(np.ones(1))).item() for _ in range(4)]
    assert found == [1.5, 2.25, 3.125, 4.0625]
    assert (counter.count, counter.scale) == (4, 0.0625)
    assert repr(step) == "<jit step: 1 program>"


def test_gradients_of_a_compiled_function_for_an_optimizer_outside_of_it():
    layer = Linear(5, 3, generator=0)
    optimizer = SGD(layer.parameters(), lr=0.1, momentum=0.9)

    @xla.jit
    def gradients(x):
        optimizer.zero_grad()
        layer(x).sum().backward()

    for _ in range(3):
        gradients(Tensor(X[0]))
        assert type(layer.weight.grad) is np.ndarray
        optimizer.step()


def test_a_number_that_cannot_be_divided_by():
    class Scale:
        def __init__(self):
            self.count = 3

    scale = Scale()

    @xla.jit
    def step(x):
        scale.count -= 1
        return x / scale.count if scale.count else x

    assert [np.asarray(step(np.ones(1))).item() for _ in range(4)] == [0.5, 1, 1, -1]


def test_counts_of_steps_that_become_different():
    """They are one number in the compiled step, as long as they are equal."""

    def trained(compile):
        tensors = [Tensor([1.0, 2.0], requires_grad=True) for _ in range(2)]
        optimizer = Adam(tensors, lr=0.1)

        @compile
        def step():
            optimizer.zero_grad()
            sum((t * t).sum() for t in tensors).backward()
            optimizer.step()

        for i in range(5):
            step()
            if i == 2:
                optimizer.set_state("1.step", 50)
        return [np.asarray(t.data) for t in tensors], [s["step"] for s in optimizer.state.values()]

    expected, found = trained(lambda step: step), trained(xla.jit)
    np.testing.assert_allclose(found[0], expected[0], 1e-6)
    assert found[1] == expected[1] == [5, 52]


def trainer(compile, lr=0.1):
    model = network()
    optimizer = SGD(model.parameters(), lr=lr, momentum=0.9)
    return Trainer(
        model, CrossEntropyLoss(), optimizer, compile=compile, max_grad_norm=1.0, progress=False
    )


def test_the_trainer():
    one, other = trainer("xla"), trainer(False)
    data = X.reshape(-1, 5), Y.reshape(-1)
    for each in (one, other):
        each.fit(*data, epochs=3, batch_size=16, generator=0)
    np.testing.assert_allclose(one.history["loss"], other.history["loss"], 1e-6)
    np.testing.assert_allclose(one.evaluate(*data)["loss"], other.evaluate(*data)["loss"], 1e-6)


def test_copies_outlive_the_memory_that_a_step_reuses():
    one = trainer("xla")
    one.early_stopping = EarlyStopping(monitor="loss", patience=1, min_delta=10.0)
    data = X.reshape(-1, 5), Y.reshape(-1)
    one.fit(*data, epochs=1, batch_size=16, generator=0)
    copies = [copy.deepcopy(one.model).state_dict(), copy.copy(one.model.state_dict())]
    first = {name: np.asarray(array) for name, array in one.model.state_dict().items()}
    one.fit(*data, epochs=4, batch_size=16, generator=0)
    copies.append(one.model.state_dict())  # the weights of the best epoch, the first one
    for each in copies:
        for name, array in each.items():
            np.testing.assert_array_equal(np.asarray(array), first[name], err_msg=name)


def test_a_loss_that_is_not_finite_stops_the_trainer_before_the_step():
    one = trainer("xla")
    x = X.reshape(-1, 5).copy()
    x[40] = np.nan
    with pytest.raises(NonFiniteError, match="loss is nan at step 3"):
        one.fit(x, Y.reshape(-1), epochs=1, batch_size=16, shuffle=False)
    assert all(np.isfinite(p.data).all() for p in one.model.parameters())
    assert one.step == 2

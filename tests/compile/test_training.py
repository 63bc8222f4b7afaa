"""Training with compiled steps equals eager training, bit by bit, over 100 steps."""

import functools
import math
import warnings

import numpy as np
import pytest

from tinytorch_core import Tensor

import tinytorch_training
from tinytorch_compile import RecaptureWarning, compile
from tinytorch_losses import cross_entropy
from tinytorch_training import LBFGS, LRScheduler, Optimizer, ReduceLROnPlateau

from .networks import (
    CLIPPING,
    NETWORKS,
    OPTIMIZERS,
    OTHER_OPTIMIZERS,
    SCHEDULES,
    SMALL_NETWORKS,
    Training,
    assert_same_state,
)


def in_dtype(batch, dtype):
    """Return a batch with its floating-point data in a dtype."""
    inputs, targets = batch
    return (inputs.astype(dtype) if isinstance(inputs, Tensor) else inputs), targets


def compare(network, optimizer, steps=100, dtype=np.float32, programs=1, **options):
    """Train a network eagerly and compiled, and assert that both are equal after each step."""
    make, draw = NETWORKS[network]
    choose = (OPTIMIZERS | OTHER_OPTIMIZERS)[optimizer]
    eager, replayed = (Training(make, choose, dtype=dtype, **options) for _ in range(2))
    step = compile(replayed.step, strict=True)
    rng = np.random.default_rng(0)
    for _ in range(steps):
        batch = in_dtype(draw(rng), dtype)
        expected, found = eager.step(*batch), step(*batch)
        assert found.dtype == expected.dtype == dtype
        assert found.item() == expected.item()
        assert_same_state(replayed, eager)
        eager.schedule.step()
        replayed.schedule.step()
    assert f": {programs} program" in repr(step)


@pytest.mark.parametrize(
    ("network", "optimizer"),
    [
        (network, optimizer)
        for i, network in enumerate(SMALL_NETWORKS)
        for j, optimizer in enumerate(OPTIMIZERS)
        if (i - j) % 3 == 0
    ],
)
def test_every_network_and_every_optimizer(network, optimizer):
    compare(network, optimizer, clip="norm")


@pytest.mark.parametrize("network", [n for n in NETWORKS if n not in SMALL_NETWORKS])
def test_large_networks(network):
    compare(network, "Adam", steps=30)


@pytest.mark.parametrize("network", SMALL_NETWORKS)
def test_float64(network):
    compare(network, "AdamW", dtype=np.float64)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_float64_with_every_optimizer(optimizer):
    compare("deep", optimizer, dtype=np.float64)


@pytest.mark.parametrize("optimizer", OTHER_OPTIMIZERS)
def test_other_optimizers(optimizer):
    # In its first steps, RAdam updates in another way.
    compare("mlp", optimizer, steps=30, programs=2 if optimizer == "RAdam" else 1)


@pytest.mark.parametrize("clip", CLIPPING)
def test_every_clipping(clip):
    compare("mlp", "momentum", clip=clip)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule(schedule):
    compare("mlp", "Nesterov", schedule=schedule)


@pytest.mark.parametrize("kind", [Optimizer, LRScheduler])
def test_all_public_optimizers_and_schedules_are_compared(kind):
    public = [getattr(tinytorch_training, name) for name in tinytorch_training.__all__]
    expected = {c for c in public if isinstance(c, type) and issubclass(c, kind) and c is not kind}
    expected -= {LBFGS, ReduceLROnPlateau}  # they need a function and a metric
    parameters = [Tensor([[1.0]], requires_grad=True)]
    optimizers = [make(parameters) for make in (OPTIMIZERS | OTHER_OPTIMIZERS).values()]
    schedules = [make(optimizers[0]) for make in SCHEDULES.values()]
    assert {type(made) for made in (*optimizers, *schedules) if isinstance(made, kind)} == expected


def test_groups_with_different_options():
    def groups(model):
        weights = [p for name, p in model.named_parameters() if name.endswith("weight")]
        biases = [p for name, p in model.named_parameters() if not name.endswith("weight")]
        return [{"params": weights, "weight_decay": 0.1}, {"params": biases, "lr": 0.03}]

    for optimizer in ("Nesterov", "AdamW"):
        compare("layer norm", optimizer, parameters=groups)


LOSSES = {
    "label smoothing": functools.partial(cross_entropy, label_smoothing=0.1),
    "class weights": functools.partial(cross_entropy, weight=[1.0, 2.0, 0.5]),
    "an ignored class": functools.partial(cross_entropy, ignore_index=1),
    "all of them": functools.partial(
        cross_entropy, label_smoothing=0.2, weight=[0.1, 1.0, 3.0], ignore_index=0
    ),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_options_of_cross_entropy(loss):
    compare("mlp", "Adam", loss=LOSSES[loss], steps=20)


@pytest.mark.parametrize("optimizer", ["SGD", "AdamW"])
def test_gradients_accumulated_over_several_batches(optimizer):
    make, draw = NETWORKS["batch norm"]
    trainings = [Training(make, OPTIMIZERS[optimizer]) for _ in range(2)]

    def accumulate(training, batches):
        training.optimizer.zero_grad()
        losses = []
        for inputs, targets in batches:
            loss = training.loss(training.model(inputs), targets) / len(batches)
            loss.backward()
            losses.append(loss.detach())
        training.optimizer.step()
        return losses

    eager, replayed = (functools.partial(accumulate, training) for training in trainings)
    step = compile(replayed, strict=True)
    rng = np.random.default_rng(0)
    for _ in range(20):
        batches = [draw(rng) for _ in range(3)]
        for one, other in zip(step(batches), eager(batches), strict=True):
            assert one.item() == other.item()
        assert_same_state(*trainings)
    assert step.reason is None


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_gradients_accumulated_over_several_calls(optimizer):
    """One compiled function adds gradients, and another one uses them.

    The second holds the arrays of the first, which then creates new ones: it may give up.
    """
    make, draw = NETWORKS["mlp"]
    eager, replayed = (Training(make, OPTIMIZERS[optimizer]) for _ in range(2))

    def functions(training):
        def backward(inputs, targets):
            training.loss(training.model(inputs), targets).backward()

        def update():
            training.optimizer.step()
            training.optimizer.zero_grad()

        return backward, update

    of_eager, of_replayed = functions(eager), [compile(f) for f in functions(replayed)]
    rng = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecaptureWarning)
        for _ in range(8):
            for _ in range(3):
                batch = draw(rng)
                of_eager[0](*batch)
                of_replayed[0](*batch)
                assert_same_state(replayed, eager)
            of_eager[1]()
            of_replayed[1]()
            assert_same_state(replayed, eager)


def test_batches_of_several_sizes_have_their_own_programs():
    make, draw = NETWORKS["dropout"]
    eager, replayed = (Training(make, OPTIMIZERS["Adam"]) for _ in range(2))
    step = compile(replayed.step, strict=True)
    rng = np.random.default_rng(0)
    for i in range(24):
        inputs, targets = draw(rng)
        size = (8, 8, 5, 1)[i % 4]
        batch = inputs[:size], targets[:size]
        assert step(*batch).item() == eager.step(*batch).item()
        assert_same_state(replayed, eager)
    assert repr(step) == "<compiled step: 3 programs>"


def test_infinite_losses_are_as_in_eager_training():
    """A step that does not check its loss goes on with NaN, compiled or not."""
    make, draw = NETWORKS["mlp"]
    eager, replayed = (Training(make, OPTIMIZERS["SGD"]) for _ in range(2))
    step = compile(replayed.step)
    rng = np.random.default_rng(0)
    with np.errstate(all="ignore"):
        for i in range(8):
            inputs, targets = draw(rng)
            if i == 5:
                inputs = inputs * math.inf
            expected, found = eager.step(inputs, targets), step(inputs, targets)
            np.testing.assert_equal(found.data, expected.data)
    assert step.reason is None

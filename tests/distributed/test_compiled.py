"""Compiled steps on several ranks: those that send messages run as they are."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_compile import RecaptureWarning, compile
from tinytorch_distributed import DataParallel, SyncBatchNorm, run_threads, shard
from tinytorch_layers import Linear, Sequential
from tinytorch_losses import MSELoss
from tinytorch_training import SGD, DataLoader

from . import runs

X = np.random.default_rng(0).normal(size=(5, 8, 3)).astype(np.float32)


def small():
    return Sequential(Linear(6, 4, generator=0), np.tanh, Linear(4, 2, generator=1))


@pytest.mark.parametrize(
    ("model", "evaluation"),
    [(lambda comm: small(), "programs>"), (runs.network, "_comm is a ThreadEngine, which sends")],
)
def test_a_trainer_runs_the_steps_of_training_as_they_are(model, evaluation):
    """It compiles the evaluation, unless a layer could send messages."""

    def train(comm, **options):
        run = runs.trainer(comm, model(comm), **options)
        run.fit(shard(runs.data(), comm), 2, shard(DataLoader(runs.data().dataset, 10), comm))
        return runs.result(run), repr(run._steps.evaluate)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = run_threads(lambda comm: train(comm, compile=True), 2)
    assert "runs the steps of training as they are" in str(caught[0].message)
    plain = run_threads(train, 2)
    for (result, text), (expected, _) in zip(found, plain, strict=True):
        runs.assert_equal(result, expected)
        assert evaluation in text


def with_messages_of_a_layer(comm, change):
    layer = SyncBatchNorm(3, comm)
    step = change(lambda x: (layer(x) ** 3).sum())
    return [step(Tensor(x[comm.rank :: comm.size])).item() for x in X]


def with_messages_of_a_loop(comm, change):
    model = Linear(3, 1, generator=0)
    optimizer = SGD(model.parameters(), 0.1)
    with DataParallel(comm).synchronize(model) as parallel:

        @change
        def step(x):
            optimizer.zero_grad()
            loss = MSELoss()(model(x), x[:, :1])
            parallel.backward(loss, len(x))
            optimizer.step()

        for x in X:
            step(Tensor(x[comm.rank :: comm.size]))
    return model.weight.tolist()


@pytest.mark.parametrize("train", [with_messages_of_a_layer, with_messages_of_a_loop])
def test_a_step_that_sends_messages_runs_as_it_is(train):
    with pytest.warns(RecaptureWarning, match=r"is a ThreadEngine, which sends messages to other"):
        found = run_threads(lambda comm: train(comm, compile), 2)
    assert found == run_threads(lambda comm: train(comm, lambda step: step), 2)

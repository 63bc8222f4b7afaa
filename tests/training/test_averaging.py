"""AveragedWeights, with an average of the latest weights only."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest

from tinytorch_layers import Linear
from tinytorch_losses import MSELoss
from tinytorch_training import SGD, AveragedWeights, Callback, Trainer

X = np.random.default_rng(0).normal(size=(24, 3))
T = X.sum(axis=1, keepdims=True)


class Mean:
    """The mean of the weights after each step."""

    def __init__(self, model) -> None:
        self.model, self.number = model, 0
        self.sums = [p.data * 0 for p in model.parameters()]

    def update(self) -> None:
        self.number += 1
        for i, p in enumerate(self.model.parameters()):
            self.sums[i] = self.sums[i] + p.data

    @contextmanager
    def averaged(self):
        own = [p.data for p in self.model.parameters()]
        for p, total in zip(self.model.parameters(), self.sums, strict=True):
            p.data = total / self.number
        yield
        for p, data in zip(self.model.parameters(), own, strict=True):
            p.data = data

    def state_dict(self) -> dict:
        return {"number": self.number, "sums": self.sums}

    def load_state_dict(self, state_dict) -> None:
        self.number, self.sums = state_dict["number"], list(state_dict["sums"])


def trainer(**options) -> tuple[Trainer, Mean]:
    model = Linear(3, 1, dtype=np.float64, generator=0)
    mean = Mean(model)
    run = Trainer(
        model,
        MSELoss(),
        SGD(model.parameters(), lr=0.1),
        callbacks=[AveragedWeights(mean)],
        **options,
    )
    return run, mean


@pytest.mark.parametrize("compile", [False, True])
def test_validation_uses_the_average_and_training_the_weights(compile: bool) -> None:
    (run, mean), (twin, _) = trainer(compile=compile), trainer()
    twin.callbacks = []
    for each in (run, twin):
        each.fit(X, T, 3, (X, T), batch_size=8, generator=1)
    np.testing.assert_equal(run.model.state_dict(), twin.model.state_dict())
    assert mean.number == 9
    assert run.history["val_loss"] != twin.history["val_loss"]
    with mean.averaged():
        assert run.evaluate(X, T)["loss"] == run.history["val_loss"][-1]


def test_the_average_is_resumed(tmp_path) -> None:
    options = {"batch_size": 8, "checkpoint": tmp_path / "run", "resume": True, "generator": 1}
    (whole, _), (first, _), (second, mean) = trainer(), trainer(), trainer()
    whole.fit(X, T, 4, (X, T), batch_size=8, generator=1)
    first.fit(X, T, 2, (X, T), **options)
    second.fit(X, T, 4, (X, T), **options)
    assert second.history == whole.history
    assert mean.number == 12


def test_an_exception_in_the_validation_leaves_the_weights() -> None:
    run, _ = trainer()
    run.fit(X, T, 1, (X, T))
    before = []

    class Failing(Callback):
        def on_validation_start(self, trainer) -> None:
            before.append(trainer.model.state_dict())
            raise KeyboardInterrupt

    class Earlier(Callback):
        def on_validation_start(self, trainer) -> None:
            before.append(trainer.model.state_dict())

    run.callbacks = [Earlier(), *run.callbacks, Failing()]
    with pytest.raises(KeyboardInterrupt):
        run.fit(X, T, 1, (X, T))
    own, averages = before
    np.testing.assert_equal(run.model.state_dict(), own)
    assert (own["weight"] != averages["weight"]).any()


def test_an_average_needs_its_methods() -> None:
    with pytest.raises(TypeError, match=r"average of AveragedWeights must be an EMA, but 3 has no"):
        AveragedWeights(3)

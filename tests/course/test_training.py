"""The Trainer, schedules, clipping and checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinytorch_training import CheckpointError

from .checks import close

pytestmark = pytest.mark.usefixtures("course")


def trainer(**options: Any) -> Any:
    from tinytorch import SGD, CrossEntropyLoss, Linear, ReLU, Trainer

    class Model:
        def __init__(self):
            self.layers = [Linear(2, 8), ReLU(), Linear(8, 2)]
            self.training = True

        def forward(self, x):
            for layer in self.layers:
                x = layer.forward(x)
            return x

        def parameters(self):
            return self.layers[0].parameters() + self.layers[2].parameters()

    model = Model()
    return Trainer(
        model, SGD(model.parameters(), lr=0.1, momentum=0.9), CrossEntropyLoss(), **options
    )


def clouds(batch_size: int = 10) -> Any:
    from tinytorch import DataLoader, Tensor, TensorDataset

    x = np.random.randn(60, 2)
    return DataLoader(TensorDataset(Tensor(x), Tensor(x[:, 0] > x[:, 1])), batch_size)


def test_a_trainer_trains() -> None:
    from tinytorch import CosineSchedule

    data = clouds()
    run = trainer(scheduler=CosineSchedule(0.2, 0.01, total_epochs=10), grad_clip_norm=1.0)
    losses = [run.train_epoch(data) for _ in range(10)]
    assert losses[-1] < losses[0] / 3
    assert run.model.training
    loss, accuracy = run.evaluate(data)
    assert not run.model.training
    assert loss < 0.2
    assert accuracy > 0.9
    assert (run.epoch, run.step) == (10, 60)
    assert run.history["train_loss"] == losses
    assert run.history["eval_loss"] == [loss]
    assert run.history["learning_rates"][0] == 0.2
    assert run.history["learning_rates"][-1] < 0.02


def test_accumulated_batches_are_one_step() -> None:
    np.random.seed(2)
    one = trainer()
    one.train_epoch(clouds(batch_size=20))
    np.random.seed(2)
    two = trainer()
    two.train_epoch(clouds(batch_size=10), accumulation_steps=2)
    assert one.step == two.step == 3
    close(two.model.parameters()[0], one.model.parameters()[0].data)
    three = trainer()
    three.train_epoch(clouds(batch_size=10), accumulation_steps=4)
    assert three.step == 2  # four batches, and the other two
    with pytest.raises(ValueError, match="accumulation_steps must be 1 or more, not 0"):
        three.train_epoch([], accumulation_steps=0)


def test_a_checkpoint_continues_a_run(tmp_path: Path) -> None:
    from tinytorch import SGD, Linear, MSELoss, Trainer

    data, path = clouds(), tmp_path / "run.pkl"
    run = trainer()
    run.train_epoch(data)
    run.save_checkpoint(path)
    other = trainer()
    other.load_checkpoint(path)
    assert (other.epoch, other.step, other.history) == (run.epoch, run.step, run.history)
    assert other.train_epoch(data) == run.train_epoch(data)
    linear = Linear(2, 2)
    with pytest.raises(ValueError, match="has parameters of the shapes"):
        Trainer(linear, SGD(linear.parameters()), MSELoss()).load_checkpoint(path)
    with pytest.raises(FileNotFoundError):
        other.load_checkpoint(tmp_path / "missing")
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(CheckpointError):
        other.load_checkpoint(path)


def test_a_trainer_without_batches() -> None:
    run = trainer()
    assert run.train_epoch([]) == 0.0
    assert run.evaluate([]) == (0.0, 0.0)


def test_clipping() -> None:
    from tinytorch import Tensor, clip_grad_norm

    w = Tensor([0.0, 0.0], requires_grad=True)
    w.grad = np.array([3.0, 4.0], np.float32)
    assert clip_grad_norm([w]) == 5.0
    close(w.grad, [0.6, 0.8])
    assert clip_grad_norm([]) == 0.0

"""Runs that the tests of the Trainer share."""

from __future__ import annotations

import numpy as np

from tinytorch_layers import BatchNorm1d, Dropout, Linear, Sequential
from tinytorch_losses import CrossEntropyLoss
from tinytorch_training import (
    Adam,
    CosineAnnealingLR,
    DataLoader,
    EarlyStopping,
    TensorDataset,
    Trainer,
    accuracy,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
Y = (X.sum(axis=1) > 0).astype(np.int64)
DATA = TensorDataset(X, Y, dtype=np.float64)


def network(p: float = 0.3) -> Sequential:
    first = Linear(3, 8, dtype=np.float64, generator=0)
    return Sequential(
        first,
        BatchNorm1d(8, dtype=np.float64),
        np.tanh,
        Dropout(p, generator=7),
        Linear(8, 2, dtype=np.float64, generator=1),
    )


def loader(**options) -> DataLoader:
    return DataLoader(DATA, **{"batch_size": 8, "shuffle": True, "generator": 3} | options)


def trainer(**options) -> Trainer:
    """Return a Trainer with every kind of part that has a state."""
    model = network()
    optimizer = Adam(model.parameters(), lr=0.01)
    defaults = {
        "scheduler": CosineAnnealingLR(optimizer, 8),
        "metrics": {"accuracy": accuracy},
        "early_stopping": EarlyStopping("val_loss", patience=50),
    }
    return Trainer(model, CrossEntropyLoss(), optimizer, **defaults | options)


def assert_same(one: Trainer, other: Trainer) -> None:
    """Check that two runs are equal, bit for bit."""
    np.testing.assert_equal(other.model.state_dict(), one.model.state_dict())
    np.testing.assert_equal(other.optimizer.state_dict(), one.optimizer.state_dict())
    assert other.history == one.history
    assert (other.epoch, other.step) == (one.epoch, one.step)


def linear_model() -> Linear:
    return Linear(3, 1, dtype=np.float64, generator=0)

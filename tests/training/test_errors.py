"""Errors of optimizers, clipping and states for values of the wrong type or out of range."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_layers import Linear
from tinytorch_losses import MSELoss
from tinytorch_training import (
    SGD,
    AdamW,
    CSVLogger,
    DataLoader,
    EarlyStopping,
    ModelCheckpoint,
    RMSprop,
    SequentialLR,
    StepLR,
    TensorDataset,
    Trainer,
    clip_grad_norm,
    clip_grad_value,
)
from tinytorch_training.metrics import Averages

W = Tensor([1.0, 2.0], requires_grad=True)


def two_schedules(milestones: Any) -> SequentialLR:
    optimizer = SGD([W])
    return SequentialLR(optimizer, [StepLR(optimizer, 2), StepLR(optimizer, 3)], milestones)


def trainer() -> Trainer:
    model = Linear(2, 1)
    return Trainer(model, MSELoss(), SGD(model.parameters()))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: AdamW([W], lr="fast"), TypeError, "lr"),
        (lambda: RMSprop([W], alpha=None), TypeError, "alpha"),
        (lambda: clip_grad_norm([W], "1"), TypeError, "max_norm"),
        (lambda: clip_grad_norm([W], 1.0, norm_type=None), TypeError, "norm_type"),
        (lambda: clip_grad_value([W], None), TypeError, "clip_value"),
        (lambda: two_schedules([0.5]), TypeError, "milestone"),
        (lambda: trainer().load(Path("missing.checkpoint")), FileNotFoundError, "missing"),
    ],
)
def test_invalid_arguments_raise(
    call: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()


def loader() -> DataLoader:
    return DataLoader(TensorDataset(np.arange(10)), 2)


# A wrong value in the state, or ... for a missing one.
@pytest.mark.parametrize(
    ("create", "name", "value", "error"),
    [
        (lambda: CSVLogger("log"), "length", ..., KeyError),
        (lambda: CSVLogger("log"), "length", 0.5, TypeError),
        (lambda: ModelCheckpoint("file"), "best", ..., KeyError),
        (loader, "position", ..., KeyError),
        (loader, "position", 0.5, TypeError),
        (loader, "batch_size", 3, ValueError),
        (EarlyStopping, "waited", ..., KeyError),
        (EarlyStopping, "best", "low", TypeError),
        (EarlyStopping, "weights", 3, TypeError),
        (EarlyStopping, "best_epoch", -1, ValueError),
        (EarlyStopping, "waited", -1, ValueError),
        (Averages, "examples", ..., KeyError),
        (Averages, "sums", {"loss": "low"}, TypeError),
        (Averages, "examples", -1, ValueError),
    ],
)
def test_a_damaged_state_raises_and_changes_nothing(
    create: Callable[[], Any], name: str, value: Any, error: type[Exception]
) -> None:
    state = create().state_dict() | {name: value}
    if value is ...:
        del state[name]
    loaded = create()
    before = repr(loaded.state_dict())
    with pytest.raises(error, match=name):
        loaded.load_state_dict(state)
    assert repr(loaded.state_dict()) == before

"""Early stopping of a run."""

from __future__ import annotations

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_training import (
    SGD,
    EarlyStopping,
    Trainer,
)

from .runs import X, linear_model, loader, trainer


def stopping_run(losses: list[float], **options):
    """Run with the given validation losses and a model whose bias counts the epochs."""
    model = linear_model()
    model.bias.data[:] = 0.0
    rest = iter(losses)

    class Counting(SGD):
        def step(self) -> None:
            model.bias.data += 1

    def loss(output, target):
        return (output * 0).sum() + (1.0 if model.training else next(rest))

    stopping = EarlyStopping(**{"patience": 2} | options)
    run = Trainer(model, loss, Counting(model.parameters()), early_stopping=stopping)
    batch = [(Tensor(X), Tensor(X[:, :1]))]
    run.fit(batch, len(losses), batch)
    return run.epoch, stopping.best_epoch, model.bias.item()


@pytest.mark.parametrize(
    ("losses", "options", "expected"),
    [
        ([3, 2, 1, 2, 2, 0], {}, (5, 3, 3)),
        ([3, 2, 1, 2, 2, 0], {"restore_best": False}, (5, 3, 5)),
        ([3, 2, 1, 2, 0.5, 1], {}, (6, 5, 5)),
        ([3, 2.96, 2.94, 2.92], {"min_delta": 0.1}, (3, 1, 1)),
        ([1, 2, 1, 1], {"mode": "max"}, (4, 2, 2)),
        ([1, 2, 3], {}, (3, 1, 1)),
        ([1, 1, 1], {}, (3, 1, 1)),
        ([np.nan, 3, 2, 4], {}, (4, 3, 3)),
        ([np.nan, 3, 2, 4], {"mode": "max"}, (4, 4, 4)),
        ([3, np.nan, 2, np.nan], {}, (4, 3, 3)),
        ([np.nan, np.nan, 1], {}, (2, 0, 2)),
    ],
)
def test_early_stopping_without_improvement(losses, options, expected) -> None:
    assert stopping_run(losses, **options) == expected


def test_fit_after_early_stopping_warns_and_a_new_condition_continues() -> None:
    run = trainer(early_stopping=EarlyStopping(patience=1, min_delta=9.0))
    run.fit(loader(), 8, loader())
    assert run.epoch == 2
    with pytest.warns(UserWarning, match="has ended this run after epoch 2.* a new EarlyStopping"):
        run.fit(loader(), 3, loader())
    assert run.epoch == 2
    run.early_stopping = None
    run.fit(loader(), 3, loader())
    assert run.epoch == 5

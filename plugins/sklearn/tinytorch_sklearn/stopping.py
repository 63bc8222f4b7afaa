"""Stopping, the callback that ends the training of an estimator, as scikit-learn's MLPs end."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from tinytorch_training import Callback


class Stopping(Callback):
    """Stops when the score, or without a function for it the loss, no longer improves.

    Args:
        tol: the smallest improvement that counts.
        patience: the number of epochs in a row without improvement that are allowed.
        score: a function that returns the score on held-out examples, or None to use the loss.

    Attributes:
        losses, scores: the values after each epoch.
        best: the best loss, or the best score.
        converged: whether the criterion was met.
    """

    def __init__(self, tol: float, patience: int, score: Callable[[], float] | None) -> None:
        self.tol, self.patience, self.score = tol, patience, score
        self.losses: list[float] = []
        self.scores: list[float] = []
        self.best = -math.inf if score else math.inf
        self.converged = False
        self._waited = 0
        self._weights: Mapping[str, Any] | None = None

    def on_epoch_end(self, trainer: Any, numbers: Mapping[str, Any]) -> None:
        """Compare the value of the epoch with the best so far."""
        loss = numbers["loss"]
        self.losses.append(loss)
        if self.score is None:
            self._waited = self._waited + 1 if loss > self.best - self.tol else 0
            self.best = min(self.best, loss)
        else:
            score = self.score()
            self.scores.append(score)
            self._waited = self._waited + 1 if score < self.best + self.tol else 0
            if score > self.best:
                self.best, self._weights = score, trainer.model.state_dict()
        self.converged = self.stopped = self._waited > self.patience

    def on_fit_end(self, trainer: Any) -> None:
        """Restore the weights with the best score."""
        if self._weights is not None:
            trainer.model.load_state_dict(self._weights)

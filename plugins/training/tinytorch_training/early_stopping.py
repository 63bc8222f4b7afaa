"""Early stopping of a training run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from tinytorch_core.extend import did_you_mean

from tinytorch_training.arguments import count, flag, not_negative


class EarlyStopping:
    """Stops a Trainer when a monitored value has not improved for several epochs.

    NaN is never an improvement, and any number is an improvement if all values so far were NaN.

    Args:
        monitor: the name of the value in the history.
        patience: the number of epochs in a row without improvement after which to stop.
        min_delta: the smallest change that counts as an improvement.
        mode: "min" if smaller is better, "max" if larger is better.
        restore_best: whether to restore the weights of the best epoch at the end.

    Attributes:
        best: the best value so far; None before the first value that is not NaN.
        best_epoch: the epoch of the best value, starting at 1.
        stopped: whether training should stop.

    Raises:
        TypeError, ValueError: an argument has the wrong type or is out of range.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 10,
        min_delta: float = 0.0,
        mode: str = "min",
        restore_best: bool = True,
    ) -> None:
        if mode not in ("min", "max"):
            raise ValueError(f"mode of EarlyStopping must be 'min' or 'max', not {mode!r}")
        if not isinstance(monitor, str):
            raise TypeError(
                f"monitor of EarlyStopping must be a name in the history, not {monitor!r:.60}"
            )
        self.monitor = monitor
        self.patience = count("EarlyStopping", "patience", patience)
        self.min_delta = not_negative("EarlyStopping", "min_delta", min_delta)
        self.mode = mode
        self.restore_best = flag("EarlyStopping", "restore_best", restore_best)
        self.best: float | None = None
        self.best_epoch = 0
        self._waited = 0
        self._weights: Mapping[str, Any] | None = None

    @property
    def stopped(self) -> bool:
        """Whether training should stop."""
        return self._waited >= self.patience

    def check(self, names: Iterable[str]) -> None:
        """Raise ValueError unless the monitored value is among the names of a history."""
        known = list(names)
        if self.monitor not in known:
            raise ValueError(
                f"EarlyStopping monitors {self.monitor!r}, which this training does not compute. "
                f"{did_you_mean(self.monitor, known)}"
            )

    def update(self, epoch: int, numbers: Mapping[str, float], model: Any) -> None:
        """Compare the values of an epoch with the best so far."""
        value = numbers[self.monitor]
        if not self._better(value):
            self._waited += 1
            return
        self.best, self.best_epoch, self._waited = value, epoch, 0
        if self.restore_best:
            self._weights = model.state_dict()

    def _better(self, value: float) -> bool:
        if self.best is None or math.isnan(value):
            return not math.isnan(value)
        gain = self.best - value if self.mode == "min" else value - self.best
        return gain > self.min_delta

    def restore(self, model: Any) -> None:
        """Load the weights of the best epoch into a model if `restore_best` is set."""
        if self._weights is not None:
            model.load_state_dict(self._weights)

    def state_dict(self) -> dict[str, Any]:
        """Return the state, including the weights of the best epoch."""
        return {
            "best": self.best,
            "best_epoch": self.best_epoch,
            "waited": self._waited,
            "weights": self._weights,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore a state from `state_dict`.

        Raises:
            TypeError, ValueError, KeyError: a value is missing, or has the wrong type or range.
                Nothing is changed.
        """
        best, weights = state_dict["best"], state_dict["weights"]
        if not (best is None or isinstance(best, int | float)):
            raise TypeError(f"best of EarlyStopping must be a number or None, not {best!r:.60}")
        if not (weights is None or isinstance(weights, Mapping)):
            raise TypeError(f"weights of EarlyStopping must be a dict, not {weights!r:.60}")
        epoch = count("EarlyStopping", "best_epoch", state_dict["best_epoch"], minimum=0)
        self._waited = count("EarlyStopping", "waited", state_dict["waited"], minimum=0)
        self.best, self.best_epoch, self._weights = best, epoch, weights

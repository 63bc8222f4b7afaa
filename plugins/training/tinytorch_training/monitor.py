"""Monitor, the base class of callbacks that look for the best epoch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from tinytorch_core.extend import did_you_mean

from tinytorch_training.arguments import count, not_negative
from tinytorch_training.callback import Callback


class Monitor(Callback):
    """Compares a value of the history with the best one so far.

    NaN does not count as an improvement. After nothing but NaN, any number is an improvement.

    Args:
        monitor: the name of the value in the history.
        min_delta: the smallest change that counts as an improvement.
        mode: "min" if smaller is better, "max" if larger is better.

    Attributes:
        best: the best value so far; None before the first value that is not NaN.
        best_epoch: the epoch of the best value, starting at 1.
    """

    def __init__(self, monitor: str, min_delta: float = 0.0, mode: str = "min") -> None:
        owner = type(self).__name__
        if mode not in ("min", "max"):
            raise ValueError(f"mode of {owner} must be 'min' or 'max', not {mode!r}")
        if not isinstance(monitor, str):
            raise TypeError(
                f"monitor of {owner} must be a name in the history, not {monitor!r:.60}"
            )
        self.monitor = monitor
        self.min_delta = not_negative(owner, "min_delta", min_delta)
        self.mode = mode
        self.best: float | None = None
        self.best_epoch = 0

    def check(self, names: Iterable[str]) -> None:
        """Raise ValueError unless the monitored value is among the names of a history."""
        known = list(names)
        if self.monitor not in known:
            raise ValueError(
                f"{type(self).__name__} monitors {self.monitor!r}, which this training does not "
                f"compute. {did_you_mean(self.monitor, known)}"
            )

    def improves(self, epoch: int, numbers: Mapping[str, Any]) -> bool:
        """Return whether an epoch is the best so far, and remember it then.

        Raises:
            TypeError: the monitored value is not a number, for example a matrix.
        """
        value = numbers[self.monitor]
        if not isinstance(value, int | float):
            raise TypeError(
                f"{type(self).__name__} monitors {self.monitor!r}, which is not a number: "
                f"{value!r:.60}"
            )
        if not self._better(value):
            return False
        self.best, self.best_epoch = value, epoch
        return True

    def _better(self, value: float) -> bool:
        if self.best is None or math.isnan(value):
            return not math.isnan(value)
        gain = self.best - value if self.mode == "min" else value - self.best
        return gain > self.min_delta

    def state_dict(self) -> dict[str, Any]:
        """Return the best value and its epoch."""
        return {"best": self.best, "best_epoch": self.best_epoch}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore a state from `state_dict`.

        Raises:
            TypeError, ValueError, KeyError: a value is missing, or has the wrong type or range.
                Nothing is changed.
        """
        owner = type(self).__name__
        best = state_dict["best"]
        if not (best is None or isinstance(best, int | float)):
            raise TypeError(f"best of {owner} must be a number or None, not {best!r:.60}")
        self.best_epoch = count(owner, "best_epoch", state_dict["best_epoch"], minimum=0)
        self.best = best

"""Early stopping: an end to training that no longer helps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tinytorch_core.extend import did_you_mean

from tinytorch_training.arguments import count, flag, not_negative


class EarlyStopping:
    """Stops a Trainer when a number has not become better for some epochs.

    Args:
        monitor: which number of the history to watch.
        patience: how many epochs in a row it may fail to become better.
        min_delta: by how much it must be better to count as better.
        mode: "min" if smaller is better, "max" if larger is.
        restore_best: give the model back, at the end, the weights of its best epoch.

    Attributes:
        best: the best value so far; None before the first epoch.
        best_epoch: the epoch it is from, counted from 1.
        stopped: whether patience has run out.

    Raises:
        TypeError, ValueError: something is not as above.
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
        """Whether patience has run out."""
        return self._waited >= self.patience

    def check(self, names: Iterable[str]) -> None:
        """Raises ValueError unless the number to watch is among those of a history."""
        known = list(names)
        if self.monitor not in known:
            raise ValueError(
                f"EarlyStopping watches {self.monitor!r}, which this training does not compute. "
                f"{did_you_mean(self.monitor, known)}"
            )

    def update(self, epoch: int, numbers: Mapping[str, float], model: Any) -> None:
        """Takes in the numbers of an epoch."""
        value = numbers[self.monitor]
        if not self._better(value):
            self._waited += 1
            return
        self.best, self.best_epoch, self._waited = value, epoch, 0
        if self.restore_best:
            self._weights = model.state_dict()

    def _better(self, value: float) -> bool:
        if self.best is None:
            return True
        gain = self.best - value if self.mode == "min" else value - self.best
        return gain > self.min_delta

    def restore(self, model: Any) -> None:
        """Gives a model the weights of the best epoch, if they were kept."""
        if self._weights is not None:
            model.load_state_dict(self._weights)

    def state_dict(self) -> dict[str, Any]:
        """What is remembered, the weights of the best epoch included."""
        return {
            "best": self.best,
            "best_epoch": self.best_epoch,
            "waited": self._waited,
            "weights": self._weights,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over what `state_dict` gave."""
        self.best = state_dict["best"]
        self.best_epoch = state_dict["best_epoch"]
        self._waited = state_dict["waited"]
        self._weights = state_dict["weights"]

"""Early stopping of a training run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinytorch_training.arguments import count, flag
from tinytorch_training.monitor import Monitor


class EarlyStopping(Monitor):
    """Stops a Trainer when a monitored value has not improved for several epochs.

    NaN does not count as an improvement. After nothing but NaN, any number is an improvement.

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
        super().__init__(monitor, min_delta, mode)
        self.patience = count("EarlyStopping", "patience", patience)
        self.restore_best = flag("EarlyStopping", "restore_best", restore_best)
        self._waited = 0
        self._weights: Mapping[str, Any] | None = None

    @property
    def stopped(self) -> bool:  # type: ignore[override]
        """Whether training should stop."""
        return self._waited >= self.patience

    def on_epoch_end(self, trainer: Any, numbers: Mapping[str, Any]) -> None:
        """Compare the values of an epoch with the best so far."""
        self.update(trainer.epoch, numbers, trainer.model)

    def on_fit_end(self, trainer: Any) -> None:
        """Restore the weights of the best epoch."""
        self.restore(trainer.model)

    def update(self, epoch: int, numbers: Mapping[str, float], model: Any) -> None:
        """Compare the values of an epoch with the best so far."""
        if not self.improves(epoch, numbers):
            self._waited += 1
            return
        self._waited = 0
        if self.restore_best:
            self._weights = model.state_dict()

    def restore(self, model: Any) -> None:
        """Load the weights of the best epoch into a model if `restore_best` is set."""
        if self._weights is not None:
            model.load_state_dict(self._weights)

    def state_dict(self) -> dict[str, Any]:
        """Return the state, including the weights of the best epoch."""
        return {**super().state_dict(), "waited": self._waited, "weights": self._weights}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore a state from `state_dict`.

        Raises:
            TypeError, ValueError, KeyError: a value is missing, or has the wrong type or range.
                Nothing is changed.
        """
        weights = state_dict["weights"]
        if not (weights is None or isinstance(weights, Mapping)):
            raise TypeError(f"weights of EarlyStopping must be a dict, not {weights!r:.60}")
        waited = count("EarlyStopping", "waited", state_dict["waited"], minimum=0)
        super().load_state_dict(state_dict)
        self._waited, self._weights = waited, weights

"""AveragedWeights, a callback that keeps an average of the weights up to date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from tinytorch_training.arguments import with_methods
from tinytorch_training.callback import Callback


class AveragedWeights(Callback):
    """Updates an average of the weights after each step, and validates with it.

    The average is saved in checkpoints. `EarlyStopping` and `ModelCheckpoint` compare the results
    of the averages then, but keep the weights themselves.

    Args:
        average: an `EMA` of the model, or an object with its methods `update`, `averaged`,
            `state_dict` and `load_state_dict`.
        validate: whether the validation of each epoch uses the averages instead of the weights.

    Raises:
        TypeError: `average` lacks one of the methods.
    """

    def __init__(self, average: Any, validate: bool = True) -> None:
        methods = "update", "averaged", "state_dict", "load_state_dict"
        self.average = with_methods("AveragedWeights", "average", average, "an EMA", *methods)
        self.validate = validate
        self._block: AbstractContextManager[None] | None = None

    def on_step_end(self, trainer: Any, batches: Sequence[Any]) -> None:
        """Add the weights to the average."""
        self.average.update()

    def on_validation_start(self, trainer: Any) -> None:
        """Give the model the averages."""
        if self.validate:
            self._block = self.average.averaged()
            self._block.__enter__()

    def on_validation_end(self, trainer: Any, numbers: Mapping[str, Any]) -> None:
        """Give the model its own weights again."""
        self._leave()

    def on_exception(self, trainer: Any, error: BaseException) -> None:
        """Give the model its own weights again."""
        self._leave()

    def _leave(self) -> None:
        if self._block is not None:
            self._block.__exit__(None, None, None)
            self._block = None

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the average."""
        state: dict[str, Any] = self.average.state_dict()
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore a state from `state_dict`."""
        self.average.load_state_dict(state_dict)

"""Timing, a callback that measures epochs and steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any

from tinytorch_training.batches import examples_in
from tinytorch_training.callback import Callback


class Timing(Callback):
    """Measures the time of epochs and steps.

    Attributes:
        epochs: a dict for each epoch of this process: "epoch", its number; "seconds", its time
            with validation; "seconds_per_step", the mean time of a step, without the time for
            loading batches; "examples_per_second", the examples per second of training, which
            includes loading. The times are not saved in checkpoints.

    >>> import numpy as np
    >>> from tinytorch_layers import Linear
    >>> from tinytorch_training import SGD, Trainer
    >>> model, timing = Linear(1, 1, dtype=np.float64), Timing()
    >>> loss = lambda y, t: ((y - t) ** 2).mean()
    >>> trainer = Trainer(model, loss, SGD(model.parameters()), callbacks=[timing])
    >>> history = trainer.fit([(np.ones((1, 1)), np.ones((1, 1)))], epochs=2)
    >>> list(timing.epochs[0])
    ['epoch', 'seconds', 'seconds_per_step', 'examples_per_second']
    """

    def __init__(self) -> None:
        self.epochs: list[dict[str, float]] = []
        self._start = self._step_start = self._last = self._in_steps = 0.0
        self._steps = self._examples = 0

    def on_epoch_start(self, trainer: Any) -> None:
        """Start the clock."""
        self._start = self._last = perf_counter()
        self._in_steps, self._steps, self._examples = 0.0, 0, 0

    def on_step_start(self, trainer: Any, batches: Sequence[Any]) -> None:
        """Start the clock of the step."""
        self._step_start = perf_counter()

    def on_step_end(self, trainer: Any, batches: Sequence[Any]) -> None:
        """Add the time and the examples of the step."""
        self._last = perf_counter()
        self._in_steps += self._last - self._step_start
        self._steps += 1
        self._examples += sum(map(examples_in, batches))

    def on_epoch_end(self, trainer: Any, numbers: Mapping[str, Any]) -> None:
        """Add the times of the epoch to `epochs`."""
        training = self._last - self._start
        self.epochs.append(
            {
                "epoch": trainer.epoch,
                "seconds": perf_counter() - self._start,
                "seconds_per_step": self._in_steps / max(self._steps, 1),
                "examples_per_second": self._examples / training if training else 0.0,
            }
        )

"""Callbacks that save checkpoints: of the run, and of the best model."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from tinytorch_training.callback import Callback
from tinytorch_training.checkpoint import save_checkpoint
from tinytorch_training.monitor import Monitor

File = str | os.PathLike[str]


class Checkpointing(Callback):
    """Saves the run after each epoch, and within epochs; see `fit`. It is called last.

    Args:
        file: the checkpoint.
        every: also save the run every so many steps within an epoch, or None.
    """

    def __init__(self, file: File, every: int | None) -> None:
        self._file, self._every = file, every

    def on_step_end(self, trainer: Any, batches: Sequence[Any]) -> None:
        """Save the run if it is due."""
        # With fewer batches the loader is exhausted, so the epoch cannot be resumed.
        if self._every and len(batches) == trainer.accumulate and trainer.step % self._every == 0:
            trainer.save(self._file)

    def on_epoch_end(self, trainer: Any, numbers: Mapping[str, Any]) -> None:
        """Save the run."""
        trainer.save(self._file)


class ModelCheckpoint(Monitor):
    """Saves the weights of the best epoch to a file whenever a monitored value improves.

    The file has the weights as "model", the number of the epoch as "epoch", and the values of the
    epoch as "numbers". `fit(checkpoint=...)` saves whole runs, from which training continues.

    Args:
        file: the file, conventionally `*.safetensors`. It is replaced atomically.
        monitor: the name of the value in the history.
        mode: "min" if smaller is better, "max" if larger is better.
        min_delta: the smallest change that counts as an improvement.

    Attributes:
        best: the best value so far; None before the first value that is not NaN.
        best_epoch: the epoch of the best value, starting at 1.

    Raises:
        TypeError, ValueError: an argument has the wrong type or is out of range, or, when a call of
            `fit` begins, the training does not compute the value.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from tinytorch_layers import Linear
    >>> from tinytorch_training import SGD, Trainer, load_checkpoint
    >>> model = Linear(1, 1, dtype=np.float64)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     best = ModelCheckpoint(Path(folder, "best.safetensors"), "loss")
    ...     loss = lambda y, t: ((y - t) ** 2).mean()
    ...     trainer = Trainer(model, loss, SGD(model.parameters()), callbacks=[best])
    ...     history = trainer.fit([(np.ones((1, 1)), np.ones((1, 1)))], epochs=2)
    ...     restored = model.load_state_dict(load_checkpoint(best.file)["model"])
    >>> best.best_epoch
    2
    """

    def __init__(
        self, file: File, monitor: str = "val_loss", mode: str = "min", min_delta: float = 0.0
    ) -> None:
        super().__init__(monitor, min_delta, mode)
        self.file = os.fspath(file)

    def on_epoch_end(self, trainer: Any, numbers: Mapping[str, Any]) -> None:
        """Save the weights if the epoch is the best so far."""
        if self.improves(trainer.epoch, numbers):
            state = {"model": trainer.model.state_dict(), "epoch": trainer.epoch}
            save_checkpoint(self.file, {**state, "numbers": dict(numbers)})

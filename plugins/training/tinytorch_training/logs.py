"""Callbacks that write the history of a run to files: CSV, JSON lines and TensorBoard."""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from tinytorch_training.arguments import count, warn_caller
from tinytorch_training.callback import Callback
from tinytorch_training.data import map_arrays

File = str | os.PathLike[str]


class _FileLogger(Callback, ABC):
    """Appends a line for each epoch to a text file.

    A checkpoint contains the length of the file. When a run is resumed, what was written after
    the checkpoint is cut off, because the resumed run writes it again.
    """

    def __init__(self, file: File) -> None:
        self.file = os.fspath(file)
        self._length = 0
        self._stream: IO[bytes] | None = None

    def on_fit_start(self, trainer: Any) -> None:
        """Open the file; a new run replaces its content."""
        path = Path(self.file)
        existing = path.stat().st_size if path.exists() else 0
        if existing < self._length:
            warn_caller(
                f"{self.file} has {existing} bytes, but had {self._length} when this run was "
                "saved; the lines of earlier epochs are missing"
            )
            self._length = existing
        self._stream = path.open("r+b" if path.exists() else "w+b")
        self._stream.truncate(self._length)
        self._stream.seek(self._length)

    def on_epoch_end(self, trainer: Any, numbers: Mapping[str, Any]) -> None:
        """Write the line of the epoch."""
        stream = self._stream
        assert stream is not None
        self._write(stream, {"epoch": trainer.epoch, "step": trainer.step, **numbers})
        # Not flushed to the disk: this takes milliseconds, and only a power failure loses the line.
        stream.flush()
        self._length = stream.tell()

    @abstractmethod
    def _write(self, stream: IO[bytes], values: Mapping[str, Any]) -> None:
        """Write the values of an epoch as one line."""

    def on_fit_end(self, trainer: Any) -> None:
        """Close the file."""
        self._close()

    def on_exception(self, trainer: Any, error: BaseException) -> None:
        """Close the file."""
        self._close()

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def state_dict(self) -> dict[str, Any]:
        """Return the length of the file."""
        return {"length": self._length}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore a state from `state_dict`.

        Raises:
            TypeError, ValueError, KeyError: the length is missing, or has the wrong type or range.
        """
        self._length = count(type(self).__name__, "length", state_dict["length"], minimum=0)


class CSVLogger(_FileLogger):
    """Writes the history to a CSV file: a header, and a line for each epoch.

    The columns are "epoch", "step" and the names of the history. A further call of `fit` that
    computes other values, for example with validation, rewrites the file with more columns. A new
    run replaces the file. A resumed run continues it, so that each epoch occurs once.

    Args:
        file: the file.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from tinytorch_layers import Linear
    >>> from tinytorch_training import SGD, Trainer
    >>> model = Linear(1, 1, dtype=np.float64)
    >>> loss = lambda y, t: ((y - t) ** 2).mean()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = CSVLogger(Path(folder, "log.csv"))
    ...     trainer = Trainer(model, loss, SGD(model.parameters()), callbacks=[log])
    ...     history = trainer.fit([(np.ones((1, 1)), np.ones((1, 1)))], epochs=2)
    ...     Path(log.file).read_text().splitlines()[0]
    'epoch,step,loss,lr'
    """

    def _write(self, stream: IO[bytes], values: Mapping[str, Any]) -> None:
        import csv
        import io

        stream.seek(0)
        rows = list(csv.DictReader(io.StringIO(stream.read().decode(), newline="")))
        columns = list(rows[0]) if rows else list(values)
        new = [name for name in values if name not in columns]
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, [*columns, *new], restval="", lineterminator="\n")
        if new or not rows:
            stream.seek(0)
            stream.truncate()
            writer.writeheader()
            writer.writerows(rows)
        writer.writerow(dict(values))
        stream.write(text.getvalue().encode())


class JSONLogger(_FileLogger):
    """Writes the history to a file with one line of JSON for each epoch.

    A line has the keys "epoch" and "step", and the names of the history. NaN and infinity, which
    JSON does not have, become null. A new run replaces the file. A resumed run continues it, so
    that each epoch occurs once.

    Args:
        file: the file, conventionally `*.jsonl`.
    """

    def _write(self, stream: IO[bytes], values: Mapping[str, Any]) -> None:
        import json

        finite = map_arrays(_finite_or_none, dict(values))
        stream.write(json.dumps(finite).encode() + b"\n")


def _finite_or_none(value: Any) -> Any:
    """Return a number; None instead of NaN and infinity, which JSON does not have."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


class TensorBoard(Callback):
    """Writes the history for TensorBoard, which shows it with `tensorboard --logdir FOLDER`.

    Requires tensorboardX: `pip install "tinytorch-training[tensorboard]"`. If a run is resumed,
    TensorBoard hides the values of epochs after the checkpoint, which the run computes again.

    The loss of the validation is named "loss/validation" and not "val_loss", and metrics likewise,
    because TensorBoard then shows it next to "loss".

    Args:
        folder: the folder for the files. TensorBoard compares several runs in subfolders.

    Raises:
        ModuleNotFoundError: tensorboardX is not installed.
    """

    def __init__(self, folder: File) -> None:
        try:
            import tensorboardX  # noqa: F401
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                'TensorBoard requires tensorboardX: pip install "tinytorch-training[tensorboard]"',
                name=error.name,
            ) from error
        self.folder = os.fspath(folder)
        self._writer: Any = None

    def on_fit_start(self, trainer: Any) -> None:
        """Open a file in the folder."""
        from tensorboardX import SummaryWriter

        # Otherwise a file replaces another one of the same second.
        self._writer = SummaryWriter(
            self.folder, purge_step=trainer.epoch + 1, filename_suffix=f".{trainer.epoch:06}"
        )

    def on_epoch_end(self, trainer: Any, numbers: Mapping[str, Any]) -> None:
        """Write the values of the epoch; matrices are left out."""
        for name, value in numbers.items():
            if isinstance(value, int | float):
                metric = name.removeprefix("val_")
                tag = name if metric == name else f"{metric}/validation"
                self._writer.add_scalar(tag, value, trainer.epoch)
        self._writer.flush()

    def on_fit_end(self, trainer: Any) -> None:
        """Close the file."""
        self._close()

    def on_exception(self, trainer: Any, error: BaseException) -> None:
        """Close the file."""
        self._close()

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

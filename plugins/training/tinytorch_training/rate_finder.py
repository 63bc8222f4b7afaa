"""lr_find, which finds a learning rate by raising it until the loss explodes."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from tinytorch_training import run_state
from tinytorch_training.arguments import as_batches, count, positive
from tinytorch_training.batches import parameter_dtype
from tinytorch_training.callback import Calls
from tinytorch_training.data import Dataset
from tinytorch_training.finite import NonFiniteError
from tinytorch_training.inputs import is_array_like
from tinytorch_training.metrics import Averages
from tinytorch_training.plotting import draw_rates

# The decay rate of the running average of the losses, and how far it may rise above its minimum.
_DECAY = 0.9
_EXPLODED = 4.0


@dataclass(frozen=True, repr=False)
class LRFinderResult:
    """Learning rates, and the smoothed loss after a step with each.

    Attributes:
        rates: the learning rates, which rise by a constant factor.
        losses: the running average of the loss.
    """

    rates: list[float]
    losses: list[float]

    @property
    def suggestion(self) -> float | None:
        """The rate at which the loss falls fastest; None if it does not fall."""
        # The slope over several steps, because a batch differs from the next one. The first steps
        # have few losses to average.
        width = max(1, len(self.rates) // 10)
        falling = np.array(self.losses[width : int(np.argmin(self.losses)) + 1])
        slopes = falling[width:] - falling[:-width]
        if not (slopes < 0).any():
            return None
        return self.rates[width + int(np.argmin(slopes)) + width // 2]

    def plot(self, file: str | os.PathLike[str] | None = None) -> Any:
        """Return a matplotlib Figure of the losses over the rates, and save it to a file if given.

        Raises:
            ModuleNotFoundError: matplotlib is not installed.
        """
        return draw_rates(self.rates, self.losses, self.suggestion, file)

    def __repr__(self) -> str:
        tried = f"{len(self.rates)} rates from {self.rates[0]:.3g} to {self.rates[-1]:.3g}"
        found = self.suggestion
        return f"LRFinderResult({tried}, suggestion={found and format(found, '.3g')})"


def lr_find(
    trainer: Any, data: Iterable[Any], start: float = 1e-6, end: float = 10.0, steps: int = 100
) -> LRFinderResult:
    """Train with rising learning rates, and return the losses and a suggested rate (Smith, 2017).

    The trial ends before `steps` if the loss is four times its minimum, or not finite. Afterwards,
    the model, the optimizer and all random state are what they were before. Of the callbacks, only
    those with `in_trials` are called.

    Args:
        trainer: a Trainer.
        data: the batches: a `DataLoader`, or another iterable of batches as for `fit`. They are
            repeated as often as necessary.
        start: the first learning rate.
        end: the last one.
        steps: the number of steps.

    Raises:
        TypeError, ValueError: an argument has the wrong type or is out of range, the data contain
            no batches, or the loss is not finite after the first step.

    >>> from tinytorch_layers import Linear
    >>> from tinytorch_training import SGD, DataLoader, TensorDataset, Trainer
    >>> x = np.linspace(-1, 1, 32, dtype=np.float32)[:, None]
    >>> model = Linear(1, 1, generator=0)
    >>> trainer = Trainer(model, lambda y, t: ((y - t) ** 2).mean(), SGD(model.parameters()))
    >>> found = lr_find(trainer, DataLoader(TensorDataset(x, 3 * x), 8))
    >>> 0.01 < found.suggestion < 1
    True
    """
    first, last = positive("lr_find()", "start", start), positive("lr_find()", "end", end)
    if first >= last:
        raise ValueError(f"start of lr_find() must be below end, but {first} is not below {last}")
    rates = np.geomspace(first, last, count("lr_find()", "steps", steps, minimum=3)).tolist()
    as_batches("lr_find()", "data", data)
    if isinstance(data, Dataset) or is_array_like(data):
        raise TypeError(
            f"data of lr_find() must be batches, but are a {type(data).__name__}; pass a "
            "DataLoader(TensorDataset(inputs, targets), batch_size)"
        )
    with run_state.unchanged(trainer, data), _without_schedule(trainer), _trial(trainer) as calls:
        losses = list(_losses(trainer, data, rates, calls))
    if not losses:
        raise ValueError(
            "lr_find() got no batches, or the loss is not finite at the smallest rate; use "
            "other data or a smaller start"
        )
    return LRFinderResult(rates[: len(losses)], losses)


@contextmanager
def _without_schedule(trainer: Any) -> Iterator[None]:
    """Train without the schedule in the block: it may have fewer steps, and sets other options."""
    schedule, trainer.scheduler = trainer.scheduler, None
    try:
        yield
    finally:
        trainer.scheduler = schedule


@contextmanager
def _trial(trainer: Any) -> Iterator[Calls]:
    """Call only the callbacks that take part in a trial, in the block and at its ends."""
    calls = Calls(trainer, [callback for callback in trainer.callbacks if callback.in_trials])
    before, trainer._callback_calls = trainer._callback_calls, calls
    try:
        calls("fit_start")
        yield calls
        calls("fit_end")
    except BaseException as error:
        calls.report(error)
        raise
    finally:
        trainer._callback_calls = before


def _losses(trainer: Any, data: Iterable[Any], rates: list[float], calls: Calls) -> Iterator[float]:
    """Train a step with each rate, and yield the running average of the losses."""
    trainer._conversion.dtype = parameter_dtype(trainer.model)
    batches = _repeated(data)
    average, lowest = 0.0, float("inf")
    for i, rate in enumerate(rates, 1):
        given = list(islice(batches, trainer.accumulate))
        if not given:
            return
        for group in trainer.optimizer.param_groups:
            group["lr"] = rate
        trainer.averages = Averages()
        try:
            trainer._train_step(given)
        except NonFiniteError:
            # The trial ends, also on other ranks, on which this loss may be finite.
            trainer.averages.add({"loss": math.nan}, 1)
        calls("averages", trainer.averages)
        loss = trainer.averages.means().get("loss", average)
        if not math.isfinite(loss):
            return
        average = _DECAY * average + (1 - _DECAY) * loss
        smooth = average / (1 - _DECAY**i)
        yield smooth
        lowest = min(lowest, smooth)
        if smooth > _EXPLODED * lowest:
            return


def _repeated(data: Iterable[Any]) -> Iterator[Any]:
    """Yield the batches of data again and again; nothing if there are none."""
    found = True
    while found:
        found = False
        for batch in data:
            found = True
            yield batch

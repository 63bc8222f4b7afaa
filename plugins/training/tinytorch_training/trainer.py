"""Trainer, a training loop with metrics, validation, early stopping and checkpoints."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_training import run_state
from tinytorch_training.arguments import (
    as_batches,
    count,
    flag,
    function,
    metric_functions,
    positive,
    warn_caller,
    with_methods,
)
from tinytorch_training.data import map_arrays
from tinytorch_training.early_stopping import EarlyStopping
from tinytorch_training.finite import NonFiniteError, describe
from tinytorch_training.metrics import Averages
from tinytorch_training.optimizer import Optimizer
from tinytorch_training.progress import Bar
from tinytorch_training.schedules import LRScheduler
from tinytorch_training.step import NotFinite, Result, Steps, detached

Array = Any
File = str | os.PathLike[str]
Metric = Callable[[Any, Any], Any]


class Trainer:
    """Trains a model, reports its progress, and saves checkpoints.

    Floating-point data are converted to the dtype of the model's parameters, if they have only
    one, with a single warning if this loses precision: float64 inputs make a float32 model several
    times slower.

    Args:
        model: a `Module`, called with the inputs of a batch.
        loss: a function of the model's output and the target that returns the mean over the
            batch.
        optimizer: the optimizer of the model's parameters.
        scheduler: the learning rate schedule, or None.
        scheduler_interval: whether to call `scheduler.step()` after each "epoch" or after each
            "step" of the optimizer. A schedule that takes a metric, such as `ReduceLROnPlateau`,
            gets the validation loss of each epoch, or the training loss without validation data.
        metrics: functions of the output and the target by name, such as `{"accuracy": accuracy}`.
            They are reported as averages over the examples. They get detached tensors, and are
            called after the step of the optimizer. The names "loss", "lr" and those that begin
            with "val_" are reserved for the history.
        accumulate: the number of batches per step of the optimizer. The step is the same as for
            a single large batch.
        max_grad_norm: the norm to which the gradients of each step are clipped, or None.
        early_stopping: the condition for stopping before the last epoch, or None.
        generators: further NumPy random generators by name to save in checkpoints. Those of the
            data loaders and of the model's modules are always saved.
        progress: whether to show a progress bar; None shows it on terminals only.
        compile: whether to compile the steps of training and of evaluation with tinytorch-compile,
            which does not change any result; or the name of one of its backends. A step that cannot
            be captured runs as it is, with a warning that names the line.

    Attributes:
        epoch: the number of completed epochs.
        step: the number of completed steps of the optimizer.
        history: a dict of lists with one number for each epoch: "loss", the metrics, "lr" and,
            with validation data, "val_loss" and so on.

    Raises:
        TypeError: the model lacks methods of a Module, or an argument has the wrong type.
        ValueError: the optimizer has none of the model's parameters, or an argument is out of
            range.
        ModuleNotFoundError: `compile` is given, and tinytorch-compile is not installed.

    >>> from tinytorch_layers import Linear
    >>> from tinytorch_training import SGD, DataLoader, TensorDataset
    >>> x = np.linspace(-1, 1, 32, dtype=np.float32)[:, None]
    >>> model = Linear(1, 1, generator=0)
    >>> trainer = Trainer(model, lambda y, t: ((y - t) ** 2).mean(), SGD(model.parameters(), 0.3))
    >>> history = trainer.fit(DataLoader(TensorDataset(x, 3 * x + 1), 8), epochs=20)
    >>> model.weight.item(), model.bias.item()
    (3.0..., 1.0...)
    """

    def __init__(
        self,
        model: Any,
        loss: Metric,
        optimizer: Optimizer,
        *,
        scheduler: LRScheduler | None = None,
        scheduler_interval: str = "epoch",
        metrics: Mapping[str, Metric] | None = None,
        accumulate: int = 1,
        max_grad_norm: float | None = None,
        early_stopping: EarlyStopping | None = None,
        generators: Mapping[str, np.random.Generator] | None = None,
        progress: bool | None = None,
        compile: bool | str = False,
    ) -> None:
        if scheduler_interval not in ("epoch", "step"):
            raise ValueError(
                "scheduler_interval of Trainer must be 'epoch' or 'step', not "
                f"{scheduler_interval!r}"
            )
        if max_grad_norm is not None:
            max_grad_norm = positive("Trainer", "max_grad_norm", max_grad_norm)
        _check_model(model, optimizer)
        self.model = model
        self.loss = function("Trainer", "loss", loss)
        self.optimizer = optimizer
        self.scheduler = with_methods("Trainer", "scheduler", scheduler, "an LRScheduler", "step")
        self.scheduler_interval = scheduler_interval
        if scheduler_interval == "step" and getattr(scheduler, "takes_metric", False):
            raise ValueError(
                f"{type(scheduler).__name__} compares the losses of epochs; use "
                "scheduler_interval='epoch'"
            )
        self.metrics = metric_functions("Trainer", metrics)
        self.accumulate = count("Trainer", "accumulate", accumulate)
        self.max_grad_norm = max_grad_norm
        self.early_stopping = with_methods(
            "Trainer", "early_stopping", early_stopping, "an EarlyStopping", "check", "update"
        )
        self.generators = _checked_generators(generators)
        self.progress = None if progress is None else flag("Trainer", "progress", progress)
        self.compile = compile if isinstance(compile, str) else flag("Trainer", "compile", compile)
        self._steps = Steps(*self._parts())
        self.epoch = 0
        self.step = 0
        self.history: dict[str, list[float]] = {}
        # The averages of the running epoch, and the loaders whose positions are saved.
        self.averages = Averages()
        self.loaders: dict[str, Any] = {}
        # The epoch at which the last completed call of `fit` was to end.
        self._planned = 0
        # The dtype of the model's parameters, and whether a warning about data was issued.
        self._dtype: Any = None
        self._warned = False

    def fit(
        self,
        data: Iterable[Any],
        epochs: int,
        validation: Iterable[Any] | None = None,
        *,
        checkpoint: File | None = None,
        checkpoint_every: int | None = None,
        resume: bool = False,
    ) -> dict[str, list[float]]:
        """Train for a number of epochs, after those of earlier calls.

        Args:
            data: a `DataLoader`, or another iterable of batches. A batch is a tuple of the
                model's inputs and, last, the target.
            epochs: the number of epochs of this call. If it resumes an interrupted call, the
                epochs that the interrupted call completed count.
            validation: batches for computing the loss and the metrics after each epoch, or None.
            checkpoint: the file for saving the run after each epoch, or None.
            checkpoint_every: also save the run every so many steps within an epoch.
            resume: continue from the checkpoint if the file exists. If a program is interrupted
                and run again, with the same calls of `fit`, the result is bit for bit that of an
                uninterrupted run.

        Returns:
            The history.

        Raises:
            NonFiniteError: the loss or a gradient is NaN or infinite. The message names the step
                and the arrays. The step was skipped.
            CheckpointError: the checkpoint is damaged, or belongs to a different run.
            TypeError, ValueError: the data contain no batches, or an argument has the wrong type
                or is out of range.

        Warns:
            UserWarning: early stopping ended an earlier call, so that this one does nothing.
        """
        if np.ndim(epochs):
            raise TypeError(
                "fit() takes batches and a number of epochs, not inputs and targets; write "
                "fit(DataLoader(TensorDataset(inputs, targets), batch_size=32), epochs)"
            )
        epochs = count("fit()", "epochs", epochs, minimum=0)
        if epochs > 1:
            _check_reusable("data", data)
            _check_reusable("validation", validation)
        if checkpoint_every is not None:
            checkpoint_every = count("fit()", "checkpoint_every", checkpoint_every)
        resume = flag("fit()", "resume", resume)
        self._prepare(data, validation, checkpoint, resume)
        # An interrupted call does not change `_planned`, so resuming it ends at the same epoch.
        end = epochs + (min(self.epoch, self._planned) if resume else self.epoch)
        if resume and checkpoint is not None and Path(checkpoint).exists():
            run_state.load(self, checkpoint)
        elif epochs and self._stopped():
            warn_caller(
                f"early stopping has ended this run after epoch {self.epoch}, so fit() does not "
                "train; to continue, assign a new EarlyStopping or None to trainer.early_stopping"
            )

        def save_if_due() -> None:
            if checkpoint is not None and self.step % (checkpoint_every or 1) == 0:
                self.save(checkpoint)

        with self._bar(data, end) as bar:
            while self.epoch < end and not self._stopped():
                self._train_epoch(data, bar, save_if_due if checkpoint_every else None)
                self._end_epoch(validation, bar)
                if checkpoint is not None:
                    self.save(checkpoint)
        self._planned = end
        if self.early_stopping is not None:
            self.early_stopping.restore(self.model)
        return self.history

    def evaluate(self, data: Iterable[Any]) -> dict[str, float]:
        """Return the loss and the metrics on data, averaged over the examples.

        The model is in evaluation mode during the call, and no operations are recorded.

        Args:
            data: a `DataLoader`, or another iterable of batches, as for `fit`.
        """
        averages = Averages()
        self._dtype = _parameter_dtype(self.model)
        with run_state.evaluating(self.model):
            for each in as_batches("evaluate()", "data", data):
                size = _size(each)
                batch = self._converted(each)
                averages.add(self._numbers(batch, self._current_steps().evaluate(batch)), size)
        return _means(averages)

    def predict(self, x: Any, batch_size: int = 256) -> Array:
        """Return the model's outputs for many inputs as one array.

        The model is in evaluation mode during the call, and no operations are recorded.

        Args:
            x: an array or Tensor of shape (N, ...).
            batch_size: the number of inputs per call of the model.
        """
        with run_state.evaluating(self.model):
            self._dtype = _parameter_dtype(self.model)
            starts = range(0, len(x), count("predict()", "batch_size", batch_size))
            parts = [self.model(self._in_dtype(Tensor(x[i : i + batch_size]))) for i in starts]
        return np.concatenate([part.data for part in parts])

    def save(self, file: File) -> None:
        """Save the run to a checkpoint; see `save_checkpoint`."""
        run_state.save(self, file)

    def load(self, file: File) -> None:
        """Restore the run from a checkpoint. If this fails, nothing is changed.

        Raises:
            FileNotFoundError: the file does not exist.
            CheckpointError: the file is damaged, belongs to a run with different parts or
                parameters, or contains NaN in the parameters or the state of the optimizer.
        """
        run_state.load(self, file)
        self._planned = self.epoch

    # The parts of `fit`.

    def _prepare(self, data: Any, validation: Any, checkpoint: File | None, resume: bool) -> None:
        if resume and checkpoint is None:
            raise ValueError("resume=True requires a checkpoint to resume from: checkpoint=...")
        if checkpoint is not None and not hasattr(data, "state_dict"):
            raise TypeError(
                "data of a run with checkpoints must be a DataLoader, whose position can be "
                f"saved, not {type(data).__name__}"
            )
        as_batches("fit()", "data", data)
        if validation is not None:
            as_batches("fit()", "validation", validation)
        self._dtype = _parameter_dtype(self.model)
        # An earlier call may have ended with an error in the middle of an epoch.
        self.averages = Averages()
        loaders = {"data": data, "validation": validation}
        self.loaders = {k: loader for k, loader in loaders.items() if hasattr(loader, "state_dict")}
        if self.early_stopping is not None:
            names = ["loss", *self.metrics]
            val_names = [f"val_{name}" for name in names] if validation is not None else []
            self.early_stopping.check([*names, *val_names])

    def _bar(self, data: Any, end: int) -> Bar:
        per_epoch = len(data) if hasattr(data, "__len__") else None
        done = self.epoch * (per_epoch or 0) + getattr(data, "resumes_at", 0)
        return Bar(self.progress, end, per_epoch, done)

    def _stopped(self) -> bool:
        return self.early_stopping is not None and self.early_stopping.stopped

    def _train_epoch(self, data: Any, bar: Bar, save_if_due: Callable[[], None] | None) -> None:
        self.model.train()
        iterator = iter(data)
        while batches := list(islice(iterator, self.accumulate)):
            self._train_step(batches)
            if bar.is_shown:
                bar.advance(self.epoch + 1, len(batches), self.averages.means())
            # With fewer batches the loader is exhausted, so the epoch cannot be resumed.
            if save_if_due is not None and len(batches) == self.accumulate:
                save_if_due()

    def _train_step(self, given: Sequence[Any]) -> None:
        sizes = [_size(batch) for batch in given]
        batches = [self._converted(batch) for batch in given]
        try:
            results = self._current_steps().train(*batches)
        except NotFinite as error:
            raise self._not_finite(error, batches[error.index]) from None
        for batch, result, size in zip(batches, results, sizes, strict=True):
            self.averages.add(self._numbers(batch, result), size)
        self.step += 1
        if self.scheduler is not None and self.scheduler_interval == "step":
            self.scheduler.step()

    def _current_steps(self) -> Steps:
        """Return the steps for the current attributes, which may be assigned at any time."""
        parts = self._parts()
        if self._steps.parts != parts:
            self._steps = Steps(*parts)
        return self._steps

    def _parts(self) -> tuple[Any, ...]:
        with_output = bool(self.metrics)
        parts = self.model, self.loss, self.optimizer, self.max_grad_norm, with_output
        return *parts, self.compile

    def _numbers(self, batch: Any, result: Result) -> dict[str, float]:
        """Return the loss and the metrics of a batch as numbers."""
        loss, output = result
        numbers = {"loss": _number(loss)}
        if self.metrics:
            target = map_arrays(detached, batch[-1])
            numbers |= {name: _number(f(output, target)) for name, f in self.metrics.items()}
        return numbers

    def _converted(self, batch: Any) -> Any:
        """Return a batch with its floating-point data in the dtype of the parameters."""
        for item in batch:
            own = getattr(item, "dtype", None)
            if own is None or (own.kind == "f" and own != self._dtype):
                return map_arrays(self._in_dtype, batch)
        return batch

    def _in_dtype(self, value: Any) -> Any:
        """Return floating-point data in the dtype of the parameters, and anything else as it is."""
        own = getattr(value, "dtype", None)
        if self._dtype is None or own is None or own.kind != "f" or own == self._dtype:
            return value
        if not self._warned and not np.can_cast(own, self._dtype):
            self._warned = True
            warn_caller(
                f"Trainer converts data of {own} to {self._dtype}, the dtype of the model's "
                f"parameters. To avoid this warning, convert the data yourself with "
                f"astype(np.{self._dtype}), or create the layers with dtype=np.{own}"
            )
        return value.astype(self._dtype)

    def _not_finite(self, error: NotFinite, batch: Any) -> NonFiniteError:
        loss = error.loss
        what = "a gradient is not finite" if loss is None else f"the loss is {_number(loss)}"
        return NonFiniteError(
            f"{what} at step {self.step + 1}, in epoch {self.epoch + 1}. "
            f"{describe(self.model.named_parameters(), batch)}. The parameters are those after "
            f"step {self.step}. A smaller learning rate or max_grad_norm may help"
        )

    def _end_epoch(self, validation: Any, bar: Bar) -> None:
        numbers = _means(self.averages)
        numbers["lr"] = self.optimizer.param_groups[0]["lr"]
        if validation is not None:
            val_numbers = {f"val_{k}": v for k, v in self.evaluate(validation).items()}
            bar.advance(self.epoch + 1, 0, val_numbers)
            numbers |= val_numbers
        for name, value in numbers.items():
            self.history.setdefault(name, []).append(value)
        self.averages = Averages()
        self.epoch += 1
        if getattr(self.scheduler, "takes_metric", False):
            self.scheduler.step(numbers.get("val_loss", numbers["loss"]))
        elif self.scheduler is not None and self.scheduler_interval == "epoch":
            self.scheduler.step()
        if self.early_stopping is not None:
            self.early_stopping.update(self.epoch, numbers, self.model)


_MODULE_ATTRIBUTES = (
    *("named_parameters", "named_modules", "train", "eval", "training"),
    *("state_dict", "load_state_dict"),
)


def _number(value: Any) -> float:
    return float(value.item() if isinstance(value, Tensor) else value)


def _check_reusable(name: str, data: Any) -> None:
    if isinstance(data, Iterator):
        raise TypeError(
            f"{name} of fit() is a {type(data).__name__}, which is empty after the first epoch; "
            "pass a DataLoader or a list"
        )


def _check_model(model: Any, optimizer: Optimizer) -> None:
    if isinstance(model, type):
        raise TypeError(
            f"model of Trainer is the class {model.__name__}; pass an instance of it, "
            f"{model.__name__}(...)"
        )
    if missing := [name for name in _MODULE_ATTRIBUTES if not hasattr(model, name)]:
        raise TypeError(
            f"model of Trainer must be a Module of tinytorch-layers, or have its methods; "
            f"{type(model).__name__} has no {', '.join(missing)}"
        )
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            "optimizer of Trainer must be an optimizer, such as SGD(model.parameters()), not "
            f"{optimizer!r:.60}"
        )
    model_parameters = {id(p) for _, p in model.named_parameters()}
    if model_parameters.isdisjoint(map(id, optimizer.parameters())):
        raise ValueError(
            f"the {type(optimizer).__name__} passed to Trainer has no parameter of the model; "
            "create it with model.parameters() of the same model"
        )


def _checked_generators(value: Any) -> dict[str, np.random.Generator]:
    generators = dict(value or {})
    for name, generator in generators.items():
        if not isinstance(generator, np.random.Generator):
            raise TypeError(
                f"generators[{name!r}] of Trainer must be a numpy.random.Generator, not "
                f"{generator!r:.60}"
            )
    return generators


def _parameter_dtype(model: Any) -> Any:
    """Return the dtype of all floating-point parameters, or None if they have several."""
    dtypes = {p.dtype for _, p in model.named_parameters() if p.dtype.kind == "f"}
    return dtypes.pop() if len(dtypes) == 1 else None


def _means(averages: Averages) -> dict[str, float]:
    means = averages.means()
    if not means:
        raise ValueError(
            "the data contain no batches; a dataset may be smaller than a batch, and a generator "
            "gives its batches only once"
        )
    return means


def _size(batch: Any) -> int:
    """Return the number of examples in a batch."""
    if not isinstance(batch, (tuple, list)) or len(batch) < 2:
        raise TypeError(
            "a batch must be a tuple of the model's inputs and, last, the target, not "
            f"{type(batch).__name__}: {batch!r:.60}"
        )
    return len(batch[-1])

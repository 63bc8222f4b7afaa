"""Trainer, a training loop with metrics, validation, early stopping and checkpoints."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

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
from tinytorch_training.batches import (
    Conversion,
    examples_in,
    inputs_of,
    parameter_dtype,
    share,
    target_of,
)
from tinytorch_training.callback import Callback, Calls, checked_callbacks
from tinytorch_training.checkpoint import save_checkpoint
from tinytorch_training.checkpointing import Checkpointing
from tinytorch_training.data import map_arrays
from tinytorch_training.early_stopping import EarlyStopping
from tinytorch_training.epoch_metrics import is_over_epoch
from tinytorch_training.finite import NonFiniteError, describe
from tinytorch_training.inputs import (
    check_no_arrays,
    evaluation_loader,
    input_batches,
    joined,
    training_loaders,
)
from tinytorch_training.metrics import Averages
from tinytorch_training.model_checks import check_model, check_reusable, checked_generators
from tinytorch_training.monitor import Monitor
from tinytorch_training.optimizer import Optimizer
from tinytorch_training.progress import Bar, Progress
from tinytorch_training.schedules import LRScheduler
from tinytorch_training.step import (
    NotFinite,
    Result,
    Steps,
    Weights,
    detached,
)
from tinytorch_training.step_compilers import backend_in_force

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
            They are reported as averages over the examples, each of which counts the same,
            whatever its weight in the loss. They get detached tensors, and are
            called after the step of the optimizer. Those marked with `over_epoch`, such as
            `f1_score`, get all outputs and targets of an epoch at its end instead, and may return
            a list, such as a matrix. The names
            "loss", "lr" and those that begin with "val_" are reserved for the history.
        accumulate: the number of batches per step of the optimizer. The step is the same as for
            a single large batch.
        max_grad_norm: the norm to which the gradients of each step are clipped, or None.
        early_stopping: the condition for stopping before the last epoch, or None.
        generators: further NumPy random generators by name to save in checkpoints. Those of the
            data loaders and of the model's modules are always saved.
        progress: whether to show a progress bar, or a line for each epoch where a bar would be
            unreadable, such as in a file; None shows a bar on terminals and in notebooks only.
        compile: whether to compile the steps of training and of evaluation with tinytorch-compile,
            which does not change any result; or the name of one of its backends. A step that cannot
            be captured runs as it is, with a warning that names the line. Or the name of a compiler
            that a plugin adds: "xla" compiles with tinytorch-xla, for the devices of JAX; this is
            the default inside a block of its `shard`.
        callbacks: instances of `Callback`, which are called at the defined points of a run.

    Attributes:
        epoch: the number of completed epochs.
        step: the number of completed steps of the optimizer.
        history: a dict of lists with one number for each epoch: "loss", the metrics, "lr" and,
            with validation data, "val_loss" and so on; NaN for epochs without this value.
        batch_weights: a function of the numbers of examples in the batches of a step that returns
            the weight of each batch in the gradient; None for weights in proportion to these
            numbers. A callback may set it.

    Raises:
        TypeError: the model lacks methods of a Module, or an argument has the wrong type.
        ValueError: the optimizer has none of the model's parameters, the scheduler is for a
            different optimizer, or an argument is out of range.
        ModuleNotFoundError: `compile` is given, and the package that compiles is not installed.

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
        callbacks: Iterable[Callback] = (),
    ) -> None:
        if scheduler_interval not in ("epoch", "step"):
            raise ValueError(
                "scheduler_interval of Trainer must be 'epoch' or 'step', not "
                f"{scheduler_interval!r}"
            )
        if max_grad_norm is not None:
            max_grad_norm = positive("Trainer", "max_grad_norm", max_grad_norm)
        check_model(model, optimizer)
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
        if getattr(scheduler, "optimizer", optimizer) is not optimizer:
            raise ValueError(
                "scheduler of Trainer sets the learning rates of a different optimizer; create it "
                "with the optimizer passed to Trainer"
            )
        self.metrics = metric_functions("Trainer", metrics)
        self.accumulate = count("Trainer", "accumulate", accumulate)
        self.max_grad_norm = max_grad_norm
        self.early_stopping = with_methods(
            "Trainer", "early_stopping", early_stopping, "an EarlyStopping", "check", "update"
        )
        self.generators = checked_generators(generators)
        self.progress = None if progress is None else flag("Trainer", "progress", progress)
        self.compile = compile if isinstance(compile, str) else flag("Trainer", "compile", compile)
        self.callbacks = checked_callbacks(callbacks)
        self.batch_weights: Weights | None = None
        self._callback_calls = Calls(self)
        self._conversion = Conversion()
        self._steps = Steps(*self._parts())
        self.epoch = 0
        self.step = 0
        self.history: dict[str, list[float]] = {}
        # The averages of the running epoch, and the loaders whose positions are saved.
        self.averages = Averages()
        self.loaders: dict[str, Any] = {}
        # The epoch at which the last completed call of `fit` was to end.
        self._planned = 0

    def __repr__(self) -> str:
        parts = [type(part).__name__ for part in (self.model, self.loss, self.optimizer)]
        number = sum(p.size for _, p in self.model.named_parameters())
        last = {name: values[-1] for name, values in self.history.items() if values}
        numbers = "".join(f", {k} {v:.4g}" for k, v in last.items() if isinstance(v, int | float))
        done = f"{number:,} parameters, {self.epoch} epoch{'s' * (self.epoch != 1)}"
        return f"Trainer({', '.join(parts)}: {done}{numbers})"

    def fit(
        self,
        data: Any,
        target: Any = None,
        epochs: Any = None,
        validation: Any = None,
        *,
        batch_size: int = 32,
        shuffle: bool = True,
        generator: np.random.Generator | int | None = None,
        sample_weight: Any = None,
        checkpoint: File | None = None,
        checkpoint_every: int | None = None,
        resume: bool = False,
    ) -> dict[str, list[float]]:
        """Train for a number of epochs, after those of earlier calls.

        Call it as `fit(loader, epochs, validation)` or as `fit(inputs, targets, epochs, ...)`.

        Args:
            data: a `DataLoader`, a `Dataset`, or another iterable of batches. A batch is a tuple
                of the model's inputs and, last, the target; or a dict with the "target", perhaps a
                "weight" for each example, and the model's inputs by the names of its arguments,
                or as "inputs". Or arrays or DataFrames of inputs: a single one, or a tuple or dict
                of several inputs of the model.
            target: the targets of the inputs, or the number of epochs if `data` contains them.
            epochs: the number of epochs of this call. If it resumes an interrupted call, the
                epochs that the interrupted call completed count.
            validation: data for computing the loss and the metrics after each epoch: batches, a
                `Dataset`, a tuple `(inputs, targets)` or `(inputs, targets, weights)`, the
                fraction of the inputs that is held out, or None. A fraction always holds out the
                same examples.
            batch_size: the number of examples in a batch if `data` are not batches.
            shuffle: whether to draw a new order for each epoch if `data` are not batches.
            generator: a NumPy generator or a seed for these orders.
            sample_weight: a weight for each example, or None. The loss of a batch is the weighted
                mean of the losses of its examples. `loss` must have a `reduction`, like those of
                tinytorch-losses, or take the weights as a third argument and return the weighted
                mean.
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
        if target is not None and np.ndim(target) == 0:
            # fit(loader, epochs, validation)
            validation = validation if epochs is None else epochs
            target, epochs = None, target
        if epochs is None:
            raise TypeError("fit() requires the number of epochs: fit(data, epochs=10)")
        epochs = count("fit()", "epochs", epochs, minimum=0)
        self._conversion.dtype = parameter_dtype(self.model)
        options = {"batch_size": batch_size, "shuffle": shuffle, "generator": generator}
        options["sample_weight"] = sample_weight
        data, validation = training_loaders(
            data, target, validation, options, self._conversion.array
        )
        if epochs > 1:
            check_reusable("data", data)
            check_reusable("validation", validation)
        if checkpoint_every is not None:
            checkpoint_every = count("fit()", "checkpoint_every", checkpoint_every)
        resume = flag("fit()", "resume", resume)
        self._prepare(data, validation, checkpoint, resume)
        # An interrupted call does not change `_planned`, so resuming it ends at the same epoch.
        end = epochs + (min(self.epoch, self._planned) if resume else self.epoch)
        if resume and checkpoint is not None and Path(checkpoint).exists():
            self._load(checkpoint)
        elif epochs and self._stopped():
            warn_caller(
                f"early stopping has ended this run after epoch {self.epoch}, so fit() does not "
                "train; to continue, assign a new EarlyStopping or None to trainer.early_stopping"
            )

        own: list[Callback] = [] if self.early_stopping is None else [self.early_stopping]
        bar = self._bar(data, end)
        if bar.is_shown or bar.has_lines:
            own.append(Progress(bar))
        if checkpoint is not None:
            own.append(Checkpointing(checkpoint, checkpoint_every))
        self._callback_calls = Calls(self, [*self.callbacks, *own])
        try:
            self._callback_calls("fit_start")
            while self.epoch < end and not self._stopped():
                self._train_epoch(data)
                self._end_epoch(validation)
            self._planned = end
            self._callback_calls("fit_end")
        except BaseException as error:
            self._callback_calls.report(error)
            raise
        finally:
            # The progress bar of this call cannot be copied with the Trainer.
            self._callback_calls = Calls(self, self.callbacks)
        return self.history

    def evaluate(
        self, data: Any, target: Any = None, *, batch_size: int = 256, sample_weight: Any = None
    ) -> dict[str, float]:
        """Return the loss and the metrics on data, averaged over the examples.

        The model is in evaluation mode during the call, and no operations are recorded.

        Args:
            data: batches, a `Dataset`, or inputs, as for `fit`.
            target: the targets of the inputs; None if `data` contains them.
            batch_size: the number of examples in a batch if `data` are not batches.
            sample_weight: a weight for each example, or None.

        Raises:
            TypeError, ValueError: the data contain no batches, or an argument has the wrong type
                or is out of range.
        """
        averages = Averages()
        convert = self._conversion
        convert.dtype = parameter_dtype(self.model)
        if target is None:
            check_no_arrays("evaluate()", data, sample_weight)
        else:
            data = (data, target, sample_weight)
        with run_state.evaluating(self.model):
            for each in evaluation_loader("data of evaluate()", data, batch_size, convert.array):
                weight = share(each)
                batch = convert.batch(each)
                self._add(averages, batch, self._current_steps().evaluate(batch), weight)
        return self._means(averages)

    def predict(self, x: Any, batch_size: int = 256) -> Array:
        """Return the model's outputs for many inputs as one array.

        The model is in evaluation mode during the call, and no operations are recorded. The
        outputs have the structure of the model's output, such as a tuple.

        Args:
            x: an array, Tensor or DataFrame of shape (N, ...), or a tuple or dict of several
                inputs; or a `DataLoader` or `Dataset`, whose targets are left out.
            batch_size: the number of inputs per call of the model.

        Raises:
            TypeError, ValueError: the data are empty, or an argument has the wrong type or is out
                of range.
        """
        size = count("predict()", "batch_size", batch_size)
        convert = self._conversion
        convert.dtype = parameter_dtype(self.model)
        outputs = []
        with run_state.evaluating(self.model):
            for each in input_batches(x, size, convert.array):
                batch = convert.batch(each)
                positional, named = inputs_of(batch) if isinstance(batch, dict) else (batch, {})
                outputs.append(self.model(*positional, **named))
        if not outputs:
            raise ValueError("predict() got no inputs: the data are empty")
        return joined(outputs)

    def save(self, file: File) -> None:
        """Save the run to a checkpoint; see `save_checkpoint`."""
        state = run_state.state_of(self)
        self._call_users("save", state)
        if all(callback.writes for callback in self.callbacks):
            save_checkpoint(file, state)

    def load(self, file: File) -> None:
        """Restore the run from a checkpoint. If this fails, nothing is changed.

        Raises:
            FileNotFoundError: the file does not exist.
            CheckpointError: the file is damaged, belongs to a run with different parts or
                parameters, or contains NaN in the parameters or the state of the optimizer.
        """
        self._load(file)
        self._planned = self.epoch

    def _load(self, file: File) -> None:
        run_state.load(self, file, lambda state: self._call_users("load", state))

    def _call_users(self, point: str, argument: Any) -> None:
        """Call the callbacks of the user, also outside of `fit`."""
        Calls(self, self.callbacks)(point, argument)

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
        # An earlier call may have ended with an error in the middle of an epoch.
        self.averages = Averages()
        loaders = {"data": data, "validation": validation}
        self.loaders = {k: loader for k, loader in loaders.items() if hasattr(loader, "state_dict")}
        names = ["loss", *self.metrics]
        val_names = [f"val_{name}" for name in names] if validation is not None else []
        for callback in (*self.callbacks, self.early_stopping):
            if isinstance(callback, Monitor):
                callback.check([*names, *val_names])

    def _bar(self, data: Any, end: int) -> Bar:
        per_epoch = _length(data)
        done = self.epoch * (per_epoch or 0) + getattr(data, "resumes_at", 0)
        return Bar(self.progress, end, per_epoch, done)

    def _stopped(self) -> bool:
        return any(c.stopped for c in (*self.callbacks, self.early_stopping) if c is not None)

    def _train_epoch(self, data: Any) -> None:
        self.model.train()
        self._callback_calls("epoch_start")
        iterator = iter(data)
        try:
            while batches := list(islice(iterator, self.accumulate)):
                self._train_step(batches)
        finally:
            # Ends the workers of a DataLoader.
            if isinstance(iterator, Generator):
                iterator.close()

    def _train_step(self, given: Sequence[Any]) -> None:
        shares = [share(batch) for batch in given]
        batches = [self._conversion.batch(batch) for batch in given]
        self._callback_calls("step_start", batches)
        try:
            results = self._current_steps().train(*batches)
        except NotFinite as error:
            raise self._not_finite(error, batches[error.index]) from None
        for batch, result, weight in zip(batches, results, shares, strict=True):
            self._add(self.averages, batch, result, weight)
        self.step += 1
        if self.scheduler is not None and self.scheduler_interval == "step":
            self.scheduler.step()
        self._callback_calls("step_end", batches)

    def _current_steps(self) -> Steps:
        """Return the steps for the current attributes, which may be assigned at any time."""
        parts = self._parts()
        if self._steps.parts != parts:
            self._steps = Steps(*parts)
        return self._steps

    def _parts(self) -> tuple[Any, ...]:
        with_output = bool(self.metrics)
        parts = self.model, self.loss, self.optimizer, self.max_grad_norm, with_output
        compile = backend_in_force(self.compile)
        return *parts, compile, self._callback_calls.inside_step, self.batch_weights

    def _add(self, averages: Averages, batch: Any, result: Result, weight: float) -> None:
        """Add the loss and the metrics of a batch to averages, unless it is empty."""
        examples = examples_in(batch)
        if not examples:
            return
        loss, output = result
        numbers = {"loss": loss.item()}
        if self.metrics:
            target = map_arrays(detached, target_of(batch))
            for name, metric in self.metrics.items():
                if not is_over_epoch(metric):
                    numbers[name] = _number(name, metric(output, target))
            if len(numbers) <= len(self.metrics):
                averages.collect(output, target)
        averages.add(numbers, examples, weight)

    def _means(self, averages: Averages) -> dict[str, Any]:
        """Return the averages over an epoch, and the metrics over it."""
        self._call_users("averages", averages)
        means: dict[str, Any] = averages.means()
        if not means:
            raise ValueError(
                "the data contain no batches, or only examples of weight 0; a dataset may be "
                "smaller than a batch, and a generator gives its batches only once"
            )
        over_epoch = {name: f for name, f in self.metrics.items() if is_over_epoch(f)}
        if over_epoch:
            collected = averages.collected()
            for name, metric in over_epoch.items():
                value = metric(*collected)
                means[name] = value if isinstance(value, list) else _number(name, value)
        return means

    def _not_finite(self, error: NotFinite, batch: Any) -> NonFiniteError:
        loss = error.loss
        what = "a gradient is not finite" if loss is None else f"the loss is {loss.item()}"
        return NonFiniteError(
            f"{what} at step {self.step + 1}, in epoch {self.epoch + 1}. "
            f"{describe(self.model.named_parameters(), batch)}. The parameters are those after "
            f"step {self.step}. A smaller learning rate or max_grad_norm may help"
        )

    def _end_epoch(self, validation: Any) -> None:
        numbers = self._means(self.averages)
        numbers["lr"] = self.optimizer.param_groups[0]["lr"]
        if validation is not None:
            numbers |= self._validate(validation)
        # A value that only some calls of `fit` compute is NaN for the other epochs.
        for name in {**self.history, **numbers}:
            values = self.history.setdefault(name, [math.nan] * self.epoch)
            values.append(numbers.get(name, math.nan))
        self.averages = Averages()
        self.epoch += 1
        if getattr(self.scheduler, "takes_metric", False):
            self.scheduler.step(numbers.get("val_loss", numbers["loss"]))
        elif self.scheduler is not None and self.scheduler_interval == "epoch":
            self.scheduler.step()
        self._callback_calls("epoch_end", numbers)

    def _validate(self, validation: Any) -> dict[str, float]:
        self._callback_calls("validation_start")
        numbers = {f"val_{name}": value for name, value in self.evaluate(validation).items()}
        self._callback_calls("validation_end", numbers)
        return numbers


def _length(data: Any) -> int | None:
    """Return the number of batches, or None if it is unknown."""
    try:
        return len(data)
    except TypeError:
        return None


def _number(name: str, value: Any) -> float:
    """Return a metric as a number.

    Raises:
        TypeError: it is not a number.
    """
    try:
        value = unwrap(value)
        return float(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError):
        raise TypeError(
            f"the metric {name!r} must return a number, or a list if it is marked with "
            f"over_epoch, not {value!r:.60}"
        ) from None

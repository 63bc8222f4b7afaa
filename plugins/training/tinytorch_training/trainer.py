"""The Trainer: the loop over epochs and batches, and everything that belongs around it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_training import run_state
from tinytorch_training.arguments import (
    as_batches,
    count,
    function,
    functions,
    positive,
    with_methods,
)
from tinytorch_training.clipping import clip_grad_norm
from tinytorch_training.early_stopping import EarlyStopping
from tinytorch_training.finite import NonFiniteError, all_finite, describe
from tinytorch_training.metrics import Averages
from tinytorch_training.optimizer import Optimizer
from tinytorch_training.progress import Bar
from tinytorch_training.schedules import LRScheduler

Array = Any
File = str | os.PathLike[str]
Measure = Callable[[Any, Any], Any]


class Trainer:
    """Trains a model, tells how it goes, and keeps it.

    Args:
        model: a `Module`, which is called with the inputs of a batch.
        loss: a function of the model's output and the target: the mean over the batch.
        optimizer: what changes the model's parameters.
        scheduler: what changes the learning rate, if anything does.
        scheduler_interval: when the scheduler takes a step: after each "epoch", or after each
            "step" of the optimizer.
        metrics: functions of the output and the target, by name, that are reported beside the
            loss as means over the examples, such as `{"accuracy": accuracy}`.
        accumulate: how many batches make one step of the optimizer. It is the step that they
            would make as one batch.
        max_grad_norm: clip the gradients of each step to this norm.
        early_stopping: when to stop before the last epoch.
        generators: random generators by name, to be kept in checkpoints beside those of the data
            loaders and of the model's modules, which are kept in any case.
        progress: whether to show a progress bar; by default on a terminal only.

    Attributes:
        epoch: how many epochs are done.
        step: how many steps of the optimizer are.
        history: a dict of lists with one number for each epoch: "loss", the metrics, "lr", and of
            the validation "val_loss" and so on.

    Raises:
        TypeError: the model lacks methods of a Module, or an option is of another type.
        ValueError: the optimizer changes no parameter of the model, or an option cannot be what
            it is.

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
        loss: Measure,
        optimizer: Optimizer,
        *,
        scheduler: LRScheduler | None = None,
        scheduler_interval: str = "epoch",
        metrics: Mapping[str, Measure] | None = None,
        accumulate: int = 1,
        max_grad_norm: float | None = None,
        early_stopping: EarlyStopping | None = None,
        generators: Mapping[str, np.random.Generator] | None = None,
        progress: bool | None = None,
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
        self.metrics = functions("Trainer", "metrics", metrics)
        self.accumulate = count("Trainer", "accumulate", accumulate)
        self.max_grad_norm = max_grad_norm
        self.early_stopping = with_methods(
            "Trainer", "early_stopping", early_stopping, "an EarlyStopping", "check", "update"
        )
        self.generators = dict(generators or {})
        self.progress = progress
        self.epoch = 0
        self.step = 0
        self.history: dict[str, list[float]] = {}
        # Of the running epoch; and the loaders, whose places are kept in checkpoints.
        self.averages = Averages()
        self.loaders: dict[str, Any] = {}

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
        """Trains until so many epochs are done.

        Args:
            data: a `DataLoader`, or another iterable of batches, which are tuples: the model's
                inputs, and last the target.
            epochs: how many epochs in all, those of earlier calls and of a checkpoint included.
            validation: batches on which the loss and the metrics are measured after each epoch.
            checkpoint: a file in which to keep the run after each epoch.
            checkpoint_every: keep it also within an epoch, after each so many steps.
            resume: go on from the checkpoint, if the file is there. The end is then, bit for bit,
                that of a run that was never interrupted.

        Returns:
            The history.

        Raises:
            NonFiniteError: the loss or a gradient is NaN or infinite; the message says at which
                step, and where. That step was not made.
            CheckpointError: the checkpoint is damaged, or of another run.
            TypeError, ValueError: there are no batches, or something is not as above.
        """
        epochs = count("fit()", "epochs", epochs, least=0)
        if checkpoint_every is not None:
            checkpoint_every = count("fit()", "checkpoint_every", checkpoint_every)
        self._prepare(data, validation, checkpoint, resume)
        if resume and checkpoint is not None and Path(checkpoint).exists():
            self.load(checkpoint)

        def keep(within_epoch: bool) -> None:
            due = not within_epoch or (checkpoint_every and self.step % checkpoint_every == 0)
            if checkpoint is not None and due:
                self.save(checkpoint)

        with self._bar(data, epochs) as bar:
            while self.epoch < epochs and not self._stopped():
                self._train_epoch(data, bar, keep)
                self._end_epoch(validation, bar)
                keep(within_epoch=False)
        if self.early_stopping is not None:
            self.early_stopping.restore(self.model)
        return self.history

    def evaluate(self, data: Iterable[Any]) -> dict[str, float]:
        """The loss and the metrics on data, as means over the examples.

        Nothing is recorded, and the model is in the mode of `eval()` meanwhile.
        """
        averages = Averages()
        with run_state.evaluating(self.model):
            for batch in as_batches("evaluate()", "data", data):
                size = _size(batch)
                output, loss = self._forward(batch)
                averages.add(self._numbers(output, batch, loss), size)
        return _means(averages)

    def predict(self, x: Any, batch_size: int = 256) -> Array:
        """The model's outputs for many inputs, as one array.

        Args:
            x: an array or Tensor of shape (N, ...).
            batch_size: how many of them are computed at a time.
        """
        with run_state.evaluating(self.model):
            starts = range(0, len(x), count("predict()", "batch_size", batch_size))
            parts = [self.model(Tensor(x[i : i + batch_size])) for i in starts]
        return np.concatenate([part.data for part in parts])

    def save(self, file: File) -> None:
        """Keeps the run in a checkpoint: see `save_checkpoint`."""
        run_state.save(self, file)

    def load(self, file: File) -> None:
        """Takes over the run that a checkpoint holds; nothing is changed if it is of another.

        Raises:
            FileNotFoundError: there is no such file.
            CheckpointError: it is damaged, or of a run with other parts or other parameters.
        """
        run_state.load(self, file)

    # The parts of `fit`.

    def _prepare(self, data: Any, validation: Any, checkpoint: File | None, resume: bool) -> None:
        if resume and checkpoint is None:
            raise ValueError("resume=True needs the checkpoint to go on from: checkpoint=...")
        if checkpoint is not None and not hasattr(data, "state_dict"):
            raise TypeError(
                "a run with checkpoints takes its data from a DataLoader, whose place can be kept, "
                f"not from {type(data).__name__}"
            )
        as_batches("fit()", "data", data)
        if validation is not None:
            as_batches("fit()", "validation", validation)
        # An earlier call may have been stopped by an error in the middle of an epoch.
        self.averages = Averages()
        loaders = {"data": data, "validation": validation}
        self.loaders = {k: loader for k, loader in loaders.items() if hasattr(loader, "state_dict")}
        if self.early_stopping is not None:
            names = ["loss", *self.metrics]
            held_out = [f"val_{name}" for name in names] if validation is not None else []
            self.early_stopping.check([*names, *held_out])

    def _bar(self, data: Any, epochs: int) -> Bar:
        per_epoch = len(data) if hasattr(data, "__len__") else None
        done = self.epoch * (per_epoch or 0)
        return Bar(self.progress, epochs, per_epoch, done)

    def _stopped(self) -> bool:
        return self.early_stopping is not None and self.early_stopping.stopped

    def _train_epoch(self, data: Any, bar: Bar, keep: Callable[..., None]) -> None:
        self.model.train()
        batches = iter(data)
        while several := list(islice(batches, self.accumulate)):
            self._train_step(several)
            bar.advance(self.epoch + 1, len(several), self.averages.means())
            # Fewer are the last ones: the loader is at its end, and no longer within the epoch.
            if len(several) == self.accumulate:
                keep(within_epoch=True)

    def _train_step(self, batches: Sequence[Any]) -> None:
        self.optimizer.zero_grad()
        sizes = [_size(batch) for batch in batches]
        for batch, size in zip(batches, sizes, strict=True):
            output, loss = self._forward(batch)
            numbers = self._numbers(output, batch, loss)
            if not math.isfinite(numbers["loss"]):
                # For the report: whatever NumPy warns of on the way, the report says.
                with np.errstate(all="ignore"):
                    loss.backward()
                raise self._not_finite(f"the loss is {numbers['loss']}", batch)
            loss.backward(np.full(loss.shape, size / sum(sizes)))
            self.averages.add(numbers, size)
        if not all_finite(self.optimizer.parameters()):
            raise self._not_finite("a gradient is not finite", batches[-1])
        if self.max_grad_norm is not None:
            clip_grad_norm(self.optimizer.parameters(), self.max_grad_norm)
        self.optimizer.step()
        self.step += 1
        if self.scheduler is not None and self.scheduler_interval == "step":
            self.scheduler.step()

    def _forward(self, batch: Any) -> tuple[Any, Any]:
        *inputs, target = batch
        output = self.model(*inputs)
        loss = self.loss(output, target)
        if not isinstance(loss, Tensor):
            raise TypeError(f"the loss must be a Tensor of one element, not {loss!r:.60}")
        return output, loss

    def _numbers(self, output: Any, batch: Any, loss: Any) -> dict[str, float]:
        """The loss and the metrics of one batch."""
        output = output.detach() if isinstance(output, Tensor) else output
        measured = {name: float(f(output, batch[-1])) for name, f in self.metrics.items()}
        return {"loss": float(loss.item()), **measured}

    def _not_finite(self, what: str, batch: Any) -> NonFiniteError:
        return NonFiniteError(
            f"{what} at step {self.step + 1}, in epoch {self.epoch + 1}. "
            f"{describe(self.model.named_parameters(), batch)}. The parameters are as step "
            f"{self.step} left them. A smaller learning rate or max_grad_norm may help"
        )

    def _end_epoch(self, validation: Any, bar: Bar) -> None:
        numbers = _means(self.averages)
        numbers["lr"] = self.optimizer.param_groups[0]["lr"]
        if validation is not None:
            held_out = {f"val_{k}": v for k, v in self.evaluate(validation).items()}
            bar.advance(self.epoch + 1, 0, held_out)
            numbers |= held_out
        for name, value in numbers.items():
            self.history.setdefault(name, []).append(value)
        self.averages = Averages()
        self.epoch += 1
        if self.scheduler is not None and self.scheduler_interval == "epoch":
            self.scheduler.step()
        if self.early_stopping is not None:
            self.early_stopping.update(self.epoch, numbers, self.model)


_OF_A_MODULE = (
    *("named_parameters", "named_modules", "train", "eval", "training"),
    *("state_dict", "load_state_dict"),
)


def _check_model(model: Any, optimizer: Optimizer) -> None:
    if missing := [name for name in _OF_A_MODULE if not hasattr(model, name)]:
        raise TypeError(
            f"Trainer takes a Module of tinytorch-layers, or what has its methods; "
            f"{type(model).__name__} has no {', '.join(missing)}"
        )
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            "optimizer of Trainer must be an optimizer, such as SGD(model.parameters()), not "
            f"{optimizer!r:.60}"
        )
    of_the_model = {id(p) for _, p in model.named_parameters()}
    if of_the_model.isdisjoint(map(id, optimizer.parameters())):
        raise ValueError(
            f"this {type(optimizer).__name__} changes no parameter of this model; make it with "
            "model.parameters() of the same model"
        )


def _means(averages: Averages) -> dict[str, float]:
    means = averages.means()
    if not means:
        raise ValueError("the data gave no batches; is the dataset smaller than a batch?")
    return means


def _size(batch: Any) -> int:
    """How many examples a batch has."""
    if not isinstance(batch, tuple | list) or len(batch) < 2:
        raise TypeError(
            "a batch must be a tuple of the model's inputs and, last, the target, not "
            f"{type(batch).__name__}: {batch!r:.60}"
        )
    return len(batch[-1])

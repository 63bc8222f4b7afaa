"""The training loop of the course."""

from __future__ import annotations

import math
from collections.abc import Iterable
from os import PathLike
from typing import Any

import numpy as np

import tinytorch_training
from tinytorch_autograd import no_grad
from tinytorch_course.optimizers import Optimizer
from tinytorch_course.tensor import Tensor

__all__ = [
    "DEFAULT_MAX_LR",
    "DEFAULT_MIN_LR",
    "DEFAULT_TOTAL_EPOCHS",
    "CosineSchedule",
    "Trainer",
    "clip_grad_norm",
]

DEFAULT_MAX_LR = 0.1
DEFAULT_MIN_LR = 0.01
DEFAULT_TOTAL_EPOCHS = 100


class CosineSchedule:
    """A learning rate that falls from `max_lr` to `min_lr` along half a cosine.

    >>> schedule = CosineSchedule(max_lr=1.0, min_lr=0.0, total_epochs=10)
    >>> schedule.get_lr(0), schedule.get_lr(5), schedule.get_lr(10)
    (1.0, 0.5, 0.0)
    """

    def __init__(
        self,
        max_lr: float = DEFAULT_MAX_LR,
        min_lr: float = DEFAULT_MIN_LR,
        total_epochs: int = DEFAULT_TOTAL_EPOCHS,
    ) -> None:
        self.max_lr, self.min_lr, self.total_epochs = max_lr, min_lr, total_epochs

    def get_lr(self, epoch: int) -> float:
        """Return the learning rate of an epoch; `min_lr` after the last one."""
        if epoch >= self.total_epochs:
            return self.min_lr
        part = round((1 + math.cos(math.pi * epoch / self.total_epochs)) / 2, 15)
        return self.min_lr + (self.max_lr - self.min_lr) * part


def clip_grad_norm(parameters: Iterable[Tensor], max_norm: float = 1.0) -> float:
    """Scale all gradients by one factor so that their total norm is at most `max_norm`.

    Returns:
        The norm before; 0 without parameters.
    """
    parameters = list(parameters)
    return tinytorch_training.clip_grad_norm(parameters, max_norm) if parameters else 0.0


class Trainer:
    """Trains a model, epoch by epoch.

    Args:
        model: an object with `forward` and `parameters`. Its attribute `training` is set.
        optimizer: an optimizer of the model's parameters.
        loss_fn: a loss with `forward(outputs, targets)`.
        scheduler: an object with `get_lr(epoch)`, or None.
        grad_clip_norm: the largest norm of the gradients of a step, or None.

    Attributes:
        epoch, step: how many epochs and steps are done.
        history: lists under "train_loss", "eval_loss" and "learning_rates".
    """

    def __init__(
        self,
        model: Any,
        optimizer: Any,
        loss_fn: Any,
        scheduler: Any = None,
        grad_clip_norm: float | None = None,
    ) -> None:
        self.model, self.optimizer, self.loss_fn = model, optimizer, loss_fn
        self.scheduler, self.grad_clip_norm = scheduler, grad_clip_norm
        self.epoch = self.step = 0
        self.training_mode = True
        self.history: dict[str, list[float]] = {
            "train_loss": [],
            "eval_loss": [],
            "learning_rates": [],
        }

    def train_epoch(self, dataloader: Iterable[Any], accumulation_steps: int = 1) -> float:
        """Train on all batches once.

        Args:
            dataloader: yields pairs of inputs and targets.
            accumulation_steps: the number of batches for one step.

        Returns:
            The mean of the losses of the batches; 0 without batches.

        Raises:
            ValueError: `accumulation_steps` is below 1.
        """
        if accumulation_steps < 1:
            raise ValueError(f"accumulation_steps must be 1 or more, not {accumulation_steps}")
        self._set_mode(training=True)
        if self.scheduler is not None:
            self.optimizer.lr = self.scheduler.get_lr(self.epoch)
        losses = []
        self.optimizer.zero_grad()
        for inputs, targets in dataloader:
            loss = self.loss_fn.forward(self.model.forward(inputs), targets)
            losses.append(loss.item())
            (loss / accumulation_steps).backward()
            if len(losses) % accumulation_steps == 0:
                self._step()
        if len(losses) % accumulation_steps:
            self._step()
        average = float(np.mean(losses)) if losses else 0.0
        self.history["train_loss"].append(average)
        self.history["learning_rates"].append(getattr(self.optimizer, "lr", math.nan))
        self.epoch += 1
        return average

    def _step(self) -> None:
        if self.grad_clip_norm is not None:
            clip_grad_norm(self.model.parameters(), self.grad_clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1

    def evaluate(self, dataloader: Iterable[Any]) -> tuple[float, float]:
        """Return the mean loss of the batches, and the fraction of right classes.

        The fraction is 0 if the outputs are not scores of two or more classes.
        """
        self._set_mode(training=False)
        losses, right = [], []
        with no_grad():
            for inputs, targets in dataloader:
                outputs = self.model.forward(inputs)
                losses.append(self.loss_fn.forward(outputs, targets).item())
                if outputs.ndim == 2 and outputs.shape[1] > 1:
                    classes = targets.data
                    if classes.shape == outputs.shape:
                        classes = classes.argmax(axis=1)
                    right += list(outputs.data.argmax(axis=1) == classes.ravel())
        average = float(np.mean(losses)) if losses else 0.0
        self.history["eval_loss"].append(average)
        return average, float(np.mean(right)) if right else 0.0

    def _set_mode(self, training: bool) -> None:
        self.training_mode = training
        self.model.training = training

    def save_checkpoint(self, path: str | PathLike[str]) -> None:
        """Write the parameters, the state of the optimizer, the counters and the history."""
        state = {
            "epoch": self.epoch,
            "step": self.step,
            "parameters": [p.data for p in self.model.parameters()],
            "lr": getattr(self.optimizer, "lr", None),
            "optimizer": _state_of(self.optimizer),
            "history": self.history,
        }
        tinytorch_training.save_checkpoint(path, state)

    def load_checkpoint(self, path: str | PathLike[str]) -> None:
        """Restore what `save_checkpoint` wrote.

        Raises:
            FileNotFoundError: the file does not exist.
            CheckpointError: the file is not a checkpoint, or is damaged.
            ValueError: it belongs to a model with other parameters. Nothing has changed.
        """
        state = tinytorch_training.load_checkpoint(path)
        parameters, saved = self.model.parameters(), state["parameters"]
        shapes = [p.shape for p in parameters], [s.shape for s in saved]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"{path} has parameters of the shapes {shapes[1]}, but the model has {shapes[0]}"
            )
        if state["optimizer"] is not None:
            self.optimizer.running.load_state_dict(state["optimizer"])
        for parameter, array in zip(parameters, saved, strict=True):
            parameter.data = array
        self.epoch, self.step, self.history = state["epoch"], state["step"], state["history"]
        if state["lr"] is not None:
            self.optimizer.lr = state["lr"]


def _state_of(optimizer: Optimizer) -> Any:
    """Return the state of an optimizer of this package, and None for another one."""
    running = getattr(optimizer, "running", None)
    return None if running is None else running.state_dict()

"""A schedule that lowers the rate when a metric does not improve."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, ClassVar

from tinytorch_training.arguments import count, decay, not_negative
from tinytorch_training.factors import per_group
from tinytorch_training.optimizer import Optimizer
from tinytorch_training.schedules import LRScheduler


class ReduceLROnPlateau(LRScheduler):
    """Lowers the rate when a metric has not improved for more than `patience` steps.

    Call `step(metric)` after each epoch. `Trainer` does this with the validation loss, or with the
    training loss without validation data. NaN does not count as an improvement.

    Args:
        optimizer: see `LRScheduler`.
        mode: "min" if a smaller metric is better, "max" if a larger one is.
        factor: the factor by which a rate is multiplied, below 1.
        patience: the number of steps without improvement that are tolerated.
        threshold: the smallest improvement that counts.
        threshold_mode: "rel" if the threshold is a fraction of the best metric, "abs" if it is a
            difference.
        cooldown: the number of steps after a change in which the metric is not watched.
        min_lr: the smallest rate, or a list with one for each group.
        eps: changes of a rate that are not larger are not made.

    Attributes:
        best: the best metric so far.
        num_bad_epochs: the number of steps without improvement.
        cooldown_counter: the number of steps in which the metric is not watched.

    Raises:
        TypeError, ValueError: an argument has the wrong type or is out of range.

    >>> from tinytorch_core import Tensor
    >>> from tinytorch_training import SGD
    >>> optimizer = SGD([Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = ReduceLROnPlateau(optimizer, patience=1)
    >>> for loss in [0.5, 0.4, 0.4, 0.4]:
    ...     schedule.step(loss)
    >>> optimizer.param_groups[0]["lr"]
    0.1
    """

    takes_metric: ClassVar[bool] = True

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        name = "ReduceLROnPlateau"
        self.mode = _choice(name, "mode", mode, "min", "max")
        self.factor = decay(name, "factor", factor)
        self.patience = count(name, "patience", patience, minimum=0)
        self.threshold = not_negative(name, "threshold", threshold)
        self.threshold_mode = _choice(name, "threshold_mode", threshold_mode, "rel", "abs")
        self.cooldown = count(name, "cooldown", cooldown, minimum=0)
        self.min_lr = (
            [not_negative(name, f"min_lr[{i}]", lr) for i, lr in enumerate(min_lr)]
            if isinstance(min_lr, list | tuple)
            else not_negative(name, "min_lr", min_lr)
        )
        self.eps = not_negative(name, "eps", eps)
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = 0
        self.cooldown_counter = 0
        super().__init__(optimizer)
        per_group(name, "min_lr", self.min_lr, len(self.base_lrs))

    def rates(self, bases: Sequence[float], t: int) -> list[float]:
        """Return the current rates, which do not follow from the number of steps."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def step(self, metrics: Any) -> None:  # type: ignore[override]  # as in PyTorch
        """Compare a metric with the best so far, and lower the rates if it is time.

        Args:
            metrics: a number, or a Tensor or array with one element.

        Raises:
            TypeError: `metrics` is not a number.
            ValueError: `min_lr` is a list, and the optimizer got more groups. Nothing is changed.
        """
        metric = metrics.item() if getattr(metrics, "size", 0) == 1 else metrics
        if not isinstance(metric, Real):
            raise TypeError(
                f"step() of ReduceLROnPlateau takes a number, such as the validation loss, not "
                f"{metrics!r:.60}"
            )
        lowest = per_group(
            "ReduceLROnPlateau", "min_lr", self.min_lr, len(self.optimizer.param_groups)
        )
        self.last_epoch += 1
        if self._is_better(float(metric)):
            self.best, self.num_bad_epochs = float(metric), 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
            self._reduce(lowest)

    def _is_better(self, metric: float) -> bool:
        """Return whether a metric improves on the best one by more than the threshold."""
        sign = -1 if self.mode == "min" else 1
        change = sign * self.threshold
        if self.threshold_mode == "rel":
            return sign * metric > sign * self.best * (1 + change)
        return sign * metric > sign * (self.best + change)

    def _reduce(self, lowest: Sequence[float]) -> None:
        for group, low in zip(self.optimizer.param_groups, lowest, strict=True):
            lr = max(group["lr"] * self.factor, low)
            if group["lr"] - lr > self.eps:
                group["lr"] = lr

    def state_dict(self) -> dict[str, Any]:
        """Return the state: that of `LRScheduler`, what was counted, and the current rates."""
        return {
            **super().state_dict(),
            "best": self.best,
            "num_bad_epochs": self.num_bad_epochs,
            "cooldown_counter": self.cooldown_counter,
            "rates": self.get_last_lr(),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore a state from `state_dict` and set the learning rates.

        Raises:
            TypeError, ValueError: a value is missing, or has the wrong type or range, or the state
                is for a different number of groups. Nothing is changed.
        """
        name = "ReduceLROnPlateau"
        best = state_dict.get("best")
        if not isinstance(best, Real):
            raise TypeError(f"best of {name} must be a number, not {best!r:.60}")
        counts = {
            key: count(name, key, state_dict.get(key), minimum=0)
            for key in ("num_bad_epochs", "cooldown_counter")
        }
        given = list(state_dict.get("rates", ()))
        groups = self.optimizer.param_groups
        rates = [
            not_negative(name, "rates", lr) for lr in per_group(name, "rates", given, len(groups))
        ]
        super().load_state_dict(state_dict)
        self.best = float(best)
        vars(self).update(counts)
        for group, lr in zip(groups, rates, strict=True):
            group["lr"] = lr


def _choice(owner: str, name: str, value: Any, *choices: str) -> str:
    if value not in choices:
        raise ValueError(
            f"{name} of {owner} must be {' or '.join(map(repr, choices))}, not {value!r:.60}"
        )
    return str(value)

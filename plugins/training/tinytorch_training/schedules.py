"""Schedules: the learning rate as a function of how many steps the schedule has taken.

Each is a formula, evaluated anew at each step, so that nothing is lost to rounding on the way and
a schedule can be set to any point.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tinytorch_training.arguments import count, not_negative, positive
from tinytorch_training.optimizer import Optimizer


class LRScheduler:
    """Sets the learning rates of an optimizer. A subclass says how, in `rate`.

    Made, it sets the rates for its start; each `step()` takes it one further. What a step is, an
    epoch or a step of the optimizer, is for the caller to say.

    Args:
        optimizer: whose groups' `lr` to set. What they have now is what the formula starts from;
            of several schedules for one optimizer, what they had before the first.

    Attributes:
        last_epoch: how many steps it has taken.
        base_lrs: the rate of each group that the formula starts from.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(
                f"{type(self).__name__} takes an optimizer, not {type(optimizer).__name__}"
            )
        self.optimizer = optimizer
        self.last_epoch = 0
        self.base_lrs = [g.setdefault("initial_lr", g["lr"]) for g in optimizer.param_groups]
        self._set()

    def rate(self, base: float, t: int) -> float:
        """The learning rate after `t` steps, for a group that starts from `base`."""
        raise NotImplementedError(f"{type(self).__name__} must define rate()")

    def step(self) -> None:
        """Takes the schedule one step further."""
        self.last_epoch += 1
        self._set()

    def get_last_lr(self) -> list[float]:
        """The learning rate of each group, as the schedule has set it last."""
        return [self.rate(base, self.last_epoch) for base in self.base_lrs]

    def state_dict(self) -> dict[str, Any]:
        """All that the schedule remembers: `last_epoch` and `base_lrs`."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over what `state_dict` gave, and sets the rates to it.

        Raises:
            ValueError: it is of a schedule for another number of groups. Nothing is changed.
        """
        name = type(self).__name__
        given = list(state_dict.get("base_lrs", ()))
        if len(given) != len(self.base_lrs):
            raise ValueError(
                f"this state is of a schedule for {len(given)} groups of parameters, and {name} "
                f"is for {len(self.base_lrs)}"
            )
        last_epoch = count(name, "last_epoch", state_dict.get("last_epoch"), least=0)
        self.base_lrs = [not_negative(name, "base_lrs", base) for base in given]
        self.last_epoch = last_epoch
        self._set()

    def _set(self) -> None:
        for group, lr in zip(self.optimizer.param_groups, self.get_last_lr(), strict=True):
            group["lr"] = lr


class StepLR(LRScheduler):
    """Multiplies the rate by `gamma` every `step_size` steps.

    Args:
        optimizer: see `LRScheduler`.
        step_size: how many steps the rate stays.
        gamma: the factor.

    >>> from tinytorch_core import Tensor
    >>> from tinytorch_training import SGD
    >>> optimizer = SGD([Tensor([1.0], requires_grad=True)], lr=0.5)
    >>> schedule = StepLR(optimizer, step_size=2)
    >>> for _ in range(4):
    ...     print(optimizer.param_groups[0]["lr"])
    ...     schedule.step()
    0.5
    0.5
    0.05
    0.05
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size = count("StepLR", "step_size", step_size)
        self.gamma = not_negative("StepLR", "gamma", gamma)
        super().__init__(optimizer)

    def rate(self, base: float, t: int) -> float:
        return base * self.gamma ** (t // self.step_size)


class CosineAnnealingLR(LRScheduler):
    """Lowers the rate along half a cosine, as in Loshchilov and Hutter (2017), without restarts.

        eta_min + (base − eta_min) (1 + cos(π t / T_max)) / 2

    Args:
        optimizer: see `LRScheduler`.
        T_max: the number of steps down to `eta_min`. After them the rate rises again.
        eta_min: the lowest rate.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        self.T_max = count("CosineAnnealingLR", "T_max", T_max)
        self.eta_min = not_negative("CosineAnnealingLR", "eta_min", eta_min)
        super().__init__(optimizer)

    def rate(self, base: float, t: int) -> float:
        return self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * t / self.T_max)) / 2


class LinearLR(LRScheduler):
    """Takes the rate along a line from one factor to another: a warm-up, by default.

    Args:
        optimizer: see `LRScheduler`.
        start_factor: what the rate is multiplied by at first, above 0.
        end_factor: what it is multiplied by after `total_iters` steps, and from then on.
        total_iters: the number of steps in between.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
    ) -> None:
        self.start_factor = positive("LinearLR", "start_factor", start_factor)
        self.end_factor = not_negative("LinearLR", "end_factor", end_factor)
        self.total_iters = count("LinearLR", "total_iters", total_iters)
        super().__init__(optimizer)

    def rate(self, base: float, t: int) -> float:
        done = min(t, self.total_iters) / self.total_iters
        return base * (self.start_factor + (self.end_factor - self.start_factor) * done)


class SequentialLR(LRScheduler):
    """Follows one schedule after another, each from its own start.

    Args:
        optimizer: see `LRScheduler`.
        schedulers: the schedules, made for the same optimizer.
        milestones: the steps at which the second, the third, ... take over.

    Raises:
        ValueError: the milestones do not rise, or are not one fewer than the schedules.

    >>> from tinytorch_core import Tensor
    >>> from tinytorch_training import SGD
    >>> optimizer = SGD([Tensor([1.0], requires_grad=True)], lr=0.8)
    >>> warm_up = LinearLR(optimizer, start_factor=0.25, total_iters=3)
    >>> cosine = CosineAnnealingLR(optimizer, T_max=2)
    >>> schedule = SequentialLR(optimizer, [warm_up, cosine], milestones=[3])
    >>> for _ in range(6):
    ...     print(f"{optimizer.param_groups[0]['lr']:.1f}", end=" ")
    ...     schedule.step()
    0.2 0.4 0.6 0.8 0.4 0.0
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int]
    ) -> None:
        self.schedulers = list(schedulers)
        self.milestones = [count("SequentialLR", "a milestone", m) for m in milestones]
        if any(s.optimizer is not optimizer for s in self.schedulers):
            raise ValueError("SequentialLR takes schedules that were made for its own optimizer")
        if len(self.milestones) + 1 != len(self.schedulers):
            raise ValueError(
                f"SequentialLR needs one milestone fewer than schedules, and was given "
                f"{len(self.milestones)} for {len(self.schedulers)}"
            )
        if sorted(set(self.milestones)) != self.milestones:
            raise ValueError(f"the milestones of SequentialLR must rise, unlike {self.milestones}")
        super().__init__(optimizer)

    def rate(self, base: float, t: int) -> float:
        which = sum(milestone <= t for milestone in self.milestones)
        begun = self.milestones[which - 1] if which else 0
        return self.schedulers[which].rate(base, t - begun)

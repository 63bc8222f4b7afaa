"""Learning rate schedules: the learning rate as a function of the number of steps.

Each schedule evaluates a closed formula at every step, so that rounding errors do not accumulate
and a schedule can be set to any step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tinytorch_training.arguments import count, not_negative, positive
from tinytorch_training.optimizer import Optimizer


class LRScheduler:
    """Sets the learning rates of an optimizer; a subclass defines `rate` or `rates`.

    The constructor sets the rates for step 0, and each call of `step()` advances by one. The
    caller decides whether a step is an epoch or a step of the optimizer.

    Args:
        optimizer: the optimizer whose groups' `lr` the schedule sets. The base rates are the
            current ones; with several schedules for one optimizer, those before the first. A
            group that is added later has its own base rate, and follows the schedule from the
            next step on. Each schedule sets its own rates: unlike in PyTorch, the factors of
            several schedules do not multiply.

    Attributes:
        last_epoch: the number of steps so far.
        base_lrs: the base rate of each group.
        takes_metric: whether `step` takes a number such as the validation loss.

    Raises:
        TypeError: `optimizer` is not an `Optimizer`.
    """

    takes_metric: ClassVar[bool] = False

    def __init__(self, optimizer: Optimizer) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(
                f"{type(self).__name__} expects an optimizer, not {type(optimizer).__name__}"
            )
        self.optimizer = optimizer
        self.last_epoch = 0
        self.base_lrs: list[float] = []
        self._set()

    def rate(self, base: float, t: int) -> float:
        """Return the learning rate after `t` steps for a group with base rate `base`."""
        raise NotImplementedError(f"{type(self).__name__} must define rate()")

    def rates(self, bases: Sequence[float], t: int) -> list[float]:
        """Return the learning rates after `t` steps for groups with the base rates `bases`."""
        return [self.rate(base, t) for base in bases]

    def step(self) -> None:
        """Advance by one step and set the learning rates. If this fails, nothing is changed."""
        self.last_epoch += 1
        try:
            self._set()
        except Exception:
            self.last_epoch -= 1
            raise

    def get_last_lr(self) -> list[float]:
        """Return the current learning rate of each group."""
        self._add_new_groups()
        return self.rates(self.base_lrs, self.last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return the state: `last_epoch` and `base_lrs`."""
        self._add_new_groups()
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore a state from `state_dict` and set the learning rates.

        Raises:
            ValueError: the state is for a different number of groups. Nothing is changed.
        """
        name = type(self).__name__
        self._add_new_groups()
        given = list(state_dict.get("base_lrs", ()))
        if len(given) != len(self.base_lrs):
            raise ValueError(
                f"this state is for {len(given)} groups of parameters, but {name} is for "
                f"{len(self.base_lrs)}"
            )
        last_epoch = count(name, "last_epoch", state_dict.get("last_epoch"), minimum=0)
        self.base_lrs = [not_negative(name, "base_lrs", base) for base in given]
        self.last_epoch = last_epoch
        self._set()

    def _add_new_groups(self) -> None:
        """Add the base rates of the groups that the optimizer got since the last call."""
        new = self.optimizer.param_groups[len(self.base_lrs) :]
        self.base_lrs += [group.setdefault("initial_lr", group["lr"]) for group in new]

    def _set(self) -> None:
        for group, lr in zip(self.optimizer.param_groups, self.get_last_lr(), strict=True):
            group["lr"] = lr
        self._set_options(self.last_epoch)

    def _set_options(self, t: int) -> None:
        """Set options other than the learning rates, after `t` steps; by default none."""


class StepLR(LRScheduler):
    """Multiplies the rate by `gamma` every `step_size` steps.

        base · gamma^⌊t / step_size⌋

    Args:
        optimizer: see `LRScheduler`.
        step_size: the number of steps between changes.
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
    """Lowers the rate along half a cosine (Loshchilov and Hutter, 2017), without restarts.

        eta_min + (base − eta_min) (1 + cos(π t / T_max)) / 2

    Args:
        optimizer: see `LRScheduler`.
        T_max: the number of steps until the rate reaches `eta_min`; afterwards it rises again.
        eta_min: the minimum rate.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        self.T_max = count("CosineAnnealingLR", "T_max", T_max)
        self.eta_min = not_negative("CosineAnnealingLR", "eta_min", eta_min)
        super().__init__(optimizer)

    def rate(self, base: float, t: int) -> float:
        return self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * t / self.T_max)) / 2


class LinearLR(LRScheduler):
    """Changes the rate linearly between two factors; by default, a warm-up.

        base · (start_factor + (end_factor − start_factor) · min(t, total_iters) / total_iters)

    Args:
        optimizer: see `LRScheduler`.
        start_factor: the factor at step 0, above 0.
        end_factor: the factor from step `total_iters` on.
        total_iters: the number of steps of the change.
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
    """Applies several schedules one after the other, each from its step 0.

    Args:
        optimizer: see `LRScheduler`.
        schedulers: the schedules, created for the same optimizer.
        milestones: the steps at which the second, third, ... schedule starts.

    Raises:
        TypeError, ValueError: the milestones are not increasing positive integers, one fewer
            than the schedules, or a schedule is for a different optimizer or takes a metric.

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
        if wrong := [s for s in self.schedulers if not isinstance(s, LRScheduler)]:
            raise TypeError(f"SequentialLR expects a list of schedules, but got {wrong[0]!r:.60}")
        if any(s.optimizer is not optimizer for s in self.schedulers):
            raise ValueError(
                "the schedules of SequentialLR must be for the optimizer passed to SequentialLR"
            )
        for schedule in self.schedulers:
            if schedule.takes_metric:
                raise ValueError(
                    f"SequentialLR cannot contain {type(schedule).__name__}, whose rates depend on "
                    "a metric; call the steps of both schedules yourself"
                )
        if len(self.milestones) + 1 != len(self.schedulers):
            raise ValueError(
                f"SequentialLR needs one milestone fewer than schedules, got "
                f"{len(self.milestones)} for {len(self.schedulers)}"
            )
        if sorted(set(self.milestones)) != self.milestones:
            raise ValueError(
                f"the milestones of SequentialLR must be increasing, not {self.milestones}"
            )
        super().__init__(optimizer)

    def rates(self, bases: Sequence[float], t: int) -> list[float]:
        current, since = self._current(t)
        return current.rates(bases, since)

    def _set_options(self, t: int) -> None:
        current, since = self._current(t)
        current._set_options(since)

    def _current(self, t: int) -> tuple[LRScheduler, int]:
        """Return the schedule that applies after `t` steps, and the number of its own steps."""
        current = sum(milestone <= t for milestone in self.milestones)
        start = self.milestones[current - 1] if current else 0
        return self.schedulers[current], t - start

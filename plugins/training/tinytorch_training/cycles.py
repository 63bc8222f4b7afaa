"""Schedules that raise the rate again: a single cycle, and a cosine with restarts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from tinytorch_training.arguments import count, decay, flag, fraction, not_negative, positive
from tinytorch_training.factors import per_group
from tinytorch_training.optimizer import Optimizer
from tinytorch_training.schedules import LRScheduler


class CosineAnnealingWarmRestarts(LRScheduler):
    """Lowers the rate along half a cosine, again and again (Loshchilov and Hutter, 2017).

        eta_min + (base − eta_min) (1 + cos(π t / T)) / 2

    Here t counts from the last restart, and T is the length of the current cycle. For a rate that
    changes within epochs, call `step` after each step of the optimizer and give `T_0` in steps;
    PyTorch's `step(epoch)` does not exist here.

    Args:
        optimizer: see `LRScheduler`.
        T_0: the number of steps of the first cycle.
        T_mult: the factor by which each cycle is longer than the one before.
        eta_min: the minimum rate.

    Raises:
        TypeError, ValueError: an argument has the wrong type or is out of range.

    >>> from tinytorch_core import Tensor
    >>> from tinytorch_training import SGD
    >>> optimizer = SGD([Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = CosineAnnealingWarmRestarts(optimizer, T_0=2, T_mult=2)
    >>> for _ in range(7):
    ...     print(f"{optimizer.param_groups[0]['lr']:.2f}", end=" ")
    ...     schedule.step()
    1.00 0.50 1.00 0.85 0.50 0.15 1.00
    """

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0
    ) -> None:
        name = "CosineAnnealingWarmRestarts"
        self.T_0 = count(name, "T_0", T_0)
        self.T_mult = count(name, "T_mult", T_mult)
        self.eta_min = not_negative(name, "eta_min", eta_min)
        super().__init__(optimizer)

    def rate(self, base: float, t: int) -> float:
        length = self.T_0
        if self.T_mult == 1:
            t %= length
        while t >= length:
            t -= length
            length *= self.T_mult
        return self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * t / length)) / 2


class OneCycleLR(LRScheduler):
    """Raises the rate to `max_lr` and lowers it to almost 0, in one cycle (Smith and Topin, 2018).

    The rate starts at max_lr / div_factor and ends at max_lr / (div_factor · final_div_factor).
    Meanwhile the momentum, or β₁ of Adam, falls to `base_momentum` and rises again. The learning
    rate of the optimizer is not used.

    Args:
        optimizer: see `LRScheduler`.
        max_lr: the largest rate, or a list with one for each group.
        total_steps: the number of steps of the cycle, one more than the number of the last step;
            or None to compute it from the next two.
        epochs, steps_per_epoch: two numbers whose product is `total_steps`.
        pct_start: the fraction of the steps in which the rate rises.
        anneal_strategy: "cos" or "linear".
        cycle_momentum: whether to change the momentum too.
        base_momentum, max_momentum: the smallest and the largest momentum, or lists with one for
            each group.
        div_factor, final_div_factor: see above.
        three_phase: whether the rate falls to where it started as fast as it rose, before it falls
            to its minimum.

    Raises:
        TypeError, ValueError: an argument is missing, has the wrong type or is out of range, or
            the optimizer has no momentum to change. `step` raises ValueError if it is called more
            than `total_steps` times; the last of these calls changes nothing.

    >>> from tinytorch_core import Tensor
    >>> from tinytorch_training import SGD
    >>> optimizer = SGD([Tensor([1.0], requires_grad=True)], momentum=0.9)
    >>> schedule = OneCycleLR(optimizer, max_lr=1.0, total_steps=5, pct_start=0.6)
    >>> for _ in range(5):
    ...     group = optimizer.param_groups[0]
    ...     print(f"{group['lr']:.4f} {group['momentum']:.2f}")
    ...     schedule.step()
    0.0400 0.95
    0.5200 0.90
    1.0000 0.85
    0.5000 0.90
    0.0000 0.95
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
    ) -> None:
        name = "OneCycleLR"
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy of {name} must be 'cos' or 'linear', not {anneal_strategy!r}"
            )
        self.total_steps = _total_steps(name, total_steps, epochs, steps_per_epoch)
        self.max_lr = _checked(not_negative, name, "max_lr", max_lr)
        self.pct_start = fraction(name, "pct_start", pct_start)
        self.anneal_strategy = anneal_strategy
        self.cycle_momentum = flag(name, "cycle_momentum", cycle_momentum)
        self.base_momentum = _checked(decay, name, "base_momentum", base_momentum)
        self.max_momentum = _checked(decay, name, "max_momentum", max_momentum)
        self.div_factor = positive(name, "div_factor", div_factor)
        self.final_div_factor = positive(name, "final_div_factor", final_div_factor)
        self.three_phase = flag(name, "three_phase", three_phase)
        self._option = _momentum_option(optimizer) if self.cycle_momentum else None
        super().__init__(optimizer)

    def rates(self, bases: Sequence[float], t: int) -> list[float]:
        if t > self.total_steps:
            raise ValueError(
                f"OneCycleLR has {self.total_steps} steps, which are done; call step() at most "
                "total_steps times, or create it with more steps"
            )
        largest = per_group("OneCycleLR", "max_lr", self.max_lr, len(bases))
        return [self._rate(max_lr, t) for max_lr in largest]

    def _rate(self, max_lr: float, t: int) -> float:
        first = max_lr / self.div_factor
        points = [first, max_lr, first / self.final_div_factor]
        if self.three_phase:
            points.insert(2, first)
        return self._between(points, t)

    def _set_options(self, t: int) -> None:
        if self._option is None:
            return
        groups = self.optimizer.param_groups
        lowest = per_group("OneCycleLR", "base_momentum", self.base_momentum, len(groups))
        largest = per_group("OneCycleLR", "max_momentum", self.max_momentum, len(groups))
        for group, low, high in zip(groups, lowest, largest, strict=True):
            points = [high, low, high, high] if self.three_phase else [high, low, high]
            momentum = self._between(points, t)
            beta = self._option == "betas"
            group[self._option] = (momentum, group["betas"][1]) if beta else momentum

    def _between(self, points: Sequence[float], t: int) -> float:
        """Return the value after `t` steps of a curve through `points`, the ends of the phases."""
        start = 0.0
        for phase, end in enumerate(self._ends()):
            if t <= end or phase == len(points) - 2:
                done = min((t - start) / (end - start), 1.0) if end != start else 1.0
                first, last = points[phase], points[phase + 1]
                if self.anneal_strategy == "linear":
                    return first + (last - first) * done
                return last + (first - last) / 2 * (math.cos(math.pi * done) + 1)
            start = end
        raise AssertionError("the last phase was not reached")

    def _ends(self) -> list[float]:
        """Return the steps at which the phases end, as in PyTorch: they may be fractions."""
        rise = self.pct_start * self.total_steps
        middle = [2 * rise - 2] if self.three_phase else []
        return [rise - 1, *middle, self.total_steps - 1]


def _total_steps(
    name: str, total_steps: int | None, epochs: int | None, steps_per_epoch: int | None
) -> int:
    if total_steps is not None:
        return count(name, "total_steps", total_steps)
    if epochs is None or steps_per_epoch is None:
        raise ValueError(f"{name} needs total_steps, or epochs and steps_per_epoch")
    return count(name, "epochs", epochs) * count(name, "steps_per_epoch", steps_per_epoch)


def _checked(
    check: Callable[[str, str, Any], float], name: str, argument: str, value: Any
) -> float | list[float]:
    """Return a number, or a list of numbers, each of them checked."""
    if isinstance(value, list | tuple):
        return [check(name, f"{argument}[{i}]", item) for i, item in enumerate(value)]
    return check(name, argument, value)


def _momentum_option(optimizer: Optimizer) -> str | None:
    """Return the name of the option with the momentum; None if `optimizer` is not one."""
    if not isinstance(optimizer, Optimizer):
        return None  # the constructor of the base class raises
    for name in ("betas", "momentum"):
        if name in optimizer.checks:
            return name
    raise ValueError(
        f"OneCycleLR changes the momentum, but {type(optimizer).__name__} has no option 'momentum' "
        "or 'betas'; pass cycle_momentum=False"
    )

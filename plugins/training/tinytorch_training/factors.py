"""Schedules that multiply the base rate by a factor: constant, a polynomial, or any function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tinytorch_training.arguments import count, fraction, function, number, positive
from tinytorch_training.optimizer import Optimizer
from tinytorch_training.schedules import LRScheduler

Factor = Callable[[int], float]


class ConstantLR(LRScheduler):
    """Multiplies the rate by a factor until a step is reached.

    base · factor for t < total_iters, then base

    Args:
        optimizer: see `LRScheduler`.
        factor: the factor, from 0 to 1.
        total_iters: the step from which on the rate is the base rate.

    Raises:
        TypeError, ValueError: an argument has the wrong type or is out of range.
    """

    def __init__(self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5) -> None:
        self.factor = fraction("ConstantLR", "factor", factor)
        self.total_iters = count("ConstantLR", "total_iters", total_iters, minimum=0)
        super().__init__(optimizer)

    def rate(self, base: float, t: int) -> float:
        return base * self.factor if t < self.total_iters else base


class PolynomialLR(LRScheduler):
    """Lowers the rate to 0 as a power of the number of steps that are left.

        base · (1 − min(t, total_iters) / total_iters)^power

    Args:
        optimizer: see `LRScheduler`.
        total_iters: the number of steps until the rate is 0.
        power: the exponent, above 0.

    Raises:
        TypeError, ValueError: an argument has the wrong type or is out of range.
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0) -> None:
        self.total_iters = count("PolynomialLR", "total_iters", total_iters)
        self.power = positive("PolynomialLR", "power", power)
        super().__init__(optimizer)

    def rate(self, base: float, t: int) -> float:
        left = 1 - min(t, self.total_iters) / self.total_iters
        return float(base * left**self.power)


class LambdaLR(LRScheduler):
    """Multiplies the base rate by a function of the number of steps.

        base · lr_lambda(t)

    The function is not part of `state_dict`, so it must return the same factors in a new process.

    Args:
        optimizer: see `LRScheduler`.
        lr_lambda: the function, or a list with one for each group.

    Raises:
        TypeError: `lr_lambda` is neither a function nor a list of functions, or a factor is not a
            number.
        ValueError: the list does not have one function for each group, or a factor is negative or
            not finite.

    >>> from tinytorch_core import Tensor
    >>> from tinytorch_training import SGD
    >>> optimizer = SGD([Tensor([1.0], requires_grad=True)], lr=0.5)
    >>> schedule = LambdaLR(optimizer, lambda t: 1 / (t + 1))
    >>> schedule.step()
    >>> optimizer.param_groups[0]["lr"]
    0.25
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: Factor | Sequence[Factor]) -> None:
        name = type(self).__name__
        self.lr_lambdas = (
            [function(name, f"lr_lambda[{i}]", f) for i, f in enumerate(lr_lambda)]
            if isinstance(lr_lambda, list | tuple)
            else function(name, "lr_lambda", lr_lambda)
        )
        super().__init__(optimizer)

    def rates(self, bases: Sequence[float], t: int) -> list[float]:
        factors = per_group(type(self).__name__, "lr_lambda", self.lr_lambdas, len(bases))
        return [base * f for base, f in zip(bases, self._factors(factors, t), strict=True)]

    def _factors(self, functions: Sequence[Factor], t: int) -> list[float]:
        return [self._factor(function, t) for function in functions]

    def _factor(self, function: Factor, t: int) -> float:
        return number(type(self).__name__, f"lr_lambda({t})", function(t))


class MultiplicativeLR(LambdaLR):
    """Multiplies the rate by a function of the number of steps at each step.

        base · lr_lambda(1) · lr_lambda(2) · … · lr_lambda(t)

    In a `SequentialLR` it starts from the base rate, like any other schedule; in PyTorch from the
    rate that the schedule before it has reached.

    Args:
        optimizer, lr_lambda: see `LambdaLR`.

    Raises:
        TypeError, ValueError: as for `LambdaLR`.
    """

    # A number of steps and the products after it, from which those of later steps are computed.
    _known: tuple[int, list[float]] = (0, [])

    def _factors(self, functions: Sequence[Factor], t: int) -> list[float]:
        done, products = self._known
        if t < done or len(products) != len(functions):
            done, products = 0, [1.0] * len(functions)
        for i in range(done + 1, t + 1):
            products = [p * self._factor(f, i) for p, f in zip(products, functions, strict=True)]
        self._known = t, products
        return products


def per_group(owner: str, name: str, value: object, groups: int) -> Sequence[Any]:
    """Return a list with a value for each group, given one for each or one for all.

    Raises:
        ValueError: a list of values has a different length.
    """
    if not isinstance(value, list | tuple):
        return [value] * groups
    if len(value) != groups:
        raise ValueError(
            f"{name} of {owner} has {len(value)} values, but the optimizer has {groups} groups of "
            "parameters; pass one value for each group, or one for all"
        )
    return value

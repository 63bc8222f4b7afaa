"""Checks of derivatives at other numbers: large, many, equal and complex ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_autograd.debug.checked_call import (
    Problem,
    failure,
    floats,
    tracked,
    unless_without_rule,
)
from tinytorch_autograd.debug.numerical import TOLERANCE, central_difference, random_like
from tinytorch_autograd.gradients import grad
from tinytorch_autograd.tracking import is_tracked

if TYPE_CHECKING:
    from tinytorch_devkit import Call, Checks, Description

Array = Any

# The steps of differences at large numbers, of which rounding leaves fewer digits.
_STEPS = (2.0**-6, 2.0**-5)


def add_to(checks: Checks, applies: Callable[[Description], bool]) -> None:
    """Add the checks of this module for the ops to which they apply."""
    for check in (
        has_derivatives_at_large_numbers,
        has_derivatives_of_many_numbers,
        has_derivatives_of_equal_numbers,
        has_derivatives_of_complex_numbers,
    ):
        checks.for_op(check, applies=applies)


def has_derivatives_at_large_numbers(op: Description) -> None:
    """Where the op is finite at large numbers, its first and second derivatives are right."""
    from tinytorch_devkit import large_calls  # here, because autograd does not need the devkit

    for call in large_calls(op):
        for dtype in (np.float64, np.float32):
            _check_large_numbers(op, call, dtype)


def _check_large_numbers(op: Description, call: Call, dtype: Any) -> None:
    converted = call.converted("f", dtype)
    tensors = tracked(converted)
    values = [r for r in floats(op(*tensors, **op.fresh(call.parameters))) if is_tracked(r)]
    masks = [np.isfinite(v.data) for v in values]
    finite = np.all(masks, axis=0) if op.elementwise else all(m.all() for m in masks)
    floating = [t for t in tensors if is_tracked(t)]
    for order in range(1, min(op.order, 2) + 1):
        values = unless_without_rule(_slopes, values, floating) or []
        for i, (x, slope) in enumerate(zip(floating, values, strict=False)):
            if slope is None:
                continue
            wrong = finite & np.isnan(slope.data)
            expected = np.full(x.shape, np.nan)
            if op.elementwise and dtype == np.float64 and op.op.inputs[i] not in op.stepwise:
                expected, known = _slopes_by_differences(op, converted, order, i)
                error = abs(slope.data - expected)
                wrong = finite & (wrong | (known & ~(error <= 1e-5 * np.maximum(1, abs(expected)))))
            if np.any(wrong):
                at = tuple(np.argwhere(np.broadcast_to(wrong, x.shape))[0])
                number = "" if np.isnan(expected[at]) else f": about {expected[at]:.6g}"
                raise failure(
                    f"a derivative of order {order} at {x.data[at]:g} in {op.text(converted)}, "
                    f"where the op is finite{number}",
                    f"{slope.data[at]:.6g}",
                    "let no part of the rule overflow, because inf / inf and 0 * inf are "
                    "NaN: write the sigmoid as 0.5 * (1 + np.tanh(0.5 * x)), which does "
                    "not need exp(-x), or replace numbers beyond a bound with np.clip",
                )


def _slopes(values: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
    """Return the derivatives of the sum of all values by each input; None is 0."""
    known = [v for v in values if v is not None and is_tracked(v)]
    if not known:
        return []
    seeds = [np.ones_like(v.data) for v in known]
    return list(grad(known, inputs, seeds, create_graph=True, allow_unused=True))


def _slopes_by_differences(op: Description, call: Call, order: int, i: int) -> tuple[Array, Array]:
    """Return what `_slopes` must be for input `i`, and where two steps agree about it."""

    def value(t: float) -> Array:
        moved = call.with_inputs([x + t * (j == i) for j, x in enumerate(call.inputs)])
        tensors = tracked(moved)
        values = floats(op(*tensors, **op.fresh(call.parameters)))
        for _ in range(order - 1):
            values = _slopes(values, tensors)
        return np.sum([v.data for v in values if v is not None], axis=0)

    first, second = (central_difference(value, step) for step in _STEPS)
    return first, abs(first - second) <= 1e-6 * np.maximum(1, abs(first))


def has_derivatives_of_many_numbers(op: Description) -> None:
    """The gradients are right for a million elements; for ops that combine elements, for 4,096."""
    from tinytorch_devkit import long_calls, repeated_calls

    remedy = "compute with whole arrays in the rule; blocks must include the last, shorter one"
    if op.elementwise:
        small, large = repeated_calls(op)
        found = unless_without_rule(_gradients_of_sum, op, large)
        expected = unless_without_rule(_gradients_of_sum, op, small)
        for name, one, few in zip(op.op.inputs, found or (), expected or (), strict=False):
            if one is not None and few is not None:
                wanted = np.resize(few, one.shape)
                wrong = np.flatnonzero(~(abs(one - wanted) <= 1e-9 * np.maximum(1, abs(wanted))))
                if len(wrong):
                    raise failure(
                        f"{wanted[wrong[0]]:.6g} in the gradient of {name}[{wrong[0]}] in "
                        f"{op.text(large)}, which repeats the numbers of {op.text(small)}",
                        f"{one[wrong[0]]:.6g}",
                        remedy,
                    )
    for call in long_calls(op, 4096):
        _check_slope(op, call, _random_direction, remedy)


def _gradients_of_sum(op: Description, call: Call) -> list[Array]:
    tensors = tracked(call)
    values = [r for r in floats(op(*tensors, **op.fresh(call.parameters))) if is_tracked(r)]
    if not values:
        return []
    seeds = [np.ones_like(v.data) for v in values]
    found = grad(values, tensors, seeds, allow_unused=True)
    return [None if g is None else g.data for g in found]


def _random_direction(arrays: Sequence[Array]) -> list[Array]:
    """Return directions so short that numbers drawn from a grid keep their order."""
    random = np.random.default_rng(0)
    return [0.1 * random_like(a, -1, 1, random) for a in arrays]


def _check_slope(
    op: Description, call: Call, direction_of: Callable[..., list[Array]], remedy: str
) -> None:
    problem = Problem(op, call)
    direction = direction_of(problem.arrays)
    slopes = unless_without_rule(problem.slopes_along, direction)
    if slopes is None or op.stepwise:
        return
    found, expected, scale = slopes
    tolerance = max(10 * TOLERANCE, 100 * op.tolerance) * scale
    if np.isfinite(expected) and not abs(found - expected) <= tolerance:
        raise failure(
            f"{expected:.8g} as derivative of {op.text(call)} along a direction, by numerical "
            "differentiation",
            f"{found:.8g}",
            remedy,
        )


def has_derivatives_of_equal_numbers(op: Description) -> None:
    """If all numbers are equal and change together, the gradient agrees with the change."""
    from tinytorch_devkit import equal_calls

    for call in equal_calls(op):
        try:
            problem = Problem(op, call)
            if problem.has_kink_along(_together(problem.arrays)):
                continue
        except (ArithmeticError, ValueError):  # the op may refuse a singular matrix, for example
            continue
        _check_slope(
            op,
            call,
            _together,
            "share the gradient among the equal numbers, as in hit / hit.sum(axis, keepdims=True); "
            "and where a divisor is 0, divide by np.where(divisor == 0, 1, divisor)",
        )


def _together(arrays: Sequence[Array]) -> list[Array]:
    return [np.ones_like(a) for a in arrays]


def has_derivatives_of_complex_numbers(op: Description) -> None:
    """The gradient of complex inputs agrees with numerical differentiation, or the op refuses."""
    for call in _accepted_complex_calls(op):
        problem = Problem(op, call)
        found = unless_without_rule(problem.gradient)
        if found is None:
            continue
        expected = problem.differences()
        tolerance = max(1e-6, 100 * op.tolerance)
        wrong = np.flatnonzero(~(abs(found - expected) <= tolerance * np.maximum(1, abs(expected))))
        if len(wrong):
            i = wrong[0]
            raise failure(
                f"{expected[i]:.8g} as derivative with respect to {problem.element(i)} in "
                f"{op.text(call)}, by numerical differentiation",
                f"{found[i]:.8g}",
                "the rule gets the conjugate of the gradient: a holomorphic function has the rule "
                "of calculus, and others need conj, see docs/complex-numbers.md; or raise "
                "TypeError if x.dtype.kind is 'c'",
            )


def _accepted_complex_calls(op: Description) -> Iterator[Call]:
    """Yield complex calls for which the op does what its reference does."""
    from tinytorch_devkit import complex_calls, difference

    for call in complex_calls(op):
        try:
            expected = op.expected(call)
            found = op.run(call)
        except Exception:  # both may refuse complex numbers, in any way
            continue
        if difference(unwrap(found), expected, 1e-6) is None:
            yield call

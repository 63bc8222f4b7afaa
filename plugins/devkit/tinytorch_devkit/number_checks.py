"""Checks of an op with other numbers: large ones, many of them, and other dtypes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_devkit.checks import Checks
from tinytorch_devkit.comparing import expect_equal, expect_reference
from tinytorch_devkit.description import Call, Description, results
from tinytorch_devkit.failure import CheckFailure
from tinytorch_devkit.variants import (
    complex_calls,
    is_floating,
    large_calls,
    long_calls,
    reduces,
    repeated_calls,
    whole_calls,
)

# The accepted relative errors. An op may lose half of the digits of a dtype.
_PRECISION = {np.float64: 1e-6, np.float32: 5e-4, np.float16: 5e-2}
_COMPLEX = {np.complex128: 1e-6, np.complex64: 5e-4}

_REFUSED = (TypeError, ValueError, NotImplementedError)


def add_to(checks: Checks) -> None:
    """Add the checks of this module."""
    checks.for_op(takes_large_numbers, applies=_is_pure)
    checks.for_op(takes_many_numbers, applies=lambda op: bool(op.shapes))
    checks.for_op(takes_half_precision, applies=_is_pure)
    checks.for_op(takes_whole_numbers, applies=lambda op: bool(op.shapes))
    checks.for_op(takes_complex_numbers, applies=_is_pure)


def _is_pure(op: Description) -> bool:
    return not op.op.in_place


def takes_large_numbers(op: Description) -> None:
    """Where the reference is finite for numbers up to 10,000, the op agrees with it.

    In float16 only elementwise ops are checked, because a sum of squares overflows as in NumPy.
    """
    for (dtype, tolerance), call in itertools.product(_PRECISION.items(), large_calls(op)):
        if dtype is np.float16 and not op.elementwise:
            continue
        _expect_agreement(
            op,
            call.converted("f", dtype),
            tolerance,
            "let no part of the formula overflow or lose all digits: subtract the maximum before "
            "np.exp, use np.hypot, np.logaddexp, np.log1p or np.tanh, or np.clip a part that does "
            "not matter there",
            kept=False,
        )


def takes_many_numbers(op: Description) -> None:
    """An elementwise op or a reduction is right for 1, 64 and a million elements.

    Other ops with described shapes are checked with 64 and with 4,096 elements.
    """
    remedy = "compute with whole arrays; a loop over blocks must include the last, shorter one"
    if op.elementwise:
        for size in (1, 64):
            if size <= op.largest:
                call = op.calls[0].with_inputs(op.draw(*[(size,)] * len(op.domain)))
                expect_reference(op, call, remedy)
        small, large = repeated_calls(op)
        expected = [np.resize(r.data, large.inputs[0].shape) for r in results(op.run(small))]
        found = list(results(op.run(large)))
        of = f"{op.text(large)}, which repeats the numbers of {op.text(small)}"
        expect_equal(found, expected, max(op.tolerance, 1e-9), of=of, remedy=remedy)
        return
    calls = [*long_calls(op, 64), *long_calls(op, 4096)]
    if reduces(op):  # with the first parameters only, to save time
        calls += long_calls(replace(op, calls=op.calls[:1]), 1_000_000)
    for call in calls:
        expect_reference(op, call, remedy, tolerance=max(op.tolerance, 1e-7))


def takes_half_precision(op: Description) -> None:
    """The op agrees with its reference in float16 and returns float16, or raises an error."""
    for call in op.calls:
        if any(map(is_floating, call.inputs)):
            _expect_agreement(
                op,
                call.converted("f", np.float16),
                _PRECISION[np.float16],
                "do not exceed 65504 in a part of the formula, and create arrays with x.dtype; or "
                "raise TypeError for dtypes that the op does not support",
            )


def takes_whole_numbers(op: Description) -> None:
    """The op returns for whole numbers what it returns for the same floats, or raises an error."""
    for call in whole_calls(op):
        replaced = [not np.any(x % 1) for x in call.inputs]
        inputs = [
            x.astype(np.int64) if whole else x
            for x, whole in zip(call.inputs, replaced, strict=True)
        ]
        _expect_agreement(
            op,
            call.with_inputs(inputs),
            max(op.tolerance, 1e-6),
            "do not store results in an array of the dtype of the input, as np.zeros_like(x) "
            "creates; or raise TypeError for whole numbers",
            exact=call,
        )


def takes_complex_numbers(op: Description) -> None:
    """The op agrees with its reference for complex numbers, or raises an error."""
    for (dtype, tolerance), call in itertools.product(_COMPLEX.items(), complex_calls(op)):
        _expect_agreement(
            op,
            call.converted("c", dtype),
            max(tolerance, op.tolerance),
            "keep the imaginary parts, and create arrays with x.dtype; or raise TypeError if "
            "x.dtype.kind is 'c'",
        )


def _expect_agreement(
    op: Description,
    call: Call,
    tolerance: float,
    remedy: str,
    *,
    exact: Call | None = None,
    kept: bool = True,
) -> None:
    """Raise `CheckFailure` if the op returns something else than the reference.

    Where the result of the reference is not finite, or too large for the dtype of the inputs, the
    op may return anything. Both may refuse the call with an error.

    Args:
        op: the op.
        call: the arguments of the op.
        tolerance: the largest accepted difference, relative to the largest number of the result.
        remedy: what the plugin's author can do.
        exact: the arguments of the reference; by default those of the op in double precision.
        kept: whether the result must not have more precision than the inputs.
    """
    inexact = [i.dtype for i in call.inputs if isinstance(i, np.ndarray) and i.dtype.kind in "fc"]
    exact = exact or call.converted("f", np.float64).converted("c", np.complex128)
    try:
        expected = results(op.expected(exact))
    except Exception:  # the reference need not accept numbers that nobody described
        return
    try:
        found = results(op.run(call))
    except _REFUSED:
        return
    largest = np.finfo(np.result_type(*inexact)).max if inexact else np.inf
    for result, values in zip(map(unwrap, found), map(np.asarray, expected), strict=True):
        if kept:
            _expect_dtype(result, inexact, op.text(call), remedy)
        if result.shape != values.shape:
            expect_equal(result, values, tolerance, of=op.text(call), remedy=remedy)
        counted = np.isfinite(values) & (abs(values) < 0.99 * largest)
        scale = max(1.0, float(np.max(abs(values[counted]), initial=0)))
        distance = abs(
            np.subtract(result, values, dtype=np.result_type(result, values, np.float64))
        )
        wrong = np.argwhere(counted & ~(distance <= tolerance * scale))
        if len(wrong):
            at = tuple(map(int, wrong[0]))
            place = f" at {list(at)}, where {_numbers_at(call.inputs, at)}" if at else ""
            raise CheckFailure(
                f"{values[at]:.6g}{place} in {op.text(call)}", f"{result[at]}", remedy
            )


def _expect_dtype(array: Any, inexact: Sequence[Any], of: str, remedy: str) -> None:
    """Raise `CheckFailure` if a result has more precision than the inputs."""
    if inexact and array.dtype.kind in "fc":
        expected = np.result_type(*inexact)
        if np.finfo(array.dtype).bits > np.finfo(expected).bits:
            raise CheckFailure(f"{expected} from {of}", str(array.dtype), remedy)


def _numbers_at(inputs: Sequence[Any], index: tuple[int, ...]) -> str:
    """Return the numbers of the inputs at an index of the result, as far as they have it."""
    arrays = [i for i in inputs if isinstance(i, np.ndarray)]
    known = [
        f"{a[index]:g}" for a in arrays if a.ndim == len(index) and np.all(np.less(index, a.shape))
    ]
    return f"the input is {' and '.join(known)}" if known else "the reference is finite"

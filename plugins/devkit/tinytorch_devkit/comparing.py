"""Comparisons of an op's result with the expected one, described in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import unwrap

from tinytorch_devkit.description import Call, Description, brief, results
from tinytorch_devkit.failure import CheckFailure


def expect_reference(
    op: Description,
    call: Call,
    remedy: str,
    *,
    inputs: Sequence[Any] | None = None,
    tolerance: float | None = None,
) -> None:
    """Raise `CheckFailure` unless the op returns a Tensor that agrees with the reference.

    Args:
        op: the op.
        call: the inputs and parameters; the reference is called with copies of them.
        remedy: what the plugin's author can do.
        inputs: the inputs of the op; by default those of `call`, with a Tensor for each array.
        tolerance: the largest accepted difference; by default that of the description.
    """
    given = call.tensors() if inputs is None else inputs
    expected = op.expected(call)
    found = op(*given, **call.parameters)
    if not op.op.raw and any(isinstance(i, Tensor) for i in given):
        expect_tensors(found, op.text(call))
    expect_equal(found, expected, tolerance or op.tolerance, of=op.text(call), remedy=remedy)


def expect_tensors(found: Any, of: str) -> None:
    """Raise `CheckFailure` unless a result is a Tensor, or a tuple or list of Tensors."""
    for result in results(found):
        if not isinstance(result, Tensor):
            raise CheckFailure(
                f"a Tensor from {of} on Tensors",
                f"{type(result).__name__}: {brief(result)}",
                "return an array from the forward function; the core wraps it in a Tensor",
            )


def expect_equal(found: Any, expected: Any, tolerance: float, *, of: str, remedy: str) -> None:
    """Raise `CheckFailure` unless two results agree: arrays, Tensors, numbers or tuples of them.

    Args:
        found: the result. NaN equals NaN.
        expected: the expected result.
        tolerance: the largest accepted difference, relative and absolute.
        of: what was computed, for the message.
        remedy: what the plugin's author can do.
    """
    differs = difference(unwrap(found), unwrap(expected), tolerance)
    if differs is not None:
        raise CheckFailure(f"{differs[0]} in {of}", differs[1], remedy)


def difference(found: Any, expected: Any, tolerance: float) -> tuple[str, str] | None:
    """Return what was expected and what was found, in words, or None if they agree.

    >>> difference([1.0, 2.5], np.array([1.0, 2.0]), 1e-9)
    ('2.0 at [1]', '2.5')
    >>> difference(np.ones(3), np.ones((3, 1)), 1e-9)
    ('the shape (3, 1)', 'the shape (3,)')
    """
    if isinstance(expected, tuple | list) and isinstance(found, tuple | list):
        if len(found) != len(expected):
            return f"{len(expected)} results", f"{len(found)}"
        pairs = zip(found, expected, strict=True)
        return next(filter(None, (difference(f, e, tolerance) for f, e in pairs)), None)
    found, expected = np.asarray(found), np.asarray(expected)
    if found.shape != expected.shape:
        return f"the shape {expected.shape}", f"the shape {found.shape}"
    if np.array_equal(found, expected):  # takes less time than np.isclose
        return None
    wrong = np.argwhere(~np.isclose(found, expected, tolerance, tolerance, equal_nan=True))
    if not len(wrong):
        return None
    at = tuple(map(int, wrong[0]))
    return f"{expected[at]!s}{f' at {list(at)}' if at else ''}", f"{found[at]!s}"

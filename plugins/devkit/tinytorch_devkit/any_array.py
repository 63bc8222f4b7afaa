"""The check that an op works on the arrays of other libraries, and what autograd's check needs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import unwrap

from tinytorch_devkit.checks import Checks
from tinytorch_devkit.comparing import difference
from tinytorch_devkit.description import Description, results
from tinytorch_devkit.failure import CheckFailure, raised_at
from tinytorch_devkit.strict_array import StrictArray, StrictArrayError, strict, values_of


def add_to(checks: Checks) -> None:
    """Add the check of this module."""
    checks.for_op(takes_any_array, applies=lambda op: not op.op.raw)


def takes_any_array(op: Description) -> None:
    """The op runs on any arrays that implement NumPy's protocols, and returns such arrays."""
    for call in op.calls:
        if not any(isinstance(i, np.ndarray) for i in call.inputs):
            continue
        # An op that writes gets buffers of the same library as its first input.
        parameters = op.fresh(call.parameters)
        if op.op.in_place:
            parameters = strict(parameters)
        inputs = [Tensor(StrictArray(i)) if isinstance(i, np.ndarray) else i for i in call.inputs]
        expect_same(
            functools.partial(op, *inputs, **parameters),
            op.run(call),
            tolerance=op.tolerance,
            of=op.text(call),
        )


def expect_same(function: Callable[[], Any], expected: Any, *, tolerance: float, of: str) -> None:
    """Raise `CheckFailure` unless a function of strict arrays agrees with that of ndarrays.

    Args:
        function: computes the result from strict arrays.
        expected: the result for ndarrays: a Tensor, an array, or a list of them.
        tolerance: the largest accepted difference, relative and absolute.
        of: what is computed, for the message.
    """
    try:
        found = function()
    except StrictArrayError as error:
        line = raised_at(error)
        raise CheckFailure(
            f"{of} to work on arrays of other libraries",
            f"{error}, in {line.file}:{line.number}",
            _REMEDY,
        ) from error
    for one, other in zip(results(found), results(expected), strict=True):
        array = unwrap(one)
        if isinstance(unwrap(other), np.ndarray) and not isinstance(array, StrictArray):
            raise CheckFailure(
                f"an array of the library from {of}", f"{type(array).__name__}", _REMEDY
            )
        if isinstance(array, StrictArray) and array.dtype != unwrap(other).dtype:
            raise CheckFailure(
                f"{unwrap(other).dtype} from {of} on arrays of another library",
                f"{array.dtype}",
                "keep NumPy scalars out of the computation: use math.sqrt(2), not np.sqrt(2)",
            )
        differs = difference(values_of(array), unwrap(other), tolerance)
        if differs is not None:
            raise CheckFailure(
                f"{differs[0]} in {of} on arrays of another library",
                differs[1],
                f"{_REMEDY}; use the result of `x += y`, which may be another array",
            )


_REMEDY = (
    "write functional NumPy: no item assignment, no np.asarray, no float(x), no branch on a value; "
    "a faster version for ndarrays may stay behind isinstance(x, np.ndarray)"
)

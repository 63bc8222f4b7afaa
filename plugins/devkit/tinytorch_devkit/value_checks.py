"""Checks of an op's results: their values, under each name of the op, and their dtypes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import numpy_name

from tinytorch_devkit.checks import Checks
from tinytorch_devkit.comparing import (
    expect_equal,
    expect_reference,
    expect_tensors,
)
from tinytorch_devkit.description import Description, brief, results
from tinytorch_devkit.failure import CheckFailure
from tinytorch_devkit.variants import is_floating

# In float32 an op may lose half of its digits, for example when it subtracts nearly equal numbers.
_SINGLE = 5e-4


def add_to(checks: Checks) -> None:
    """Add the checks of this module."""
    checks.for_op(agrees_with_reference)
    checks.for_op(works_under_every_name, applies=_has_names)
    checks.for_op(agrees_with_numpy, applies=lambda op: bool(op.op.numpy))
    checks.for_op(serves_arrays, applies=lambda op: op.function is not None and not op.op.in_place)
    checks.for_op(keeps_dtypes)


def agrees_with_reference(op: Description) -> None:
    """The op agrees with its reference for every described call."""
    for call in op.calls:
        expect_reference(
            op,
            call,
            "correct the forward function, or the reference; if the op is right but less precise, "
            "set tolerance= in its description",
        )


def works_under_every_name(op: Description) -> None:
    """The op's methods and its NumPy functions return the same result as the op."""
    for call, (name, function) in itertools.product(op.calls, list(_names(op))):
        inputs = call.tensors()
        if isinstance(inputs[0], Tensor):
            found = function(*inputs, **call.parameters)
            expect_tensors(found, f"{name}{call}")
            expect_equal(
                found,
                op.run(call),
                op.tolerance,
                of=f"{name}{call}, compared with {op.text(call)}",
                remedy="compute the same under each name; a parameter of a NumPy function must "
                "have the name that it has in NumPy",
            )


def _has_names(op: Description) -> bool:
    return bool(op.op.methods or op.op.numpy)


def _names(op: Description) -> Iterator[tuple[str, Callable[..., Any]]]:
    for method in op.op.methods:
        yield f"Tensor.{method}", getattr(Tensor, method)
    for function in op.op.numpy:
        yield numpy_name(function), function


def agrees_with_numpy(op: Description) -> None:
    """The op agrees with its NumPy functions on arrays."""
    for call, function in itertools.product(op.calls, op.op.numpy):
        expect_equal(
            op.run(call),
            function(*call.inputs, **call.parameters),
            op.tolerance,
            of=f"{op.text(call)}, compared with {numpy_name(function)} on arrays",
            remedy="remove the NumPy function from numpy= in ops.add, or compute the same",
        )


def serves_arrays(op: Description) -> None:
    """The function that users call returns arrays for arrays."""
    for call in op.calls:
        found = op(*call.inputs, **call.parameters)
        for result in results(found):
            if isinstance(result, Tensor):
                raise CheckFailure(
                    f"an array from {op.text(call)} on arrays",
                    f"the Tensor {brief(result)}",
                    "do not create Tensors in the function; the op handles Tensors by itself",
                )
        expect_equal(
            found,
            op.run(call),
            op.tolerance,
            of=f"{op.text(call)} on arrays, compared with Tensors",
            remedy="run the same code for arrays as for Tensors",
        )


def keeps_dtypes(op: Description) -> None:
    """Inputs in float32 give results in float32, and float64 gives float64, at full precision."""
    for call, dtype in itertools.product(op.calls, (np.float32, np.float64)):
        if not any(map(is_floating, call.inputs)):
            continue
        converted = call.converted("f", dtype)
        for result in results(op.run(converted)):
            if result.dtype.kind == "f" and result.dtype != dtype:
                raise CheckFailure(
                    f"{np.dtype(dtype)} from {op.text(converted)}",
                    f"{result.dtype}",
                    "do not use NumPy scalars or arrays of another dtype in the forward function: "
                    "write math.sqrt(2) instead of np.sqrt(2), and create arrays with x.dtype",
                )
        expect_reference(
            op,
            converted.converted("f", np.float64),
            f"compute at the full precision of {np.dtype(dtype)}",
            inputs=converted.tensors(),
            tolerance=max(op.tolerance, _SINGLE if dtype is np.float32 else 0),
        )

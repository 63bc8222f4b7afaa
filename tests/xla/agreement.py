"""Comparisons of XLA with NumPy: the results of ops, and their derivatives of orders 1 and 2."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import unwrap

import tinytorch_xla as xla
from tinytorch_autograd.debug.checked_call import Problem, unless_without_rule

# The largest error, relative to the largest element, or to 1 if all elements are smaller.
LARGEST = {np.dtype(t): 1e-12 for t in (np.float64, np.complex128)}
LARGEST |= {np.dtype(t): 1e-6 for t in (np.float32, np.complex64)}
LARGEST |= {np.dtype(np.float16): 2e-3}
# If NumPy's own error is larger, such as where almost equal numbers are subtracted, XLA's is
# compared with it, and may be this multiple of it.
MULTIPLE = 4
WIDER = {"f": (np.float64, np.longdouble), "c": (np.complex128, np.clongdouble)}


def computed(op: Any, call: Any, convert: Any = np.asarray) -> list[Any]:
    """Return the results of a call, and their derivatives of orders 1 and 2, as arrays.

    Args:
        op: the description of the op.
        call: the call.
        convert: converts each array to the kind of array with which to compute.
    """
    inputs = [Tensor(convert(i)) if isinstance(i, np.ndarray) else i for i in call.inputs]
    results = op(*inputs, **op.fresh(call.parameters))
    found = list(results) if isinstance(results, tuple | list) else [results]
    derivatives = unless_without_rule(Problem(op, call).derivatives, convert)
    if derivatives is not None:
        found += derivatives if isinstance(derivatives, tuple | list) else [derivatives]
    return [unwrap(each) for each in found]


def narrowed(call: Any) -> Any:
    """Return a call in single precision."""
    return call.converted("f", np.float32).converted("c", np.complex64)


def widened(call: Any) -> Any:
    """Return the same call in the next wider precision."""
    given = [i for i in call.inputs if isinstance(i, np.ndarray) and i.dtype.kind in "fc"]
    is_single = any(i.dtype.char in "fF" for i in given)
    for kind, (double, longer) in WIDER.items():
        call = call.converted(kind, double if is_single else longer)
    return call


def on_xla(op: Any, calls: list[Any]) -> list[list[Any]]:
    """Return the results of calls of an op, computed by one program of XLA."""
    import jax

    arrays: list[Any] = []

    def noted(array: Any) -> Any:
        arrays.append(array)
        return array

    for call in calls:
        computed(op, call, noted)

    # Without `xla.jit`, which would trace the program twice.
    def program(arrays: Any) -> Any:
        rest = iter(arrays)
        found = [computed(op, call, lambda array: xla.Array(next(rest))) for call in calls]
        return [[each.value if isinstance(each, xla.Array) else each for each in f] for f in found]

    with jax.enable_x64(True):
        return [[np.asarray(each) for each in found] for found in jax.jit(program)(arrays)]


def error(found: Any, exact: Any) -> float:
    """Return the largest difference, relative to the largest element, or to 1 if that is larger."""
    finite = np.isfinite(exact)
    np.testing.assert_array_equal(np.isfinite(found), finite)
    np.testing.assert_array_equal(found[~finite], exact[~finite].astype(found.dtype))
    scale = max(1.0, np.max(np.abs(exact[finite]), initial=0))
    return float(np.max(np.abs(found[finite] - exact[finite]), initial=0) / scale)


def assert_agrees(op: Any, call: Any, found: list[Any]) -> None:
    """Check the results of a call on XLA, in the order of `computed`."""
    expected, exact = computed(op, call), None
    single = any(np.dtype(getattr(e, "dtype", bool)).char in "fF" for e in expected)
    if single:
        exact = computed(op, widened(call))
    for i, (one, other) in enumerate(zip(found, expected, strict=True)):
        if not isinstance(other, np.ndarray | np.generic):
            continue
        where = f"result {i} of {op.text(call)}"
        assert one.dtype == other.dtype, where
        if other.dtype not in LARGEST:
            np.testing.assert_array_equal(one, other, where)
            continue
        largest = LARGEST[other.dtype]
        if error(one, other if exact is None else exact[i]) <= largest:
            continue
        if exact is None:
            exact = computed(op, widened(call))
        of_numpy = error(other, exact[i])
        assert error(one, exact[i]) <= max(largest, MULTIPLE * of_numpy), (where, of_numpy)


def assert_same_on_xla(op: Any, single: bool = True) -> None:
    """Check a call of an op in double precision, and a call in single precision if `single`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        calls = [c for c in op.calls if any(isinstance(i, np.ndarray) for i in c.inputs)]
        if calls:
            chosen = [calls[0], narrowed(calls[min(1, len(calls) - 1)])][: 1 + single]
            for call, found in zip(chosen, on_xla(op, chosen), strict=True):
                assert_agrees(op, call, found)

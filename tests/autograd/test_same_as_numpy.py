"""Functions of tracked tensors return what NumPy returns for arrays, or raise the same error."""

import warnings
from operator import attrgetter

import numpy as np
import pytest

from tinytorch_core import Tensor

from docs.numpy_functions import DIFFERENTIABLE, kind, public

from .cases.options import Input, call, leaves, replaced

# Without arctan2 and power: where NumPy computes them by vector instructions, its reduce is wrong.
UFUNCS = "add subtract multiply maximum minimum logaddexp hypot"
# Their arguments depend on each other; the cases in `cases` test them.
DESCRIBED_ONLY = {"np.arange", "np.full", "np.histogram2d", "np.histogramdd", "np.polyfit"}
FUNCTIONS = {
    names[0].removeprefix("np."): function
    for function, names in public().items()
    if kind(function) == DIFFERENTIABLE and names[0] not in DESCRIBED_ONLY
} | {
    f"{ufunc}.{method}": attrgetter(f"{ufunc}.{method}")(np)
    for ufunc in UFUNCS.split()
    for method in ("reduce", "accumulate", "reduceat", "outer")
}


CALLS = 80  # of each function


@pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "2.4.0",
    reason="before NumPy 2.4 the arguments of ufuncs, which the test draws, cannot be read",
)
@pytest.mark.parametrize(("name", "function"), FUNCTIONS.items(), ids=FUNCTIONS)
def test_random_options(name, function):
    for seed in range(CALLS):
        args, options = call(seed, name, function)
        expected = result(function, *replaced((args, options), array_of))
        found = result(function, *replaced((args, options), tracked))
        try:
            assert_same(found, expected, 1e-4 if has_float32((args, options)) else 1e-11)
        except Exception as error:
            error.add_note(f"np.{name} with the arguments {args} and {options}")
            raise


def array_of(value):
    return value.array if isinstance(value, Input) else value


def tracked(value):
    return Tensor(value.array, requires_grad=True) if isinstance(value, Input) else value


def has_float32(values):
    """Return whether NumPy may compute in single precision."""
    return any(
        value is np.float32 or (isinstance(value, np.ndarray) and value.dtype == np.float32)
        for value in map(array_of, leaves(values))
    )


def result(function, args, options):
    """Return the result of a call, or the error that it raised."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return function(*args, **options)
        except Exception as error:
            return error


def assert_same(found, expected, tolerance=1e-11):
    """Compare containers, shapes, dtypes and numbers, or the classes of errors."""
    if isinstance(expected, Exception):
        assert isinstance(found, Exception), f"NumPy raises {expected!r}"
        assert type(found) is type(expected), f"NumPy raises {expected!r}, and not {found!r}"
    elif isinstance(found, Exception):
        raise found
    elif isinstance(expected, list | tuple):
        assert type(found) is type(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other, tolerance)
    elif not isinstance(expected, np.ndarray | np.generic):
        np.testing.assert_equal(found, expected)
    else:
        assert isinstance(found, Tensor)
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_allclose(found.data, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("function", "arrays"),
    [
        (lambda x, y: np.diff(x, n=0, prepend=y), ([1.0, 3.0], [5.0])),
        (lambda x, y: np.diff(x, n=0, prepend=y, append=0.0), ([1.0, 3.0], [5.0])),
        (np.polymul, ([0.0, 1.0, 2.0], [1.0, 1.0])),
        (np.polymul, ([1.0, 2.0], [0.0, 0.0])),
        (
            lambda x: np.piecewise(x, [np.array([True, False])], [lambda v: v * 2, 7.0]),
            (np.eye(2),),
        ),
        (lambda x: np.unique(x, axis=0), ([[2.0, 1.0], [2.0, 1.0]],)),
        (np.unique, ([0.1, 0.1, 0.1],)),
        (np.unique, ([1e308, 1e308, np.inf, np.inf],)),
        (lambda x: np.bincount([0, 0, 2], x), ([1.0, 2.0, 4.0],)),
        (lambda x: np.fft.irfftn(x, (-1, -1), (0, 1)), (np.eye(3),)),
        (lambda x: np.hypot.reduce(x), ([-2.0],)),
        (lambda x: np.var(x, ddof=3), ([1.0, 2.0],)),
        (lambda x: np.sum(x, dtype=int), ([1.5, 2.5],)),
    ],
)
def test_known_differences(function, arrays):
    """These calls once returned other numbers, other shapes or an error."""
    arrays = [np.array(a) for a in arrays]
    expected = result(function, arrays, {})
    assert_same(result(function, [Tensor(a, requires_grad=True) for a in arrays], {}), expected)

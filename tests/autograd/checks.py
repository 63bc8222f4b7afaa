"""The properties that every rule must have, checked for one case by a function that raises."""

from contextlib import contextmanager

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_autograd.debug.numerical import check_derivative, gradients, random_weights
from tinytorch_autograd.node import functions
from tinytorch_autograd.outputs import OutputGradients

from .cases import CASES, naming

# The cases by their op, with which their names begin.
BY_OP = {}
for each in CASES:
    BY_OP.setdefault(each.name.partition(" ")[0], []).append(each)

# The dtypes of float32 gradients: a real tensor next to complex ones may have a complex gradient.
SINGLE = {np.dtype(np.float32), np.dtype(np.complex64)}


def every_case(test):
    """Run a test for every case. Those of one op share a run, because a run takes a millisecond."""

    def run(op):
        for case in BY_OP[op]:
            with naming(case):
                test(case)

    run.__name__, run.__module__, run.__doc__ = test.__name__, test.__module__, test.__doc__
    return pytest.mark.parametrize("op", BY_OP)(run)


def tracked(data, dtype=np.float64):
    """Return a tensor of a copy of the data that requires grad."""
    return Tensor(np.array(data, dtype), requires_grad=True)


def check(case, orders=(1, 2), float32=True):
    """Raise AssertionError unless the derivatives of a case are correct.

    They must agree with numerical differentiation, leave the inputs unchanged, not depend on the
    memory layout of the inputs, and be float32 if the inputs are.
    """
    before = [a.copy() for a in case.arrays]
    check_value(case)
    for order in orders:
        check_derivative(case.function, case.arrays, order)
    check_layouts(case)
    for array, original in zip(case.arrays, before, strict=True):
        np.testing.assert_array_equal(array, original, err_msg="an input was modified")
    if float32 and case.arrays[0].dtype == np.float64:
        check_float32(case)


def check_value(case):
    """Tracked tensors have the same results as untracked ones, for which NumPy's function runs."""
    expected = case.function(*map(Tensor, case.arrays))
    found = case.function(*[Tensor(a, requires_grad=True) for a in case.arrays])
    assert found.dtype == expected.dtype
    if case.arrays[0].dtype == np.float64:
        narrow = [a.astype(np.float32) for a in case.arrays]
        expected32 = case.function(*map(Tensor, narrow))
        found32 = case.function(*[Tensor(a, requires_grad=True) for a in narrow])
        assert found32.dtype == expected32.dtype, f"{expected32.dtype} became {found32.dtype}"
    np.testing.assert_allclose(found.data, expected.data, rtol=1e-12, atol=1e-13)


def check_layouts(case):
    """Strided, transposed and reversed arrays have the same gradients as contiguous ones."""
    weight, (directions,) = random_weights(case.function, case.arrays, 1)
    expected = gradients(case.function, case.arrays, weight, [directions])
    for lay_out in (strided, transposed, reversed_order):
        arrays = [lay_out(a) for a in case.arrays]
        found = gradients(case.function, arrays, weight, [directions])
        for f, e in zip(found, expected, strict=True):
            np.testing.assert_allclose(f, e, rtol=1e-11, atol=1e-11, err_msg=lay_out.__name__)


def strided(array):
    wide = np.zeros(tuple(2 * n for n in array.shape), array.dtype)
    view = wide[(..., *[slice(None, None, 2)] * array.ndim)]
    view[...] = array
    return view


def transposed(array):
    return np.array(array, order="F")


def reversed_order(array):
    flipped = (..., *[slice(None, None, -1)] * array.ndim)
    return array[flipped].copy()[flipped]


def check_float32(case):
    """Every rule returns float32 for float32 inputs."""
    arrays = [a.astype(np.float32) for a in case.arrays]
    weight, (directions,) = random_weights(case.function, arrays, 1)
    directions = [v.astype(np.float32) for v in directions]
    assert case.function(*map(Tensor, arrays)).dtype in SINGLE, "the result is not float32"
    with recorded_dtypes() as seen:
        gradients(case.function, arrays, weight.astype(np.float32), [directions])
    for rule, entered, left in seen:
        assert entered in SINGLE, f"{entered} entered {rule}"
        assert left <= SINGLE, f"{left} left {rule}"


@contextmanager
def recorded_dtypes():
    """Record the dtypes of the gradients that enter and leave each rule."""
    seen = []
    kinds = [create() for create in functions.values()]
    originals = {kind: kind.gradients for kind in kinds}
    for kind, rule in originals.items():
        kind.gradients = recording(rule, seen)
    try:
        yield seen
    finally:
        for kind, rule in originals.items():
            kind.gradients = rule


def recording(rule, seen):
    def gradients(self, grad):
        parts = rule(self, grad)
        entered = grad.values() if isinstance(grad, OutputGradients) else [grad]
        left = {part.dtype for part in parts if part is not None}
        seen.extend((type(self).__name__, one.dtype, left) for one in entered)
        return parts

    return gradients

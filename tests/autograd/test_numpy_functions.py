"""The derivatives of every NumPy function in `cases.DESCRIBED`."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinytorch_autograd.debug.numerical import check_derivative

from .cases import DESCRIBED, naming
from .checks import check


def each(described):
    """Return a decorator that runs a test for each of these functions."""
    ids = [f"{i}-{d.name}" for i, d in enumerate(described)]
    return pytest.mark.parametrize("described", described, ids=ids)


@each(DESCRIBED)
def test_derivatives(described):
    for case in described.cases():
        with naming(case):
            check(case, range(1, described.order + 1), described.float32)


@each([d for d in DESCRIBED if d.complex])
def test_derivatives_at_complex_numbers(described):
    for case in described.complex_cases():
        with naming(case):
            check(case)


@each([d for d in DESCRIBED if d.drawn])
@settings(max_examples=5, database=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_derivatives_of_random_shapes(described, data):
    case = described.draw(data)
    for order in (1, 2):
        check_derivative(case.function, case.arrays, order)

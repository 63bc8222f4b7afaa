"""The derivatives of every NumPy function in `cases.DESCRIBED`."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinytorch_autograd.debug.numerical import check_derivative

from .cases import DESCRIBED
from .checks import check

CASES = [(d, case) for d in DESCRIBED for case in d.cases()]


@pytest.mark.parametrize(("described", "case"), CASES, ids=[case.name for _, case in CASES])
def test_derivatives(described, case):
    check(case, range(1, described.order + 1), described.float32)


COMPLEX = [case for d in DESCRIBED for case in d.complex_cases()]


@pytest.mark.parametrize("case", COMPLEX, ids=[case.name for case in COMPLEX])
def test_derivatives_at_complex_numbers(case):
    check(case)


WITH_RANDOM_SHAPES = [d for d in DESCRIBED if d.drawn]


@pytest.mark.parametrize("described", WITH_RANDOM_SHAPES, ids=[d.name for d in WITH_RANDOM_SHAPES])
@settings(max_examples=5, database=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_derivatives_of_random_shapes(described, data):
    case = described.draw(data)
    for order in (1, 2):
        check_derivative(case.function, case.arrays, order)

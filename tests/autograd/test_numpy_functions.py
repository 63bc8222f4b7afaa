"""Every NumPy function that is described in `cases`: its derivatives of orders 1 and 2."""

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


DRAWN = [d for d in DESCRIBED if d.drawn]


@pytest.mark.parametrize("described", DRAWN, ids=[d.name for d in DRAWN])
@settings(max_examples=5, database=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_derivatives_of_any_shape(described, data):
    case = described.draw(data)
    for order in (1, 2):
        check_derivative(case.function, case.arrays, order)

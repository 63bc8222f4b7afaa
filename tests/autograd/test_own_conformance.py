"""The ops with rules of autograd, and NumPy functions on demand, pass the conformance kit."""

import pytest

from tests.together import conformance_cases, run_all

CASES = conformance_cases("autograd")


@pytest.mark.parametrize("subject", CASES)
def test_conforms(subject):
    run_all(CASES[subject])

"""The ops with rules of autograd, and NumPy functions on demand, pass the conformance kit."""

import pytest

from tinytorch_devkit import cases_of

CASES = {}
for case in cases_of("autograd"):
    CASES.setdefault(case.subject, []).append(case)


# All checks of an op in one test: thousands of tests would take longer.
@pytest.mark.parametrize("subject", CASES)
def test_conforms(subject):
    for case in CASES[subject]:
        if case.left_out is None:
            case()

"""The layers' ops pass the conformance kit, including autograd's checks if it is active."""

import pytest

from tests.together import conformance_cases, run_all

CASES = conformance_cases("layers")


@pytest.mark.parametrize("subject", CASES)
def test_conforms(subject):
    run_all(CASES[subject])

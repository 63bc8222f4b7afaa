"""The update ops of the optimizers pass the conformance kit."""

import pytest

from tests.together import conformance_cases, run_all

CASES = conformance_cases("training")


@pytest.mark.parametrize("subject", CASES)
def test_conforms(subject):
    run_all(CASES[subject])

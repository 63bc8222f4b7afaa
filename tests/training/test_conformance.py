"""The updates of the optimizers pass the conformance kit."""

from tinytorch_core.testing import parametrize_with_checks


@parametrize_with_checks("training")
def test_conforms(check):
    check()

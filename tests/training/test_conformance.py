"""The update ops of the optimizers pass the conformance kit."""

from tinytorch_devkit import parametrize_with_checks


@parametrize_with_checks("training")
def test_conforms(check):
    check()

"""The layers' ops pass the conformance kit, including autograd's checks if it is active."""

from tinytorch_devkit import parametrize_with_checks


@parametrize_with_checks("layers")
def test_conforms(check):
    check()

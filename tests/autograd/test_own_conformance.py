"""The ops with rules of autograd, and NumPy functions on demand, pass the conformance kit."""

from tinytorch_devkit import parametrize_with_checks


@parametrize_with_checks("autograd")
def test_conforms(check):
    check()

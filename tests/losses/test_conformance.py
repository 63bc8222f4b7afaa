"""The losses pass the conformance kit, with autograd's checks where autograd is on."""

from tinytorch_devkit import parametrize_with_checks


@parametrize_with_checks("losses")
def test_conforms(check):
    check()

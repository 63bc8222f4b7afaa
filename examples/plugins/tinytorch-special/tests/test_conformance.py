"""Every check of the conformance kit: values against SciPy, derivatives, dtypes and more."""

import scipy.special

import tinytorch_special
from tinytorch_devkit import cases_of, parametrize_with_checks
from tinytorch_special.family import FUNCTIONS


@parametrize_with_checks("special")
def test_conforms(check):
    check()


def test_every_function_is_described():
    described = {case.op.name for case in cases_of("special") if case.op is not None}
    assert described == {special.op for special in FUNCTIONS.values()}


def test_the_package_exports_every_function_under_its_scipy_name():
    aliases = {"psi", "jn"}
    assert set(tinytorch_special.__all__) == {*FUNCTIONS, *aliases}
    for name in tinytorch_special.__all__:
        assert hasattr(scipy.special, name)
        assert getattr(tinytorch_special, name).__name__ == (
            name if name in FUNCTIONS else {"psi": "digamma", "jn": "jv"}[name]
        )

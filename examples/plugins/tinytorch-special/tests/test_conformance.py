"""Every check of the conformance kit: values against SciPy, derivatives, dtypes and more."""

import scipy

import tinytorch_special
from tinytorch_devkit import cases_of, parametrize_with_checks
from tinytorch_special.family import FUNCTIONS


@parametrize_with_checks("special")
def test_conforms(check):
    check()


def test_the_modules_have_functions_under_their_scipy_names():
    for name, special in FUNCTIONS.items():
        if special.module != "special":
            module = getattr(tinytorch_special, special.module)
            assert callable(getattr(module, name))
            assert hasattr(getattr(scipy, special.module), name)


def test_every_function_is_described():
    described = {case.op.name for case in cases_of("special") if case.op is not None}
    assert described == {special.op for special in FUNCTIONS.values()}


def test_the_package_exports_every_function_under_its_scipy_name():
    aliases = {"psi", "jn"}
    modules = {"integrate", "linalg", "signal", "stats"}
    own = {name for name, special in FUNCTIONS.items() if special.module == "special"}
    assert set(tinytorch_special.__all__) == {*own, *aliases, *modules}
    for name in own | aliases:
        assert hasattr(scipy.special, name)
        assert getattr(tinytorch_special, name).__name__ == (
            name if name in FUNCTIONS else {"psi": "digamma", "jn": "jv"}[name]
        )

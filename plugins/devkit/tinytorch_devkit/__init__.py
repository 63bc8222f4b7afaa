"""Tools for authors of TinyTorch plugins: the conformance kit and pytest fixtures.

A plugin describes its ops in the hook `tinytorch_describe_ops`; the kit then checks values, dtypes,
shapes, errors and, with tinytorch-autograd, derivatives:

    from tinytorch_devkit import parametrize_with_checks

    @parametrize_with_checks("swish")
    def test_conforms(check):
        check()

Names are imported on first use: every pytest run imports this package for its fixtures, and most
need nothing else. PYTEST_DONT_REWRITE prevents pytest's warning in a program that imports this
package before it starts pytest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinytorch_devkit.any_array import expect_same
    from tinytorch_devkit.checks import Check, Checks
    from tinytorch_devkit.comparing import (
        difference,
        expect_equal,
        expect_reference,
        expect_tensors,
    )
    from tinytorch_devkit.description import Call, Description, call, results
    from tinytorch_devkit.failure import CheckFailure, UnknownCheckError
    from tinytorch_devkit.parametrizing import parametrize_with_checks
    from tinytorch_devkit.running import Case, Result, cases_of, check_plugin, table_of_checks
    from tinytorch_devkit.samples import Samples
    from tinytorch_devkit.strict_array import StrictArray, StrictArrayError, values_of
    from tinytorch_devkit.subject import Subject
    from tinytorch_devkit.variants import (
        LAYOUTS,
        complex_calls,
        equal_calls,
        laid_out,
        large_calls,
        long_calls,
        repeated_calls,
    )

__version__ = "0.1.0"

__all__ = [
    "LAYOUTS",
    "Call",
    "Case",
    "Check",
    "CheckFailure",
    "Checks",
    "Description",
    "Result",
    "Samples",
    "StrictArray",
    "StrictArrayError",
    "Subject",
    "UnknownCheckError",
    "call",
    "cases_of",
    "check_plugin",
    "complex_calls",
    "difference",
    "equal_calls",
    "expect_equal",
    "expect_reference",
    "expect_same",
    "expect_tensors",
    "laid_out",
    "large_calls",
    "long_calls",
    "parametrize_with_checks",
    "repeated_calls",
    "results",
    "table_of_checks",
    "values_of",
]

# The module of each public name.
_MODULES = {
    **dict.fromkeys(
        (
            "LAYOUTS",
            "complex_calls",
            "equal_calls",
            "laid_out",
            "large_calls",
            "long_calls",
            "repeated_calls",
        ),
        "variants",
    ),
    "Call": "description",
    "Case": "running",
    "Check": "checks",
    "CheckFailure": "failure",
    "Checks": "checks",
    "Description": "description",
    "Result": "running",
    "Samples": "samples",
    "StrictArray": "strict_array",
    "StrictArrayError": "strict_array",
    "Subject": "subject",
    "UnknownCheckError": "failure",
    "call": "description",
    "cases_of": "running",
    "check_plugin": "running",
    "difference": "comparing",
    "expect_equal": "comparing",
    "expect_reference": "comparing",
    "expect_same": "any_array",
    "expect_tensors": "comparing",
    "parametrize_with_checks": "parametrizing",
    "results": "description",
    "table_of_checks": "running",
    "values_of": "strict_array",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""The conformance kit: a plugin describes its ops once, and is checked in every respect.

from tinytorch_devkit import parametrize_with_checks

@parametrize_with_checks("swish")
def test_conforms(check):
    check()
"""

from tinytorch_devkit.checks import Check, Checks
from tinytorch_devkit.comparing import (
    difference,
    expect_equal,
    expect_reference,
    expect_tensors,
    results,
)
from tinytorch_devkit.failure import CheckFailure, UnknownCheckError
from tinytorch_devkit.parametrizing import parametrize_with_checks
from tinytorch_devkit.running import Case, Result, cases_of, check_plugin, table_of_checks
from tinytorch_devkit.samples import Call, Description, Samples, call
from tinytorch_devkit.subject import Subject

__version__ = "0.1.0"

__all__ = [
    "Call",
    "Case",
    "Check",
    "CheckFailure",
    "Checks",
    "Description",
    "Result",
    "Samples",
    "Subject",
    "UnknownCheckError",
    "call",
    "cases_of",
    "check_plugin",
    "difference",
    "expect_equal",
    "expect_reference",
    "expect_tensors",
    "parametrize_with_checks",
    "results",
    "table_of_checks",
]

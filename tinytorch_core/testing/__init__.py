"""The conformance kit: a plugin describes its ops once, and is checked in every respect.

from tinytorch_core.testing import parametrize_with_checks

@parametrize_with_checks("swish")
def test_conforms(check):
    check()
"""

from tinytorch_core.testing.checks import Check, Checks
from tinytorch_core.testing.comparing import (
    difference,
    expect_equal,
    expect_reference,
    expect_tensors,
    results,
)
from tinytorch_core.testing.failure import CheckFailure, UnknownCheckError
from tinytorch_core.testing.parametrizing import parametrize_with_checks
from tinytorch_core.testing.running import Case, Result, cases_of, check_plugin, table_of_checks
from tinytorch_core.testing.samples import Call, Description, Samples, call
from tinytorch_core.testing.subject import Subject

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

"""The check that each documented exception is raised by a test finds those that are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.whole import untested_errors

TEXT = '''
class Layer:
    """A layer.

    Raises:
        TypeError, ValueError: a size is not a positive integer,
            or another: reason.
        KeyError: there is
    """

    def forward(self):
        """Compute.

        Raises:
            IndexError: too large.

        >>> Layer().forward()
        """
'''


def test_the_exceptions_of_all_raises_sections_are_read(tmp_path: Path) -> None:
    file = tmp_path / "layer.py"
    file.write_text(TEXT)
    assert set(untested_errors.documented(file)) == {
        ("Layer", "TypeError"),
        ("Layer", "ValueError"),
        ("Layer", "KeyError"),
        ("Layer.forward", "IndexError"),
    }


def test_exceptions_in_tests_are_noted_with_their_functions_and_bases() -> None:
    def fail() -> None:
        raise KeyError("x")

    with pytest.raises(LookupError):
        fail()
    where = "test_exceptions_in_tests_are_noted_with_their_functions_and_bases.<locals>.fail"
    assert {(where, "KeyError"), (where, "LookupError")} <= untested_errors.raised
    assert (where, "ValueError") not in untested_errors.raised


def test_every_package_documents_exceptions() -> None:
    for name in untested_errors.PACKAGES:
        files = untested_errors.PLUGINS.glob(f"{name}/tinytorch_*/**/*.py")
        assert any(set(untested_errors.documented(file)) for file in files), name

"""Checks as pytest test cases."""

from __future__ import annotations

from typing import Any

import pytest

from tinytorch_devkit.running import cases_of


def parametrize_with_checks(*plugins: Any) -> pytest.MarkDecorator:
    """Return a decorator that runs a test with the argument `check` once for each check.

        @parametrize_with_checks("swish")
        def test_conforms(check):
            check()

    The test cases are named `op-check`: `pytest -k swish-keeps_dtypes` runs one of them. Checks
    that the plugin's author has left out are skipped, with the reason.

    Args:
        plugins: names of plugins, or objects with hooks, registered or not.

    Raises:
        UnknownPluginError: no plugin has that name.
        PluginError: a plugin fails, or its descriptions are wrong.
    """
    cases = [
        pytest.param(
            case,
            id=repr(case),
            marks=() if case.left_out is None else pytest.mark.skip(reason=case.left_out),
        )
        for plugin in plugins
        for case in cases_of(plugin)
    ]
    return pytest.mark.parametrize("check", cases)

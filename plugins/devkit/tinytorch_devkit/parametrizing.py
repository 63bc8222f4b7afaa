"""Checks as test cases of pytest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinytorch_devkit.running import cases_of

if TYPE_CHECKING:
    import pytest


def parametrize_with_checks(*plugins: Any) -> pytest.MarkDecorator:
    """Makes a test case of each check of the plugins; for a test with the argument `check`.

        @parametrize_with_checks("swish")
        def test_conforms(check):
            check()

    The cases are named `op-check`, so that `pytest -k swish-keeps_dtypes` runs one of them. What
    the plugin's author has left out is skipped, with the reason.

    Args:
        plugins: names of plugins, or objects with hooks, which need not be registered.

    Raises:
        UnknownPluginError: no plugin has that name.
        PluginError: a plugin cannot be used, or its descriptions are wrong.
    """
    import pytest  # here, because the core can do without it

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

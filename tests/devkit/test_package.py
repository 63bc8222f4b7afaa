"""The public names of the package, which are imported on first use."""

from __future__ import annotations

import ast
import inspect

import pytest

import tinytorch_devkit


def test_each_public_name_has_a_module_and_a_declaration_for_type_checkers() -> None:
    tree = ast.parse(inspect.getsource(tinytorch_devkit))
    (declarations,) = (node.body for node in tree.body if isinstance(node, ast.If))
    declared = {
        name.name: node.module.rpartition(".")[2]
        for node in declarations
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    assert declared == tinytorch_devkit._MODULES
    assert sorted(declared) == sorted(tinytorch_devkit.__all__)


@pytest.mark.parametrize("name", tinytorch_devkit.__all__)
def test_each_public_name_can_be_imported(name: str) -> None:
    assert getattr(tinytorch_devkit, name).__doc__
    assert name in dir(tinytorch_devkit)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'check_plugins'"):
        tinytorch_devkit.check_plugins  # noqa: B018

"""Every import points down: to a lower layer of the package, or to a lower package."""

from __future__ import annotations

import sys

import pytest

from .layers import PACKAGES, imports, layers, lines, modules

every_package = pytest.mark.parametrize("package", PACKAGES)


def test_every_package_is_listed_once() -> None:
    assert sorted(name for line in lines("packages") for name in line) == sorted(PACKAGES)


@every_package
def test_every_module_is_listed_once(package: str) -> None:
    listed = [name for layer in layers(package) for name in layer]
    assert sorted(listed) == sorted(modules(package))


@every_package
def test_a_module_imports_only_lower_layers(package: str) -> None:
    height = {name: i for i, layer in enumerate(layers(package)) for name in layer}
    wrong = [
        f"{name} imports {other}"
        for name, file in modules(package).items()
        for other in imports(file)
        if other in height and height[other] >= height[name]
    ]
    assert not wrong


@every_package
def test_a_package_imports_only_lower_packages(package: str) -> None:
    height = {name: i for i, line in enumerate(lines("packages")) for name in line}
    wrong = [
        f"{name} imports {other}"
        for name, file in modules(package).items()
        for other in imports(file)
        if (top := other.partition(".")[0]) != package
        and top in height
        and height[top] >= height[package]
    ]
    assert not wrong


def test_the_core_imports_four_distributions() -> None:
    files = modules("tinytorch_core").values()
    imported = {name.partition(".")[0] for file in files for name in imports(file)}
    others = imported - sys.stdlib_module_names - {"tinytorch_core"}
    assert others == {"numpy", "packaging", "pluggy", "tomlkit"}

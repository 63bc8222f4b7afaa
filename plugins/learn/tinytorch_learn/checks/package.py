"""The checks of chapter 8."""

from __future__ import annotations

import tomllib
from typing import Any

import numpy as np

from tinytorch_learn.framework import package
from tinytorch_learn.report import Wrong, expect, expect_that


def pyproject(answer: Any) -> None:
    """Check the name, the entry point and the dependency."""
    try:
        table = tomllib.loads(answer)
    except tomllib.TOMLDecodeError as error:
        raise Wrong(f"The text is not valid TOML: {error}") from None
    project = table.get("project", {})
    points = project.get("entry-points", {}).get("tinytorch", {})
    if not points:
        raise NotImplementedError
    name = project.get("name")
    expect_that(name == "tinytorch-hardswish", "project.name", "tinytorch-hardswish", repr(name))
    hint = "Its key is the plugin's name, its value the module with the hooks."
    wanted = {"hardswish": "tinytorch_hardswish"}
    call = "the table [project.entry-points.tinytorch]"
    expect_that(points == wanted, call, repr(wanted), repr(points), hint)
    needed = [d for d in project.get("dependencies", []) if d.startswith("tinytorch-core")]
    hint = 'The plugin imports the core: dependencies = ["tinytorch-core"].'
    expect_that(needed, "project.dependencies", "tinytorch-core", "no tinytorch-core", hint)


def hardswish_rule(answer: Any) -> None:
    """Check the three parts, and gradients other than 1."""
    x, grad = np.array([-4.0, -1.5, 0.0, 1.5, 4.0]), np.array([1.0, 1.0, 2.0, 1.0, 3.0])
    call = "hardswish_rule(grad, x) with grad = [1, 1, 2, 1, 3], x = [-4, -1.5, 0, 1.5, 4]"
    hint = "The derivative is 0 below -3, (2x + 3) / 6 between -3 and 3, and 1 above."
    expect(answer(grad, x), [0.0, 0.0, 1.0, 1.0, 3.0], call, hint)


EXERCISES = (
    (pyproject, package.PYPROJECT),
    (hardswish_rule, package.hardswish_rule),
)

"""Checks of a plugin as a whole: that it is complete, and leaves all else as it was."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from typing import Any

import numpy as np

from tinytorch_core import Tensor, plugins
from tinytorch_core.config import STRICT, VARIABLE
from tinytorch_core.discovery import installed, normalised

from tinytorch_devkit.checks import Checks
from tinytorch_devkit.comparing import difference
from tinytorch_devkit.failure import CheckFailure
from tinytorch_devkit.subject import Subject


def add_to(checks: Checks) -> None:
    """Adds the checks of this file."""
    checks.for_plugin(describes_every_op)
    checks.for_plugin(works_alone)
    checks.for_plugin(leaves_nothing_behind)
    checks.for_plugin(leaves_other_ops_alone)


def describes_every_op(plugin: Subject) -> None:
    """Each op that the plugin provides is described, so that it can be checked."""
    described = {description.name for description in plugin.samples.descriptions}
    if missing := [name for name in plugin.ops if name not in described]:
        raise CheckFailure(
            f"a description of each of its {len(plugin.ops)} ops",
            f"none of {', '.join(missing)}",
            f"add samples.add({missing[0]!r}, ...) in tinytorch_describe_ops",
        )


def works_alone(plugin: Subject) -> None:
    """With no plugin installed but those that come with it, it can be imported, and its ops work.

    With it come those that it needs, and those whose distributions its own requires.
    """
    if not plugin.installed:
        return
    with plugin.on():
        on = plugins.active()
    points = installed()
    there = _with_requirements({p.distribution for p in points if p.name in on})
    own = {_package(p.value) for p in points if normalised(p.distribution) in there}
    absent = sorted({_package(p.value) for p in points} - own)
    done = _in_a_process_of_its_own("tinytorch_devkit.isolated", plugin.name, *absent)
    if done.returncode:
        try:
            raise CheckFailure(*json.loads(done.stdout))
        except ValueError:  # it did not come so far
            raise CheckFailure(
                f"{plugin.name} to work in a process of its own",
                done.stderr.strip() or f"exit status {done.returncode}",
                "mend what is raised when the plugin is imported there",
            ) from None


def _with_requirements(distributions: Iterable[str]) -> set[str]:
    """The distributions, normalised, and all that is installed with them, extras left out."""
    found: set[str] = set()
    waiting = list(distributions)
    while waiting:
        name = normalised(waiting.pop())
        if name not in found:
            found.add(name)
            waiting += _requirements(name)
    return found


def _requirements(distribution: str) -> list[str]:
    try:
        lines = metadata.requires(distribution) or []
    except metadata.PackageNotFoundError:  # of another system, or to be installed by hand
        return []
    return [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in lines if "extra ==" not in line]


def _package(value: str) -> str:
    return value.partition(":")[0].partition(".")[0]


def _in_a_process_of_its_own(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    # What is on the path by other means than installation is on the child's too.
    path = os.pathsep.join(filter(None, sys.path))
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env={**os.environ, "PYTHONPATH": path, VARIABLE: "none", STRICT: "1"},
        capture_output=True,
        text=True,
    )


def leaves_nothing_behind(plugin: Subject) -> None:
    """Switched on and off, the plugin leaves Tensor and NumPy as they were."""
    if plugin.left_behind:
        raise CheckFailure(
            f"{plugin.left_behind[0]} to be the same after the plugin was on",
            "another value",
            "assign to nothing that is not yours: tensor.add in tinytorch_extend_tensor, "
            "ops.add and tinytorch_wrap_op say what is to be there while the plugin is on",
        )


_PROGRAMS: Mapping[str, Callable[[Any], Any]] = {
    "x + 1": lambda x: x + 1,
    "2 * x": lambda x: 2 * x,
    "x @ x.T": lambda x: x @ x.T,
    "x > 0": lambda x: x > 0,
    "x[1]": lambda x: x[1],
    "x.reshape(6)": lambda x: x.reshape(6),
    "x.sum(axis=0)": lambda x: x.sum(axis=0),
    "np.exp(x)": np.exp,
    "np.concatenate([x, x])": lambda x: np.concatenate([x, x]),
    "np.sort(x)": np.sort,
}


def leaves_other_ops_alone(plugin: Subject) -> None:
    """With the plugin on, the ops of the plain Tensor give the numbers they give without it."""
    data = np.arange(6, dtype=np.float32).reshape(2, 3) - 2
    for text, program in _PROGRAMS.items():
        with plugins.only():
            expected = program(Tensor(data))
        with plugin.on():
            found = program(Tensor(data))
        differs = difference(found.data, expected.data, 0)
        if differs is None and found.dtype != expected.dtype:
            differs = str(expected.dtype), str(found.dtype)
        if differs is not None:
            raise CheckFailure(
                f"{differs[0]} in {text}, as without the plugin",
                differs[1],
                "return what `call` returns from what tinytorch_wrap_op puts around it, and answer "
                "in numpy= only to functions that the op computes as NumPy does",
            )

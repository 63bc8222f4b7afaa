"""Checks of a plugin as a whole: it is complete, and it leaves everything else unchanged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from typing import Any

import numpy as np
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from tinytorch_core import Tensor, plugins

from tinytorch_devkit.checks import Checks
from tinytorch_devkit.comparing import difference
from tinytorch_devkit.failure import CheckFailure
from tinytorch_devkit.subject import Subject


def add_to(checks: Checks) -> None:
    """Add the checks of this module."""
    checks.for_plugin(describes_every_op)
    checks.for_plugin(varies_every_parameter)
    checks.for_plugin(works_alone)
    checks.for_plugin(leaves_nothing_behind)
    checks.for_plugin(leaves_other_ops_alone)


def describes_every_op(plugin: Subject) -> None:
    """The plugin describes each op that it provides."""
    described = {description.name for description in plugin.samples.descriptions}
    if missing := [name for name in plugin.ops if name not in described]:
        raise CheckFailure(
            f"a description of each of its {len(plugin.ops)} ops",
            f"no description of {', '.join(missing)}",
            f"add samples.add({missing[0]!r}, ...) in tinytorch_describe_ops",
        )


def varies_every_parameter(plugin: Subject) -> None:
    """The descriptions of an op give each of its parameters at least two values.

    Leaving a parameter out counts as a value.
    """
    constant: dict[str, list[str]] = {}
    for name in plugin.ops:
        described = [op for op in plugin.descriptions if op.name == name]
        keys = [dict(op.bound(call).key) for op in described for call in op.calls]
        parameters = dict.fromkeys(p for op in described for p in op.parameters)
        constant[name] = [
            p
            for p in parameters
            if plugin.samples.reason("varies_every_parameter", name) is None
            and len({key.get(p) for key in keys}) < 2
        ]
    if found := [f"{name}({p}=)" for name, parameters in constant.items() for p in parameters]:
        raise CheckFailure(
            f"two values of each parameter in the descriptions of {plugin.name}",
            f"one value, or none, of {', '.join(found)}",
            "add values to parameters= or calls= in samples.add, or state the reason with "
            "samples.leave_out('varies_every_parameter', reason, op)",
        )


def works_alone(plugin: Subject) -> None:
    """The plugin can be imported, and its ops work, without the plugins it does not require.

    It requires the plugins in `tinytorch_needs`, and the dependencies of its distribution.
    """
    if not plugin.installed:
        return
    with plugin.on():
        on = plugins.active()
    points = metadata.entry_points(group="tinytorch")
    required = _with_requirements({p.dist.name for p in points if p.name in on and p.dist})
    kept = {_package(p) for p in points if p.dist and canonicalize_name(p.dist.name) in required}
    hidden = sorted({_package(p) for p in points} - kept)
    done = _run_isolated(plugin.name, *hidden)
    if done.returncode:
        try:
            raise CheckFailure(*json.loads(done.stdout))
        except ValueError:  # the process failed before it could print the failure
            raise CheckFailure(
                f"{plugin.name} to work in a new process",
                done.stderr.strip() or f"exit status {done.returncode}",
                "correct what the plugin does when it is imported",
            ) from None


def _with_requirements(distributions: Iterable[str]) -> set[str]:
    """Return the distributions and all that they depend on, without extras."""
    found: set[str] = set()
    pending = list(distributions)
    while pending:
        name = canonicalize_name(pending.pop())
        if name not in found:
            found.add(name)
            pending += _requirements(name)
    return found


def _requirements(distribution: str) -> list[str]:
    try:
        found = [Requirement(line) for line in metadata.requires(distribution) or []]
    except (metadata.PackageNotFoundError, InvalidRequirement):
        return []
    return [r.name for r in found if r.marker is None or r.marker.evaluate({"extra": ""})]


def _package(point: metadata.EntryPoint) -> str:
    return point.module.partition(".")[0]


def _run_isolated(*arguments: str) -> subprocess.CompletedProcess[str]:
    # Pass on sys.path, because a plugin can be importable without being installed.
    path = os.pathsep.join(filter(None, sys.path))
    settings = {"PYTHONPATH": path, "TINYTORCH_PLUGINS": "none", "TINYTORCH_STRICT": "1"}
    return subprocess.run(
        [sys.executable, "-m", "tinytorch_devkit.isolated", *arguments],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
    )


def leaves_nothing_behind(plugin: Subject) -> None:
    """After the plugin has been on and off, Tensor and NumPy are as before."""
    if plugin.left_behind:
        raise CheckFailure(
            f"{plugin.left_behind[0]} to be the same after the plugin was on",
            "another value",
            "do not assign to Tensor or to NumPy; use ops.add, tensor.add and tinytorch_wrap_op, "
            "which take effect only while the plugin is on",
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
    """The core's ops return the same values and dtypes with the plugin on as without it."""
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
                "in tinytorch_wrap_op, return what `call` returns; in numpy=, list only functions "
                "that the op computes exactly as NumPy does",
            )

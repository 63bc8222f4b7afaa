"""The cost of many installed plugins: at start-up, enabled or disabled, and per op."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Figure

OPS = 10

PLUGIN = """
from tinytorch_core import hookimpl

def forward(x):
    return x * 2

def rule(grad):
    return grad * 2

@hookimpl
def tinytorch_register_ops(ops):
    for name in {names}:
        ops.add(name, forward, method=True)

@hookimpl(optionalhook=True)
def tinytorch_register_backward(rules):
    for name in {names}:
        rules.add(name, rule)
"""

CHILD = """
import json, sys, time, timeit
import numpy as np

def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start

def modules():
    for name in {modules}:
        __import__(name)

start = timed(lambda: __import__("tinytorch_core"))
from tinytorch_core import Tensor, plugins
assert sum(p.startswith("bench") for p in plugins.active()) == {on}, plugins.active()
imports = timed(modules)
x, y = Tensor(np.ones(10)), Tensor(np.ones(10))
op = min(timeit.repeat(lambda: x * y, number=20_000, repeat=5)) / 20_000
print(json.dumps([start, imports, op]))
"""


def figures(quick: bool) -> Iterator[Figure]:
    """Yield the start-up cost per enabled and per disabled plugin, and the cost of an op."""
    count, rounds = (50, 2) if quick else (500, 9)
    with tempfile.TemporaryDirectory() as name:
        site = Path(name)
        _install(site, count)
        found: dict[str, list[list[float]]] = {"none": [], "off": [], "on": []}
        for _ in range(rounds):
            found["off"].append(_start(site, count, 0))
            found["on"].append(_start(site, count, count))
            found["none"].append(_start(None, 0, 0))
    start, imports = (
        {state: min(run[i] for run in runs) for state, runs in found.items()} for i in range(2)
    )
    # Compare neighbouring processes only: the machine may be slower a minute later.
    ratios = [on[2] / none[2] for on, none in zip(found["on"], found["none"], strict=True)]
    # With the plugins disabled, the child imports their modules itself, so this times the import.
    beyond = start["on"] - start["none"] - imports["off"]
    group, many = "plugins", f"each of {count} plugins of {OPS} ops"
    yield Figure(group, f"{many}, on: start beyond its import", beyond / count * 1e3, "ms", 1)
    off = (start["off"] - start["none"]) / count
    yield Figure(group, f"{many}, off: start", off * 1e3, "ms", 0.05)
    without = f"an op with {count} plugins on, over one without"
    yield Figure(group, without, statistics.median(ratios), "x", 1.05)


def _install(site: Path, count: int) -> None:
    """Write `count` plugins into `site` as pip would install them."""
    for i in range(count):
        names = [f"op_{i}_{j}" for j in range(OPS)]
        (site / f"bench_{i}.py").write_text(PLUGIN.format(names=names))
        metadata = site / f"bench_{i}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: bench-{i}\nVersion: 1.0\n"
        )
        (metadata / "entry_points.txt").write_text(f"[tinytorch]\nbench{i} = bench_{i}\n")


def _start(site: Path | None, count: int, on: int) -> list[float]:
    """Return the seconds for start-up, for importing the modules and for one op, in a child."""
    chosen = ["autograd", *(f"bench{i}" for i in range(on))]
    # With bytecode, as on a user's machine; the first round writes it.
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment = kept | {"TINYTORCH_PLUGINS": ",".join(chosen)}
    if site is not None:
        environment["PYTHONPATH"] = os.pathsep.join(
            filter(None, [str(site), os.environ.get("PYTHONPATH")])
        )
    program = CHILD.format(modules=[f"bench_{i}" for i in range(count)], on=on)
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    seconds: list[float] = json.loads(done.stdout)
    return seconds

"""Compiled steps: both backends of tinytorch-compile against other compilers, with build times."""

from __future__ import annotations

import functools
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from benchmarks.compilers import COMPILERS, OURS
from benchmarks.frameworks import Framework, Task, TinyTorch
from benchmarks.measure import Figure, interleaved, ratio
from benchmarks.report import Row, build_table, table
from benchmarks.workload import Workload, differing
from benchmarks.workloads import workloads

# The calls after which each compiler has built its program, and those whose time is the usual one.
BUILDING, USUAL = 3, 3

# The goals of each backend by workload: against what, and the largest ratio.
AHEAD = dict.fromkeys(("pytorch", "torch.compile", "jax", "pytensor"), 1.0)
GOALS: dict[str, dict[str, dict[str, float]]] = {
    "2-16-16-2, batch 32": {
        "numpy backend": {"by hand": 0.80},
        "native backend": {"by hand": 0.25, **AHEAD},
    },
    "64-32-10, batch 64": {
        "numpy backend": {"by hand": 0.80},
        "native backend": {"by hand": 0.50, **AHEAD},
    },
    "784-128-64-10, batch 64": {
        "numpy backend": {"by hand": 0.95},
        "native backend": {"by hand": 0.90, **AHEAD},
    },
    "784-512-512-10, batch 256": {
        "numpy backend": {"by hand": 1.0},
        "native backend": {"by hand": 1.0},
    },
    "31 ops: tanh(h * y + y) and a sum": {
        "numpy backend": {"pytorch": 0.12},
        "native backend": {"pytorch": 0.05},
    },
    "LeNet-5 on 28 x 28, batch 64": {
        "numpy backend": {"tinytorch": 0.90},
        "native backend": {"tinytorch": 0.80},
    },
}

# The longest time in milliseconds to build a step.
BUILD_GOALS = {"numpy backend": 50.0, "native backend": 3_000.0}
CACHED_GOAL = 100.0


@dataclass
class Built:
    """One workload as built by each compiler.

    Attributes:
        tasks: the compiled tasks, by the name of the compiler.
        seconds: how long each took to build.
        failed: why a compiler has no task.
    """

    tasks: dict[str, Task] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def selected(only: str | None) -> list[Workload]:
    """Return the workloads of this table whose name contains `only`."""
    found = [w for w in workloads() if w.name in GOALS]
    return [w for w in found if not only or only in f"compiled steps {w.name}"]


def build(make: Callable[[], Task | None]) -> tuple[Task | None, float]:
    """Return a task, and the seconds until it was built, beyond those of as many usual calls."""
    start = time.perf_counter()
    task = make()
    if task is None:
        return None, 0.0
    for _ in range(BUILDING):
        task()
    built = time.perf_counter()
    for _ in range(USUAL):
        task()
    usual = (time.perf_counter() - built) / USUAL
    return task, max(built - start - BUILDING * usual, 0.0)


def built(work: Workload, frameworks: Sequence[Framework]) -> Built:
    """Build a workload with each compiler; one that fails does not end the run."""
    found = Built()
    makers: dict[str, Callable[[], Task | None]] = {
        f.name: functools.partial(work.make, f) for f in frameworks
    }
    if work.by_hand is not None:
        makers["by hand"] = work.by_hand
    for name, make in makers.items():
        try:
            task, seconds = build(make)
        except Exception as error:
            lines = str(error).splitlines() or [""]
            found.failed[name] = f"{type(error).__name__}: {lines[0]}"[:100].replace("|", "/")
            continue
        if task is not None:
            found.tasks[name], found.seconds[name] = task, seconds
    return found


def measured(
    frameworks: Sequence[Framework], only: str | None, quick: bool
) -> Iterator[tuple[str, list[Row], Built]]:
    """Yield the name of each workload, a row for each of our backends, and the build times."""
    for work in selected(only):
        steps = built(work, frameworks)
        wrong = differing({name: task() for name, task in steps.tasks.items()}, work.tolerance)
        tasks = {name: task for name, task in steps.tasks.items() if name not in wrong}
        seconds = interleaved(tasks, 3 if quick else 11, 0.004 if quick else 0.02)
        yield work.name, rows_of(work, seconds, wrong, steps.failed), steps


def rows_of(
    work: Workload,
    seconds: Mapping[str, list[float]],
    wrong: Sequence[str],
    failed: Mapping[str, str],
) -> list[Row]:
    """Return a row for each of our backends that was timed."""
    ours = [kind.name for kind in OURS]
    others = {name: times for name, times in seconds.items() if name not in ours}
    return [
        Row(
            "compiled steps",
            f"{work.name}, {name}",
            statistics.median(seconds[name]),
            {other: ratio(seconds[name], times) for other, times in others.items()},
            GOALS[work.name][name],
            wrong,
            failed,
        )
        for name in ours
        if name in seconds
    ]


def installed() -> list[Framework]:
    """Return the compilers that are installed."""
    return [kind() for kind in COMPILERS if kind.is_installed()]


def text(
    frameworks: Sequence[Framework],
    rows: Sequence[Row],
    built: Mapping[str, Mapping[str, float]],
) -> str:
    """Return the tables of ratios and build times as Markdown, with the versions of all."""
    ours = [kind.name for kind in OURS]
    compilers = [f for f in frameworks if f.name not in ("tinytorch", "pytorch")]
    versions = ", ".join(f"{f.name} {f.version()}" for f in frameworks)
    columns = [*(f.name for f in frameworks if f.name not in ours), "by hand"]
    return "\n\n".join(
        (
            f"Our time over theirs, median [quartiles]; below 1 we are faster. {versions}.",
            table(rows, columns),
            "Time to build: until a step runs compiled, without the time of the steps themselves.",
            build_table(built, [f.name for f in compilers]),
        )
    )


def figures(only: str | None) -> Iterator[Figure]:
    """Yield how long our backends take to build each step in a new process."""
    for kind in OURS:
        if not kind.is_installed():
            continue
        with tempfile.TemporaryDirectory() as cache:
            _in_new_process(kind.is_installed, cache)  # writes the bytecode of its modules
            first = _in_new_process(build_seconds, cache, kind, only, cache)
            yield from _figures(f"build with the {kind.name}", first, BUILD_GOALS[kind.name])
            if kind.backend == "native":
                again = _in_new_process(build_seconds, cache, kind, only, cache)
                yield from _figures(f"build with the {kind.name}, cached", again, CACHED_GOAL)


def _figures(what: str, seconds: Mapping[str, float], goal: float) -> Iterator[Figure]:
    for name, value in seconds.items():
        yield Figure("building", f"{name}: {what}", value * 1e3, "ms", goal)


def _in_new_process(function: Callable[..., Any], folder: str, *args: Any) -> Any:
    """Call a function in a new process, which keeps bytecode in a folder, as installed modules."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, _keep_bytecode, (folder,)) as pool:
        return pool.submit(function, *args).result()


def _keep_bytecode(folder: str) -> None:
    sys.dont_write_bytecode, sys.pycache_prefix = False, folder


def build_seconds(kind: Callable[[], Framework], only: str | None, cache: str) -> dict[str, float]:
    """Return the seconds to build each workload, with compiled code cached in a folder.

    The steps run without being compiled first, because their first run takes longer.
    """
    os.environ["TINYTORCH_COMPILE_CACHE"] = cache
    eager, framework = TinyTorch(), kind()
    found = {}
    for work in selected(only):
        build(functools.partial(work.make, eager))
        _, found[work.name] = build(functools.partial(work.make, framework))
    return found

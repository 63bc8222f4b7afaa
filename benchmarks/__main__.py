"""Measures TinyTorch beside its peers, in one run, and prints one table of ratios."""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.frameworks import Framework
    from benchmarks.report import Row


def main(argv: list[str] | None = None) -> int:
    """Runs the benchmarks that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", metavar="TEXT", help="workloads whose heading or name has TEXT")
    parser.add_argument("--quick", action="store_true", help="few rounds: a glance, not a figure")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything to FILE")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="draw the ratios to FILE (PNG)")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="put the goals and figures into FILE (README.md)"
    )
    parser.add_argument("--threads", type=int, default=2, help="threads for everybody (2)")
    given = parser.parse_args(argv)
    # Before NumPy and the frameworks are imported: they read these once.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(given.threads)
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    run(given)
    return 0


def run(given: argparse.Namespace) -> None:
    """Measures and reports."""
    from benchmarks import ecosystem, footprint, report
    from benchmarks.frameworks import FRAMEWORKS

    warnings.simplefilter("ignore")
    frameworks = [kind() for kind in FRAMEWORKS if kind.is_installed()]
    versions = {f.name: f.version() for f in frameworks}
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    missing = [kind.name for kind in FRAMEWORKS if not kind.is_installed()]
    if missing:
        print(f"not installed, so left out: {', '.join(missing)}")
    columns = [*(f.name for f in frameworks if f.name != "tinytorch"), "by hand"]
    rows = []
    for row in measured(frameworks, given.only, given.quick):
        rows.append(row)
        print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    if rows:
        print("\nOur time over theirs, median [quartiles]; below 1 we are faster.\n")
        print(report.table(rows, columns))
    sources = () if given.only else (footprint, ecosystem)
    found = [figure for source in sources for figure in source.figures(given.quick)]
    if found:
        print(f"\n{report.figure_table(found)}")
    goals = report.summary(rows, found)
    print(f"\nGoals:\n\n{goals}")
    if given.write:
        report.write_into(given.write, f"{_where(versions)}\n\n{goals}")
    if given.json:
        given.json.write_text(json.dumps(report.as_json(rows, found, versions), indent=2))
    if given.chart:
        report.chart(rows, columns, given.chart)


def measured(frameworks: Sequence[Framework], only: str | None, quick: bool) -> Iterator[Row]:
    """Each workload checked for equal results, then timed."""
    import statistics

    from benchmarks.measure import interleaved, ratio
    from benchmarks.report import Row
    from benchmarks.workload import differing
    from benchmarks.workloads import workloads

    for work in workloads():
        if only and only not in f"{work.group} {work.name}":
            continue
        wrong = differing(
            {name: task() for name, task in work.tasks(frameworks).items()}, work.tolerance
        )
        tasks = {n: t for n, t in work.tasks(frameworks).items() if n not in wrong}
        seconds = interleaved(tasks, 3 if quick else 11, 0.004 if quick else 0.02)
        ours = seconds.pop("tinytorch")
        yield Row(
            work.group,
            work.name,
            statistics.median(ours),
            {name: ratio(ours, theirs) for name, theirs in seconds.items()},
            work.goals,
            wrong,
        )


def _where(versions: Mapping[str, str]) -> str:
    import platform

    import numpy as np

    names = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        f"Ratios of our time to theirs, median and quartiles, in one run on {os.cpu_count()} cores "
        f"(Python {platform.python_version()}, NumPy {np.__version__}, {names}). "
        "Below 1 we are faster."
    )


if __name__ == "__main__":
    sys.exit(main())

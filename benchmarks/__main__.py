"""Measure TinyTorch and its peers in one run, and print one table of ratios."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import environment

if TYPE_CHECKING:
    from benchmarks.frameworks import Framework
    from benchmarks.report import Row


def main(argv: list[str] | None = None) -> int:
    """Run the benchmarks that the command line selects."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only", metavar="TEXT", help="only workloads whose group or name contains TEXT"
    )
    parser.add_argument(
        "--quick", action="store_true", help="few rounds: fast, but too noisy to publish"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all results to FILE")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="draw the ratios to FILE (PNG)")
    parser.add_argument(
        "--write",
        type=Path,
        metavar="FILE",
        action="append",
        default=[],
        help="replace the table in FILE: every row in docs/benchmarks.md, a selection in "
        "README.md; may be repeated",
    )
    parser.add_argument(
        "--threads",
        type=int,
        default=1,
        help="cores and BLAS threads that each framework may use (default: 1)",
    )
    given = parser.parse_args(argv)
    if given.write and given.only:
        parser.error("--write needs every workload; leave out --only")
    # Before NumPy and the frameworks are imported: they read the variables once.
    setup = environment.prepare(given.threads)
    print(f"Environment: {setup}")
    run(given, setup)
    return 0


def run(given: argparse.Namespace, setup: str) -> None:
    """Measure and report."""
    from benchmarks import (
        compiled,
        data_parallel,
        ecosystem,
        footprint,
        measure,
        report,
        xla_steps,
    )
    from benchmarks.frameworks import FRAMEWORKS

    for file in given.write:
        report.check_markers(file)
    warnings.simplefilter("ignore")
    frameworks = [kind() for kind in FRAMEWORKS if kind.is_installed()]
    versions = {f.name: f.version() for f in frameworks}
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    missing = [kind.name for kind in FRAMEWORKS if not kind.is_installed()]
    if missing:
        print(f"Not installed, so not measured: {', '.join(missing)}")
    columns = [*(f.name for f in frameworks if f.name != "tinytorch"), "by hand"]
    rows = []
    for row in measured(frameworks, given.only, given.quick):
        rows.append(row)
        print(".", end="", file=sys.stderr, flush=True)
    compilers = compiled.installed()
    compiled_rows, built = [], {}
    for name, found, steps in compiled.measured(compilers, given.only, given.quick):
        compiled_rows += found
        built[name] = steps.seconds
        print(".", end="", file=sys.stderr, flush=True)
    xla_frameworks = xla_steps.installed()
    xla_rows = []
    for row in xla_steps.measured(xla_frameworks, given.only, given.quick):
        xla_rows.append(row)
        print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    every = [*rows, *compiled_rows, *xla_rows]
    if not given.quick:
        measure.check_noise(row.ratios for row in every)
    if rows:
        print("\nOur time over theirs, median [quartiles]; below 1 we are faster.\n")
        print(report.table(rows, columns))
    text = compiled.text(compilers, compiled_rows, built)
    if compiled_rows:
        print(f"\n{text}")
    xla_text = xla_steps.text(xla_frameworks, xla_rows)
    if xla_rows:
        print(f"\n{xla_text}")
    sources = () if given.only else (footprint, ecosystem, data_parallel)
    figures = [figure for source in sources for figure in source.figures(given.quick)]
    figures += compiled.figures(given.only)
    if figures:
        print(f"\n{report.figure_table(figures)}")
    results = report.results(every, figures)
    print(f"\nGoals:\n\n{report.result_table(results)}")
    if given.json:
        data = report.as_json(every, figures, versions, built)
        given.json.write_text(json.dumps(data, indent=2))
    if given.chart:
        report.chart(rows, columns, given.chart)
    for file in given.write:
        texts = {report.COMPILED: text, report.XLA: xla_text}
        report.write_into(file, _conditions(setup, versions), results, texts)


def measured(frameworks: Sequence[Framework], only: str | None, quick: bool) -> Iterator[Row]:
    """Yield a row for each workload: check that all frameworks compute the same, then time them."""
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


def _conditions(setup: str, versions: Mapping[str, str]) -> str:
    import platform

    import numpy as np

    names = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        "Our time over theirs, median [quartiles], from one run; below 1 we are faster. "
        f"{setup}; Python {platform.python_version()}, NumPy {np.__version__}, {names}."
    )


if __name__ == "__main__":
    sys.exit(main())

"""`tinytorch check`: run the conformance kit on plugins."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tinytorch_core import plugins

from tinytorch_devkit.commands.session import output_to_stderr, started_surface

if TYPE_CHECKING:
    from tinytorch_devkit import CheckFailure, Result


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "check",
        help="run the conformance kit on a plugin",
        description="Run the conformance kit on plugins: every check of every op that they "
        "describe. Plugins that are on can add checks, such as those of derivatives.",
        epilog="Exit status 1: a check failed. Exit status 2: no plugin or check has that name, "
        "or the plugin fails.",
    )
    parser.add_argument("plugins", nargs="+", metavar="NAME", help="the name of a plugin")
    parser.add_argument(
        "--only",
        action="append",
        metavar="CHECK",
        help="run only this check; can be given several times",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="list each check")


def run(args: argparse.Namespace) -> int:
    """Run the checks, print their results, and return 1 if any failed."""
    from tinytorch_devkit import check_plugin  # here, because the other commands do not need it

    started_surface()
    failed = 0
    for name in args.plugins:
        with output_to_stderr():
            results = check_plugin(name, checks=args.only)
        print(plugins.find(name).title)
        for line in _listed(results) if args.verbose else _summary(results):
            print(f"  {line}")
        failures = [result.failure for result in results if result.failure is not None]
        for failure, others in _by_error(failures):
            print(f"\n{failure}")
            if others:
                print(f"  also in:  {', '.join(others)}")
        if failures:
            print()
        failed += len(failures)
    return 1 if failed else 0


def _by_error(failures: Sequence[CheckFailure]) -> list[tuple[CheckFailure, list[str]]]:
    """Return each failure with the cases that failed with the same exception at the same line."""
    found: dict[object, tuple[CheckFailure, list[str]]] = {}
    for failure in failures:
        raised = failure.expected == "no error"
        key = (failure.found, failure.remedy) if raised else id(failure)
        if key in found:
            found[key][1].append(failure.where.replace(" fails ", ": "))
        else:
            found[key] = failure, []
    return list(found.values())


def _listed(results: Sequence[Result]) -> list[str]:
    """Return one line for each check."""
    width = max((len(repr(result.case)) for result in results), default=0)
    reasons = [f": {r.case.left_out}" if r.case.left_out else "" for r in results]
    pairs = zip(results, reasons, strict=True)
    return [f"{result.case!r:{width}}  {result.outcome}{reason}" for result, reason in pairs]


def _summary(results: Sequence[Result]) -> list[str]:
    """Return the counts of outcomes for each op, why checks are left out, and their providers."""
    outcomes: dict[str, Counter[str]] = {}
    for result in results:
        outcomes.setdefault(result.case.subject, Counter())[result.outcome] += 1
    width = max(map(len, outcomes), default=0)
    lines = [
        f"{subject:{width}}  {', '.join(f'{n} {outcome}' for outcome, n in counts.items())}"
        for subject, counts in outcomes.items()
    ]
    providers = {
        result.case.check.provider: None for result in results if result.case.check.provider
    }
    *others, last = "the devkit", *providers
    by = f"{', '.join(others)} and {last}" if others else last
    return [*lines, *_reasons(results), f"checks by {by}"]


def _reasons(results: Sequence[Result]) -> list[str]:
    """Return one line for each check and reason, with all ops for which it is left out."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for case in (result.case for result in results):
        if case.left_out is not None:
            reasons.setdefault((case.check.name, case.left_out), []).append(case.subject)
    return [
        f"{check} left out for {', '.join(subjects)}: {reason}"
        for (check, reason), subjects in reasons.items()
    ]

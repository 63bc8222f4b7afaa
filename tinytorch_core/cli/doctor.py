"""`tinytorch doctor`: whether the installation is sound, and what to do where it is not."""

from __future__ import annotations

import argparse
import json

from tinytorch_core import activation, plugins
from tinytorch_core.cli.blas import check_blas
from tinytorch_core.cli.report import Finding, Report
from tinytorch_core.cli.session import started_surface
from tinytorch_core.cli.table import facts
from tinytorch_core.config import read_config
from tinytorch_core.discovery import installed
from tinytorch_core.errors import ConfigError, PluginError
from tinytorch_core.plugins import PluginStatus

LEFT_OUT = "it should be on, and is left out: what it brings is not there"

# In seconds; the start of every program takes as long.
SLOW = 0.5

DESCRIPTION = """\
Checks the installation: the configuration, the plugins that are on and how long their imports
take, the versions that distributions require of each other, plugins of one name, editable installs
whose metadata is out of date, and whether NumPy's BLAS makes use of the processor, which it
measures where it does not.
"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command's parser."""
    parser = commands.add_parser(
        "doctor",
        help="check the installation, and say what to do",
        description=DESCRIPTION,
        epilog="Exit status 1: something was found.",
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def run(chosen: argparse.Namespace) -> int:
    """Prints what came of each check, and what was found."""
    # Here, because packaging and importlib.metadata take 30 ms, which other commands save.
    from tinytorch_core.cli.installation import check_editable, check_names, check_versions

    reports = {
        "configuration": check_configuration(),
        "plugins": check_plugins(),
        "versions": check_versions(),
        "names": check_names(),
        "editable": check_editable(),
        "BLAS": check_blas(),
    }
    findings = [finding for report in reports.values() for finding in report.findings]
    if chosen.json:
        records = [
            {"check": check, **finding._asdict()}
            for check, report in reports.items()
            for finding in report.findings
        ]
        print(json.dumps({"findings": records}, indent=2, ensure_ascii=False))
        return 1 if findings else 0
    print(_summaries(reports))
    print("\n".join(_numbered(i, finding) for i, finding in enumerate(findings, 1)), end="")
    print("" if findings else "All is well.\n", end="")
    return 1 if findings else 0


def check_configuration() -> Report:
    """Reads the configuration, and looks for names in it that nobody has."""
    try:
        config = read_config()
    except ConfigError as error:
        return Report("cannot be followed", [_wrong(error)])
    known = {point.name for point in installed()}
    wrong = [_wrong(error) for choice in config.choices for error in choice.unknown(known)]
    sources = " and ".join(choice.title for choice in config.choices)
    return Report(sources or "none: every installed plugin is on", wrong)


def _wrong(error: ConfigError) -> Finding:
    return Finding(
        str(error),
        "no plugin is on until the configuration can be followed",
        "correct that line, or take it out",
    )


def check_plugins() -> Report:
    """Starts the plugins, and collects why some failed, and which ones took long."""
    try:
        on = len(started_surface().plugins)
    except ConfigError:
        return Report("not started, for the configuration is wrong", [])
    except PluginError as error:
        found = Finding(f"the plugin {error.plugin!r}: {error.reason}", LEFT_OUT, error.remedy)
        return Report("cannot be started twice", [found])
    every = plugins.status()
    # Two of one name are told by the check of names.
    failed = [_failed(p) for p in every if p.error and ", " not in p.distribution]
    slow = [_slow(p) for p in every if (p.import_seconds or 0) > SLOW]
    return Report(f"{on} of {len(every)} are on", failed + slow)


def _failed(status: PluginStatus) -> Finding:
    reason, remedy = activation.why_off(status.name) or ("", "")
    place = f", at {status.place}" if status.place else ""
    what = f"the plugin {status.name!r} of {status.distribution} {status.version} {reason}{place}"
    return Finding(what, LEFT_OUT, remedy[:1].lower() + remedy[1:])


def _slow(status: PluginStatus) -> Finding:
    (point,) = plugins.find(status.name).points
    module = point.value.partition(":")[0]
    return Finding(
        f"importing the plugin {status.name!r} of {status.distribution} {status.version} took "
        f"{status.import_seconds:.1f} s",
        "every program that imports tinytorch_core waits for it",
        f"see what takes long: python -X importtime -c 'import {module}'; its author can import "
        "that inside of the functions that need it; where you do not need the plugin, turn it "
        f"off: tinytorch disable {status.name}",
    )


def _summaries(reports: dict[str, Report]) -> str:
    return facts(
        (f"!!  {check}", "see below") if report.findings else (f"ok  {check}", report.summary)
        for check, report in reports.items()
    )


def _numbered(number: int, finding: Finding) -> str:
    pairs = [("what", finding.what), ("why", finding.why), ("do", finding.remedy)]
    return f"{number}.\n{facts(pairs)}"

"""`tinytorch doctor`: check the installation and print what to do."""

from __future__ import annotations

import argparse
import json

from tinytorch_core import plugins
from tinytorch_core.cli.blas import check_blas
from tinytorch_core.cli.report import Finding, Report
from tinytorch_core.cli.session import started_surface
from tinytorch_core.cli.table import facts
from tinytorch_core.config import read_config
from tinytorch_core.discovery import installed
from tinytorch_core.errors import ConfigError
from tinytorch_core.plugins import PluginStatus, why_off

LEFT_OUT = "enabled but not loaded; its ops are missing"

DESCRIPTION = """\
Check the configuration, the plugins that are on, the versions of their distributions (with
`pip check`), duplicate names, editable installs with outdated metadata, and an OPENBLAS_CORETYPE
that is older than the processor. Nothing is measured.
"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "doctor",
        help="check the installation and print what to do",
        description=DESCRIPTION,
        epilog="Exit status 1: a problem was found.",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the verdict of each check, and the findings."""
    # Imported here: subprocess, json and urllib take time that other commands need not spend.
    from tinytorch_core.cli.installation import check_editable, check_names, check_versions

    reports = {
        "configuration": check_configuration(),
        "plugins": check_plugins(),
        "versions": check_versions(),
        "names": check_names(),
        "editable": check_editable(),
        "BLAS": check_blas(),
    }
    findings = [(check, f) for check, report in reports.items() for f in report.findings]
    if args.json:
        checks = {
            check: {"ok": not report.findings, "summary": report.summary}
            for check, report in reports.items()
        }
        records = [{"check": check, **finding._asdict()} for check, finding in findings]
        print(json.dumps({"checks": checks, "findings": records}, indent=2, ensure_ascii=False))
    else:
        print(facts(_verdict(*item) for item in reports.items()))
        for check, finding in findings:
            pairs = [("what", finding.what), ("why", finding.why), ("do", finding.remedy)]
            print(f"{check}\n{facts(pairs)}")
        print(f"Problems found: {len(findings)}." if findings else "No problem found.")
    return 1 if findings else 0


def _verdict(check: str, report: Report) -> tuple[str, str]:
    if report.findings:
        return f"[!!] {check}", "see below"
    return f"[ok] {check}", report.summary


def check_configuration() -> Report:
    """Read the configuration and find the names in it that no plugin has."""
    try:
        config = read_config()
    except ConfigError as error:
        return Report("cannot be read", [_wrong(error)])
    known = {point.name for point in installed()}
    wrong = [_wrong(error) for choice in config.choices for error in choice.unknown(known)]
    sources = " and ".join(choice.title for choice in config.choices)
    return Report(sources or "none: every installed plugin is on", wrong)


def _wrong(error: ConfigError) -> Finding:
    return Finding(
        str(error), "no plugin is on until this is corrected", "correct or remove that line"
    )


def check_plugins() -> Report:
    """Start the plugins and find those that fail."""
    try:
        on = len(started_surface().plugins)
    except ConfigError:
        return Report("not started, because the configuration is wrong", [])
    every = plugins.status()
    # The check of names reports plugins that several distributions provide.
    failed = [_failed(p) for p in every if p.error and ", " not in p.distribution]
    return Report(f"{on} of {len(every)} are on", failed)


def _failed(status: PluginStatus) -> Finding:
    reason, remedy = why_off(status.name) or ("", "")
    place = f", at {status.place}" if status.place else ""
    what = f"the plugin {status.name!r} of {status.distribution} {status.version} {reason}{place}"
    return Finding(what, LEFT_OUT, remedy[:1].lower() + remedy[1:])

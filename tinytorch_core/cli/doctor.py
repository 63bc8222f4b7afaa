"""`tinytorch doctor`: check the installation and print what to do."""

from __future__ import annotations

import argparse
import os
import re
import sys
from typing import NamedTuple

from tinytorch_core import plugins, registry
from tinytorch_core.cli.session import started_surface
from tinytorch_core.cli.table import as_json, facts
from tinytorch_core.config import read_config
from tinytorch_core.discovery import COMMANDS, PLUGINS, entry_points, normalised
from tinytorch_core.errors import ConfigError

DESCRIPTION = """\
Check the configuration, the plugins that are on, the versions of their distributions (with
`pip check`), and an OPENBLAS_CORETYPE that is older than the processor. Nothing is measured.
"""

# OpenBLAS, NumPy's usual BLAS, chooses kernels for the processor unless this variable names others.
CORETYPE = "OPENBLAS_CORETYPE"

# OpenBLAS's names for x86 kernels, by the processor feature that they do not use.
KERNELS_WITHOUT = {
    "AVX512_SKX": {"haswell", "zen"},
    "AVX2": {
        *("katmai", "coppermine", "northwood", "prescott", "banias", "atom", "core2", "penryn"),
        *("dunnington", "nehalem", "sandybridge", "athlon", "opteron", "opteron_sse3", "nano"),
        *("barcelona", "bobcat", "bulldozer", "piledriver", "steamroller", "excavator"),
    },
}


class Finding(NamedTuple):
    """A problem of an installation, why it matters, and what to do."""

    what: str
    why: str
    remedy: str


class Report(NamedTuple):
    """What a check looked at, in one line, and the problems that it found."""

    summary: str
    findings: list[Finding]


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
    """Print the result of each check, and the problems found."""
    reports = {
        "configuration": check_configuration(),
        "plugins": check_plugins(),
        "versions": check_versions(),
        "BLAS": check_blas(),
    }
    findings = [(check, f) for check, report in reports.items() for f in report.findings]
    if args.json:
        checks = {c: {"ok": not r.findings, "summary": r.summary} for c, r in reports.items()}
        records = [{"check": check, **finding._asdict()} for check, finding in findings]
        print(as_json({"checks": checks, "findings": records}))
    else:
        verdicts = [
            (f"[!!] {check}", "see below") if report.findings else (f"[ok] {check}", report.summary)
            for check, report in reports.items()
        ]
        print(facts(verdicts))
        for check, (what, why, remedy) in findings:
            print(f"{check}\n{facts([('what', what), ('why', why), ('do', remedy)])}")
        print(f"Problems found: {len(findings)}." if findings else "No problem found.")
    return 1 if findings else 0


def check_configuration() -> Report:
    """Read the configuration and find the names in it that no plugin has."""
    try:
        config = read_config()
        wrong = list(config.wrong_names(entry_points(PLUGINS)))
        sources = " and ".join(str(choice.source) for choice in config)
        summary = sources or "none: every installed plugin is on"
    except ConfigError as error:
        summary, wrong = "cannot be read", [error]
    why, remedy = "no plugin is on until this is corrected", "correct or remove that line"
    return Report(summary, [Finding(str(error), why, remedy) for error in wrong])


def check_plugins() -> Report:
    """Start the plugins and find those that fail."""
    try:
        on = len(started_surface().plugins)
    except ConfigError:
        return Report("not started, because the configuration is wrong", [])
    found = plugins.status()
    why = "enabled but not loaded; its ops are missing"
    findings = []
    for plugin in found:
        if plugin.error:
            reason, remedy = registry.plan.why_off(plugin.name) or ("", "")
            origin = f"{plugin.name!r} of {plugin.distribution} {plugin.version}"
            location = f", at {plugin.place}" if plugin.place else ""
            what = f"the plugin {origin} {reason}{location}"
            findings.append(Finding(what, why, remedy[:1].lower() + remedy[1:]))
    return Report(f"{on} of {len(found)} are on", findings)


def check_versions() -> Report:
    """Report what `pip check` finds about the core and the distributions of plugins."""
    import subprocess  # here: other commands do not need it

    # No file in the working directory, no setting of pip and no PYTHONWARNINGS has an effect.
    command = (sys.executable, "-P", "-W", "ignore", "-m", "pip", "--isolated", "check")
    done = subprocess.run(command, capture_output=True, text=True)
    if not done.stdout:
        return Report(f"not checked, because pip failed: {done.stderr.strip()[-200:]}", [])
    groups = [*entry_points(PLUGINS).values(), *entry_points(COMMANDS).values()]
    names = {"tinytorch-core", *(normalised(p.distribution) for points in groups for p in points)}
    findings = [
        Finding(
            line.rstrip("."),
            "it was tested with other versions: it may fail or give wrong results",
            f"install versions that fit: pip install -U {line.split()[0]}",
        )
        for line in done.stdout.splitlines()
        # Environments often contain other conflicts, which do not concern TinyTorch.
        if not names.isdisjoint(map(normalised, re.findall(r"\w[\w.-]*", line)))
    ]
    return Report("`pip check` reports nothing about TinyTorch", findings)


def check_blas() -> Report:
    """Find an OPENBLAS_CORETYPE that forces kernels for an older processor than this one."""
    core = os.environ.get(CORETYPE)
    if not core:
        return Report(f"{CORETYPE} is not set: OpenBLAS chooses its kernels", [])
    # A private name of NumPy, which another version may lack.
    features = getattr(sys.modules.get("numpy._core._multiarray_umath"), "__cpu_features__", {})
    finding = Finding(
        f"{CORETYPE}={core} makes OpenBLAS run kernels for an older processor than this one",
        "newer kernels use more instructions, so matrix products are usually faster",
        f"unset {CORETYPE}, so that OpenBLAS chooses its kernels",
    )
    older = [name for name, kernels in KERNELS_WITHOUT.items() if core.lower() in kernels]
    return Report(f"{CORETYPE} is {core}", [finding] if any(map(features.get, older)) else [])

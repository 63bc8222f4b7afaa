"""`tinytorch doctor`: the problems of an installation, why they matter, what to do."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tinytorch_core.cli.doctor import check_blas, check_versions

CHECKS = ["configuration", "plugins", "versions", "BLAS"]

GOOD = """
from tinytorch_core import hookimpl

@hookimpl
def tinytorch_register_ops(ops):
    ops.add("good", lambda x: x)
"""


@pytest.fixture
def good(site: Any) -> Any:
    site.install("good", GOOD)
    site.replace_pip()
    return site


@pytest.fixture
def with_pip(site: Any) -> Any:
    site.install("good", GOOD)
    return site


def run(site: Any, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    # The environment of the tests may set the variable that the last check reads.
    variables = {"OPENBLAS_CORETYPE": "", **variables}
    return site.start("-m", "tinytorch_core", "doctor", *arguments, **variables)


def doctor(site: Any, **variables: str) -> list[dict[str, str]]:
    """Return the findings."""
    done = run(site, "--json", **variables)
    result = json.loads(done.stdout)
    findings = result["findings"]
    assert done.returncode == bool(findings), done.stderr
    assert "Traceback" not in done.stderr
    assert list(result["checks"]) == CHECKS
    wrong = {check for check, report in result["checks"].items() if not report["ok"]}
    assert wrong == {finding["check"] for finding in findings}
    for finding in findings:
        assert finding["what"]
        assert finding["why"]
        assert finding["remedy"]
    return findings


def metadata(site: Any, name: str) -> Path:
    return next(site.packages.glob(f"{name}_dist-1.0.dist-info"))


def verdicts(output: str) -> list[tuple[str, str]]:
    return re.findall(r"^  \[(ok|!!)\] (\S+)  ", output, re.MULTILINE)


def test_without_problems_every_check_passes(with_pip: Any) -> None:
    assert doctor(with_pip) == []
    done = run(with_pip)
    assert verdicts(done.stdout) == [("ok", check) for check in CHECKS]
    assert done.stdout.endswith("\n\nNo problem found.\n")
    assert done.returncode == 0


def test_a_finding_has_what_why_and_do(good: Any) -> None:
    done = run(good, TINYTORCH_PLUGINS="godo")
    assert done.returncode == 1
    assert verdicts(done.stdout) == [("!!", "configuration"), *(("ok", c) for c in CHECKS[1:])]
    _, finding, last = done.stdout.split("\n\n")
    lines = finding.splitlines()
    assert lines[0] == "configuration"
    assert lines[1].startswith("  what  TINYTORCH_PLUGINS names the plugin 'godo'")
    assert [line[:6] for line in lines[2:] if line[2] != " "] == ["  why ", "  do  "]
    assert last == "Problems found: 1.\n"


def test_every_run_gives_the_same_result(with_pip: Any) -> None:
    with_pip.install("bad", "1 / 0", requires=["nowhere-to-be-found"])
    first, second = (run(with_pip, OPENBLAS_CORETYPE="Nehalem") for _ in range(2))
    assert (first.returncode, first.stdout) == (second.returncode, second.stdout)


def test_unknown_names_in_the_configuration_are_found(good: Any) -> None:
    file = good.work / "tinytorch.toml"
    file.write_text("[plugins]\ngood = true\ngodo = false\n[other]\nx = 1\n")
    found = doctor(good)
    assert [f["check"] for f in found] == ["configuration", "configuration"]
    assert [f["what"].split(", ")[0] for f in found] == [
        f"{file}:3 names the plugin 'godo'",
        f"{file}:4 names the plugin 'other'",
    ]


def test_a_configuration_that_cannot_be_read_is_found(good: Any) -> None:
    (good.work / "tinytorch.toml").write_text("[plugins")
    (finding,) = doctor(good)
    assert finding["check"] == "configuration"
    assert "tinytorch.toml:1 is not valid TOML" in finding["what"]


def test_a_plugin_that_failed_is_found(good: Any) -> None:
    good.install("bad", "\nimport nowhere_to_be_found")
    (finding,) = doctor(good)
    assert finding["check"] == "plugins"
    file = good.packages / "bad_module.py"
    assert finding["what"] == (
        "the plugin 'bad' of bad-dist 1.0 failed: importing bad_module raised "
        f"ModuleNotFoundError: No module named 'nowhere_to_be_found', at {file}:2"
    )
    assert "TINYTORCH_PLUGINS=no:bad" in finding["remedy"]
    assert doctor(good, TINYTORCH_PLUGINS="no:bad") == []


VERSIONS = {
    "tinytorch-core>=0.1": None,
    "TinyTorch_Core (<1000)": None,
    "tinytorch-core>=1000": "has requirement tinytorch-core>=1000, but you have",
    "tinytorch-core<0.1": "has requirement tinytorch-core<0.1, but you have",
    "nowhere-to-be-found": "requires nowhere-to-be-found, which is not installed",
    "nowhere-to-be-found; python_version < '3'": None,
    "nowhere-to-be-found; extra == 'more'": None,
}


@pytest.fixture(scope="module")
def versions(make_site: Any) -> list[dict[str, str]]:
    """Return the findings about plugins that each have one of these requirements."""
    site = make_site()
    for number, required in enumerate(VERSIONS):
        site.install(f"plugin{number}", distribution=f"dist{number}", requires=[required])
    return [finding for finding in doctor(site) if finding["check"] != "plugins"]


@pytest.mark.parametrize("required", VERSIONS)
def test_versions_that_do_not_fit_are_found(required: str, versions: Any) -> None:
    name, what = f"dist{list(VERSIONS).index(required)}", VERSIONS[required]
    found = [finding for finding in versions if name in finding["what"]]
    assert [f["check"] for f in found] == ([] if what is None else ["versions"])
    for finding in found:
        assert finding["what"].startswith(f"{name} 1.0 {what}")
        assert finding["remedy"] == f"install versions that fit: pip install -U {name}"


def test_no_other_version_is_found(versions: Any) -> None:
    assert len(versions) == len([what for what in VERSIONS.values() if what])


def replace_pip(monkeypatch: pytest.MonkeyPatch, stdout: str, stderr: str = "") -> None:
    done = SimpleNamespace(stdout=stdout, stderr=stderr)
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: done)


def test_conflicts_that_do_not_concern_tinytorch_are_ignored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mine = "other 1.0 has requirement TinyTorch_Core<0.1, but you have tinytorch-core 0.1.0."
    replace_pip(monkeypatch, f"one 1.0 requires two, which is not installed.\n{mine}\n")
    assert [finding.what for finding in check_versions().findings] == [mine.rstrip(".")]


def test_without_pip_versions_are_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    replace_pip(monkeypatch, "", "/usr/bin/python: No module named pip\n")
    summary = "not checked, because pip failed: /usr/bin/python: No module named pip"
    assert check_versions() == (summary, [])


def test_warnings_that_are_errors_do_not_stop_pip(with_pip: Any) -> None:
    assert "not checked" not in run(with_pip, PYTHONWARNINGS="error").stdout


def test_two_distributions_with_one_plugin_are_found(site: Any) -> None:
    site.replace_pip()
    site.install("twin", GOOD, distribution="first-dist", module="first_module")
    site.install("twin", GOOD, distribution="second-dist", module="second_module")
    (finding,) = doctor(site)
    assert finding["check"] == "plugins"
    assert "several distributions provide a plugin of this name" in finding["what"]
    assert finding["remedy"] == "uninstall all but one: pip uninstall second-dist"
    assert doctor(site, TINYTORCH_PLUGINS="no:twin") == []


# The BLAS.


@pytest.mark.parametrize(
    ("core", "features", "found"),
    [
        ("Haswell", ["AVX512_SKX", "AVX2"], True),
        ("haswell", ["AVX512_SKX", "AVX2"], True),
        ("Zen", ["AVX512_SKX", "AVX2"], True),
        ("Prescott", ["AVX512_SKX", "AVX2"], True),
        ("Prescott", ["AVX2"], True),
        ("SkylakeX", ["AVX512_SKX", "AVX2"], False),
        ("Cooperlake", ["AVX512_SKX", "AVX2"], False),
        ("Haswell", ["AVX2"], False),
        ("Zen", ["AVX2"], False),
        ("neoversen1", ["NEON"], False),
        ("Nehalem", [], False),
        ("Unknown", ["AVX512_SKX", "AVX2"], False),
        ("", ["AVX512_SKX", "AVX2"], False),
        (None, ["AVX512_SKX", "AVX2"], False),
    ],
)
def test_a_variable_that_forces_older_kernels_is_found(
    core: str | None, features: list[str], found: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    if core is not None:
        monkeypatch.setenv("OPENBLAS_CORETYPE", core)
    known = dict.fromkeys(["AVX512_SKX", "AVX2", "NEON"], False) | dict.fromkeys(features, True)
    monkeypatch.setattr("numpy._core._multiarray_umath.__cpu_features__", known)
    report = check_blas()
    assert bool(report.findings) == found
    assert "OPENBLAS_CORETYPE" in report.summary
    for finding in report.findings:
        assert finding.what.startswith(f"OPENBLAS_CORETYPE={core} makes OpenBLAS run kernels for")
        assert finding.remedy.startswith("unset OPENBLAS_CORETYPE, ")


def test_without_a_list_of_features_the_variable_is_only_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Prescott")
    monkeypatch.delattr("numpy._core._multiarray_umath.__cpu_features__")
    assert check_blas() == ("OPENBLAS_CORETYPE is Prescott", [])

"""`tinytorch doctor`: what is wrong with an installation, why it matters, what to do."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tinytorch_core.commands import blas
from tinytorch_core.commands.blas import better_core, check_blas, openblas_core, speed

GOOD = """
from tinytorch_core import hookimpl

@hookimpl
def tinytorch_register_ops(ops):
    ops.add("good", lambda x: x)
"""


@pytest.fixture
def good(site: Any) -> Any:
    site.install("good", GOOD)
    return site


def doctor(site: Any, **variables: str) -> list[dict[str, str]]:
    """The findings."""
    # The kernels that fit the processor are not measured.
    core = blas.better_core("", blas.processor_features()) or ""
    variables = {"OPENBLAS_CORETYPE": core, **variables}
    done = site.start("-m", "tinytorch_core", "doctor", "--json", **variables)
    findings = json.loads(done.stdout)["findings"]
    assert done.returncode == bool(findings), done.stderr
    assert "Traceback" not in done.stderr
    for finding in findings:
        assert finding["what"]
        assert finding["why"]
        assert finding["remedy"]
    return [finding for finding in findings if finding["check"] != "BLAS"]


def metadata(site: Any, name: str) -> Path:
    return next(site.packages.glob(f"{name}_dist-1.0.dist-info"))


def editable(site: Any, name: str, project: str | None) -> Path:
    """Says in the metadata that the distribution is an editable install of a folder."""
    folder = site.packages.parent / f"source of {name}"
    origin = {"url": folder.as_uri(), "dir_info": {"editable": True}}
    (metadata(site, name) / "direct_url.json").write_text(json.dumps(origin))
    if project is not None:
        folder.mkdir()
        (folder / "pyproject.toml").write_text(project)
    return folder


def test_all_is_well(good: Any) -> None:
    assert doctor(good) == []
    done = good.start("-m", "tinytorch_core", "doctor")
    checks = ["configuration", "plugins", "versions", "names", "editable", "BLAS"]
    assert re.findall(r"^  (?:ok|!!)  (\S+)", done.stdout, re.MULTILINE) == checks
    # The BLAS may be older than the processor.
    assert done.stdout.endswith("\nAll is well.\n") == (done.returncode == 0)


def test_a_finding_in_words(good: Any) -> None:
    done = good.start("-m", "tinytorch_core", "doctor", TINYTORCH_PLUGINS="godo")
    assert done.returncode == 1
    assert "\n  ok  versions " in done.stdout
    assert done.stdout.startswith("  !!  configuration  see below\n")
    (finding, *_) = done.stdout.split("\n\n")[1:]
    lines = finding.splitlines()
    assert lines[0] == "1."
    assert lines[1].startswith("  what  TINYTORCH_PLUGINS names the plugin 'godo'")
    assert [line[:6] for line in lines[2:] if line[2] != " "] == ["  why ", "  do  "]


def test_every_name_in_the_configuration_that_nobody_has(good: Any) -> None:
    file = good.work / "tinytorch.toml"
    file.write_text("[plugins]\ngood = true\ngodo = false\n[other]\nx = 1\n")
    found = doctor(good)
    assert [f["check"] for f in found] == ["configuration", "configuration"]
    assert [f["what"].split(", ")[0] for f in found] == [
        f"{file}:3 names the plugin 'godo'",
        f"{file}:4 names the plugin 'other'",
    ]


def test_a_configuration_that_cannot_be_read(good: Any) -> None:
    (good.work / "tinytorch.toml").write_text("[plugins")
    (finding,) = doctor(good)
    assert finding["check"] == "configuration"
    assert "tinytorch.toml:1 is no valid TOML" in finding["what"]


def test_a_plugin_that_failed(good: Any) -> None:
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


@pytest.mark.parametrize(
    ("requires", "what"),
    [
        ("tinytorch-core>=0.1", None),
        ("TinyTorch_Core (<1000)", None),
        ("tinytorch-core>=1000", "tinytorch-core>=1000, and {core} is installed"),
        ("tinytorch-core<0.1", "tinytorch-core<0.1, and {core} is installed"),
        ("nowhere-to-be-found", "nowhere-to-be-found, and none is installed"),
        ("nowhere-to-be-found; python_version < '3'", None),
        ("nowhere-to-be-found; extra == 'more'", None),
    ],
)
def test_versions_that_do_not_fit(requires: str, what: str | None, good: Any) -> None:
    from importlib.metadata import version

    text = metadata(good, "good") / "METADATA"
    text.write_text(text.read_text().replace("\n\n", f"\nRequires-Dist: {requires}\n\n", 1))
    found = doctor(good)
    if what is None:
        assert found == []
        return
    (finding,) = found
    wanted = what.format(core=version("tinytorch-core"))
    assert finding["what"] == f"good-dist 1.0 requires {wanted}"
    assert "pip install -U good-dist" in finding["remedy"]


def test_two_distributions_with_one_plugin(site: Any) -> None:
    site.install("twin", GOOD, distribution="first-dist", module="first_module")
    site.install("twin", GOOD, distribution="second-dist", module="second_module")
    for variables in ({}, {"TINYTORCH_PLUGINS": "no:twin"}):
        (finding,) = doctor(site, **variables)
        assert finding["check"] == "names"
        assert finding["what"].startswith("first-dist 1.0 and second-dist 1.0 bring a plugin of")
        assert finding["remedy"] == "uninstall all but one: pip uninstall second-dist"


POINTS = "[project.entry-points.tinytorch]\ngood = 'good_module'\n"
DYNAMIC = "[tool.setuptools.dynamic]\nversion = {attr = 'package.__version__'}\n"


@pytest.mark.parametrize(
    ("project", "module", "what"),
    [
        (f"[project]\nversion = '1.0'\n{POINTS}", "", None),
        (f"{POINTS}{DYNAMIC}", "__version__ = '1.0'", None),
        (f"{POINTS}{DYNAMIC}", "import nowhere", None),
        (f"{POINTS}{DYNAMIC}", "def def", None),
        ("project = 3\n[tool]\nsetuptools = 3\n", "", "changed since it was installed: good in"),
        ("no TOML", "", None),
        (f"[project]\nversion = '2.0'\n{POINTS}", "", "as 1.0, and its source says 2.0"),
        (f"{POINTS}{DYNAMIC}", "__version__ = '3'", "as 1.0, and its source says 3"),
        (
            POINTS.replace("'good_module'", "'good_module:it'"),
            "",
            "entry points of good-dist have changed since it was installed: good in [tinytorch]",
        ),
        (f"{POINTS}new = 'x'\n", "", "installed: new in [tinytorch]"),
        (
            f"{POINTS}[project.entry-points.'tinytorch.attributes']\nhey = 'good'\n",
            "",
            "installed: hey in [tinytorch.attributes]",
        ),
    ],
)
def test_an_editable_install_and_its_source(
    project: str, module: str, what: str | None, good: Any
) -> None:
    folder = editable(good, "good", project)
    (folder / "package").mkdir()
    (folder / "package" / "__init__.py").write_text(module)
    found = doctor(good)
    assert [f["check"] for f in found] == ([] if what is None else ["editable"])
    for finding in found:
        assert what in finding["what"]
        assert finding["remedy"] == f"install it again: pip install -e {folder}"


def test_an_editable_install_whose_source_is_gone(good: Any) -> None:
    folder = editable(good, "good", None)
    (finding,) = doctor(good)
    assert finding["what"] == f"good-dist is installed from {folder}, which is gone"
    assert finding["remedy"] == "uninstall it: pip uninstall good-dist"


# The BLAS.


@pytest.mark.parametrize(
    ("core", "features", "better"),
    [
        ("Haswell", ["AVX512_SKX", "AVX2"], "SkylakeX"),
        ("Haswell", ["X86_V4", "X86_V3"], "SkylakeX"),
        ("Zen", ["AVX512_SKX"], "SkylakeX"),
        ("Prescott", ["AVX512_SKX", "AVX2"], "SkylakeX"),
        ("Prescott", ["AVX2"], "Haswell"),
        ("SkylakeX", ["AVX512_SKX", "AVX2"], None),
        ("Cooperlake", ["AVX512_SKX", "AVX2"], None),
        ("Haswell", ["AVX2"], None),
        ("Zen", ["AVX2"], None),
        ("neoversen1", ["NEON"], None),
        ("Nehalem", [], None),
    ],
)
def test_kernels_that_a_processor_could_run(
    core: str, features: list[str], better: str | None
) -> None:
    assert better_core(core, dict.fromkeys(features, True)) == better


@pytest.mark.parametrize(
    ("speeds", "found"), [((100.0, 180.0), True), ((100.0, 101.0), False), ((100.0, None), False)]
)
def test_it_is_found_only_if_it_was_measured_to_matter(
    speeds: tuple[float, float | None], found: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blas, "openblas_core", lambda: "Haswell")
    monkeypatch.setattr(blas, "processor_features", lambda: {"AVX512_SKX": True})
    monkeypatch.setattr(blas, "speed", lambda core=None: speeds[core is not None])
    report = check_blas()
    assert bool(report.findings) == found
    assert "Haswell" in report.summary
    for finding in report.findings:
        assert "100 GFLOP/s on one core, and 180 with those for SkylakeX" in finding.why
        assert "OPENBLAS_CORETYPE=SkylakeX" in finding.remedy


@pytest.mark.parametrize(
    ("core", "features"),
    [(None, {"AVX512_SKX": True}), ("SkylakeX", {"AVX512_SKX": True}), ("Haswell", {})],
)
def test_nothing_is_measured_where_there_is_nothing_to_gain(
    core: str | None, features: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blas, "openblas_core", lambda: core)
    monkeypatch.setattr(blas, "processor_features", lambda: features)
    monkeypatch.setattr(blas, "speed", lambda core=None: pytest.fail("measured"))
    assert check_blas().findings == []


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the kernels have other names there")
def test_what_openblas_says_of_itself() -> None:
    if openblas_core() is None:
        pytest.skip("this NumPy brings no OpenBLAS of its own")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from tinytorch_core.commands import blas\nprint(blas.openblas_core())",
        ],
        env={**os.environ, blas.VARIABLE: "Nehalem", "TINYTORCH_PLUGINS": "none"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "Nehalem\n"


def test_a_measurement() -> None:
    figure = speed()
    assert figure is not None
    assert 0.1 < figure < 10_000


def test_the_kernels_to_measure_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        blas, "_MEASURE", "import os\nprint(len(os.environ.get('OPENBLAS_CORETYPE', '')))"
    )
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    assert speed() == 0
    assert speed("SkylakeX") == 8


def test_a_measurement_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "_MEASURE", "raise SystemExit(1)")
    assert speed("SkylakeX") is None

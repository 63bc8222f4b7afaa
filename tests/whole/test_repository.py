"""The files of the repository that repeat a version agree with it."""

import re
import runpy
import shutil
import tomllib
from pathlib import Path

import pytest

import tinytorch_core

ROOT = Path(__file__).parents[2]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_citation_names_the_version() -> None:
    assert f"\nversion: {tinytorch_core.__version__}\n" in text("CITATION.cff")


def test_every_distribution_has_the_version_of_the_core() -> None:
    for file in ROOT.glob("plugins/*/pyproject.toml"):
        project = tomllib.loads(file.read_text(encoding="utf-8"))
        module, attribute = project["tool"]["setuptools"]["dynamic"]["version"]["attr"].split(".")
        assert attribute == "__version__"
        source = (file.parent / module / "__init__.py").read_text(encoding="utf-8")
        assert f'__version__ = "{tinytorch_core.__version__}"' in source, module


@pytest.mark.parametrize("file", [ROOT / "pyproject.toml", *ROOT.glob("plugins/*/pyproject.toml")])
def test_the_links_of_a_readme_work_on_a_package_index(file: Path) -> None:
    # An index shows the text without the files next to it.
    readme = tomllib.loads(file.read_text("utf-8"))["project"]["readme"]
    text = (file.parent / readme).read_text("utf-8")
    targets = re.findall(r"\]\(([^)]*)|(?:src|href)=\"([^\"]*)", text)
    relative = [a or b for a, b in targets if not (a or b).startswith(("https://", "#"))]
    assert relative == []


def test_one_command_changes_the_version_everywhere(tmp_path: Path) -> None:
    script = runpy.run_path(str(ROOT / ".ci" / "set_version.py"))
    for file in script["files"](ROOT, script["VERSIONS"] + script["BOUNDS"]):
        copy = tmp_path / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    changed = script["set_version"]("3.14.1", tmp_path)
    assert len(changed) > 20
    old = re.compile(r'^__version__ = "0|^version: 0|tinytorch-[\w-]+>=0', re.MULTILINE)
    for file in changed:
        assert not old.search(file.read_text("utf-8")), file
    assert script["set_version"]("3.14.1", tmp_path) == []
    with pytest.raises(ValueError, match=r"three numbers, such as 0\.2\.0, not '3\.15'"):
        script["set_version"]("3.15", tmp_path)


def test_one_command_writes_the_addresses_everywhere(tmp_path: Path) -> None:
    script = runpy.run_path(str(ROOT / ".ci" / "set_urls.py"))
    originals = [file for pattern in script["METADATA"] for file in ROOT.glob(pattern)]
    for file in (*originals, ROOT / "CITATION.cff"):
        copy = tmp_path / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    for site in ("https://old.example/", "https://example.org/docs/"):
        written = script["set_urls"]("https://example.org/code/", site, tmp_path)
    assert len(written) == len(originals) + 1 > 10
    for file in originals:
        before = tomllib.loads(file.read_text("utf-8"))
        after = tomllib.loads((tmp_path / file.relative_to(ROOT)).read_text("utf-8"))
        assert after["project"].pop("urls") == {
            "Documentation": "https://example.org/docs/",
            "Source": "https://example.org/code",
            "Issues": "https://example.org/code/issues",
            "Changelog": "https://example.org/code/blob/main/CHANGELOG.md",
        }
        before["project"].pop("urls", None)
        assert after == before
    citation = (tmp_path / "CITATION.cff").read_text("utf-8").splitlines()
    assert "repository-code: https://example.org/code" in citation
    assert "url: https://example.org/docs/" in citation
    with pytest.raises(ValueError, match=r"must begin with https://, as 'example\.org' does not"):
        script["set_urls"]("example.org", "https://example.org/", tmp_path)


def test_pre_commit_runs_the_same_ruff() -> None:
    (version,) = re.findall(r"^ruff==(.+)$", text("requirements-dev.txt"), re.MULTILINE)
    assert f"rev: v{version}\n" in text(".pre-commit-config.yaml")


def test_plugins_require_the_minor_version_that_they_have() -> None:
    major, minor = map(int, tinytorch_core.__version__.split(".")[:2])
    bounds = f">={major}.{minor},<{major}.{minor + 1}"
    for file in [
        *ROOT.glob("plugins/*/pyproject.toml"),
        *ROOT.glob("examples/plugins/*/pyproject.toml"),
    ]:
        found = re.findall(r'"tinytorch-[\w-]+(?:\[[^]]*\])?([^"\[]*)"', file.read_text("utf-8"))
        own = [each for each in found if each]
        assert own
        assert set(own) == {bounds}, file

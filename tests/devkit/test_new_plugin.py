"""`tinytorch new-plugin`: the checks of the name, and a package whose tests pass at once.

tests/whole/test_publish_an_op.py installs such a package with pip and uses it.
"""

from __future__ import annotations

import datetime
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace

import pytest

from tinytorch_core import __version__, plugins
from tinytorch_core.cli import main

from tinytorch_devkit import new_plugin
from tinytorch_devkit.new_plugin import NewPluginError, check_name, rendered, write_plugin


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Swish", "Did you mean 'swish'?"),
        ("my_swish", "Did you mean 'my-swish'?"),
        ("my--swish", "Did you mean 'my-swish'?"),
        ("my swish", "Did you mean 'my-swish'?"),
        ("-swish", "Did you mean 'swish'?"),
        ("3d", "beginning with a letter"),
        ("swísh", "Did you mean"),
        ("../swish", "Did you mean 'swish'?"),
        ("", "beginning with a letter"),
        ("tinytorch-swish", "without the prefix tinytorch. Did you mean 'swish'?"),
        ("class", "a keyword or builtin of Python"),
        ("print", "a keyword or builtin of Python"),
        ("np", "another meaning in the code of plugins"),
        ("losses", "already installed, from tinytorch-losses"),
        ("core", "a package 'tinytorch_core' is already installed"),
        ("exp", "Tensor already has 'exp', from tinytorch-core"),
        ("shape", "Tensor already has 'shape'"),
        ("relu", "Tensor already has 'relu', from plugin 'activations'"),
        ("zero-grad", "Tensor already has 'zero_grad', from tinytorch-autograd"),
    ],
)
def test_invalid_and_taken_names_are_refused(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new-plugin", "--", name]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("tinytorch new-plugin: ")
    assert message in captured.err
    assert not list(tmp_path.iterdir())


def test_names_of_plugins_that_are_off_are_taken() -> None:
    with plugins.only(), pytest.raises(NewPluginError, match="from tinytorch-activations"):
        check_name("relu")


@pytest.mark.parametrize("name", ["mish", "my-swish", "b2", "fourier-2d"])
def test_valid_names_are_accepted(name: str) -> None:
    check_name(name)
    project = tomllib.loads(rendered(name)["pyproject.toml"])["project"]
    assert project["name"] == f"tinytorch-{name}"
    module = f"tinytorch_{name.replace('-', '_')}"
    assert project["entry-points"]["tinytorch"] == {name: f"{module}.plugin"}
    assert f"src/{module}/py.typed" in rendered(name)


def test_an_existing_folder_is_not_changed(tmp_path: Path) -> None:
    (tmp_path / "tinytorch-mish").mkdir()
    (tmp_path / "tinytorch-mish" / "mine").write_text("kept")
    with pytest.raises(NewPluginError, match="exists and was not changed"):
        write_plugin("mish", tmp_path)
    assert (tmp_path / "tinytorch-mish" / "mine").read_text() == "kept"
    assert [f.name for f in tmp_path.rglob("*")] == ["tinytorch-mish", "mine"]


def test_a_failure_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="no space"):
        write_plugin("mish", tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("author", ['Ada "Countess" Lovelace', "José Ávila", None])
def test_the_license_has_the_author_from_git_and_the_year(author: str | None, monkeypatch) -> None:
    monkeypatch.setattr(new_plugin, "_from_git", lambda key: author)
    today = SimpleNamespace(date=SimpleNamespace(today=lambda: datetime.date(1999, 12, 31)))
    monkeypatch.setattr(new_plugin, "datetime", today)
    written = rendered("mish")
    expected = author or "Your Name"
    assert tomllib.loads(written["pyproject.toml"])["project"]["authors"] == [{"name": expected}]
    assert f"Copyright (c) 1999 {expected}\n" in written["LICENSE"]


def test_without_git_the_author_is_a_placeholder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert "Your Name" in rendered("mish")["LICENSE"]


def test_it_requires_versions_of_the_core_like_this_one() -> None:
    major, minor, _ = __version__.split(".")
    expected = f"tinytorch-core>={major}.{minor},<{major}.{int(minor) + 1}"
    assert expected in tomllib.loads(rendered("mish")["pyproject.toml"])["project"]["dependencies"]


def test_every_template_is_used() -> None:
    templates = files("tinytorch_devkit") / "templates"
    assert {file.name for file in templates.iterdir()} == set(new_plugin.FILES)


def test_no_placeholder_is_left() -> None:
    assert not [text for text in rendered("mish").values() if "%{" in text]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new plugin `my-swish`, with the files that pip would install in the folder `site`."""
    folder = write_plugin("my-swish", tmp_path_factory.mktemp("new"))
    site = folder / "site"
    shutil.copytree(folder / "src", site)
    metadata = site / "tinytorch_my_swish-0.1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Name: tinytorch-my-swish\nVersion: 0.1.0\n")
    entry = "[tinytorch]\nmy-swish = tinytorch_my_swish.plugin\n"
    (metadata / "entry_points.txt").write_text(entry)
    return folder


def run(written: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("TINYTORCH_", "PYTEST_"))}
    path = [str(written / "site"), *filter(None, [kept.get("PYTHONPATH")])]
    environment = {**kept, "PYTHONPATH": os.pathsep.join(path), "TINYTORCH_STRICT": "1"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=written, env=environment, capture_output=True, text=True)


def test_its_tests_pass_at_once(written: Path) -> None:
    # Hypothesis, which its tests do not use, takes long to import.
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    done = run(written, *command, "--doctest-modules", "src")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    done = run(written, *command)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert re.search(r"\d\d passed", done.stdout)


def test_its_readme_prints_what_it_shows(written: Path) -> None:
    (program,) = re.findall(
        r"```python\n(.*?)```", (written / "README.md").read_text("utf-8"), re.DOTALL
    )
    expected = re.findall(r"print\(.*\)  # (.*)", program)
    assert expected
    done = run(written, "-c", program)
    assert (done.stdout.splitlines(), done.stderr) == (expected, "")


def test_ruff_reports_nothing(written: Path) -> None:
    pytest.importorskip("ruff")
    for command in (["check"], ["format", "--check"]):
        done = run(written, "-m", "ruff", *command, "--isolated", "--no-cache", "src", "tests")
        assert done.returncode == 0, done.stdout

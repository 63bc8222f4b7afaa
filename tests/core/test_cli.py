"""The command `tinytorch`."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from tinytorch_core import __version__, plugins
from tinytorch_core.cli import main

GOOD = """
from tinytorch_core import hookimpl

@hookimpl
def tinytorch_configure(config):
    print("imported and configured")
"""


def test_the_table_has_a_row_for_each_plugin(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split("  ")[0] == "PLUGIN"
    assert [row.split()[0] for row in rows] == [p.name for p in plugins.status()]
    autograd = next(row for row in rows if row.startswith("autograd "))
    assert autograd.split()[1:] == ["tinytorch-autograd", __version__, "on", "installed"]


def test_the_columns_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    with plugins.disable("autograd"):
        main(["plugins"])
    header, *rows = capsys.readouterr().out.splitlines()
    for column in ("DISTRIBUTION", "VERSION", "STATE", "DECIDED BY"):
        start = header.index(column)
        for row in rows:
            assert row[start - 1] == " "
            assert row[start] != " "
    (autograd,) = [row.split() for row in rows if row.startswith("autograd ")]
    assert autograd[1:5] == ["tinytorch-autograd", __version__, "off", "code"]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"tinytorch-core {__version__}\n"


def test_without_a_command_it_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "plugins" in capsys.readouterr().out


def test_an_unknown_command_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["plugin"])
    assert caught.value.code == 2
    assert "choose from" in capsys.readouterr().err


def test_where_nothing_is_installed_it_says_how_to_begin(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins, "status", list)
    assert main(["plugins"]) == 0
    assert "No plugin is installed" in capsys.readouterr().out


@pytest.fixture(scope="module")
def good(make_site: Any) -> Any:
    site = make_site()
    site.install("good", GOOD)
    return site


def command(site: Any, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The console script, as pip installs it, in the place of `python`."""
    script = Path(sysconfig.get_path("scripts"), "tinytorch")
    return site.start(str(script), *arguments, **variables)


def test_a_disabled_plugin_is_listed_without_being_imported(good: Any) -> None:
    listed = command(good, "plugins", TINYTORCH_PLUGINS="no:good")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "imported" not in listed.stdout
    row = next(line for line in listed.stdout.splitlines() if line.startswith("good "))
    assert row.split() == ["good", "good-dist", "1.0", "off", "TINYTORCH_PLUGINS"]


def test_the_module_and_the_script_are_the_same(good: Any) -> None:
    assert command(good, "plugins").stdout == good.plugins().stdout


def test_a_wrong_configuration_is_told_beside_the_list(good: Any) -> None:
    listed = command(good, "plugins", TINYTORCH_PLUGINS="godo")
    assert listed.returncode == 1
    assert "Did you mean 'good'?" in listed.stderr
    assert "Traceback" not in listed.stderr
    assert "good-dist" in listed.stdout


def test_the_file_that_decides_is_named(good: Any) -> None:
    file = good.work / "tinytorch.toml"
    file.write_text("[plugins]\ngood = false\n")
    try:
        assert str(file) in command(good, "plugins").stdout
    finally:
        file.unlink()


def test_a_users_program_of_that_name_starts_the_plugins_as_any_other(good: Any) -> None:
    program = good.work / "tinytorch.py"
    program.write_text(
        "from tinytorch_core import plugins, Tensor\nprint(hasattr(Tensor, 'backward'))\n"
    )
    try:
        assert good.start(str(program)).stdout == "imported and configured\nTrue\n"
    finally:
        program.unlink()

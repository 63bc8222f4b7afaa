"""The command `tinytorch`: its help, how it ends, and that no plugin can stop it."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from tinytorch_core import __version__
from tinytorch_core.cli import main, make_parser

SPEAKS = """
print("imported {name}")
from tinytorch_core import hookimpl

@hookimpl
def tinytorch_register_ops(ops):
    ops.add("{name}", lambda x: x, method=True)
"""

BROKEN = {
    "cannot_import": "print('imported cannot_import'); import nowhere_to_be_found",
    "exits": "raise SystemExit(3)",
    "is_no_python": "def def",
    "fails_in_a_hook": SPEAKS.replace('ops.add("{name}", lambda x: x, method=True)', "1 / 0"),
    "fails_to_explain": SPEAKS.format(name="fails_to_explain")
    + "@hookimpl\ndef tinytorch_explain_op(op):\n    raise SystemExit(1)\n",
    "explains_with_a_number": SPEAKS.format(name="explains_with_a_number")
    + "@hookimpl\ndef tinytorch_explain_op(op):\n    return 3\n",
    "fails_the_second_time": SPEAKS.replace(
        "    ops.add", "    global times; times = globals().get('times', 0) + 1\n    ops.add"
    ).replace("lambda x: x", "(lambda x: x) if times < 2 else None"),
}

# What each command is given here, and the exit status where plugins are broken.
COMMANDS = {
    "plugins": ([], 1),
    "plugins --json": ([], 1),
    "ops": ([], 0),
    "ops --json": ([], 0),
    "enable": (["good"], 0),
    "disable": (["good"], 0),
    "doctor": ([], 1),
    "stubs": ([], 0),
}


def parsers() -> dict[str, argparse.ArgumentParser]:
    (commands,) = [
        action
        for action in make_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    ]
    return dict(commands.choices)


def test_every_command_is_tried_here() -> None:
    # Those that need a plugin to look at, or make files, are tried where they are tested.
    assert {name.split()[0] for name in COMMANDS} >= parsers().keys() - {"check", "new-plugin"}


@pytest.fixture(scope="module")
def good(make_site: Any) -> Any:
    site = make_site()
    site.install("good", SPEAKS.format(name="good"))
    return site


@pytest.fixture(scope="module")
def broken(make_site: Any) -> Any:
    site = make_site()
    site.install("good", SPEAKS.format(name="good"))
    for name, code in BROKEN.items():
        if name != "fails_the_second_time":
            site.install(name, code.replace("{name}", name))
    return site


@pytest.fixture(autouse=True)
def _no_files_left(request: pytest.FixtureRequest) -> Any:
    yield
    for name in {"good", "broken"} & set(request.fixturenames):
        request.getfixturevalue(name).work.joinpath("tinytorch.toml").unlink(missing_ok=True)


def command(site: Any, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The console script, as pip installs it."""
    script = Path(sysconfig.get_path("scripts"), "tinytorch")
    return site.start(str(script), *arguments, **variables)


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_imports_a_disabled_plugin(name: str, good: Any) -> None:
    arguments, _ = COMMANDS[name]
    done = command(good, *name.split(), *arguments, TINYTORCH_PLUGINS="no:good")
    assert done.returncode in (0, 1), done.stderr
    assert "imported good" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_is_stopped_by_a_broken_plugin(name: str, broken: Any) -> None:
    arguments, status = COMMANDS[name]
    done = command(broken, *name.split(), *arguments)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert "PluginWarning" not in done.stderr
    assert ("cannot_import" if name == "doctor" else "good") in done.stdout
    # Nor does what plugins print get into the command's own output.
    assert "imported" not in done.stdout.replace("imported in", "")
    if "--json" in name:
        json.loads(done.stdout)


@pytest.mark.parametrize("name", ["plugins", "ops", "doctor", "stubs"])
def test_a_plugin_that_works_only_once_is_named(name: str, make_site: Any) -> None:
    site = make_site()
    again = "fails_the_second_time"
    site.install(again, BROKEN[again].replace("{name}", again))
    done = command(site, name)
    assert done.returncode == (2 if name in ("ops", "stubs") else 1)
    assert f"'{again}'" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["ops", "stubs"])
def test_with_a_wrong_configuration_these_say_what_is_wrong(name: str, good: Any) -> None:
    done = command(good, name, TINYTORCH_PLUGINS="godo")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"tinytorch {name}: TINYTORCH_PLUGINS names the plugin 'godo'")
    assert "Did you mean 'good'?" in done.stderr


def test_what_few_commands_need_is_imported_by_those_alone(good: Any) -> None:
    code = """
        import sys
        from tinytorch_core.cli import main
        main(["plugins"])
        main(["ops"])
        main(["enable", "good"])
        print({"tomlkit", "packaging", "importlib.metadata"} & set(sys.modules))
        """
    done = good.run(code)
    assert done.stdout.endswith("\nset()\n"), done.stderr


# Help, and how a command ends.


def test_without_a_command_it_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    said = capsys.readouterr().out
    for name in parsers():
        assert f"\n    {name} " in said
    assert all(len(line) <= 80 for line in said.splitlines())


@pytest.mark.parametrize("name", parsers())
def test_every_command_and_option_says_what_it_is_for(name: str) -> None:
    parser = parsers()[name]
    assert parser.description
    assert parser.description.rstrip().endswith(".")
    assert "xit status" in parser.format_help()
    for action in parser._actions:
        assert action.help, action
        assert not action.help.endswith("."), action


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"tinytorch-core {__version__}\n"


@pytest.mark.parametrize("arguments", [["plugin"], ["plugins", "--jsn"], ["enable"]])
def test_what_is_not_understood(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: tinytorch" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="pipes end otherwise elsewhere")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_leaves_early(unbuffered: str, good: Any) -> None:
    environment = {**os.environ, "PYTHONPATH": str(good.packages), "PYTHONUNBUFFERED": unbuffered}
    process = subprocess.Popen(
        [sys.executable, "-m", "tinytorch_core", "ops", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=good.work,
        env=environment,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 141
    assert said.replace(b"imported good\n", b"") == b""


def test_a_terminal_without_the_letters_of_formulas(good: Any) -> None:
    done = command(good, "ops", "gelu", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout.isascii()) == (0, True)
    assert "Tensor.gelu" in done.stdout


def test_the_module_and_the_script_are_the_same(good: Any) -> None:
    assert command(good, "ops").stdout == good.start("-m", "tinytorch_core", "ops").stdout


def test_a_users_program_of_that_name_starts_the_plugins_as_any_other(good: Any) -> None:
    program = good.work / "tinytorch.py"
    program.write_text(
        "from tinytorch_core import plugins, Tensor\nprint(hasattr(Tensor, 'good'))\n"
    )
    try:
        assert good.start(str(program)).stdout == "imported good\nTrue\n"
    finally:
        program.unlink()

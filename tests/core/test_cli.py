"""The command `tinytorch`: help, exit status, broken plugins, commands of other distributions."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from tinytorch_core import __version__
from tinytorch_core.cli import commands, main, make_parser

PRINTS = """
print("imported {name}")
from tinytorch_core import hookimpl

@hookimpl
def tinytorch_register_ops(ops):
    ops.add("{name}", lambda x: x, method=True)
"""

BROKEN = {
    "cannot_import": "print('imported cannot_import'); import nowhere_to_be_found",
    "exits": "raise SystemExit(3)",
    "not_python": "def def",
    "fails_in_a_hook": PRINTS.replace('ops.add("{name}", lambda x: x, method=True)', "1 / 0"),
    "fails_to_explain": PRINTS.format(name="fails_to_explain")
    + "@hookimpl\ndef tinytorch_explain_op(op):\n    raise SystemExit(1)\n",
    "explains_with_a_number": PRINTS.format(name="explains_with_a_number")
    + "@hookimpl\ndef tinytorch_explain_op(op):\n    return 3\n",
    "fails_the_second_time": PRINTS.replace(
        "    ops.add", "    global times; times = globals().get('times', 0) + 1\n    ops.add"
    ).replace("lambda x: x", "(lambda x: x) if times < 2 else None"),
}

# The arguments of each command and its exit status with broken plugins.
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


def test_every_command_is_listed_here() -> None:
    # check and new-plugin need a plugin or create files; their own tests run them.
    assert {name.split()[0] for name in COMMANDS} == parsers().keys() - {"check", "new-plugin"}


@pytest.fixture(scope="module")
def good(make_site: Any) -> Any:
    site = make_site()
    site.replace_pip()
    site.install("good", PRINTS.format(name="good"))
    return site


@pytest.fixture(scope="module")
def broken(make_site: Any) -> Any:
    site = make_site()
    site.replace_pip()
    site.install("good", PRINTS.format(name="good"))
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
    """Run the console script that pip installs; `doctor` must not depend on the machine's BLAS."""
    # Python also runs the program that pip installs on Windows, which contains a zip file.
    name = "tinytorch.exe" if os.name == "nt" else "tinytorch"
    script = Path(sysconfig.get_path("scripts"), name)
    return site.start(str(script), *arguments, **{"OPENBLAS_CORETYPE": "", **variables})


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_imports_a_disabled_plugin(name: str, good: Any) -> None:
    arguments, _ = COMMANDS[name]
    done = command(good, *name.split(), *arguments, TINYTORCH_PLUGINS="no:good")
    assert done.returncode in (0, 1), done.stderr
    assert "imported good" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_works_with_broken_plugins(name: str, broken: Any) -> None:
    arguments, status = COMMANDS[name]
    done = command(broken, *name.split(), *arguments)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert "PluginWarning" not in done.stderr
    assert ("cannot_import" if name == "doctor" else "good") in done.stdout
    # What plugins print is not part of the command's output.
    assert "imported" not in done.stdout.replace("imported in", "")
    if "--json" in name:
        json.loads(done.stdout)


@pytest.mark.parametrize("name", ["plugins", "ops", "doctor", "stubs"])
def test_no_command_computes_the_surface_twice(name: str, make_site: Any) -> None:
    site = make_site()
    site.replace_pip()
    again = "fails_the_second_time"
    site.install(again, BROKEN[again].replace("{name}", again))
    done = command(site, name)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["ops", "stubs"])
def test_a_wrong_configuration_ends_the_command(name: str, good: Any) -> None:
    done = command(good, name, TINYTORCH_PLUGINS="godo")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"tinytorch {name}: TINYTORCH_PLUGINS names the plugin 'godo'")
    assert "Did you mean 'good'?" in done.stderr


def test_slow_imports_are_left_to_the_commands_that_need_them(good: Any) -> None:
    code = """
        import sys
        from tinytorch_core.cli import main
        main(["plugins"])
        main(["ops"])
        main(["enable", "good"])
        print({"tomlkit", "importlib.metadata"} & set(sys.modules))
        """
    done = good.run(code)
    assert done.stdout.endswith("\nset()\n"), done.stderr


# Help and exit status.


def test_without_arguments_it_prints_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 0
    output = capsys.readouterr().out
    for name in parsers():
        assert re.search(rf"^    {name}\s+\S", output, re.MULTILINE)
    assert all(len(line) <= 80 for line in output.splitlines())


@pytest.mark.parametrize("name", parsers())
def test_every_command_and_option_has_a_description(name: str) -> None:
    parser = parsers()[name]
    assert parser.description
    assert parser.description.rstrip().endswith(".")
    assert "xit status" in parser.format_help()
    for action in parser._actions:
        assert action.help, action
        assert not action.help.endswith("."), action


def test_version_prints_the_version_of_the_core(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"tinytorch-core {__version__}\n"


@pytest.mark.parametrize("arguments", [["--verbose"], ["plugins", "--jsn"], ["enable"]])
def test_wrong_arguments_print_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: tinytorch" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="pipes behave differently elsewhere")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_exits_early_causes_no_error_message(unbuffered: str, good: Any) -> None:
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
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 141
    assert errors.replace(b"imported good\n", b"") == b""


def test_a_terminal_that_lacks_a_character_gets_ascii(good: Any) -> None:
    done = command(good, "ops", "gelu", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout.isascii()) == (0, True)
    assert "Tensor.gelu" in done.stdout


def test_the_module_and_the_script_do_the_same(good: Any) -> None:
    assert command(good, "ops").stdout == good.start("-m", "tinytorch_core", "ops").stdout


def test_a_program_named_tinytorch_starts_the_plugins(good: Any) -> None:
    program = good.work / "tinytorch.py"
    program.write_text(
        "from tinytorch_core import plugins, Tensor\nprint(hasattr(Tensor, 'good'))\n"
    )
    try:
        assert good.start(str(program)).stdout == "imported good\nTrue\n"
    finally:
        program.unlink()


# Commands of other distributions.

HELLO = """
print("imported {name}")

def add_to(commands):
    parser = commands.add_parser("{name}", help="print {name}")
    parser.add_argument("words", nargs="*", help="words to print after it")

def run(args):
    print("{name}", *args.words)
    return 3
"""

# The code of a module that cannot be used, and the reason in the error.
UNUSABLE = {
    "cannot-import": ("import nowhere_to_be_found", "ModuleNotFoundError: No module named"),
    "exits": ("raise SystemExit(3)", "SystemExit: 3"),
    "not-python": ("def def", "SyntaxError: "),
    "empty": ("", "AttributeError: module "),
    "lacks-run": ("def add_to(commands): commands.add_parser('lacks-run')", "AttributeError: "),
    "other-name": (HELLO.replace("{name}", "another"), "LookupError: its add_to adds no parser"),
    "takes-doctor": (HELLO.replace("{name}", "doctor"), "conflicting subparser: doctor"),
}


def add_command(site: Any, name: str, code: str, distribution: str) -> None:
    module = distribution.replace("-", "_")
    (site.packages / f"{module}.py").write_text(code)
    metadata = site.packages / f"{module}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n\n"
    )
    (metadata / "entry_points.txt").write_text(f"[tinytorch.commands]\n{name} = {module}\n")


def test_a_distribution_adds_a_command(site: Any) -> None:
    add_command(site, "hello", HELLO.replace("{name}", "hello"), "hello-dist")
    done = command(site, "hello", "a", "b")
    # What the module prints while it is imported is not part of the command's output.
    assert (done.returncode, done.stdout, done.stderr) == (3, "hello a b\n", "imported hello\n")
    assert "usage: tinytorch hello" in command(site, "hello", "--help").stdout
    assert re.search(r"^    hello +print hello$", command(site, "--help").stdout, re.MULTILINE)


@pytest.mark.parametrize("arguments", [["plugins"], ["doctor", "--help"], ["--version"], ["other"]])
def test_a_command_that_is_not_used_is_not_imported(arguments: list[str], site: Any) -> None:
    add_command(site, "hello", HELLO.replace("{name}", "hello"), "hello-dist")
    add_command(site, "other", HELLO.replace("{name}", "other"), "other-dist")
    assert "imported hello" not in command(site, *arguments).stderr


def test_a_file_in_the_working_directory_is_not_a_command(site: Any) -> None:
    add_command(site, "hello", HELLO.replace("{name}", "hello"), "hello-dist")
    (site.work / "hello_dist.py").write_text("open('trapped', 'w').close()")
    assert site.start("-m", "tinytorch_core", "hello").stdout == "hello\n"
    assert not (site.work / "trapped").exists()


@pytest.fixture(scope="module")
def unusable(make_site: Any) -> Any:
    site = make_site()
    for name, (code, _) in UNUSABLE.items():
        add_command(site, name, code, f"{name}-dist")
    add_command(site, "hello", HELLO.replace("{name}", "hello"), "hello-dist")
    return site


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_command_that_cannot_be_loaded_is_reported(name: str, unusable: Any) -> None:
    done = command(unusable, name)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("imported")]
    start = f"the command {name!r} of {name}-dist 1.0 cannot be loaded: "
    assert line.startswith(f"tinytorch {name}: {start}")
    assert UNUSABLE[name][1] in line
    assert line.endswith(f"pip uninstall {name}-dist")
    # The help prints the same line.
    assert f"\n{start}" in command(unusable, "--help").stdout


def test_a_broken_command_does_not_break_others(unusable: Any) -> None:
    assert command(unusable, "hello").stdout == "hello\n"
    assert command(unusable, "ops").returncode == 0
    done = command(unusable, "--help")
    assert (done.returncode, "\n    hello " in done.stdout) == (0, True)


@pytest.mark.parametrize("name", ["plugins", "doctor", "enable"])
def test_a_command_of_the_core_cannot_be_replaced(name: str, site: Any) -> None:
    add_command(site, name, HELLO.replace("{name}", name), "rival-dist")
    assert f"imported {name}" not in command(site, name, "--help").stderr
    done = command(site, "--help")
    assert f"\nthe command {name!r} of rival-dist 1.0 is ignored" in done.stdout
    assert f"imported {name}" not in done.stderr


def test_a_command_that_two_distributions_provide_is_refused(site: Any) -> None:
    for number in (1, 2):
        add_command(site, "hello", HELLO.replace("{name}", "hello"), f"hello{number}")
    done = command(site, "hello")
    twice = "the command 'hello' of hello1 1.0 and hello2 1.0 is provided twice"
    assert done.returncode == 2
    assert done.stderr == f"tinytorch hello: {twice}. Uninstall all but one: pip uninstall hello2\n"
    assert f"\n{twice}" in command(site, "--help").stdout


@pytest.mark.parametrize("name", ["check", "new-plugin", "stubs"])
def test_a_command_whose_distribution_is_missing_explains_what_to_install(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands, "entry_points", lambda group: [])
    assert main([name, "swish"]) == 2
    assert capsys.readouterr().err == (
        f"tinytorch {name}: the command {name!r} is provided by tinytorch-devkit, which is not "
        "installed. Install it: pip install tinytorch-devkit\n"
    )


def test_an_unknown_command_is_an_error_with_a_suggestion(site: Any) -> None:
    add_command(site, "hello", HELLO.replace("{name}", "hello"), "hello-dist")
    for name, near in (("plugin", "'plugins'"), ("helo", "'hello'"), ("chek", "'check'")):
        done = command(site, name)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"tinytorch {name}: {name!r} is not a command. Did you mean")
        assert near in done.stderr

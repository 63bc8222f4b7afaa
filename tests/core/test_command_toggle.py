"""`tinytorch enable` and `disable`: one line of the right file changes and nothing else."""

from __future__ import annotations

import os
import stat
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import tomlkit.exceptions

from tinytorch_core import config
from tinytorch_core.cli import enable, main


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TINYTORCH_PLUGINS", raising=False)
    return tmp_path


def tree(folder: Path) -> dict[str, bytes]:
    return {str(f): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


CHANGES = {
    "a value with a comment": (
        "[plugins]\nlosses = true  # heavy\nautograd = true\n",
        "[plugins]\nlosses = false  # heavy\nautograd = true\n",
    ),
    "a new line in a table": (
        "# top\n\n[plugins]\nautograd = true\n\n[autograd]\nx = 1\n",
        "# top\n\n[plugins]\nautograd = true\nlosses = false\n\n[autograd]\nx = 1\n",
    ),
    "a new table": (
        "[autograd]\nx = 1  # one\n",
        "[autograd]\nx = 1  # one\n\n[plugins]\nlosses = false\n",
    ),
    "dotted keys": ("plugins.losses = true\n", "plugins.losses = false\n"),
    "an inline table": ("plugins = {losses = true}\n", "plugins = {losses = false}\n"),
    "Windows newlines": (
        "[plugins]\r\nautograd = true\r\n",
        "[plugins]\r\nautograd = true\r\nlosses = false\r\n",
    ),
    "an empty file": ("", "[plugins]\nlosses = false\n"),
    "no newline at the end": ("[plugins]\nlosses = true", "[plugins]\nlosses = false"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_only_one_line_of_a_file_changes(
    name: str, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = CHANGES[name]
    file = work / "tinytorch.toml"
    file.write_bytes(before.encode())
    assert main(["disable", "losses"]) == 0
    assert file.read_bytes().decode() == after
    line = after[: after.index("losses")].count("\n") + 1
    was = "was true" if "losses" in before else "was not set"
    assert capsys.readouterr().out == f"{file}:{line}: losses = false ({was})\n"
    # Enabling it again changes one value.
    assert main(["enable", "losses"]) == 0
    assert file.read_bytes().decode() == after.replace("losses = false", "losses = true")


def test_the_nearest_file_with_a_table_is_changed(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = work / "pyproject.toml"
    project.write_text("[tool.tinytorch]\n[tool.other]\nx = 1\n")
    inner = work / "inner"
    inner.mkdir()
    (inner / "pyproject.toml").write_text("[project]\nname = 'tinytorch-user'\n")
    os.chdir(inner)
    untouched = tree(inner)
    assert main(["disable", "losses", "autograd"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{project}:3: losses = false (was not set)",
        f"{project}:4: autograd = false (was not set)",
    ]
    plugins = "[tool.tinytorch.plugins]\nlosses = false\nautograd = false\n"
    assert project.read_text() == f"[tool.tinytorch]\n{plugins}[tool.other]\nx = 1\n"
    assert tree(inner) == untouched
    # tinytorch.toml has precedence over the pyproject.toml of the same folder.
    (work / "tinytorch.toml").write_text("")
    text = project.read_text()
    assert main(["enable", "losses"]) == 0
    assert project.read_text() == text
    assert (work / "tinytorch.toml").read_text() == "[plugins]\nlosses = true\n"


def test_without_a_file_a_new_one_is_written(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["disable", "losses", "losses"]) == 0
    file = work / "tinytorch.toml"
    assert file.read_text() == "[plugins]\nlosses = false\n"
    assert capsys.readouterr().out == f"{file}:2: losses = false (new file)\n"
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(file.stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize(
    ("command", "text", "setting"),
    [
        ("enable", None, "installed"),
        ("enable", "[plugins]\nlosses = true\n", "tinytorch.toml:2"),
        ("disable", "[plugins]\nlosses = false\n", "tinytorch.toml:2"),
        ("disable", "autoload = false\n", "tinytorch.toml:1"),
    ],
)
def test_a_plugin_that_is_already_in_that_state_changes_no_file(
    command: str, text: str | None, setting: str, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        (work / "tinytorch.toml").write_text(text)
    before = tree(work)
    assert main([command, "losses"]) == 0
    state = {"enable": "on", "disable": "off"}[command]
    output = capsys.readouterr().out
    assert output.startswith(f"losses is already {state}: ")
    assert output.endswith(f"{setting}\n")
    assert tree(work) == before


def test_the_variable_overrides_the_file(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TINYTORCH_PLUGINS", "no:losses")
    (work / "tinytorch.toml").write_text("[plugins]\nlosses = false\n")
    assert main(["enable", "losses"]) == 0
    output = capsys.readouterr()
    assert "losses = true (was false)" in output.out
    assert output.err == (
        "TINYTORCH_PLUGINS=no:losses overrides the file: "
        "losses stays off until you change the variable.\n"
    )
    # The variable does not name other plugins.
    assert main(["disable", "autograd"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("command", ["enable", "disable"])
def test_another_wrong_part_of_the_configuration_is_reported(
    command: str, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (work / "tinytorch.toml").write_text("[plugins]\nlosess = false\nlosses = false\n")
    assert main([command, "losses"]) == 1
    output = capsys.readouterr().err
    assert "still wrong" in output
    assert "tinytorch.toml:2 names the plugin 'losess'" in output


ERRORS = {
    "an unknown name": ("[plugins]\n", ["autograd", "loses"], "Did you mean 'losses'?"),
    "wrong TOML": ("[plugins\n", ["losses"], "tinytorch.toml:1 is not valid TOML"),
    "a wrong type": ("x = 1\nplugins = 3\n", ["losses"], "tinytorch.toml:2: plugins must be a"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_leaves_the_file_untouched(
    name: str, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, names, message = ERRORS[name]
    (work / "tinytorch.toml").write_text(text)
    before = tree(work)
    assert main(["disable", *names]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("tinytorch disable: ")
    assert message in output.err
    assert tree(work) == before


def test_a_file_that_cannot_be_written_is_an_error(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (work / "tinytorch.toml").write_text("[plugins]\nlosses = true\n")
    before = tree(work)

    def refuse(*names: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    assert main(["disable", "losses"]) == 2
    assert "tinytorch.toml cannot be written: Permission denied" in capsys.readouterr().err
    assert tree(work) == before


def test_a_change_that_would_change_more_is_refused(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (work / "tinytorch.toml").write_text("[plugins]\nlosses = true\n")
    before = tree(work)
    monkeypatch.setattr("tomlkit.dumps", lambda document: "[plugins]\n")
    assert main(["disable", "losses"]) == 2
    output = capsys.readouterr().err
    assert "cannot be changed safely. Add these lines below [plugins]: losses = false" in output
    assert tree(work) == before


def test_a_byte_order_mark_is_kept(work: Path) -> None:
    file = work / "tinytorch.toml"
    file.write_text("\ufeff[plugins]\nlosses = true\n", "utf-8")
    assert main(["disable", "losses"]) == 0
    assert file.read_text("utf-8") == "\ufeff[plugins]\nlosses = false\n"


@pytest.mark.parametrize("text", ["# x\n" * 100_000, "plugins.losses = true\r\n"])
def test_a_file_that_tomlkit_cannot_edit_is_refused(
    text: str, work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(text: str) -> None:
        raise tomlkit.exceptions.ParseError(1, 1)

    (work / "tinytorch.toml").write_text(text)
    before = tree(work)
    monkeypatch.setattr("tomlkit.parse", refuse)
    main(["disable", "losses"])
    assert "cannot be changed safely. Add these lines" in capsys.readouterr().err
    assert tree(work) == before


@pytest.mark.parametrize("kind", ["dangling link", "directory"])
def test_a_name_without_a_regular_file_is_an_error(
    kind: str, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = work / "tinytorch.toml"
    if kind == "directory":
        file.mkdir()
    else:
        file.symlink_to(work / "absent")
    assert main(["disable", "losses"]) == 2
    assert f"tinytorch disable: {file} is a " in capsys.readouterr().err
    assert os.listdir(work) == ["tinytorch.toml"]


# Several commands at the same time.

MANY = [f"plugin{i:02}" for i in range(6)]
PLUGIN = """
from tinytorch_core import hookimpl
@hookimpl
def tinytorch_register_ops(ops): pass
"""


@pytest.mark.parametrize("file", ["tinytorch.toml", "pyproject.toml", None])
def test_concurrent_commands_lose_no_change(file: str | None, site: Any) -> None:
    for name in MANY:
        site.install(name, PLUGIN)
    above = "tool.tinytorch." if file == "pyproject.toml" else ""
    if file:
        # Every second plugin is off, and is turned on.
        lines = "".join(f"{name} = false\n" for name in MANY[::2])
        (site.work / file).write_text(f"[{above}plugins]\n{lines}")
    with ThreadPoolExecutor(len(MANY)) as pool:
        commands = [
            ("-m", "tinytorch_core", ("disable", "enable")[file is not None and i % 2 == 0], name)
            for i, name in enumerate(MANY)
        ]
        results = list(pool.map(lambda command: site.start(*command), commands))
    assert [(done.returncode, done.stderr) for done in results] == [(0, "")] * len(MANY)
    (written,) = (f for f in site.work.iterdir() if f.suffix != ".py")
    table = tomllib.loads(written.read_text())
    for key in filter(None, above.split(".")):
        table = table[key]
    on = dict.fromkeys(MANY[::2], True) if file else dict.fromkeys(MANY[::2], False)
    assert table == {"plugins": {**on, **dict.fromkeys(MANY[1::2], False)}}


def test_a_command_that_was_killed_is_reported(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(enable, "PATIENCE", 0.0)
    lock = work / "tinytorch.toml.lock"
    lock.touch()
    before = tree(work)
    assert main(["disable", "losses"]) == 2
    assert f"If none is running, delete {lock}. Nothing was changed." in capsys.readouterr().err
    assert tree(work) == before
    lock.unlink()
    assert main(["disable", "losses"]) == 0
    assert [f.name for f in work.iterdir()] == ["tinytorch.toml"]


@pytest.mark.parametrize("refused", [3, 10**9])
def test_on_windows_a_command_waits_for_readers(
    refused: int, work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Windows refuses to replace a file that another program reads."""
    replace, refusals = os.replace, iter(range(refused))

    def replaced(source: str, target: str) -> None:
        if next(refusals, None) is not None:
            raise PermissionError(13, "Access is denied", target)
        replace(source, target)

    monkeypatch.setattr(os, "replace", replaced)
    monkeypatch.setattr(enable, "READERS_BLOCK", True)
    monkeypatch.setattr(enable, "PATIENCE", 0.1)
    assert main(["disable", "losses"]) == (0 if refused == 3 else 2)
    assert os.listdir(work) == (["tinytorch.toml"] if refused == 3 else [])
    assert ("Access is denied" in capsys.readouterr().err) == (refused != 3)


def test_an_interrupt_removes_the_lock(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(document: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tomlkit.dumps", interrupt)
    with pytest.raises(KeyboardInterrupt):
        main(["disable", "losses"])
    assert os.listdir(work) == []


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_permissions_and_links_are_kept(work: Path) -> None:
    real = work / "elsewhere" / "shared.toml"
    real.parent.mkdir()
    real.write_text("")
    real.chmod(0o640)
    (work / "tinytorch.toml").symlink_to(real)
    assert main(["disable", "losses"]) == 0
    assert (work / "tinytorch.toml").is_symlink()
    assert real.read_text() == "[plugins]\nlosses = false\n"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert [f.name for f in real.parent.iterdir()] == ["shared.toml"]


def test_the_next_program_reads_the_change(work: Path) -> None:
    main(["disable", "losses"])
    choices = config.read_config()
    decision = config.decisions(reversed(choices), ["losses"])["losses"]
    assert (decision.on, decision.by) == (False, f"{work / 'tinytorch.toml'}:2")

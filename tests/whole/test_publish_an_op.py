"""The guide "Publish an op in ten minutes", from an empty folder to the wheel."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "publish-an-op.md"
# A listing with its file name, or a console with commands and their output.
BLOCK = re.compile(r'```(python title="(?P<file>.*?)"|console)\n(?P<text>.*?)```', re.DOTALL)
LIKE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Console:
    """A shell in an empty folder, in a new environment that also sees the packages of this one."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "empty"
        self.folder.mkdir()
        venv.create(home / "venv", symlinks=True)
        (site,) = (home / "venv").glob("lib/python*/site-packages")
        outer = [p for p in sys.path if os.path.isdir(p) and not p.startswith(sys.base_prefix)]
        # pip sets this variable while it builds, when its own packages must come first.
        adding = "import os, site; 'PIP_BUILD_TRACKER' in os.environ or site.addsitedir({!a})\n"
        lines = [adding.format(p) for p in outer if "site" in Path(p).name]
        (site / "outer.pth").write_text("".join(lines))
        for name in ("pip", "pytest", "tinytorch"):
            module = "tinytorch_core" if name == "tinytorch" else name
            command = home / "venv" / "bin" / name
            command.write_text(f'#!/bin/sh\nexec "{command.parent}/python" -m {module} "$@"\n')
            command.chmod(0o755)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("TINYTORCH_", "PYTEST_"))}
        path = f"{home / 'venv' / 'bin'}{os.pathsep}{kept['PATH']}"
        self.environment = {**kept, "PATH": path, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        # The guide does not install this plugin, which adds a check.
        self.environment["TINYTORCH_PLUGINS"] = "no:compile"
        # Hypothesis, which the guide does not use, takes long to import.
        self.environment["PYTEST_ADDOPTS"] = "-p no:hypothesispytest"

    def run(self, command: str) -> str:
        if command.startswith("cd "):
            self.folder /= command.removeprefix("cd ")
            return ""
        return subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ).stdout


@pytest.mark.skipif(os.name != "posix", reason="the commands are those of a POSIX shell")
def test_every_command_prints_what_the_guide_shows(tmp_path: Path) -> None:
    console = Console(tmp_path)
    commands = 0
    for block in BLOCK.finditer(GUIDE.read_text("utf-8")):
        if block["file"]:
            (console.folder / block["file"]).write_text(block["text"], encoding="utf-8")
            continue
        for step in re.split(r"^\$ ", block["text"], flags=re.MULTILINE)[1:]:
            command, _, expected = step.partition("\n")
            printed = console.run(command)
            # `...` alone matches any output, and none.
            matches = doctest.OutputChecker().check_output(expected, printed, LIKE)
            assert matches or expected.strip() == "...", f"{command}\n{printed}"
            commands += 1
    assert commands > 10


def test_every_block_of_the_guide_is_run() -> None:
    assert GUIDE.read_text("utf-8").count("```") == 2 * len(BLOCK.findall(GUIDE.read_text("utf-8")))

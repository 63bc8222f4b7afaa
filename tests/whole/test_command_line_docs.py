"""docs/command-line.md describes every command and option and shows their real output."""

from __future__ import annotations

import argparse
import doctest
import os
import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import numpy
import pytest

from tinytorch_core import __version__
from tinytorch_core.cli import make_parser

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
SECTIONS = {
    heading.split()[1].strip("`"): f"{heading}\n{text}"
    for heading, text in re.findall(r"^## (`.*)\n((?:(?!## ).*\n)*)", PAGE, flags=re.MULTILINE)
}
DEVKIT = {
    "check": "tinytorch_devkit.commands.check",
    "new-plugin": "tinytorch_devkit.commands.new_plugin",
    "stubs": "tinytorch_devkit.commands.stubs",
}
COMMANDS = {
    name: parser
    for action in make_parser()._actions
    if isinstance(action, argparse._SubParsersAction)
    for name, parser in action.choices.items()
}


def test_every_command_has_a_section() -> None:
    assert list(SECTIONS) == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_described(name: str) -> None:
    heading = SECTIONS[name].splitlines()[0]
    for action in COMMANDS[name]._actions:
        if isinstance(action, argparse._HelpAction):
            continue
        for word in [*action.option_strings, *filter(None, [action.metavar])]:
            assert word in heading, word
        for option in action.option_strings:
            assert SECTIONS[name].count(option) > 1, f"{option} is not explained"
    assert f"$ tinytorch {name}" in SECTIONS[name], "an example is missing"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty project next to an installation of the core, autograd, devkit and swish."""
    home = tmp_path_factory.mktemp("documented")
    site, bin, work = home / "site", home / "bin", home / "project"
    for folder in (site, bin, work):
        folder.mkdir()
    for source in (
        ROOT / "tinytorch_core",
        ROOT / "plugins/autograd/tinytorch_autograd",
        ROOT / "plugins/devkit/tinytorch_devkit",
        ROOT / "examples/plugins/tinytorch-swish/tinytorch_swish.py",
        Path(numpy.__file__).parents[1] / "numpy.libs",
    ):
        if source.exists():
            (site / source.name).symlink_to(source)
    for name in ("numpy", "pluggy", "tomlkit", "packaging"):
        found = distribution(name)
        for top in {file.parts[0] for file in found.files} - {"..", "numpy.libs"}:
            if not (site / top).exists():
                (site / top).symlink_to(found.locate_file(top))
    points = {
        "core": "",
        "autograd": "[tinytorch]\nautograd = tinytorch_autograd.plugin\n",
        "devkit": "[tinytorch.commands]\n"
        + "".join(f"{name} = {value}\n" for name, value in DEVKIT.items()),
        "swish": "[tinytorch]\nswish = tinytorch_swish\n",
    }
    for name, point in points.items():
        metadata = site / f"tinytorch_{name}-{__version__}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: tinytorch-{name}\nVersion: {__version__}\n"
        )
        (metadata / "entry_points.txt").write_text(point)
    command = bin / "tinytorch"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S -m tinytorch_core "$@"\n')
    command.chmod(0o755)
    return work


def normalised(text: str) -> str:
    """Replace numbers, which depend on the machine, the version and the run."""
    return re.sub(r"\d[\d.e-]*", "N", text)


@pytest.mark.skipif(os.name != "posix", reason="the commands are those of a POSIX shell")
def test_the_examples_print_what_is_shown(project: Path) -> None:
    blocks = re.findall(r"```console\n(.*?)```", PAGE, flags=re.DOTALL)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TINYTORCH_")}
    environment |= {
        "PYTHONPATH": str(project.parent / "site"),
        "PATH": f"{project.parent / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "OPENBLAS_CORETYPE": "",
        "PYTHONUNBUFFERED": "",
    }
    examples = [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE)]
    examples = list(filter(None, examples))
    assert len(examples) > 10
    same = doctest.OutputChecker().check_output
    for example in examples:
        command, _, shown = example.partition("\n")
        done = subprocess.run(
            ["sh", "-c", f"{command} 2>&1"],
            cwd=project,
            env={**environment, "PYTHONUTF8": "1"},
            capture_output=True,
            encoding="utf-8",
        )
        printed = done.stdout.replace(str(project.resolve()), "/home/you/project")
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        assert same(normalised(shown), normalised(printed), flags), f"$ {command}\n{printed}"

"""What the README shows is what happens."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def test_the_programs_print_what_stands_beside_them() -> None:
    programs = [block for block in BLOCKS if "hookimpl" not in block]
    expected = [
        line.partition("  # ")[2].strip()
        for program in programs
        for line in program.splitlines()
        if line.lstrip().startswith("print(") and "  # " in line
    ]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(programs)],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT / "tests",
    )
    printed = done.stdout.splitlines()
    assert expected
    assert printed[: len(expected)] == expected
    assert "def mul(x, y):" in done.stdout


def test_the_plugin_is_how_the_one_in_the_examples_begins() -> None:
    (shown,) = [block for block in BLOCKS if "hookimpl" in block]
    file = ROOT / "examples/plugins/tinytorch-swish/tinytorch_swish.py"
    code = file.read_text(encoding="utf-8")
    without_docstring = re.sub(r'\A""".*?"""\n+', "", code, flags=re.DOTALL)
    # There it goes on with what the conformance kit needs, which a plugin can do without.
    code, described, _ = without_docstring.partition("# For `tinytorch check swish`")
    assert described
    assert _lines(code) == _lines(shown)


def test_every_path_in_the_map_exists() -> None:
    section = README.partition("## Map")[2].partition("\n## ")[0]
    paths = re.findall(r"`([\w./-]+/)`", section)
    assert paths
    # Named below the folder that their row is about.
    bases = [
        ROOT,
        *(folder for folder in ROOT.glob("*") if folder.is_dir()),
        *ROOT.glob("plugins/*/*"),
    ]
    for path in paths:
        assert any((base / path).exists() for base in bases), path


def _lines(code: str) -> list[str]:
    return [line for line in code.splitlines() if line.strip()]

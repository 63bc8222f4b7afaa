"""The programs in the README print what it shows, and its paths and links exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def test_the_programs_print_what_their_comments_show() -> None:
    programs = [program for program in PROGRAMS if "hookimpl" not in program]
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
    assert expected
    assert done.stdout.splitlines()[: len(expected)] == expected
    assert "def mul(self, y):" in done.stdout


def test_the_plugin_is_the_one_in_the_examples() -> None:
    (shown,) = [program for program in PROGRAMS if "hookimpl" in program]
    file = ROOT / "examples/plugins/tinytorch-swish/tinytorch_swish.py"
    code = file.read_text(encoding="utf-8")
    without_docstring = re.sub(r'\A""".*?"""\n+', "", code, flags=re.DOTALL)
    # The README leaves out the description for the conformance kit, which is optional.
    code, description, _ = without_docstring.partition("# For `tinytorch check swish`")
    assert description
    assert _lines(code) == _lines(shown)


def test_the_package_index_shows_the_first_program_of_the_core() -> None:
    text = (ROOT / "README.core.md").read_text(encoding="utf-8")
    assert re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL) == PROGRAMS[:1]


def test_every_folder_in_the_table_exists() -> None:
    section = README.partition("## Folders")[2]
    folders = re.findall(r"`([\w./-]+/)`", section)
    assert folders
    assert [folder for folder in folders if not (ROOT / folder).is_dir()] == []


def test_every_link_leads_to_a_file() -> None:
    links = re.findall(r"\]\(([^)#]+)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def _lines(code: str) -> list[str]:
    return [line for line in code.splitlines() if line.strip()]

"""The gallery: the programs in examples/, with the pictures that they draw during the build.

The build trains for fewer steps than the programs do by default, unless the variable
`FULL_GALLERY` is set to 1.
"""

from __future__ import annotations

import ast
import functools
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from docs.website.repository import ROOT


class Example(NamedTuple):
    """A program, and how the build runs it."""

    name: str
    title: str
    # Options that make it fast; None if the build does not run it.
    options: str | None = ""
    draws: bool = True


EXAMPLES = (
    Example("two_moons", "A decision boundary", "--epochs 60"),
    Example("digits_mlp", "Handwritten digits", "--epochs 6"),
    Example("digits_cnn", "A convolutional network", "--epochs 2"),
    Example("vae", "A variational autoencoder", "--epochs 4"),
    Example("gpt", "A small GPT", "--steps 60 --width 32 --written 120"),
    Example("lstm", "Forecasting a chaotic series", "--epochs 4"),
    Example("pinn", "A differential equation", "--iterations 150"),
    Example("newton", "Newton's method", "--steps 300"),
    Example("xor", "Exclusive or", draws=False),
    Example("compiled_digits", "Compiled steps", "--epochs 2", draws=False),
    Example("from_laptop_to_cluster", "From a laptop to a cluster", "--epochs 2", draws=False),
    Example("larger_than_memory", "A file larger than the memory", None, draws=False),
)

INTRODUCTION = """\
# Gallery

Each program is one file of at most 220 lines. It trains or optimizes something, and most draw
what they found. The pictures were made when this site was built. Run the programs in a checkout,
after `make demo`.
"""


class Run(NamedTuple):
    """What a program printed, and its picture if it draws one."""

    command: str
    output: str
    picture: bytes | None


def source(example: Example) -> str:
    """Return the program."""
    return (ROOT / "examples" / f"{example.name}.py").read_text("utf-8")


@functools.cache
def run(example: Example, program: str) -> Run | None:
    """Run a program, and return what it printed and drew.

    Args:
        example: the program.
        program: its text, so that a changed program is run again.

    Raises:
        RuntimeError: the program failed.
    """
    if example.options is None:
        return None
    full = os.environ.get("FULL_GALLERY") == "1"
    options = [] if full else shlex.split(example.options)
    with tempfile.TemporaryDirectory() as folder:
        arguments = [folder, *options] if example.draws else options
        done = subprocess.run(
            [sys.executable, ROOT / "examples" / f"{example.name}.py", *arguments],
            env=os.environ | {"MPLBACKEND": "agg", "OMP_NUM_THREADS": "1", "COLUMNS": "100"},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"examples/{example.name}.py failed:\n{done.stderr}")
        picture = Path(folder, f"{example.name}.png")
        command = shlex.join(["python", f"examples/{example.name}.py", *options])
        output = done.stdout.replace(f"{folder}/", "")
        return Run(command, output, picture.read_bytes() if example.draws else None)


def page(example: Example, run: Run | None) -> str:
    """Return the page of a program."""
    program = source(example)
    summary, details = _description(program)
    parts = [f"# {example.title}", summary]
    if run is not None and run.picture is not None:
        parts.append(f"![What the program draws]({example.name}.png)")
    parts += details
    if run is not None:
        parts.append(f"```console\n$ {run.command}\n{run.output.rstrip()}\n```")
        if run.command.count("--"):
            parts.append("This run is shorter than the default one, which takes no options.")
    parts += [f"## The program: examples/{example.name}.py", f"```python\n{program}```"]
    return "\n\n".join(parts) + "\n"


def index() -> str:
    """Return the page with all pictures."""
    cards = []
    for example in EXAMPLES:
        summary, _ = _description(source(example))
        link = f"{example.name}.md"
        lines = [f"**[{example.title}]({link})**", summary]
        if example.draws:
            lines.insert(0, f"[![{example.title}]({example.name}.png)]({link})")
        cards.append("-   " + "\n\n    ".join(lines))
    grid = '<div class="grid cards gallery" markdown>'
    return "\n\n".join([INTRODUCTION.rstrip(), grid, *cards, "</div>"]) + "\n"


def _description(program: str) -> tuple[str, list[str]]:
    """Return the first line of a program's docstring, and the paragraphs below the usage."""
    doc = ast.get_docstring(ast.parse(program)) or ""
    summary, *paragraphs = doc.split("\n\n")
    return summary, [text for text in paragraphs if not text.startswith("    ")]

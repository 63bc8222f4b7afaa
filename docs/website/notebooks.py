"""Notebooks from Python programs in percent format, executed, as pages of the site.

A cell begins with `# %%`, a cell of text with `# %% [markdown]`. The page of a cell with the tag
`solution`, written `# %% tags=["solution"]`, hides the cell until the reader opens it. A cell that
raises an error fails the build, unless it has the tag `raises-exception`.
"""

from __future__ import annotations

import base64
import functools
import os
import re
import tempfile
from collections.abc import Iterator
from typing import Any, NamedTuple

import jupytext
import nbclient
import nbformat

# For one cell. Chapters run next to other programs, so each uses one thread.
SECONDS = 300
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
# The colours of a terminal, in error messages.
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Chapter(NamedTuple):
    """An executed program: its page, its notebook, and its pictures by file name."""

    markdown: str
    notebook: str
    pictures: dict[str, bytes]


@functools.cache
def chapter(name: str, program: str) -> Chapter:
    """Execute a program in percent format.

    Args:
        name: the name of its file, without suffix; the names of the pictures begin with it.
        program: its text.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell raises an error.
    """
    notebook = jupytext.reads(program, fmt="py:percent")
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    empty = nbformat.writes(notebook)
    with tempfile.TemporaryDirectory() as folder:
        client = nbclient.NotebookClient(
            notebook,
            timeout=SECONDS,
            startup_timeout=SECONDS,
            resources={"metadata": {"path": folder}},
            extra_arguments=["--log-level=40"],  # errors only
        )
        client.execute(env=os.environ | ONE_THREAD)
    pictures: dict[str, bytes] = {}
    parts = [part for cell in notebook.cells for part in _cell(cell, name, pictures)]
    download = f"[Download this page as a notebook]({name}.ipynb){{ .notebook download }}"
    first, *others = parts
    title, _, rest = first.partition("\n")
    return Chapter("\n\n".join([title, download, rest, *others]) + "\n", empty, pictures)


def _cell(cell: Any, name: str, pictures: dict[str, bytes]) -> Iterator[str]:
    if cell.cell_type == "markdown":
        yield cell.source
        return
    if cell.cell_type != "code" or not cell.source.strip():
        return
    parts = [_fence("python", cell.source)]
    parts += [_output(output, name, pictures) for output in cell.outputs]
    if "solution" in cell.metadata.get("tags", ()):
        inside = "\n\n".join(part for part in parts if part)
        yield '??? success "Solution"\n\n' + re.sub(r"^(?=.)", "    ", inside, flags=re.MULTILINE)
    else:
        yield from (part for part in parts if part)


def _output(output: Any, name: str, pictures: dict[str, bytes]) -> str:
    if output.output_type == "stream":
        return _fence("text", output.text.rstrip("\n"), ".output")
    if output.output_type == "error":
        return _fence("text", COLOURS.sub("", output.traceback[-1]), ".output")
    data = output.data
    for kind, suffix in (("image/png", "png"), ("image/svg+xml", "svg")):
        if kind in data:
            file = f"{name}-{len(pictures) + 1}.{suffix}"
            picture = data[kind]
            pictures[file] = base64.b64decode(picture) if suffix == "png" else picture.encode()
            return f"![Output of the cell above]({file})"
    if "text/html" in data:
        return f'<div class="output">{data["text/html"]}</div>'
    return _fence("text", data.get("text/plain", ""), ".output")


def _fence(language: str, text: str, classes: str = "") -> str:
    ticks = "`" * max([3, *(len(run) + 1 for run in re.findall(r"`{3,}", text))])
    info = f"{{ .{language} {classes} }}" if classes else language
    return f"{ticks}{info}\n{text}\n{ticks}" if text else ""

"""Grading: run a submission in a new process, and collect what `check` finds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tinytorch_learn.notebooks import cells_of

# A cell that fails does not keep the next ones from running.
_RUN = """
import json, sys
with open(sys.argv[1], encoding="utf-8") as file:
    cells = json.load(file)
for cell in cells:
    try:
        exec(compile(cell, "submission", "exec"), globals())
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
from tinytorch_learn.exercise import results
with open(sys.argv[2], "w", encoding="utf-8") as file:
    json.dump(results, file)
"""


def grade(file: Path, timeout: float = 300) -> dict[str, str | None] | None:
    """Run a submission, and return what is wrong with each answer that it checks.

    Args:
        file: a notebook, or a script with `# %%` marks.
        timeout: after this many seconds the submission is ended.

    Returns:
        The exercises that the file checks, by number: None if the answer is right, otherwise the
        text that `check` prints. None if the file is not a notebook or a text, or did not finish.
    """
    try:
        submission = cells_of(file)
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError):
        return None
    # A few steps of training are enough, because no check looks at the trained model.
    environment = {"TINYTORCH_LEARN_STEPS": "4"} | os.environ
    with tempfile.TemporaryDirectory() as folder:
        cells, out = Path(folder, "cells.json"), Path(folder, "results.json")
        cells.write_text(json.dumps(submission), encoding="utf-8")
        try:
            subprocess.run(
                [sys.executable, "-c", _RUN, str(cells), str(out)],
                cwd=folder,
                env=environment,
                capture_output=True,
                timeout=timeout,
            )
            results: dict[str, str | None] = json.loads(out.read_text(encoding="utf-8"))
        except (subprocess.TimeoutExpired, FileNotFoundError, json.JSONDecodeError):
            return None
    return results

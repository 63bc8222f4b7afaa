"""Grade submissions of the learning path.

    python -m tinytorch_learn FILE... [--csv FILE]

Runs each notebook or script, cell by cell, and lists which exercises it solves. The code of the
submissions runs on this machine with your rights, so grade submissions of strangers in a container.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tinytorch_learn.exercise import exercises

# A cell that fails does not keep the next ones from running.
_RUN = """
import json, sys
from tinytorch_learn.exercise import results
cells = json.load(sys.stdin)
for cell in cells:
    try:
        exec(compile(cell, "submission", "exec"), globals())
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
with open(sys.argv[1], "w") as file:
    json.dump(results, file)
"""


def cells_of(file: Path) -> list[str]:
    """Return the code of a notebook or of a script with `# %%` marks, cell by cell.

    Lines that begin with % or !, which only notebooks understand, are left out.
    """
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".ipynb":
        found = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
        cells = ["".join(cell["source"]) for cell in found]
    else:
        cells = re.split(r"^(?=# %%)", text, flags=re.MULTILINE)
    return [re.sub(r"^\s*[%!].*$", "", cell, flags=re.MULTILINE) for cell in cells]


def grade(file: Path, timeout: float = 300) -> dict[str, str | None]:
    """Run a submission in a new process, and return what is wrong with each answer it checks.

    Args:
        file: a notebook or a script.
        timeout: after this many seconds the submission is ended.

    Returns:
        For the number of each exercise that the file checks None if the answer is right,
        otherwise the text that `check` printed. Empty if the file did not come to its end.
    """
    # One step of training is enough, because no check looks at the trained model.
    environment = {"TINYTORCH_LEARN_STEPS": "2", **os.environ}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "results.json")
        try:
            subprocess.run(
                [sys.executable, "-c", _RUN, str(out)],
                input=json.dumps(cells_of(file)),
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=timeout,
            )
            results: dict[str, str | None] = json.loads(out.read_text(encoding="utf-8"))
        except (subprocess.TimeoutExpired, FileNotFoundError, json.JSONDecodeError):
            return {}
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0 if every submission came to its end."""
    parser = argparse.ArgumentParser(
        "python -m tinytorch_learn", description=__doc__.split("\n")[0]
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="notebook or script")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="also write a table with 1 and 0")
    options = parser.parse_args(arguments)
    graded = {file: grade(file) for file in options.files}
    for file, results in graded.items():
        solved = [number for number, problem in results.items() if problem is None]
        print(f"{file}: {len(solved)} of {len(results)} solved")
        for number, problem in results.items():
            if problem is not None:
                print(f"  {number} {problem.partition(chr(10))[0]}")
    if options.csv:
        numbers = [n for n in exercises() if any(n in results for results in graded.values())]
        with options.csv.open("w", newline="", encoding="utf-8") as table:
            writer = csv.writer(table)
            writer.writerow(["file", *numbers])
            for file, results in graded.items():
                row = [int(n in results and results[n] is None) for n in numbers]
                writer.writerow([str(file), *row])
    return 0 if all(graded.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())

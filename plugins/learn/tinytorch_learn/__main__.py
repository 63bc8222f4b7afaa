"""The command of instructors: grade submissions, and write chapters without solutions."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

from tinytorch_learn.exercise import exercises
from tinytorch_learn.grading import grade
from tinytorch_learn.notebooks import strip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0, or 1 if a submission could not be graded.

    Args:
        arguments: those of the command line, by default those of this process.
    """
    parser = argparse.ArgumentParser("python -m tinytorch_learn", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    grading = commands.add_parser("grade", help="list which exercises submissions solve")
    grading.add_argument("files", nargs="+", type=Path, metavar="FILE", help="notebook or script")
    grading.add_argument("--csv", type=Path, metavar="FILE", help="also write a table of 1 and 0")
    grading.set_defaults(run=_grade)
    stripping = commands.add_parser("strip", help="write chapters without their solutions")
    stripping.add_argument("files", nargs="+", type=Path, metavar="FILE", help="notebook or script")
    stripping.add_argument("folder", type=Path, help="the folder to write into")
    stripping.set_defaults(run=_strip)
    options = parser.parse_args(arguments)
    for file in options.files:
        if not file.is_file():
            parser.error(f"{file} is not a file")
    status: int = options.run(options)
    return status


def _grade(options: argparse.Namespace) -> int:
    graded = {file: grade(file) for file in options.files}
    for file, results in graded.items():
        if results is None:
            print(f"{file}: cannot be read, or did not finish")
            continue
        solved = [number for number, problem in results.items() if problem is None]
        print(f"{file}: {len(solved)} of {len(results)} solved")
        for number, problem in results.items():
            if problem is not None:
                print(f"  {number} {problem.splitlines()[0]}")
    if options.csv:
        _write_table(options.csv, graded)
    return 1 if None in graded.values() else 0


def _write_table(file: Path, graded: dict[Path, dict[str, str | None] | None]) -> None:
    seen = {number for results in graded.values() for number in results or ()}
    numbers = [number for number in exercises() if number in seen]
    with file.open("w", newline="", encoding="utf-8") as table:
        writer = csv.writer(table)
        writer.writerow(["file", *numbers])
        for name, results in graded.items():
            row = [int((results or {}).get(number, "missing") is None) for number in numbers]
            writer.writerow([str(name), *row])


def _strip(options: argparse.Namespace) -> int:
    options.folder.mkdir(parents=True, exist_ok=True)
    for file in options.files:
        target = options.folder / file.name
        if target.exists() and target.samefile(file):
            raise SystemExit(f"{target} is the file to read; choose another folder")
        text, count = strip(file)
        target.write_text(text, encoding="utf-8")
        print(f"{target}: removed {count} solution{'s' * (count != 1)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

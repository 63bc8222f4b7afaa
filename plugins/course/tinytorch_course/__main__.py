"""Runs a program of the course: `python -m tinytorch_course program.py [arguments]`."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from tinytorch_course.imports import install

_USAGE = "usage: python -m tinytorch_course program.py [arguments]"


def main(arguments: list[str]) -> None:
    """Run a program as `python program.py [arguments]` does, after `install`.

    Exits with status 2 if the program is missing, and with 1 if `tinytorch` is something else.
    """
    if not arguments or arguments[0].startswith("-"):
        asked = arguments[:1] in (["-h"], ["--help"])
        print(_USAGE, file=sys.stdout if asked else sys.stderr)
        raise SystemExit(0 if asked else 2)
    program = Path(arguments[0])
    if not program.is_file():
        print(f"tinytorch_course: {program} is not a file", file=sys.stderr)
        raise SystemExit(2)
    sys.argv = arguments
    # The folder of the program takes the place of the working directory.
    sys.path[0] = str(program.resolve().parent)
    try:
        install()
    except ImportError as error:
        print(f"tinytorch_course: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    runpy.run_path(str(program), run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])

"""A program that runs a plugin's ops where no other plugin can be imported.

    python -m tinytorch_core.testing.alone NAME ABSENT...

The packages ABSENT seem not to be installed. A failure is printed as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from tinytorch_core import plugins
from tinytorch_core.testing import CheckFailure, check_plugin
from tinytorch_core.testing.untouched import everything, expect_unchanged


class _Absent:
    """Finds modules before anybody else does, and says that they do not exist."""

    def __init__(self, packages: Sequence[str]) -> None:
        self.packages = packages

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.partition(".")[0] in self.packages:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def main(name: str, *absent: str) -> int:
    """Runs the plugin's ops; the exit status is 1 where they fail."""
    sys.meta_path.insert(0, _Absent(absent))
    try:
        before = everything()
        for result in check_plugin(name, checks=["agrees_with_reference"]):
            if result.failure is not None:
                raise result.failure
        with plugins.only():
            expect_unchanged(before, "the plugin was imported")
    except CheckFailure as failure:
        found = {"expected": failure.expected, "found": failure.found, "remedy": failure.remedy}
        print(json.dumps(found))
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))

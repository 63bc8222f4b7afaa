"""A program that runs a plugin's ops where no other plugin can be imported.

    python -m tinytorch_devkit.isolated NAME ABSENT...

The packages ABSENT seem not to be installed. A failure is printed as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from tinytorch_core import PluginError

from tinytorch_devkit import CheckFailure, check_plugin


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
        for result in check_plugin(name, checks=["agrees_with_reference", "leaves_nothing_behind"]):
            if result.failure is not None:
                raise result.failure
    except CheckFailure as failure:
        print(json.dumps([failure.expected, failure.found, failure.remedy]))
        return 1
    except PluginError as error:
        expected = f"{name} to work where these are not installed: {', '.join(absent)}"
        print(json.dumps([expected, error.reason, _remedy(error)]))
        return 1
    return 0


def _remedy(error: PluginError) -> str:
    if "No module named" not in error.reason:
        return error.remedy
    return (
        "import another plugin only where its hooks call you, mark those @hookimpl("
        "optionalhook=True), and describe ops without it; or say that you need it: tinytorch_needs"
    )


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))

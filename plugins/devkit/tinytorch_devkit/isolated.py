"""A program that checks a plugin while other packages cannot be imported.

    python -m tinytorch_devkit.isolated NAME HIDDEN...

The packages HIDDEN appear not to be installed. A failure is printed as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from tinytorch_core import PluginError

from tinytorch_devkit import CheckFailure, check_plugin


class _Hide:
    """An import finder that goes first and raises ModuleNotFoundError for some packages."""

    def __init__(self, packages: Sequence[str]) -> None:
        self.packages = packages

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.partition(".")[0] in self.packages:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def main(name: str, *hidden: str) -> int:
    """Run the plugin's ops. Return the exit status: 0, or 1 if something fails."""
    sys.meta_path.insert(0, _Hide(hidden))
    try:
        for result in check_plugin(name, checks=["agrees_with_reference", "leaves_nothing_behind"]):
            if result.failure is not None:
                raise result.failure
    except CheckFailure as failure:
        print(json.dumps([failure.expected, failure.found, failure.remedy]))
        return 1
    except PluginError as error:
        expected = f"{name} to work where these are not installed: {', '.join(hidden)}"
        print(json.dumps([expected, error.reason, _remedy(error)]))
        return 1
    return 0


def _remedy(error: PluginError) -> str:
    if "No module named" not in error.reason:
        return error.remedy
    return (
        "import another plugin only inside the hooks that it calls, mark those hooks @hookimpl("
        "optionalhook=True), and describe the ops without it; or declare it in tinytorch_needs"
    )


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))

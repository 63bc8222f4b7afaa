"""Importing the package first, before the core and the plugins that need it."""

import subprocess
import sys

PROGRAM = """
import tinytorch_modules
from tinytorch_core import plugins
print([state.name for state in plugins.status() if not state.on])
"""


def test_all_plugins_are_on_if_modules_are_imported_first():
    command = [sys.executable, "-W", "error", "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")

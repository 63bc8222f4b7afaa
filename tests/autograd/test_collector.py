"""Runs `collector_tests.py` in a new process, in which a collection visits few objects."""

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).with_name("collector_tests.py")


def test_large_graphs_are_hidden_from_the_collector():
    options = ["-q", "-p", "no:cacheprovider", "--noconftest"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    # Plugins such as Hypothesis take longer to import than the tests run.
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, TESTS],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr

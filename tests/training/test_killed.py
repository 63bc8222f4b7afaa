"""A run that is killed and resumed gives the results of an uninterrupted run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

# Each process takes half a second; .ci/run asks for more.
KILLS = int(os.environ.get("TINYTORCH_KILLS", "5"))


def test_killed_runs_end_like_an_uninterrupted_one(tmp_path) -> None:
    script = Path(__file__).with_name("killed.py")
    done = subprocess.run(
        [sys.executable, script, str(KILLS), tmp_path], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = re.match(r"(\d+) processes killed, (\d+) of them after a step; (\d+) runs", done.stdout)
    killed, after_a_step, runs = map(int, found.groups())
    assert killed == KILLS
    assert after_a_step > KILLS / 2
    assert runs >= 1

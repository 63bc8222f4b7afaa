"""The program in the README prints the output in its comments."""

import subprocess
import sys
from pathlib import Path

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def test_the_program_prints_its_comments():
    program = README.split("```python\n")[1].split("```")[0]
    expected = [line.split("  # ")[1] for line in program.splitlines() if "print(" in line]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines() == expected, done.stderr

"""Follow the README and the first chapter of the learning path, as a new user does.

    python tests/isolation/first_steps.py dist

Starts in an empty folder with a Python that has nothing installed, runs the commands that the pages
show, and runs their programs. The only differences: pip takes our distributions from the folder of
wheels, and the optional requirements in brackets, such as `[jax]`, are left out.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import run

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CHAPTER = (ROOT / "docs" / "learn" / "01_tensor.py").read_text(encoding="utf-8")
# Lines that the programs print.
OF_THE_README = ("[2. 4. 6.]", "False", "True", "def mul(self, y):")
OF_THE_CHAPTER = (
    "(2, 3) 2 6 float32",
    "Exercise 1.1: not done yet",
    "Box([3.5 6.5])",
    "Tensor(5.)",
    "Tensor([1., 2.], label='weight')",
)


class User:
    """A user with a terminal in an empty folder.

    Args:
        folder: a new folder.
        links: the folders in which pip finds distributions; it does not ask an index.
    """

    def __init__(self, folder: Path, links: list[Path]) -> None:
        self.folder = folder
        folder.mkdir()
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TINYTORCH_", "PYTHON", "PIP_", "VIRTUAL_ENV"))
        }
        self.environment |= {
            "PATH": f"{folder / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PIP_NO_INDEX": "1",
            "PIP_NO_COMPILE": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_FIND_LINKS": " ".join(map(str, links)),
        }

    def run_command(self, command: str) -> str:
        """Run a command and return its output.

        Raises:
            RuntimeError: it fails or warns; the message contains its output.
        """
        print(f"$ {command}", flush=True)
        done = subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode or "Warning" in done.stdout:
            raise RuntimeError(f"{command}\n{done.stdout}")
        return done.stdout

    def run_program(self, program: str, file: str, expected: tuple[str, ...]) -> None:
        """Save a program in a file and run it.

        Raises:
            RuntimeError: it fails or warns, or does not print the expected lines.
        """
        (self.folder / file).write_text(program, encoding="utf-8")
        printed = self.run_command(f"python {file}").splitlines()
        missing = [line for line in expected if line not in printed]
        if missing:
            text = "\n".join(printed)
            raise RuntimeError(f"{file} does not print {missing[0]!r}, but:\n{text}")


def commands(page: str, section: str) -> list[str]:
    """Return the commands that a section shows for a terminal, without their comments."""
    text = page.partition(section)[2].partition("\n## ")[0]
    found = re.findall(r"^(?:# |    )((?:pip|python|source) .*)$", text, flags=re.MULTILINE)
    return [re.sub(r"\[\w+\]|\s+#.*", "", command).strip() for command in found]


def follow_the_readme(user: User) -> None:
    """Install the plugins, run the program of the first section, and the command `tinytorch`."""
    user.run_command(f"{sys.executable} -m venv .venv")
    shown = [c for c in commands(README, "\n## Installation\n") if "-r " not in c]
    assert len(shown) > 5, shown
    for command in shown:
        user.run_command(command)
    user.run_command("pip check")
    programs = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    user.run_program("".join(programs[:2]), "ten_lines.py", OF_THE_README)
    for name in ("plugins", "ops", "doctor"):
        user.run_command(f"tinytorch {name}")


def follow_the_chapter(user: User) -> None:
    """Install what the chapter names, and run its cells."""
    shown = commands(CHAPTER, "# 1. The tensor\n")
    assert [command.partition(" ")[0] for command in shown] == ["python", "source", "pip"], shown
    user.run_command(shown[0].replace("python", sys.executable, 1))
    user.run_command(f". {shown[1].removeprefix('source ')} && {shown[2]}")
    user.run_program(CHAPTER, "chapter.py", OF_THE_CHAPTER)


def main(dist: str) -> int:
    """Follow both pages and return the exit status."""
    wheels = Path(dist).resolve()
    with tempfile.TemporaryDirectory(prefix="tinytorch-first-steps-") as temporary:
        home = Path(temporary).resolve()
        requirements = home / "requirements"
        requirements.mkdir()
        run.download_requirements(run.one_wheel(wheels, "core"), requirements)
        links = [wheels, requirements]
        for name in ("training", "sklearn", run.DEVKIT):
            run.download_extra_requirements(name, home / name)
            links.append(home / name)
        for follow in (follow_the_readme, follow_the_chapter):
            try:
                follow(User(home / follow.__name__, links))
            except RuntimeError as error:
                print(f"FAILED  {follow.__name__}\n{error}")
                return 1
            print(f"ok      {follow.__name__}", flush=True)
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python tests/isolation/first_steps.py <folder of wheels>")
    raise SystemExit(main(sys.argv[1]))

"""Build the sdist of every distribution, with its tests, and run these tests.

    python .ci/sdists.py build dist
    python .ci/sdists.py requirements dist
    python .ci/sdists.py test dist [NAME ...]

The core's sdist contains the whole repository. That of a plugin contains `tests/NAME`, the modules
of other folders that these tests import, the files that they read, all at the same paths as in the
repository, the options of pytest, and `tests/requirements.txt`.
"""

import argparse
import ast
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What the tests of a plugin read, besides the modules that they import.
READ = {
    "autograd": ("docs/numpy-functions.md",),
    "compile": ("docs/compile.md", "examples/plugins"),
    "distributed": ("examples/from_laptop_to_cluster.py",),
    "learn": ("docs/learn",),
    "xla": ("examples",),
}
# What builds and runs leave behind.
UNWANTED = re.compile(r"/(__pycache__|build|[^/]+\.egg-info)/|\.png$")


def plugins() -> list[str]:
    """Return the folders in plugins/ that contain a distribution."""
    return sorted(file.parent.name for file in ROOT.glob("plugins/*/pyproject.toml"))


def files_in(folder: Path) -> set[Path]:
    """Return the files below a folder, or the path itself if it is a file."""
    paths = [folder, *folder.rglob("*")]
    return {path for path in paths if path.is_file() and not UNWANTED.search(path.as_posix())}


def imported(file: Path) -> Iterator[Path]:
    """Yield the files of tests/ and docs/ that a test module imports, and their conftest.py."""
    package = file.relative_to(ROOT).parts[:-1]
    for folder in (file.parent, *file.parents):
        if folder != ROOT and folder.is_relative_to(ROOT) and (folder / "conftest.py").exists():
            yield folder / "conftest.py"
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        above = package[: len(package) + 1 - node.level] if node.level else ()
        module = ROOT.joinpath(*above, *(node.module or "").split("."))
        if module.is_relative_to(ROOT / "tests") or module.is_relative_to(ROOT / "docs"):
            found = (module.with_suffix(".py"), *(module / f"{a.name}.py" for a in node.names))
            yield from filter(Path.exists, found)


def files_of_tests(name: str) -> set[Path]:
    """Return all files that the tests of a plugin need."""
    folders = [ROOT / "tests" / name, *(ROOT / each for each in READ.get(name, ()))]
    found = set().union(*map(files_in, folders))
    unread = [file for file in found if file.suffix == ".py" and "tests" in file.parts]
    while unread:
        new = {file for file in imported(unread.pop()) if file not in found}
        found |= new
        unread += new
    return found


def test_requirements() -> str:
    """Return requirements-dev.txt, with the names of our distributions instead of their folders."""
    text = (ROOT / "requirements-dev.txt").read_text("utf-8")
    text = re.sub(r"(?m)^-e \.$", "tinytorch-core", text)
    text = re.sub(r"(?m)^-e plugins/", "tinytorch-", text)
    return "\n".join(line for line in text.splitlines() if not line.startswith("#")) + "\n"


def pytest_options() -> str:
    """Return the table of pyproject.toml that configures pytest."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    (table,) = re.findall(r"(?ms)^\[tool\.pytest\.ini_options\]\n.*?(?=^\[|\Z)", text)
    return str(table)


def copy_files(files: Iterable[Path], home: Path, folder: Path) -> None:
    """Copy files to the same paths below `folder` as they have below `home`."""
    for file in files:
        copy = folder / file.relative_to(home)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)


def configure_tests(folder: Path) -> None:
    """Write the requirements of the tests, and the options of pytest, into the copy of a plugin."""
    (folder / "tests" / "requirements.txt").write_text(test_requirements(), "utf-8")
    (folder / "MANIFEST.in").write_text("graft tests\ngraft docs\ngraft examples\n", "utf-8")
    with (folder / "pyproject.toml").open("a", encoding="utf-8") as project:
        project.write("\n" + pytest_options())


def build(dist: Path) -> None:
    """Build the sdists into a folder."""
    command = [sys.executable, "-m", "build", "--quiet", "--sdist", "--no-isolation"]
    subprocess.run([*command, "--outdir", dist, ROOT], check=True)
    for name in plugins():
        with tempfile.TemporaryDirectory() as temporary:
            copy = Path(temporary, name)
            home = ROOT / "plugins" / name
            copy_files(files_in(home), home, copy)
            copy_files(files_of_tests(name), ROOT, copy)
            configure_tests(copy)
            subprocess.run([*command, "--outdir", dist, copy], check=True)


def test(dist: Path, names: list[str]) -> None:
    """Unpack the sdists of plugins and run their tests with the distributions of this environment.

    Raises:
        SystemExit: the tests of a plugin failed.
    """
    failed = []
    for name in names or plugins():
        (sdist,) = dist.glob(f"tinytorch_{name}-*.tar.gz")
        with tempfile.TemporaryDirectory() as temporary:
            with tarfile.open(sdist) as archive:
                archive.extractall(temporary, filter="data")
            (folder,) = Path(temporary).iterdir()
            print(f"{folder.name}: ", end="", flush=True)
            command = [sys.executable, "-m", "pytest", "-q", "-n", "auto", "tests"]
            one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            if subprocess.run(command, cwd=folder, env=os.environ | one_thread).returncode:
                failed.append(name)
    if failed:
        raise SystemExit(f"the tests in these sdists failed: {', '.join(failed)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=("build", "requirements", "test"))
    parser.add_argument("dist", type=Path, help="the folder of the built distributions")
    parser.add_argument("names", nargs="*", help="plugins whose tests to run; by default all")
    given = parser.parse_args()
    if given.action == "build":
        build(given.dist.resolve())
    elif given.action == "requirements":
        print(test_requirements(), end="")
    else:
        test(given.dist.resolve(), given.names)

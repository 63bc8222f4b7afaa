"""Run the test suite of the array API standard for NumPy and for Tensors, and compare the results.

    make array-api

It fails if NumPy passes a test that the namespace of Tensors does not pass. The suite is downloaded
from GitHub, so .ci/run, which works without a network, leaves this out; the CI workflow runs it.
"""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

REPOSITORY = "https://github.com/data-apis/array-api-tests"
# A commit that tests the version 2024.12 of the standard.
COMMIT = "d9428097ced3a338a66de058ad5a639b64348aec"
MODULES = ("numpy", "tinytorch_core.array_api")
ROOT = Path(__file__).parents[1]
# The suite divides this by ten for tests that compare single elements.
EXAMPLES = 200


def download(folder: Path) -> None:
    """Check out the suite, and the specification, which is a submodule, and install its needs."""
    if not folder.exists():
        subprocess.run(["git", "init", "--quiet", folder], check=True)
    for command in (
        ["fetch", "--quiet", "--depth=1", REPOSITORY, COMMIT],
        ["checkout", "--quiet", COMMIT],
        ["submodule", "--quiet", "update", "--init", "--depth=1"],
    ):
        subprocess.run(["git", "-C", folder, *command], check=True)
    install = [sys.executable, "-m", "pip", "install", "--quiet", "-r", folder / "requirements.txt"]
    subprocess.run([*install, "-c", ROOT / "constraints.txt"], check=True)


def passed(
    module: str, folder: Path, tests: Iterable[str] = ("array_api_tests",), examples: int = EXAMPLES
) -> set[str]:
    """Return the tests that a module passes; they are printed too."""
    results = folder / f"{module}.xml"
    environment = {"ARRAY_API_TESTS_MODULE": module, "ARRAY_API_TESTS_VERSION": "2024.12"}
    options = [f"--max-examples={examples}", "--derandomize", "--disable-deadline"]
    # This format contains the files of the tests.
    options += ["--junitxml", results.name, "-o", "junit_family=xunit1"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *tests, "-c", "pytest.ini", "-q", *options],
        cwd=folder,
        env={**os.environ, **environment, "PYTHONWARNINGS": "ignore"},
    )
    # 1: some tests failed. Everything else is an error of the run itself.
    if done.returncode not in (0, 1):
        sys.exit(f"The suite did not run for {module}: exit status {done.returncode}")
    return passed_in(results)


def passed_in(results: Path) -> set[str]:
    """Return the tests that passed, from a report in the format of JUnit."""
    cases = ElementTree.parse(results).getroot().iter("testcase")
    bad = ("failure", "error", "skipped")
    return {test_id(case) for case in cases if not any(case.find(b) is not None for b in bad)}


def test_id(case: ElementTree.Element) -> str:
    """Return the argument of pytest that selects a test of a report."""
    file = case.attrib["file"]
    module = file.removesuffix(".py").replace("/", ".")
    test_class = case.attrib["classname"].removeprefix(module).replace(".", "::")
    return f"{file}{test_class}::{case.attrib['name']}"


def only_by_chance(tests: set[str], folder: Path) -> set[str]:
    """Return those of the tests that NumPy does not pass with twenty times as many examples.

    The examples are not the same for both modules: Hypothesis also takes values from the source of
    the tested package. So only Tensors may have met an example with which NumPy fails too.
    """
    return tests - passed("numpy", folder, sorted(tests), 20 * EXAMPLES) if tests else set()


def report(numpy: set[str], tensors: set[str]) -> int:
    """Print the comparison; return 1 if a test that NumPy passes fails for Tensors, otherwise 0."""
    print(f"NumPy passes {len(numpy)} tests, and Tensors {len(tensors)}.")
    for title, names in (
        ("Only Tensors pass", tensors - numpy),
        ("Only NumPy passes", numpy - tensors),
    ):
        print(f"{title} {len(names)}:", *sorted(names), sep="\n    ")
    return int(not numpy <= tensors)


if __name__ == "__main__":
    suite = Path(sys.argv[1])
    download(suite)
    numpy, tensors = (passed(module, suite) for module in MODULES)
    numpy -= only_by_chance(numpy - tensors, suite)
    sys.exit(report(numpy, tensors))

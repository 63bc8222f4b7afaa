"""Install sets of distributions from wheels, each set in a new environment, and test it.

    python tests/isolation/run.py dist

Fails if an environment contains anything other than its set, or if a check of ``probe.py`` fails.
This is a program rather than a pytest test because the environments contain neither this checkout
nor, except with tinytorch-devkit, pytest.
"""

import os
import subprocess
import sys
import tempfile
import time
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

REQUIREMENTS = ("numpy", "packaging", "pluggy", "tomlkit")
PLUGINS = (
    *("autograd", "activations", "losses", "layers", "training"),
    *("compile", "distributed", "xla"),
)
# The base class of modules: not a plugin, and installed with the plugins that need it.
MODULES = "modules"
NEED_MODULES = {"activations", "losses", "layers", "training", "distributed"}
# The names of the TinyTorch course: not an installed plugin, and nothing may need it.
COURSE = "course"
# Not plugins, and nothing may need them; the second without PyTorch.
LIBRARIES = ("sklearn", "torch")
# The tools for plugin authors: not a plugin, and nothing may need it.
DEVKIT = "devkit"
# Third-party plugins; their wheels are in the subfolder examples/.
EXAMPLES = ("amp", "named", "profiler", "special", "swish")
# Further requirements, visible only to the environments that need them.
EXTRA_REQUIREMENTS = {
    "training": ("tqdm>=4.64",),
    "sklearn": ("scikit-learn>=1.5",),
    "special": ("scipy>=1.13",),
    DEVKIT: ("packaging>=22", "pytest>=8.2"),
}
# The core alone, each plugin with as few others as possible, common combinations, and all. The
# number of all subsets would double with every new plugin.
SUBSETS: tuple[tuple[str, ...], ...] = (
    (),
    ("autograd",),
    ("activations",),
    ("losses",),
    ("layers",),
    ("autograd", "activations"),
    ("autograd", "losses"),
    ("autograd", "layers"),
    ("activations", "layers"),
    ("autograd", "training"),
    ("autograd", "layers", "training", "distributed"),
    ("compile",),
    ("autograd", "compile"),
    ("xla",),
    ("autograd", "activations", "losses"),
    PLUGINS,
    ("autograd", "activations", "losses", "layers", "training", COURSE),
    ("autograd", "activations", "losses", "layers", "training", *LIBRARIES),
    (*PLUGINS, *EXAMPLES),
    (DEVKIT,),
    (*PLUGINS, *EXAMPLES, DEVKIT),
)
PROBE = Path(__file__).with_name("probe.py").resolve()
# pip runs outside of the environments (`--python`): without pip they are created much faster.
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")


def run(*command: object, cwd: Path) -> str:
    """Run a command without the caller's Python and TinyTorch settings, and return its output.

    Raises:
        RuntimeError: the command failed; the message contains its output.
    """
    settings = ("TINYTORCH_", "PYTHON")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(settings)}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment | {"TINYTORCH_STRICT": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{done.stdout}")
    return done.stdout


def one_wheel(folder: Path, name: str) -> Path:
    """Return the wheel of a distribution in ``folder``."""
    found = sorted(folder.glob(f"tinytorch_{name}-*.whl"))
    if len(found) != 1:
        raise SystemExit(f"expected one wheel of tinytorch-{name} in {folder}, found {len(found)}")
    return found[0]


def download_requirements(core: Path, into: Path) -> None:
    """Download the core's requirements, and check that they are exactly the expected ones."""
    run(*PIP, "download", "--quiet", "--only-binary", ":all:", "--dest", into, core, cwd=into)
    names = {file.name.split("-")[0] for file in into.iterdir()}
    if names != {"tinytorch_core", *REQUIREMENTS}:
        raise SystemExit(f"tinytorch-core may require only {REQUIREMENTS}, but pip got {names}")


def download_extra_requirements(name: str, into: Path) -> None:
    """Download the further requirements of one distribution, and theirs, into a new folder."""
    into.mkdir()
    pip = (*PIP, "download", "--quiet", "--only-binary", ":all:")
    run(*pip, "--dest", into, *EXTRA_REQUIREMENTS[name], cwd=into)


def check_subset(subset: tuple[str, ...], wheels: dict[str, Path], folder: Path) -> str | None:
    """Install the core and this subset, run the probe, and return the error if there is one."""
    label = " + ".join(("core", *subset))
    home = folder / label.replace(" ", "")
    start = time.perf_counter()
    try:
        venv.create(home, with_pip=False, symlinks=True)
        python = home / "bin" / "python"
        pip = (*PIP, "--python", python)
        # Without compiling: the environment is used once, and compiling numpy takes longer.
        options = ["--quiet", "--no-compile", "--no-index", "--find-links", folder / "requirements"]
        for name in set(subset) & set(EXTRA_REQUIREMENTS):
            options += ["--find-links", folder / name]
        modules = (MODULES,) if NEED_MODULES & set(subset) else ()
        names = ("core", *modules, *subset)
        run(*pip, "install", *options, *(wheels[name] for name in names), cwd=home)
        run(*pip, "check", cwd=home)
        # -W error: a numerical overflow, for example, warns.
        run(python, "-I", "-W", "error", PROBE, *subset, cwd=home)
    except RuntimeError as error:
        print(f"FAILED  {label}", flush=True)
        return f"{label}: {error}"
    print(f"ok      {label} ({time.perf_counter() - start:.0f} s)", flush=True)
    return None


def main(dist: str) -> int:
    """Check all subsets and return the exit status: 0 if every check passed."""
    ours = ("core", MODULES, *PLUGINS, COURSE, *LIBRARIES, DEVKIT)
    wheels = {name: one_wheel(Path(dist).resolve(), name) for name in ours}
    wheels |= {name: one_wheel(Path(dist, "examples").resolve(), name) for name in EXAMPLES}
    with tempfile.TemporaryDirectory(prefix="tinytorch-isolation-") as temporary:
        folder = Path(temporary).resolve()
        (folder / "requirements").mkdir()
        download_requirements(wheels["core"], folder / "requirements")
        for name in EXTRA_REQUIREMENTS:
            download_extra_requirements(name, folder / name)
        with ThreadPoolExecutor(max_workers=2) as pool:
            problems = pool.map(lambda subset: check_subset(subset, wheels, folder), SUBSETS)
            failed = [problem for problem in problems if problem]
    for problem in failed:
        print(f"\n{problem}")
    print(f"{len(SUBSETS) - len(failed)} of {len(SUBSETS)} environments passed")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python tests/isolation/run.py <folder of wheels>")
    raise SystemExit(main(sys.argv[1]))

"""Install sets of plugins from wheels, each in an environment of its own, and probe it.

    python tests/isolation/run.py dist

Fails if an environment holds other plugins than the ones put there, or behaves otherwise than
``probe.py`` expects. No test of pytest's: the environments hold neither pytest nor this checkout.
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
PLUGINS = ("autograd", "activations", "losses", "layers", "training")
# What some of them need besides; environments without them do not see it.
BESIDES = {"training": ("safetensors>=0.4.4", "tqdm>=4.64"), "special": ("scipy>=1.13",)}
# By third parties; their wheels lie in the folder of that name.
EXAMPLES = ("profiler", "special", "swish")
# None, each alone as far as it needs no other, each with the one that it uses, what is used
# together, and all. All subsets would be twice as many with every new plugin.
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
    ("autograd", "activations", "losses"),
    PLUGINS,
    (*PLUGINS, *EXAMPLES),
)
PROBE = Path(__file__).with_name("probe.py").resolve()
# pip installs from outside (`--python`), so the environments need no pip, and start in no time.
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")


def run(*command: object, cwd: Path) -> str:
    """The output of a command that must succeed, started with none of the caller's settings."""
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
    """The one wheel of a distribution in ``folder``."""
    found = sorted(folder.glob(f"tinytorch_{name}-*.whl"))
    if len(found) != 1:
        raise SystemExit(f"expected one wheel of tinytorch-{name} in {folder}, found {len(found)}")
    return found[0]


def download_requirements(core: Path, into: Path) -> None:
    """Fetch what the core's own metadata asks for, once, and check that it asks for no more."""
    run(*PIP, "download", "--quiet", "--only-binary", ":all:", "--dest", into, core, cwd=into)
    names = {file.name.split("-")[0] for file in into.iterdir()}
    if names != {"tinytorch_core", *REQUIREMENTS}:
        raise SystemExit(f"tinytorch-core should need {REQUIREMENTS} only, it brought {names}")


def download_what_else(plugin: str, into: Path) -> None:
    """Fetch what a plugin needs besides, into a folder that others do not see."""
    into.mkdir()
    pip = (*PIP, "download", "--quiet", "--only-binary", ":all:", "--no-deps")
    run(*pip, "--dest", into, *BESIDES[plugin], cwd=into)


def try_subset(subset: tuple[str, ...], wheels: dict[str, Path], folder: Path) -> str | None:
    """None if the environment with exactly this subset behaves, else what went wrong."""
    label = " + ".join(("core", *subset))
    home = folder / label.replace(" ", "")
    start = time.perf_counter()
    try:
        venv.create(home, with_pip=False, symlinks=True)
        python = home / "bin" / "python"
        pip = (*PIP, "--python", python)
        # The environment is used once: compiling all of numpy would take longer than that.
        options = ["--quiet", "--no-compile", "--no-index", "--find-links", folder / "requirements"]
        for plugin in set(subset) & set(BESIDES):
            options += ["--find-links", folder / plugin]
        run(*pip, "install", *options, *(wheels[name] for name in ("core", *subset)), cwd=home)
        run(*pip, "check", cwd=home)
        # Isolated, and with warnings as errors: an overflow would be one.
        run(python, "-I", "-W", "error", PROBE, *subset, cwd=home)
    except RuntimeError as error:
        print(f"FAILED  {label}", flush=True)
        return f"{label}: {error}"
    print(f"ok      {label} ({time.perf_counter() - start:.0f} s)", flush=True)
    return None


def main(dist: str) -> int:
    """The exit status: 0 if all of them behave."""
    wheels = {name: one_wheel(Path(dist).resolve(), name) for name in ("core", *PLUGINS)}
    wheels |= {name: one_wheel(Path(dist, "examples").resolve(), name) for name in EXAMPLES}
    with tempfile.TemporaryDirectory(prefix="tinytorch-isolation-") as name:
        folder = Path(name).resolve()
        (folder / "requirements").mkdir()
        download_requirements(wheels["core"], folder / "requirements")
        for plugin in BESIDES:
            download_what_else(plugin, folder / plugin)
        with ThreadPoolExecutor(max_workers=2) as pool:
            problems = pool.map(lambda subset: try_subset(subset, wheels, folder), SUBSETS)
            failed = [problem for problem in problems if problem]
    for problem in failed:
        print(f"\n{problem}")
    print(f"{len(SUBSETS) - len(failed)} of {len(SUBSETS)} environments behave as they should")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python tests/isolation/run.py <folder of wheels>")
    raise SystemExit(main(sys.argv[1]))

"""Print pip constraints that select the oldest allowed version of every dependency."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
METADATA = ("pyproject.toml", "plugins/*/pyproject.toml", "examples/plugins/*/pyproject.toml")


def requirements() -> list[str]:
    """Return the requirements of every distribution and its extras, and those for development."""
    lines = (ROOT / "requirements-dev.txt").read_text("utf-8").splitlines()
    for file in [path for pattern in METADATA for path in ROOT.glob(pattern)]:
        project = tomllib.loads(file.read_text("utf-8"))["project"]
        lines += project["dependencies"]
        for extra in project.get("optional-dependencies", {}).values():
            lines += extra
    return lines


def main() -> None:
    """Print a line for each dependency; where bounds differ, the highest applies."""
    oldest: dict[str, tuple[int, ...]] = {}
    for line in requirements():
        found = re.match(r"([\w.-]+)(?:\[.*\])?>=([\d.]+)", line)
        if found and not found[1].startswith("tinytorch-"):
            version = tuple(map(int, found[2].split(".")))
            oldest[found[1]] = max(version, oldest.get(found[1], ()))
    for name, version in sorted(oldest.items()):
        print(f"{name}=={'.'.join(map(str, version))}")


if __name__ == "__main__":
    main()

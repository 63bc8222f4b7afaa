"""Give every distribution a version, and the bounds between them that belong to it.

    make version VERSION=0.2.0

The version is that of the core. The other places repeat it, because each distribution is built from
its own folder, and from an sdist that contains no other.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Where the version is, and where bounds such as `tinytorch-core>=0.1,<0.2` are.
VERSIONS = ("CITATION.cff", "tinytorch_core/__init__.py", "plugins/*/tinytorch_*/__init__.py")
BOUNDS = ("plugins/*/pyproject.toml", "examples/plugins/*/pyproject.toml", "docs/*.md")


def files(root: Path, patterns: tuple[str, ...]) -> list[Path]:
    """Return the files that match patterns."""
    return sorted(file for pattern in patterns for file in root.glob(pattern))


def set_version(version: str, root: Path = ROOT) -> list[Path]:
    """Write a version, such as "0.2.0", into all files, and return those that have changed.

    Raises:
        ValueError: the version does not consist of three numbers.
    """
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise ValueError(f"the version must be three numbers, such as 0.2.0, not {version!r}")
    major, minor = map(int, version.split(".")[:2])
    in_place = {
        VERSIONS: (r'(?m)^(__version__ = "|version: )\d+\.\d+\.\d+', rf"\g<1>{version}"),
        BOUNDS: (
            r"(tinytorch-[\w-]+(?:\[[^]]*\])?)>=\d+\.\d+,<\d+\.\d+",
            rf"\g<1>>={major}.{minor},<{major}.{minor + 1}",
        ),
    }
    changed = []
    for patterns, (pattern, replacement) in in_place.items():
        for file in files(root, patterns):
            before = file.read_text("utf-8")
            after = re.sub(pattern, replacement, before)
            if after != before:
                file.write_text(after, "utf-8")
                changed.append(file)
    return changed


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python .ci/set_version.py VERSION")
    for path in set_version(sys.argv[1]):
        print(path.relative_to(ROOT))

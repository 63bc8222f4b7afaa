"""Write the public addresses into the metadata of every distribution and into CITATION.cff.

    make urls REPOSITORY=https://github.com/<owner>/tinytorch SITE=https://<owner>.github.io/tinytorch/

A second call replaces the addresses of the first.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
METADATA = ("pyproject.toml", "plugins/*/pyproject.toml")


def table(repository: str, site: str) -> str:
    """Return the table [project.urls]."""
    return (
        "[project.urls]\n"
        f'Documentation = "{site}"\n'
        f'Source = "{repository}"\n'
        f'Issues = "{repository}/issues"\n'
        f'Changelog = "{repository}/blob/main/CHANGELOG.md"\n'
    )


def set_urls(repository: str, site: str, root: Path = ROOT) -> list[Path]:
    """Write the addresses into all files, and return these files.

    Raises:
        ValueError: an address does not begin with https:// or contains white space or quotes.
    """
    for url in (repository, site):
        if not re.fullmatch(r'https://[^\s"]+', url):
            raise ValueError(f"an address must begin with https://, as {url!r} does not")
    repository = repository.rstrip("/")
    written = sorted(file for pattern in METADATA for file in root.glob(pattern))
    for file in written:
        text = re.sub(r"\[project\.urls\]\n(?:.+\n)*\n", "", file.read_text("utf-8"))
        before, line, after = text.partition('\ndynamic = ["version"]\n\n')
        file.write_text(f"{before}{line}{table(repository, site)}\n{after}", "utf-8")
    citation = root / "CITATION.cff"
    text = re.sub(r"(?m)^(repository-code|url): .*\n", "", citation.read_text("utf-8"))
    lines = f"license: MIT\nrepository-code: {repository}\nurl: {site}\n"
    citation.write_text(text.replace("license: MIT\n", lines), "utf-8")
    return [*written, citation]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: python .ci/set_urls.py REPOSITORY SITE")
    for path in set_urls(*sys.argv[1:]):
        print(path.relative_to(ROOT))

"""The links of the built site: every one within it leads to a file and an anchor.

    python -m docs.website.links site

lists the links to other sites, which are not followed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urldefrag, urlsplit

# The address of every element that loads something, and those that readers follow.
ATTRIBUTES = {"a": "href", "link": "href", "img": "src", "script": "src", "iframe": "src"}
# Shown for addresses that do not exist, so its own links are relative to the root of the server.
SKIPPED = {"404.html"}


class Page(HTMLParser):
    """The anchors and the links of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: set[tuple[str, str]] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the anchor and the link of an element."""
        values = {name: value for name, value in attrs if value is not None}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if ATTRIBUTES.get(tag) in values:
            self.links.add((tag, values[ATTRIBUTES[tag]]))


class Links(NamedTuple):
    """What is wrong with the links of a site, and those to other sites."""

    broken: list[str]
    external: list[str]


def check(site: Path) -> Links:
    """Read every page of a built site."""
    files = {file for file in site.rglob("*.html") if file.name not in SKIPPED}
    pages = {file.resolve(): Page(file.read_text("utf-8")) for file in files}
    broken, external = [], set()
    for file, page in sorted(pages.items()):
        for tag, link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme in {"http", "https"}:
                external.add(link)
                if tag in {"img", "script", "iframe"}:
                    broken.append(f"{file.relative_to(site.resolve())} loads {link}")
            elif not parts.scheme and not _leads_somewhere(file, link, pages):
                broken.append(f"{file.relative_to(site.resolve())} links to {link}")
    return Links(broken, sorted(external))


def _leads_somewhere(file: Path, link: str, pages: dict[Path, Page]) -> bool:
    path, anchor = urldefrag(link)
    target = (file.parent / unquote(urlsplit(path).path)).resolve() if path else file
    if target.is_dir():
        target /= "index.html"
    if not target.exists():
        return False
    # Anchors are known in pages only, not in other files.
    return not anchor or target not in pages or unquote(anchor) in pages[target].anchors


def main(site: str = "site") -> Iterator[str]:
    """Yield the links of a site to other sites."""
    yield from check(Path(site)).external


if __name__ == "__main__":
    print(*main(*sys.argv[1:]), sep="\n")

"""What the pages of docs/ show is what happens, and every page can be found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
# Followed by a test of its own, from an empty folder.
ELSEWHERE = {"publish-an-op.md"}

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(DOCS)))


def programs(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize(
    "page", [p for p in PAGES if programs(p) and p.name not in ELSEWHERE], ids=lambda p: p.stem
)
def test_the_programs_print_what_stands_beside_them(
    page: Path,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    for program in programs(page):
        exec(compile(program, page.name, "exec"), names)
        printed = capsys.readouterr().out.splitlines()
        for line in program.splitlines():
            if line.lstrip().startswith("print(") and "  # " in line:
                assert line.partition("  # ")[2].strip() in printed, line


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in link:
            assert (page.parent / link).exists(), link


@every_page
def test_every_page_is_linked_from_the_first(page: Path) -> None:
    first = DOCS / "README.md"
    linked = re.findall(r"\]\(([^)#]+)", first.read_text(encoding="utf-8"))
    assert page == first or str(page.relative_to(DOCS)) in linked

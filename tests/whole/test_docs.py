"""The programs in docs/ and the READMEs of packages print what these show; links lead somewhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
READMES = sorted(DOCS.parent.glob("plugins/*/README.md"))
# test_publish_an_op.py follows this page, starting in an empty folder.
TESTED_ELSEWHERE = {"publish-an-op"}
# The packages that programs need in addition.
NEEDS = {"xla": "jax", "tinytorch-xla": "jax", "tinytorch-torch": "torch"}

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(DOCS)))


def programs(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def name_of(page: Path) -> str:
    """Return the name of a page, or of the distribution whose README it is."""
    return f"tinytorch-{page.parent.name}" if page.name == "README.md" else page.stem


def shown(program: str) -> Iterator[str]:
    """Yield what a program prints by the comments behind its calls of print."""
    lines = program.splitlines()
    for node in ast.walk(ast.parse(program)):
        if isinstance(node, ast.Expr) and ast.unparse(node).startswith("print("):
            _, comment, text = lines[(node.end_lineno or 0) - 1].partition("  # ")
            if comment:
                yield text.strip()


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(p, id=name, marks=[pytest.mark.peers(NEEDS[name])] if name in NEEDS else [])
        for p in [*PAGES, *READMES]
        if programs(p) and (name := name_of(p)) not in TESTED_ELSEWHERE
    ],
)
def test_the_programs_print_what_their_comments_show(
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
        for line in shown(program):
            assert line in printed


def test_comments_behind_calls_of_several_lines_are_read() -> None:
    program = "if x:\n    print(\n        1,\n    )  # 1\nprint(2)  # 2\nprint(3)\nnone()  # 4"
    assert sorted(shown(program)) == ["1", "2"]


@every_page
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = page.parent / file if file else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@every_page
def test_the_first_page_links_to_every_page(page: Path) -> None:
    first = DOCS / "README.md"
    linked = re.findall(r"\]\(([^)#]+)", first.read_text(encoding="utf-8"))
    assert page == first or page.relative_to(DOCS).as_posix() in linked


def test_the_terms_of_the_glossary_are_sorted() -> None:
    text = (DOCS / "glossary.md").read_text(encoding="utf-8")
    terms = re.findall(r"^\*\*(.+?)\*\*: ", text, flags=re.MULTILINE)
    assert terms == sorted(terms)
    assert len(terms) == len(set(terms)) > 30

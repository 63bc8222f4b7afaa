"""The chapters of the learning path: their files and cells."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs" / "learn"
CHAPTERS = sorted(FOLDER.glob("[0-9]*.py"))


def cells(chapter: Path) -> list[str]:
    """Return the cells of a chapter, each with the line that begins it."""
    return re.split(r"^(?=# %%)", chapter.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]


def solutions(chapter: Path) -> dict[str, str]:
    """Return the solutions that a chapter shows, by the number of the exercise."""
    found = {}
    for cell in cells(chapter):
        if cell.startswith('# %% [markdown] tags=["solution"]'):
            text = re.sub(r"^# ?", "", cell, flags=re.MULTILINE)
            (number,) = re.findall(r"<summary>Solution of exercise (\d\.\d)</summary>", text)
            (found[number],) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    return found


def code(chapter: Path) -> str:
    """Return the code of a chapter, and the solutions that it shows."""
    own = [cell for cell in cells(chapter) if cell.startswith("# %%\n")]
    return "\n".join([*own, *solutions(chapter).values()])

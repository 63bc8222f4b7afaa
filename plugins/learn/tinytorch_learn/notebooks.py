"""Reading the cells of chapters: notebooks, and scripts in which `# %%` begins a cell."""

from __future__ import annotations

import json
import re
from pathlib import Path


def cells_of(file: Path) -> list[str]:
    """Return the code of a notebook or script, cell by cell.

    Lines that begin with % or !, which only notebooks understand, are left out.
    """
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".ipynb":
        found = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
        cells = ["".join(cell["source"]) for cell in found]
    else:
        cells = [cell for cell in _cells(text) if not cell.startswith("# %% [markdown]")]
    return [re.sub(r"^\s*[%!].*$", "", cell, flags=re.MULTILINE) for cell in cells]


def strip(file: Path) -> tuple[str, int]:
    """Return the text of a chapter without the cells tagged `solution`, and their number."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".ipynb":
        notebook = json.loads(text)
        before = notebook["cells"]
        notebook["cells"] = [
            cell for cell in before if "solution" not in cell["metadata"].get("tags", [])
        ]
        count = len(before) - len(notebook["cells"])
        return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", count
    cells = _cells(text)
    kept = [cell for cell in cells if 'tags=["solution"]' not in cell.partition("\n")[0]]
    return "".join(kept), len(cells) - len(kept)


def _cells(text: str) -> list[str]:
    """Return the cells of a script; the first is what precedes the first mark."""
    return re.split(r"^(?=# %%)", text, flags=re.MULTILINE)

"""Instructors grade submissions and write chapters without solutions."""

from __future__ import annotations

import json

import pytest

from tests.learn.chapters import CHAPTERS, cells, solutions
from tinytorch_learn.__main__ import main
from tinytorch_learn.grading import grade

PAGE = CHAPTERS[4]


def submission(answers: dict[str, str]) -> str:
    """Return a script that answers some exercises of chapter 5."""
    checks = [
        f"# %%\n{text}\ncheck('{number}', {text.partition('def ')[2].partition('(')[0]})\n"
        for number, text in answers.items()
    ]
    head = "# %%\nimport numpy as np\nfrom tinytorch_core.extend import op\n"
    return head + "from tinytorch_learn import check\n" + "".join(checks)


def notebook(text: str) -> str:
    """Return the cells of a script as a notebook."""
    found = [
        {"cell_type": "code", "metadata": {}, "source": [cell]} for cell in text.split("# %%\n")
    ]
    found.append({"cell_type": "code", "metadata": {}, "source": ["%pip list\n", "!ls\n", "1 / 0"]})
    solution = {"cell_type": "markdown", "metadata": {"tags": ["solution"]}, "source": ["..."]}
    return json.dumps({"cells": [*found, solution], "nbformat": 4, "nbformat_minor": 5})


def test_submissions_are_graded(tmp_path, capsys):
    right = solutions(PAGE)
    wrong = {**right, "5.2": right["5.2"].replace("powers /", "")}
    wrong["5.3"] = "def softmax_rule(grad, out):\n    raise NotImplementedError\n"
    (tmp_path / "ada.py").write_text(submission(right), encoding="utf-8")
    (tmp_path / "alan.ipynb").write_text(notebook(submission(wrong)), encoding="utf-8")
    files = [str(tmp_path / name) for name in ("ada.py", "alan.ipynb")]
    assert main(["grade", *files, "--csv", str(tmp_path / "marks.csv")]) == 0
    assert capsys.readouterr().out == (
        f"{files[0]}: 4 of 4 solved\n"
        f"{files[1]}: 1 of 4 solved\n"
        "  5.2 not right yet\n  5.3 not done yet\n  5.4 not right yet\n"
    )
    table = (tmp_path / "marks.csv").read_text(encoding="utf-8").splitlines()
    assert table == ["file,5.1,5.2,5.3,5.4", f"{files[0]},1,1,1,1", f"{files[1]},1,0,0,0"]


def test_a_submission_that_does_not_come_to_its_end_is_named(tmp_path, capsys):
    file = tmp_path / "endless.py"
    file.write_text("import os\nos._exit(0)\n", encoding="utf-8")
    assert main(["grade", str(file)]) == 1
    assert capsys.readouterr().out == f"{file}: did not come to its end\n"


def test_a_submission_is_ended_after_the_timeout(tmp_path):
    file = tmp_path / "endless.py"
    file.write_text("while True:\n    pass\n", encoding="utf-8")
    assert grade(file, timeout=0.2) is None


def test_the_solutions_can_be_removed(tmp_path, capsys):
    assert main(["strip", str(PAGE), str(tmp_path / "handout")]) == 0
    stripped = tmp_path / "handout" / PAGE.name
    assert capsys.readouterr().out == f"{stripped}: removed 4 solutions\n"
    assert solutions(stripped) == {}
    assert len(cells(stripped)) == len(cells(PAGE)) - 4


def test_the_solutions_of_a_notebook_can_be_removed(tmp_path, capsys):
    file = tmp_path / "chapter.ipynb"
    file.write_text(notebook("x = 1\n"), encoding="utf-8")
    main(["strip", str(file), str(tmp_path / "handout")])
    assert "removed 1 solution\n" in capsys.readouterr().out
    left = json.loads((tmp_path / "handout" / file.name).read_text(encoding="utf-8"))
    assert [cell["cell_type"] for cell in left["cells"]] == ["code", "code"]


def test_a_chapter_is_not_overwritten(tmp_path):
    file = tmp_path / PAGE.name
    file.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(SystemExit, match="choose another folder"):
        main(["strip", str(file), str(tmp_path)])
    assert len(solutions(file)) == 4

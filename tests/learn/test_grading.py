"""Instructors grade submissions and write chapters without solutions."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.learn.chapters import CHAPTERS, FOLDER, cells, solutions
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
    # The first of these lines is only for notebooks, and the last one fails.
    found.insert(
        0, {"cell_type": "code", "metadata": {}, "source": ["%pip list\n", "!ls\n", "1 / 0"]}
    )
    solution = {"cell_type": "markdown", "metadata": {"tags": ["solution"]}, "source": ["..."]}
    return json.dumps({"cells": [*found, solution], "nbformat": 4, "nbformat_minor": 5})


def command_on_the_page(name: str) -> tuple[list[str], str]:
    """Return the arguments and the output of a command that the page for instructors shows."""
    text = (FOLDER / "instructors.md").read_text(encoding="utf-8")
    pattern = rf"\$ python -m tinytorch_learn ({name} .*)\n((?:.+\n)*?)```"
    ((arguments, output),) = re.findall(pattern, text)
    return arguments.split(), output


def test_submissions_are_graded_as_the_page_shows(tmp_path, capsys, monkeypatch):
    right = solutions(PAGE)
    wrong = {**right, "5.2": right["5.2"].replace("powers /", "")}
    for number in ("5.3", "5.4"):
        head = right[number].partition("\n")[0]
        wrong[number] = f"{head}\n    raise NotImplementedError\n"
    monkeypatch.chdir(tmp_path)
    Path("ada.py").write_text(submission(right), encoding="utf-8")
    Path("alan.py").write_text(submission(wrong), encoding="utf-8")
    arguments, output = command_on_the_page("grade")
    assert main(arguments) == 0
    assert capsys.readouterr().out == output
    table = Path("marks.csv").read_text(encoding="utf-8").splitlines()
    assert table == ["file,5.1,5.2,5.3,5.4", "ada.py,1,1,1,1", "alan.py,1,0,0,0"]


def test_a_notebook_is_graded_although_cells_fail(tmp_path):
    file = tmp_path / "ada.ipynb"
    file.write_text(notebook(submission({"5.1": solutions(PAGE)["5.1"]})), encoding="utf-8")
    assert grade(file) == {"5.1": None}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ends.py", "import os\nos._exit(0)\n"),
        ("empty.ipynb", ""),
        ("other.ipynb", "{}"),
        ("latin.py", "x = '\xe9'\n"),
    ],
)
def test_a_submission_that_cannot_be_graded_is_named(name, text, tmp_path, capsys):
    file = tmp_path / name
    file.write_text(text, encoding="latin-1")
    assert main(["grade", str(file)]) == 1
    assert capsys.readouterr().out == f"{file}: cannot be read, or did not finish\n"


@pytest.mark.parametrize("command", [["grade", "ada.py"], ["strip", "ada.py", "handout"]])
def test_a_missing_file_is_named(command, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        main(command)
    assert "ada.py is not a file" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_submission_is_ended_after_the_timeout(tmp_path):
    file = tmp_path / "endless.py"
    file.write_text("while True:\n    pass\n", encoding="utf-8")
    assert grade(file, timeout=0.2) is None


def test_the_solutions_are_removed_as_the_page_shows(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments, output = command_on_the_page("strip")
    Path(arguments[1]).write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    assert main(arguments) == 0
    assert capsys.readouterr().out == output
    stripped = Path("handout", PAGE.name)
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

"""Each chapter runs from top to bottom, and shows the code of the package."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.learn.chapters import CHAPTERS, FOLDER, cells, code, solutions
from tinytorch_learn import exercises

ROOT = FOLDER.parents[1]
each_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda file: file.stem)
needs_repository = pytest.mark.skipif(
    not (ROOT / "tinytorch_core").is_dir(), reason="reads files of the whole repository"
)
# The modules of `tinytorch_learn.framework` that the chapters show completely.
SHOWN = [
    (1, "tensor"),
    (2, "ops"),
    (3, "rules"),
    (4, "engine"),
    (5, "activations"),
    (5, "losses"),
    (6, "layers"),
    (7, "optimizers"),
]


def numbers_of(chapter: Path) -> list[str]:
    return [number for number in exercises() if number.startswith(f"{int(chapter.name[:2])}.")]


def run(chapter: Path, folder: Path) -> str:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TINYTORCH_")}
    # Without an environment of its own, for which pip would download setuptools.
    settings = {"TINYTORCH_LEARN_STEPS": "4", "PIP_NO_BUILD_ISOLATION": "0"}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(chapter)],
        cwd=folder,
        env=kept | settings | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_there_are_eight_chapters():
    assert [int(chapter.name[:2]) for chapter in CHAPTERS] == list(range(1, 9))


@pytest.mark.parametrize("chapter", CHAPTERS[:7], ids=lambda file: file.stem)
def test_a_chapter_runs_before_its_exercises_are_done(chapter, tmp_path):
    printed = run(chapter, tmp_path)
    checked = re.findall(r"^Exercise (\S+): (.*)$", printed, flags=re.MULTILINE)
    assert checked == [(number, "not done yet") for number in numbers_of(chapter)]


def test_the_last_chapter_installs_a_package_and_checks_it(tmp_path):
    printed = run(CHAPTERS[7], tmp_path)
    assert "Exercise 8.1: not done yet" in printed
    assert "Exercise 8.2: not done yet" in printed
    assert re.search(r"^hardswish +tinytorch-hardswish +0.1.0 +on ", printed, flags=re.MULTILINE)
    assert re.search(r"^  hardswish +\d+ passed$", printed, flags=re.MULTILINE)
    assert "failed" not in printed
    assert printed.rstrip().endswith("\nFalse")


@each_chapter
def test_the_solutions_are_those_of_the_package(chapter):
    shown = solutions(chapter)
    assert list(shown) == numbers_of(chapter)
    for number, text in shown.items():
        solution = exercises()[number].solution
        if isinstance(solution, str):
            assert text == f'PYPROJECT = """{solution}"""\n'
            continue
        for each in solution if isinstance(solution, tuple) else (solution,):
            assert inspect.getsource(inspect.unwrap(each)) in text


@pytest.mark.parametrize(("number", "name"), SHOWN, ids=[name for _, name in SHOWN])
def test_a_chapter_shows_its_module_completely(number, name):
    module = importlib.import_module(f"tinytorch_learn.framework.{name}")
    source, shown = inspect.getsource(module), code(CHAPTERS[number - 1])
    for part in ast.parse(source).body:
        if isinstance(part, ast.FunctionDef | ast.ClassDef):
            first = min([part.lineno, *(each.lineno for each in part.decorator_list)])
            text = "\n".join(source.splitlines()[first - 1 : part.end_lineno])
            assert text in shown, part.name


@needs_repository
@each_chapter
def test_the_files_and_names_to_read_exist(chapter):
    (table,) = (cell for cell in cells(chapter) if "# | file | read |" in cell)
    rows = re.findall(r"^# \| `(.+?)` \| (.+) \|$", table, flags=re.MULTILINE)
    assert len(rows) >= 3
    for file, text in rows:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        kinds = (ast.FunctionDef, ast.ClassDef)
        defined = {node.name for node in ast.walk(tree) if isinstance(node, kinds)}
        # What the reader has written is named as `your ...`.
        named = re.findall(r"(?<!your )`(\w+)`", text)
        unknown = set(named) - defined - {"Tensor", "plugins", "tinytorch_register_ops", "matmul"}
        assert unknown == set(), file


@needs_repository
@each_chapter
def test_every_link_leads_to_a_file(chapter):
    text = "".join(cell for cell in cells(chapter) if cell.startswith("# %% [markdown]"))
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert "://" in link or (FOLDER / link).exists(), link


@each_chapter
def test_a_chapter_states_its_goals_and_ends_with_a_summary(chapter):
    first, last = cells(chapter)[0], cells(chapter)[-1]
    assert all(word in first for word in ("**You learn**", "**You need**", "**Time**"))
    assert "# ## In the package" in last
    assert "# ## Summary" in last


@pytest.mark.peers("nbclient", "ipykernel", "nbformat")
@each_chapter
def test_a_chapter_runs_as_a_notebook_with_right_answers(chapter, tmp_path, monkeypatch):
    import nbclient
    import nbformat

    for name in [name for name in os.environ if name.startswith("TINYTORCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TINYTORCH_LEARN_STEPS", "4")
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")
    notebook = nbformat.v4.new_notebook()
    for cell in cells(chapter):
        head, _, body = cell.partition("\n")
        if "[markdown]" not in head:
            texts = [solutions(chapter)[n] for n in re.findall(r'check\("(\d\.\d)"', body)]
            notebook.cells += map(nbformat.v4.new_code_cell, [*texts, body.strip("\n")])
    nbclient.NotebookClient(
        notebook, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    outputs = [output for cell in notebook.cells for output in cell["outputs"]]
    printed = "".join(output.get("text", "") for output in outputs)
    assert re.findall(r"^Exercise (\S+): passed$", printed, re.MULTILINE) == numbers_of(chapter)
    pictures = [o for o in outputs if "image/svg+xml" in o.get("data", {})]
    assert len(pictures) == code(chapter).count("\ndraw_")

"""Machine code is compiled once, and then read from a folder of the user."""

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

from tinytorch_compile import compile

pytest.importorskip("llvmlite", reason="the backend native needs llvmlite")

from tinytorch_compile.native import machine

VARIABLE = machine.CACHE_VARIABLE
FROM_CACHE = "machine code: from the cache"
PROGRAM = """
import numpy as np
from tinytorch_compile import compile
function = compile(lambda x: np.tanh(x * 2).sum() + np.exp(x @ x.T), backend="native")
for _ in range(4):
    result = function(np.eye(3))
print(function.explain(), result.sum())
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    path = tmp_path / "folder"
    monkeypatch.setenv(VARIABLE, str(path))
    return path


def explained(scale=3.0):
    """Compile a function, and return what is reported about it."""
    function = compile(lambda x: np.exp(x) * 2 + 1, backend="native", strict=True)
    for _ in range(4):
        assert function(np.full(3, scale)) == pytest.approx(np.exp(scale) * 2 + 1)
    return function.explain()


def test_a_second_process_reads_the_code_of_the_first(folder):
    found = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert FROM_CACHE not in found[0]
    assert FROM_CACHE in found[1]
    assert found[0].split()[-1] == found[1].split()[-1]
    assert len(list(folder.iterdir())) == 1


def test_code_is_compiled_again_for_another_processor(folder, monkeypatch):
    explained()
    assert FROM_CACHE in explained()
    monkeypatch.setattr(machine, "processor", lambda: "another one")
    assert FROM_CACHE not in explained()
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("content", [b"", b"short", bytes(5000)])
def test_a_damaged_file_is_compiled_again(folder, content):
    explained()
    (file,) = folder.iterdir()
    file.write_bytes(content)
    assert FROM_CACHE not in explained()
    assert FROM_CACHE in explained()


def test_nothing_is_kept_if_the_variable_is_empty(folder, monkeypatch):
    monkeypatch.setenv(VARIABLE, "")
    assert FROM_CACHE not in explained()
    assert FROM_CACHE not in explained()
    assert not folder.exists()


def test_a_folder_that_cannot_be_written_causes_one_warning(folder):
    folder.write_text("a file")
    with pytest.warns(RuntimeWarning, match=f"cannot be written.*{VARIABLE}"):
        explained()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        explained()


def test_a_home_that_cannot_be_written_is_no_problem(folder, monkeypatch):
    folder.write_text("a file")
    monkeypatch.delenv(VARIABLE)
    for name in ("HOME", "USERPROFILE", "LOCALAPPDATA", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(folder))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert FROM_CACHE not in explained()


def test_the_folder_is_that_of_the_user(monkeypatch, tmp_path):
    monkeypatch.delenv(VARIABLE)
    for name in ("HOME", "USERPROFILE", "LOCALAPPDATA", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    assert machine.cache_folder() is not None
    assert os.fspath(machine.cache_folder()).startswith(os.fspath(tmp_path))


def test_without_the_compiler_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "llvmlite.binding", None)
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    with pytest.raises(ImportError, match=r'pip install "tinytorch-compile\[native\]"'):
        compile(lambda x: x, backend="native")

"""The plugin: it wraps ops only during a profile; its errors and its settings."""

import inspect
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from tinytorch_core import Tensor, plugins

import tinytorch_profiler
from tinytorch_devkit import parametrize_with_checks
from tinytorch_profiler import plugin, profile, settings


@parametrize_with_checks("profiler")
def test_conforms(check):
    check()


def sources():
    """Return the source of every method of Tensor, and whether the method is a wrapper."""
    return {
        name: (inspect.getsource(method), hasattr(method, "__wrapped__"))
        for name, method in inspect.getmembers(Tensor, inspect.isfunction)
    }


def test_without_a_running_profile_ops_are_not_wrapped():
    assert not [name for name in vars(plugin) if "wrap" in name]
    with plugins.only("profiler"):
        with_plugin = sources()
    with plugins.only():
        assert with_plugin == sources()


def test_leaving_the_block_restores_the_surface():
    before = (Tensor.__bases__, plugins.active(), [s.name for s in plugins.status()])
    with profile():
        assert Tensor.__bases__ != before[0]
        assert hasattr(Tensor.__mul__, "__wrapped__")
        assert list(inspect.signature(Tensor.clip).parameters)[1:] == ["min", "max"]
    assert (Tensor.__bases__, plugins.active(), [s.name for s in plugins.status()]) == before


def test_only_one_profile_runs_at_a_time():
    with profile() as p:
        for other in (profile(), p):
            with pytest.raises(RuntimeError, match="a profile is already running"):
                other.__enter__()
        _ = Tensor([1.0]) + 1
    assert p.rows()[0].forward.calls == 1


def test_only_one_of_several_threads_can_enter_a_profile():
    entered, rejected = [], []
    start = threading.Barrier(4)
    end = threading.Barrier(4)

    def attempt():
        start.wait()
        try:
            with profile():
                entered.append(1)
                end.wait()
        except RuntimeError:
            rejected.append(1)
            end.wait()

    threads = [threading.Thread(target=attempt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(entered), len(rejected)) == (1, 3)


def test_a_profile_needs_the_plugin_enabled():
    with (
        plugins.disable("profiler"),
        pytest.raises(RuntimeError, match=r"plugins\.enable\('profiler'\)"),
    ):
        profile().__enter__()


def test_without_autograd_only_the_forward_is_timed():
    with plugins.only("profiler"), profile() as p:
        _ = np.exp(Tensor([1.0])) * 2
    assert sorted(row.op for row in p.rows()) == ["exp", "mul"]
    assert not any(row.backward.calls for row in p.rows())


def test_a_subclass_of_tensor_is_timed():
    class Mine(Tensor):
        pass

    with profile() as p:
        (Mine([2.0], requires_grad=True) * 3).backward()
    (row,) = p.rows()
    assert (row.op, row.forward.calls, row.backward.calls) == ("mul", 1, 1)


@pytest.mark.parametrize("value", [-1, 1.5, "many", True])
def test_an_invalid_number_of_events_is_rejected(value):
    with pytest.raises(ValueError, match="max_events must be an integer of at least 0"):
        profile(max_events=value)
    with pytest.raises(ValueError, match="max_events must be an integer of at least 0"):
        settings.configure({"max_events": value})


def run(program, folder, **variables):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TINYTORCH_")}
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        encoding="utf-8",
        cwd=folder,
        env={**kept, "PYTHONUTF8": "1", "TINYTORCH_STRICT": "1", **variables},
    )


def test_the_setting_is_read_and_an_unknown_one_is_rejected(tmp_path):
    program = "import tinytorch_profiler.settings as s; print(s.max_events)"
    (tmp_path / "tinytorch.toml").write_text("[profiler]\nmax_events = 7\n")
    assert run(program, tmp_path).stdout == "7\n"
    (tmp_path / "tinytorch.toml").write_text("[profiler]\nmax_event = 7\n")
    assert (
        "unknown setting 'max_event'. Did you mean 'max_events'?" in run(program, tmp_path).stderr
    )


def test_the_program_in_the_readme_runs(tmp_path):
    readme = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    program = readme.split("```python\n")[1].split("```")[0]
    done = run(program, tmp_path)
    assert done.returncode == 0, done.stderr
    words = {line.split()[0] for line in done.stdout.splitlines()[2:-1]}
    assert words == {"matmul", "exp", "mean"}
    assert "60 calls took" in done.stdout
    assert (tmp_path / "trace.json").is_file()


def test_the_package_is_typed():
    assert Path(tinytorch_profiler.__file__).with_name("py.typed").is_file()

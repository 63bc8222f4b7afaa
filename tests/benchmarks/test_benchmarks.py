"""The benchmarks time only equal results, report missed goals, and write their tables."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as program
from benchmarks import (
    compiled,
    compilers,
    data_parallel,
    environment,
    report,
    workloads,
    xla_steps,
)
from benchmarks.frameworks import TinyTorch
from benchmarks.measure import Figure, Ratio, check_noise, interleaved, ratio
from benchmarks.report import Result, Row
from benchmarks.workload import Workload, differing

ROOT = Path(__file__).parents[2]


class Fake:
    def __init__(self, name, result):
        self.name = name
        self.result = result

    def task(self):
        return lambda: self.result


@pytest.fixture
def row():
    goals = {"peer": 0.5, "hips": 1.0}
    ratios = {"peer": Ratio(0.6, 0.5, 0.7), "hips": Ratio(0.9, 0.8, 1.0)}
    return Row("chains", "a chain", 2e-6, ratios, goals)


def test_a_framework_with_a_different_result_is_not_timed(monkeypatch):
    frameworks = [Fake("tinytorch", [1.0, 2.0]), Fake("same", [1.0, 2.0]), Fake("off", [1.0, 2.1])]
    work = Workload("group", "name", lambda F: F.task())
    monkeypatch.setattr(workloads, "workloads", lambda: [work])
    (measured,) = program.measured(frameworks, None, quick=True)
    assert list(measured.ratios) == ["same"]
    assert list(measured.differing) == ["off"]
    assert "different result, not timed" in report.table([measured], ["same", "off"])


def test_every_function_is_called_in_every_round():
    calls = []
    seconds = interleaved({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 3, 1e-5)
    assert {name: len(found) for name, found in seconds.items()} == {"a": 3, "b": 3}
    assert {"a", "b"} == set(calls)


def test_a_ratio_pairs_the_rounds():
    assert ratio([1.0, 20.0, 3.0], [2.0, 40.0, 6.0]) == Ratio(0.5, 0.5, 0.5)


def test_missed_goals_are_marked(row):
    assert row.missed() == ["peer"]
    assert "**0.60 [0.50-0.70] missed**" in report.table([row], ["peer", "hips"])
    figures = [Figure("g", "slow", 3.0, "ms", 2.0), Figure("g", "fast", 1.0, "ms", 2.0)]
    table = report.result_table(report.results([row], figures))
    assert "| a chain | peer | 0.5 | 0.60 [0.50-0.70] **missed** |" in table
    assert "1 of 1 below 1" in table
    assert "| slow | | 2 ms | 3 ms **missed** |" in table
    assert "| fast | | 2 ms | 1 ms |" in table


def test_figures_of_a_noisy_machine_are_refused():
    calm, noisy = Ratio(1.0, 0.98, 1.02), Ratio(1.0, 0.8, 1.2)
    check_noise([{"peer": calm}, {"peer": calm, "hips": noisy}])
    with pytest.raises(SystemExit, match="vary by more than 40%"):
        check_noise([{"peer": noisy}, {"peer": calm, "hips": noisy}])


@pytest.fixture
def results():
    keys = [("other work", "peer"), *reversed(report.SELECTED)]
    return [Result(work, against, "1", "0.50") for work, against in keys]


def test_the_new_table_replaces_the_old_one(tmp_path, results):
    file = tmp_path / "page.md"
    file.write_text(f"before\n{report.ALL}\nold\n{report.END}\nafter\n")
    report.write_into(file, "Measured so.", results)
    table = report.result_table(results)
    assert file.read_text() == (
        f"before\n{report.ALL}\n\nMeasured so.\n\n{table}\n\n{report.END}\nafter\n"
    )


def test_a_file_with_the_other_marker_gets_the_five_selected_rows(tmp_path, results):
    file = tmp_path / "README.md"
    file.write_text(f"{report.SELECTION}\n{report.END}\n")
    report.write_into(file, "Measured so.", results)
    rows = [line for line in file.read_text().splitlines() if line.startswith("| ")][1:]
    expected = [
        f"| {work} | {against} | 1 | 0.50 |".replace("|  |", "| |")
        for work, against in report.SELECTED
    ]
    assert rows == expected
    with pytest.raises(ValueError, match="not measured: mul, 10 elements / pytorch; run every"):
        report.write_into(file, "Measured so.", results[:-1])


def test_a_file_without_markers_is_rejected(tmp_path):
    file = tmp_path / "README.md"
    file.write_text(f"{report.END}\nin the wrong order\n{report.ALL}")
    with pytest.raises(ValueError, match="needs a line"):
        report.check_markers(file)


def test_the_pages_have_their_markers():
    assert report.check_markers(ROOT / "docs" / "benchmarks.md") == report.ALL
    assert report.check_markers(ROOT / "README.md") == report.SELECTION


def test_the_selected_rows_are_rows_of_the_table():
    goals = {(w.name, peer) for w in workloads.workloads() for peer in w.goals}
    page = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
    for work, against in report.SELECTED:
        assert (work, against) in goals or not against
        assert f"| {work} | {against}" in page


def test_variables_that_change_numpys_kernels_are_removed(monkeypatch):
    variables = {"MKL_NUM_THREADS": "8", "OPENBLAS_CORETYPE": "Haswell"}
    monkeypatch.setattr(os, "environ", variables)
    cores = {0, 1, 2}
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: cores, raising=False)
    monkeypatch.setattr(
        os, "sched_setaffinity", lambda _, chosen: cores.intersection_update(chosen)
    )
    assert environment.prepare(1) == (
        "1 core, 1 BLAS thread, OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE unset "
        "(OPENBLAS_CORETYPE was 'Haswell')"
    )
    assert "OPENBLAS_CORETYPE" not in variables
    assert variables["MKL_NUM_THREADS"] == "1"
    assert cores == {2}


def test_the_variables_are_removed_before_numpy_is_imported():
    # `benchmarks.__main__` itself must not import NumPy, which reads the variables once.
    code = "import sys, benchmarks.__main__; print('numpy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_compiled_steps_have_their_own_table(tmp_path, results):
    file = tmp_path / "page.md"
    file.write_text(
        f"{report.COMPILED}\nold\n{report.END}\nbetween\n{report.ALL}\nold\n{report.END}\nafter\n"
    )
    report.write_into(file, "Measured so.", results, {report.COMPILED: "Compiled."})
    table = report.result_table(results)
    assert file.read_text() == (
        f"{report.COMPILED}\n\nCompiled.\n\n{report.END}\nbetween\n"
        f"{report.ALL}\n\nMeasured so.\n\n{table}\n\n{report.END}\nafter\n"
    )
    assert report.COMPILED in (ROOT / "docs" / "benchmarks.md").read_text("utf-8")


def test_every_compiled_step_is_a_workload():
    assert {work.name for work in compiled.selected(None)} == compiled.GOALS.keys()
    assert [work.name for work in compiled.selected("LeNet")] == ["LeNet-5 on 28 x 28, batch 64"]


class Failing(Fake):
    def task(self):
        raise RuntimeError("No working C++ compiler found\nin many places")


def test_a_compiler_that_fails_is_reported_with_the_reason(monkeypatch):
    work = Workload("group", "name", lambda F: F.task(), by_hand=lambda: lambda: [1.0])
    monkeypatch.setattr(compiled, "GOALS", {"name": {"numpy backend": {"by hand": 1.5}}})
    monkeypatch.setattr(compiled, "selected", lambda only: [work])
    frameworks = [Fake("tinytorch", [1.0]), Fake("numpy backend", [1.0]), Failing("other", None)]
    ((name, (row,), steps),) = compiled.measured(frameworks, None, quick=True)
    assert name == "name"
    assert row.name == "name, numpy backend"
    assert row.ratios.keys() == {"tinytorch", "by hand"}
    assert steps.seconds.keys() == {"tinytorch", "numpy backend", "by hand"}
    table = report.table([row], ["other", "by hand"])
    assert "| failed: RuntimeError: No working C++ compiler found |" in table


def test_the_time_to_build_leaves_out_the_time_of_usual_calls(monkeypatch):
    clock = iter([0.0, 10.0, 16.0])  # three calls take 10 s until built, and the next three 6 s
    monkeypatch.setattr(compiled.time, "perf_counter", lambda: next(clock))
    calls = []
    task, seconds = compiled.build(lambda: lambda: calls.append(1))
    assert len(calls) == compiled.BUILDING + compiled.USUAL
    assert seconds == 4.0
    task()


def test_our_time_to_build_is_measured_for_each_selected_step(monkeypatch, tmp_path):
    monkeypatch.setenv("TINYTORCH_COMPILE_CACHE", "elsewhere")
    found = compiled.build_seconds(compilers.NumpyBackend, "64-32-10", str(tmp_path))
    assert list(found) == ["64-32-10, batch 64"]
    assert 0 < found["64-32-10, batch 64"] < 60


def test_times_to_build_are_listed():
    table = report.build_table(
        {"a step": {"ours": 0.02, "theirs": 12.0}}, ["ours", "theirs", "n/a"]
    )
    assert table.splitlines()[-1] == "| a step | 20 ms | 12 s |  |"


@pytest.mark.parametrize("name", ["2-16-16-2, batch 32", "31 ops: tanh(h * y + y) and a sum"])
def test_compiled_steps_have_the_results_of_eager_ones(name):
    (work,) = compiled.selected(name)
    tasks = work.tasks([TinyTorch(), compilers.NumpyBackend()])
    for _ in range(5):
        found = {key: task() for key, task in tasks.items()}
        assert differing(found, work.tolerance) == []


def test_pytensor_has_the_results_of_eager_steps():
    pytest.importorskip("pytensor")
    (work,) = compiled.selected("2-16-16-2")
    framework = compilers.PyTensor()
    framework.mode = "FAST_COMPILE"  # in Python: compiling takes long
    tasks = work.tasks([TinyTorch(), framework])
    for _ in range(3):
        assert differing({key: task() for key, task in tasks.items()}, work.tolerance) == []


def test_speed_ups_on_two_processes_are_compared(monkeypatch, tmp_path):
    times = {("ours", 1): 4.0, ("ours", 2): 2.0, ("theirs", 1): 3.0, ("theirs", 2): 2.0}
    monkeypatch.setattr(data_parallel, "run", lambda name, size: times[name, size])
    monkeypatch.setattr(data_parallel.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(data_parallel, "MPIEXEC", tmp_path)
    found = list(data_parallel.figures(quick=True))
    assert [round(f.value, 6) for f in found] == [2.0, 1.5, 0.75]
    assert [f.goal for f in found] == [None, None, 1]
    monkeypatch.setattr(data_parallel, "MPIEXEC", tmp_path / "mpiexec")
    assert list(data_parallel.figures(quick=True)) == []


def test_a_partial_run_cannot_be_written(capsys):
    with pytest.raises(SystemExit, match="2"):
        program.main(["--only", "chains", "--write", "README.md"])
    assert "leave out --only" in capsys.readouterr().err


def test_the_chart_is_drawn(row, tmp_path):
    pytest.importorskip("matplotlib")
    report.chart([row], ["peer", "hips"], tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")


def test_the_steps_of_the_xla_table_are_workloads():
    names = [work.name for work in xla_steps.selected(None)]
    assert names[:-1] == list(xla_steps.SELECTED)
    assert names[-1].startswith("block of width")
    assert report.XLA in (ROOT / "docs" / "benchmarks.md").read_text("utf-8")

"""The benchmarks time only what agrees, and hide no goal that was missed."""

import pytest

from benchmarks import __main__ as program
from benchmarks import report, workloads
from benchmarks.footprint import Figure
from benchmarks.measure import Ratio, interleaved, ratio
from benchmarks.report import Row
from benchmarks.workload import Workload


class Fake:
    def __init__(self, name, result):
        self.name = name
        self.result = result

    def task(self):
        return lambda: self.result


@pytest.fixture
def row():
    goals = {"peer": 0.5, "other": 1.0}
    ratios = {"peer": Ratio(0.6, 0.5, 0.7), "other": Ratio(0.9, 0.8, 1.0)}
    return Row("chains", "a chain", 2e-6, ratios, goals)


def test_a_result_that_differs_is_not_timed(monkeypatch):
    frameworks = [Fake("tinytorch", [1.0, 2.0]), Fake("same", [1.0, 2.0]), Fake("off", [1.0, 2.1])]
    work = Workload("group", "name", lambda F: F.task())
    monkeypatch.setattr(workloads, "workloads", lambda: [work])
    (measured,) = program.measured(frameworks, None, quick=True)
    assert list(measured.ratios) == ["same"]
    assert list(measured.differing) == ["off"]
    assert "other result, not timed" in report.table([measured], ["same", "off"])


def test_every_function_is_called_in_every_round():
    calls = []
    seconds = interleaved({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 3, 1e-5)
    assert {name: len(found) for name, found in seconds.items()} == {"a": 3, "b": 3}
    assert {"a", "b"} == set(calls)


def test_a_ratio_pairs_the_rounds():
    assert ratio([1.0, 20.0, 3.0], [2.0, 40.0, 6.0]) == Ratio(0.5, 0.5, 0.5)


def test_missed_goals_are_marked(row):
    assert row.missed() == ["peer"]
    assert "**0.60 [0.50-0.70] missed**" in report.table([row], ["peer", "other"])
    figures = [Figure("g", "slow", 3.0, "ms", 2.0), Figure("g", "fast", 1.0, "ms", 2.0)]
    summary = report.summary([row], figures)
    assert "| a chain | peer | 0.5 | 0.60 [0.50-0.70] **missed** |" in summary
    assert "1 of 1 below 1" in summary
    assert "| slow | | 2 ms | 3 ms **missed** |" in summary
    assert "| fast | | 2 ms | 1 ms |" in summary


def test_the_summary_replaces_the_one_before(tmp_path):
    file = tmp_path / "README.md"
    file.write_text(f"before\n{report.START}\nold\n{report.END}\nafter\n")
    report.write_into(file, "new")
    assert file.read_text() == f"before\n{report.START}\n\nnew\n\n{report.END}\nafter\n"
    file.write_text("nothing marked")
    with pytest.raises(ValueError, match="no lines"):
        report.write_into(file, "new")


def test_the_chart_is_drawn(row, tmp_path):
    pytest.importorskip("matplotlib")
    report.chart([row], ["peer", "other"], tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")

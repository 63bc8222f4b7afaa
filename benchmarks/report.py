"""The tables and the chart of the results."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.measure import Figure, Ratio

# `--write` replaces the text of a Markdown file between one of these lines and the last one.
ALL = "<!-- benchmarks: every row, written by `make bench` -->"
SELECTION = "<!-- benchmarks: a selection, written by `make bench` -->"
COMPILED = "<!-- benchmarks: compiled steps, written by `make bench` -->"
XLA = "<!-- benchmarks: steps compiled by XLA, written by `make bench` -->"
END = "<!-- end of benchmarks -->"

# The rows of the selection: the work, and what it is compared with.
SELECTED = (
    ("mul, 10 elements", "pytorch"),
    ("31 ops: tanh(h * y + y) and a sum", "pytorch"),
    ("784-128-64-10, batch 64", "by hand"),
    ("LeNet-5 on 28 x 28, batch 64", "pytorch"),
    ("import tinytorch_core, no plugins, beyond numpy", ""),
)


# The peers of which every workload has the goal 1.
SUMMED_UP = ("hips", "mygrad")


@dataclass(frozen=True)
class Row:
    """One measured workload: our time, its ratio to each peer's time, and why a peer has none."""

    group: str
    name: str
    seconds: float
    ratios: Mapping[str, Ratio]
    goals: Mapping[str, float]
    differing: Sequence[str] = field(default=())
    failed: Mapping[str, str] = field(default_factory=dict)

    def missed(self) -> list[str]:
        """Return the peers for which the goal was missed."""
        return [
            name
            for name, goal in self.goals.items()
            if name in self.ratios and self.ratios[name].median > goal
        ]


def table(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Return the rows as a Markdown table of our time over theirs: below 1 we are faster."""
    lines = [
        "| work | our time | " + " | ".join(f"/ {c}" for c in columns) + " | goals |",
        "|---|---" + "|---" * (len(columns) + 1) + "|",
    ]
    group = None
    for row in rows:
        if row.group != group:
            group = row.group
            lines.append(f"| **{group}** |" + " |" * (len(columns) + 2))
        cells = [_cell(row, c) for c in columns]
        lines.append(f"| {row.name} | {_time(row.seconds)} | {' | '.join(cells)} | {_goals(row)} |")
    return "\n".join(lines)


def _cell(row: Row, column: str) -> str:
    if column in row.differing:
        return "different result, not timed"
    if column in row.failed:
        return f"failed: {row.failed[column]}"
    if column not in row.ratios:
        return ""
    text = str(row.ratios[column])
    return f"**{text} missed**" if column in row.missed() else text


def _goals(row: Row) -> str:
    return ", ".join(f"{c} {g:g}" for c, g in row.goals.items() if c in row.ratios)


def _time(seconds: float) -> str:
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def build_table(seconds: Mapping[str, Mapping[str, float]], columns: Sequence[str]) -> str:
    """Return how long each compiler takes to build each workload, as a Markdown table."""
    lines = [f"| work | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for work, found in seconds.items():
        cells = [_time(found[c]) if c in found else "" for c in columns]
        lines.append(f"| {work} | {' | '.join(cells)} |")
    return "\n".join(lines)


def figure_table(figures: Iterable[Figure]) -> str:
    """Return the figures as a Markdown table."""
    lines = ["| figure | value | goal |", "|---|---|---|"]
    for f in figures:
        value = f"{f.value:.3g} {f.unit}"
        if f.goal is not None and f.value > f.goal:
            value = f"**{value} missed**"
        lines.append(f"| {f.name} | {value} | {'' if f.goal is None else f'{f.goal:g}'} |")
    return "\n".join(lines)


class Result(NamedTuple):
    """A goal, and what was measured."""

    work: str
    against: str
    goal: str
    measured: str


def results(rows: Iterable[Row], figures: Iterable[Figure]) -> list[Result]:
    """Return the result for each goal; those of `SUMMED_UP` whose goal is 1 in one row each."""
    found = []
    others: dict[str, list[float]] = {}
    for row in rows:
        for name, goal in row.goals.items():
            if name in row.ratios and (goal != 1 or name not in SUMMED_UP):
                measured = f"{row.ratios[name]}{_mark(name in row.missed())}"
                found.append(Result(row.name, name, f"{goal:g}", measured))
            elif name in row.ratios:
                others.setdefault(name, []).append(row.ratios[name].median)
    for name, ratios in others.items():
        met = sum(r <= 1 for r in ratios)
        text = f"{met} of {len(ratios)} below 1, median {statistics.median(ratios):.2f}"
        text += _mark(met < len(ratios))
        found.append(Result("every other workload", name, "1", text))
    for f in figures:
        if f.goal is not None:
            measured = f"{f.value:.3g} {f.unit}{_mark(f.value > f.goal)}"
            found.append(Result(f.name, "", f"{f.goal:g} {f.unit}", measured))
    return found


def _mark(missed: bool) -> str:
    return " **missed**" if missed else ""


def result_table(results: Iterable[Result]) -> str:
    """Return the results as a Markdown table."""
    lines = ["| work | against | goal | measured |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(r)} |".replace("|  |", "| |") for r in results]
    return "\n".join(lines)


def selected(results: Iterable[Result]) -> list[Result]:
    """Return the rows for the README.

    Raises:
        ValueError: a row was not measured.
    """
    found = {(r.work, r.against): r for r in results}
    missing = [" / ".join(filter(None, key)) for key in SELECTED if key not in found]
    if missing:
        raise ValueError(f"not measured: {'; '.join(missing)}; run every workload, with all peers")
    return [found[key] for key in SELECTED]


def check_markers(file: Path) -> str:
    """Return the start marker in a Markdown file, `ALL` or `SELECTION`.

    Raises:
        ValueError: the file does not contain a start marker followed by `END`.
    """
    text = file.read_text(encoding="utf-8")
    for start in (ALL, SELECTION):
        if END in text.partition(start)[2]:
            return start
    raise ValueError(
        f"{file} needs a line {ALL!r} (or {SELECTION!r}) and after it a line {END!r}; "
        "the table is written between them"
    )


def write_into(
    file: Path, conditions: str, results: Sequence[Result], texts: Mapping[str, str] | None = None
) -> None:
    """Replace the text between the markers of a Markdown file.

    Args:
        file: the file; its start marker decides whether it gets every row or the selection.
        conditions: a sentence above the table: how the results were measured.
        results: the results of a run of every workload.
        texts: texts for the markers `COMPILED` and `XLA`, if the file has them.

    Raises:
        ValueError: the markers or a selected row are missing.
    """
    start = check_markers(file)
    table = result_table(results if start == ALL else selected(results))
    text = _replaced(file.read_text(encoding="utf-8"), start, f"{conditions}\n\n{table}")
    for marker, content in (texts or {}).items():
        if marker in text:
            text = _replaced(text, marker, content)
    file.write_text(text, encoding="utf-8")


def _replaced(text: str, start: str, content: str) -> str:
    """Return text with `content` between a start marker and the next `END`."""
    before, _, rest = text.partition(start)
    after = rest.partition(END)[2]
    return f"{before}{start}\n\n{content}\n\n{END}{after}"


def as_json(
    rows: Sequence[Row],
    figures: Sequence[Figure],
    versions: Mapping[str, str],
    built: Mapping[str, Mapping[str, float]],
) -> dict[str, Any]:
    """Return all results as data for JSON."""
    return {
        "versions": dict(versions),
        "workloads": [asdict(r) | {"missed": r.missed()} for r in rows],
        "figures": [asdict(f) for f in figures],
        "seconds to build": {work: dict(found) for work, found in built.items()},
    }


def chart(rows: Sequence[Row], columns: Sequence[str], file: Path) -> None:
    """Draw the ratios as dots on a logarithmic axis; left of the line we are faster."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.26 * len(rows)), layout="constrained")
    positions = range(len(rows))
    for offset, column in enumerate(columns):
        points = [
            (r.ratios[column], i)
            for i, r in zip(positions, rows, strict=True)
            if column in r.ratios
        ]
        if not points:
            continue
        shift = (offset - len(columns) / 2) * 0.1
        axes.errorbar(
            [p.median for p, _ in points],
            [i + shift for _, i in points],
            xerr=(
                [max(p.median - p.low, 0) for p, _ in points],
                [max(p.high - p.median, 0) for p, _ in points],
            ),
            fmt="o",
            markersize=4,
            linewidth=1,
            label=column,
        )
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_yticks(list(positions), [f"{r.name} ({r.group})" for r in rows], fontsize=7)
    axes.invert_yaxis()
    axes.set_xlabel("our time / theirs, median and quartiles\nleft of the line TinyTorch is faster")
    axes.grid(axis="x", alpha=0.3)
    axes.margins(y=0.01)
    axes.legend(loc="upper right")
    figure.savefig(file, dpi=80)
    plt.close(figure)

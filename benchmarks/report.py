"""The table, and the chart."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.footprint import Figure
from benchmarks.measure import Ratio

START = "<!-- benchmarks: made by `make bench` -->"
END = "<!-- end of benchmarks -->"


@dataclass(frozen=True)
class Row:
    """One measured workload: our time, and its ratio to that of each other framework."""

    group: str
    name: str
    seconds: float
    ratios: Mapping[str, Ratio]
    goals: Mapping[str, float]
    differing: Sequence[str] = field(default=())

    def missed(self) -> list[str]:
        """The frameworks whose goal was not reached."""
        return [
            name
            for name, goal in self.goals.items()
            if name in self.ratios and self.ratios[name].median > goal
        ]


def table(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """The rows as Markdown. A ratio is our time over theirs: below 1 we are faster."""
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
        return "other result, not timed"
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


def figure_table(figures: Iterable[Figure]) -> str:
    """The figures as Markdown."""
    lines = ["| figure | value | goal |", "|---|---|---|"]
    for f in figures:
        value = f"{f.value:.3g} {f.unit}"
        if f.goal is not None and f.value > f.goal:
            value = f"**{value} missed**"
        lines.append(f"| {f.name} | {value} | {'' if f.goal is None else f'{f.goal:g}'} |")
    return "\n".join(lines)


def summary(rows: Iterable[Row], figures: Iterable[Figure]) -> str:
    """Each goal with what was measured, as Markdown; what holds for every row is one line."""
    lines = ["| work | against | goal | measured |", "|---|---|---|---|"]
    below: dict[str, list[float]] = {}
    for row in rows:
        for name, goal in row.goals.items():
            if name in row.ratios and goal != 1:
                mark = " **missed**" if name in row.missed() else ""
                lines.append(f"| {row.name} | {name} | {goal:g} | {row.ratios[name]}{mark} |")
            elif name in row.ratios:
                below.setdefault(name, []).append(row.ratios[name].median)
    for name, ratios in below.items():
        met = sum(r <= 1 for r in ratios)
        mark = "" if met == len(ratios) else " **missed**"
        text = f"{met} of {len(ratios)} below 1, median {statistics.median(ratios):.2f}{mark}"
        lines.append(f"| every other workload | {name} | 1 | {text} |")
    for f in figures:
        if f.goal is not None:
            mark = " **missed**" if f.value > f.goal else ""
            value = f"{f.value:.3g} {f.unit}{mark}"
            lines.append(f"| {f.name} | | {f.goal:g} {f.unit} | {value} |")
    return "\n".join(lines)


def write_into(file: Path, text: str) -> None:
    """Replaces what stands between the two marks in a Markdown file."""
    before, start, rest = file.read_text(encoding="utf-8").partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise ValueError(f"{file} has no lines {START!r} and {END!r} to write between")
    file.write_text(f"{before}{START}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def as_json(
    rows: Sequence[Row], figures: Sequence[Figure], versions: Mapping[str, str]
) -> dict[str, Any]:
    """Everything, for a machine to read."""
    return {
        "versions": dict(versions),
        "workloads": [asdict(r) | {"missed": r.missed()} for r in rows],
        "figures": [asdict(f) for f in figures],
    }


def chart(rows: Sequence[Row], columns: Sequence[str], file: Path) -> None:
    """Draws the ratios as dots on a logarithmic axis: left of the line we are faster."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.26 * len(rows)), layout="constrained")
    places = range(len(rows))
    for offset, column in enumerate(columns):
        points = [
            (r.ratios[column], i) for i, r in zip(places, rows, strict=True) if column in r.ratios
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
    axes.set_yticks(list(places), [f"{r.name} ({r.group})" for r in rows], fontsize=7)
    axes.invert_yaxis()
    axes.set_xlabel("our time / theirs, median and quartiles; left of the line TinyTorch is faster")
    axes.grid(axis="x", alpha=0.3)
    axes.margins(y=0.01)
    axes.legend(loc="upper right")
    figure.savefig(file, dpi=120)
    plt.close(figure)

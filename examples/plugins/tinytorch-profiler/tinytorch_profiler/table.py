"""The figures of a profile, by op: as rows, and as text for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from tinytorch_profiler.recorder import BACKWARD, FORWARD, Log


class Figures(NamedTuple):
    """What one op came to, in one direction.

    Attributes:
        calls: how often it ran.
        total: how long that took, in seconds, with the ops that ran inside it.
        itself: how long it took without these.
        bytes: the size of all arrays that it returned, views included.
    """

    calls: int = 0
    total: float = 0.0
    itself: float = 0.0
    bytes: int = 0

    def plus(self, other: Figures) -> Figures:
        """The sums of both."""
        return Figures(
            self.calls + other.calls,
            self.total + other.total,
            self.itself + other.itself,
            self.bytes + other.bytes,
        )


class Row(NamedTuple):
    """One op.

    Attributes:
        op: its name.
        provider: the plugin that brings it, or tinytorch-core.
        forward: the op itself.
        backward: its backward rule; zeros where that never ran.
    """

    op: str
    provider: str
    forward: Figures
    backward: Figures


_ORDERS: Mapping[str, Callable[[Figures], float]] = {
    "self": lambda f: f.itself,
    "total": lambda f: f.total,
    "calls": lambda f: f.calls,
    "bytes": lambda f: f.bytes,
}


def rows_of(logs: Iterable[Log], by: str) -> Sequence[Row]:
    """The figures of all threads, added up by op."""
    if by != "op" and by not in _ORDERS:
        raise ValueError(f"a table is sorted by {', '.join(_ORDERS)} or op, not by {by!r}")
    found: dict[tuple[str, str], dict[str, Figures]] = {}
    for log in list(logs):
        # Copied in one go, for the thread may be running.
        for (op, provider, phase), t in list(log.totals.items()):
            figures = Figures(t.calls, t.time / 1e9, t.itself / 1e9, t.bytes)
            phases = found.setdefault((op, provider), {FORWARD: Figures(), BACKWARD: Figures()})
            phases[phase] = phases[phase].plus(figures)
    rows = [Row(*op, f[FORWARD], f[BACKWARD]) for op, f in found.items()]
    rows.sort(key=lambda row: row.op)
    if by != "op":
        rows.sort(key=lambda row: -_ORDERS[by](row.forward.plus(row.backward)))
    return rows


_COLUMNS = f"{'calls':>9} {'total':>9} {'self':>9} {'size':>9}"


def table_of(logs: Sequence[Log], rows: Sequence[Row], seconds: float, limit: int | None) -> str:
    """The rows as a table, with sums and what they are of."""
    shown = rows[:limit]
    width = max([2, *(len(row.op) for row in shown)])
    lines = [f"{'':{width}}  {FORWARD:^39}  {BACKWARD:^39}".rstrip()]
    lines += [f"{'op':{width}}  {_COLUMNS}  {_COLUMNS}"]
    for row in shown:
        line = f"{row.op:{width}}  {_cells(row.forward)}  {_cells(row.backward)}"
        lines.append(line.rstrip())
    if len(shown) < len(rows):
        lines.append(f"and {len(rows) - len(shown)} more")
    calls = sum(row.forward.calls + row.backward.calls for row in rows)
    took = sum(row.forward.itself + row.backward.itself for row in rows)
    threads = f" in {len(logs)} threads" if len(logs) > 1 else ""
    lines.append(f"{calls:,} calls{threads} took {_time(took)}; the profile took {_time(seconds)}.")
    if dropped := sum(log.dropped for log in logs):
        lines.append(f"The trace leaves out the last {dropped:,} of them: see max_events.")
    return "\n".join(lines)


def _cells(f: Figures) -> str:
    if not f.calls:
        return f"{'-':>9} {'':>9} {'':>9} {'':>9}"
    return f"{f.calls:>9,} {_time(f.total):>9} {_time(f.itself):>9} {_size(f.bytes):>9}"


def _time(seconds: float) -> str:
    return _scaled(seconds * 1e6, ("µs", "ms", "s"))


def _size(size: float) -> str:
    return f"{size} B" if size < 1000 else _scaled(size / 1000, ("kB", "MB", "GB"))


def _scaled(value: float, units: Sequence[str]) -> str:
    """The value in the first of its units, each 1000 of the one before, that keeps it short."""
    for unit in units[:-1]:
        if value < 999.95:
            return f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} {units[-1]}"

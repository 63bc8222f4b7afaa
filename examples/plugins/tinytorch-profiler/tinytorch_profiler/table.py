"""The figures of a profile for each op: as rows, and as text for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from tinytorch_profiler.recorder import BACKWARD, FORWARD, ThreadLog


class Figures(NamedTuple):
    """The sums over all runs of one op, forward or backward.

    Attributes:
        calls: the number of runs.
        total: the time in seconds, including nested ops.
        itself: the time in seconds, without nested ops.
        bytes: the size of all arrays that it returned, including views.
    """

    calls: int = 0
    total: float = 0.0
    itself: float = 0.0
    bytes: int = 0

    def plus(self, other: Figures) -> Figures:
        """Return the sums of both."""
        return Figures(
            self.calls + other.calls,
            self.total + other.total,
            self.itself + other.itself,
            self.bytes + other.bytes,
        )


class Row(NamedTuple):
    """The figures of one op.

    Attributes:
        op: the op's name.
        provider: the distribution that provides the op.
        forward: the figures of the op itself.
        backward: the figures of its backward rule; zeros if the rule never ran.
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


def summarize(logs: Iterable[ThreadLog], by: str) -> Sequence[Row]:
    """Return the figures of each op, summed over all threads.

    Raises:
        ValueError: `by` is not one of the columns to sort by.
    """
    if by != "op" and by not in _ORDERS:
        raise ValueError(f"rows can be sorted by {', '.join(_ORDERS)} or op, not by {by!r}")
    found: dict[tuple[str, str], dict[str, Figures]] = {}
    for log in list(logs):
        # `list` copies in one step; the thread may be adding subjects.
        for (op, provider, phase), t in list(log.totals.items()):
            figures = Figures(t.calls, t.time / 1e9, t.itself / 1e9, t.bytes)
            phases = found.setdefault((op, provider), {FORWARD: Figures(), BACKWARD: Figures()})
            phases[phase] = phases[phase].plus(figures)
    result = [Row(*op, f[FORWARD], f[BACKWARD]) for op, f in found.items()]
    result.sort(key=lambda row: row.op)
    if by != "op":
        result.sort(key=lambda row: -_ORDERS[by](row.forward.plus(row.backward)))
    return result


_COLUMNS = f"{'calls':>9} {'total':>9} {'self':>9} {'size':>9}"


def format_table(
    logs: Sequence[ThreadLog], rows: Sequence[Row], seconds: float, limit: int | None
) -> str:
    """Return the rows as a table, with a last line of sums."""
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
    spent = sum(row.forward.itself + row.backward.itself for row in rows)
    threads = f" in {len(logs)} threads" if len(logs) > 1 else ""
    lines.append(
        f"{calls:,} calls{threads} took {_time(spent)}; the profile took {_time(seconds)}."
    )
    if dropped := sum(log.dropped for log in logs):
        lines.append(
            f"The trace omits the last {dropped:,} of them; increase max_events to keep more."
        )
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
    """Return the value in the first unit in which it is below 1000; units differ by 1000."""
    for unit in units[:-1]:
        if value < 999.95:
            return f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} {units[-1]}"

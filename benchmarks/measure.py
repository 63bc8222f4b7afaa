"""Timing of several functions in turn, so that a noisy machine slows all of them alike."""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

# Seconds to sleep before each function: thread pools keep spinning for a while after their work
# is done, which would slow down the next function.
SETTLING = 0.03

# The largest distance between the quartiles of a typical ratio, relative to its median.
NOISY = 0.15

Timed = Callable[[], object]


@dataclass(frozen=True)
class Ratio:
    """The median and the quartiles of a ratio of times, one ratio per round."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} [{self.low:.2f}-{self.high:.2f}]"


@dataclass(frozen=True)
class Figure:
    """A measured value that is not a ratio to a peer, and the largest value we aim for, if any."""

    group: str
    name: str
    value: float
    unit: str
    goal: float | None = None


def interleaved(
    functions: Mapping[str, Timed], rounds: int, round_seconds: float
) -> dict[str, list[float]]:
    """Return the seconds per call of each function, one value per round.

    In each round every function runs in a loop for about `round_seconds`. Every other round runs
    the functions in reverse order.
    """
    calls = {name: _calls_for(f, round_seconds) for name, f in functions.items()}
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    names = list(functions)
    was_enabled = gc.isenabled()
    for turn in range(rounds):
        gc.collect()
        gc.disable()
        try:
            for name in names if turn % 2 == 0 else reversed(names):
                time.sleep(SETTLING)
                functions[name]()
                seconds[name].append(_time(functions[name], calls[name]))
        finally:
            if was_enabled:
                gc.enable()
    return seconds


def ratio(ours: list[float], theirs: list[float]) -> Ratio:
    """Return our time over theirs, paired by round."""
    pairs = [a / b for a, b in zip(ours, theirs, strict=True)]
    if len(pairs) < 2:
        return Ratio(pairs[0], pairs[0], pairs[0])
    low, median, high = statistics.quantiles(pairs, n=4)
    return Ratio(median, low, high)


def check_noise(rows: Iterable[Mapping[str, Ratio]]) -> None:
    """Exit with a message if the ratios vary too much to be published.

    Args:
        rows: for each workload the ratios to the peers.
    """
    spreads = [(r.high - r.low) / r.median for ratios in rows for r in ratios.values()]
    if spreads and (spread := statistics.median(spreads)) > NOISY:
        sys.exit(
            f"The machine is too noisy: half of the ratios vary by more than {spread:.0%} between "
            f"their quartiles, and at most {NOISY:.0%} is allowed. Stop other programs and run "
            "again, or pass --quick to see the figures anyway."
        )


def _time(function: Timed, calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - start) / calls


def _calls_for(function: Timed, seconds: float) -> int:
    function()
    calls = 1
    while (spent := _time(function, calls) * calls) < seconds / 4:
        calls = max(calls * 2, int(calls * seconds / 4 / max(spent, 1e-9)))
    return max(1, round(calls * seconds / spent))

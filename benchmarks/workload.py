"""Workload: one line of the table, done by several frameworks, and the goals set for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.frameworks import Framework, Task


@dataclass(frozen=True)
class Workload:
    """One line of the table.

    Attributes:
        group: the heading it stands under.
        name: what is done.
        make: makes the task of a framework, or None where the framework has no counterpart.
        by_hand: makes the task in plain NumPy, where that is the limit to compare with.
        goals: by framework, the largest ratio of our time to its time that we aim for.
        tolerance: how far results may differ, relative to the largest.
    """

    group: str
    name: str
    make: Callable[[Framework], Task | None]
    by_hand: Callable[[], Task] | None = None
    goals: Mapping[str, float] = field(default_factory=dict)
    tolerance: float = 2e-4

    def tasks(self, frameworks: Sequence[Framework]) -> dict[str, Task]:
        """The task of each framework that has one, by name."""
        tasks = {f.name: task for f in frameworks if (task := self.make(f)) is not None}
        if self.by_hand is not None:
            tasks["by hand"] = self.by_hand()
        return tasks


def differing(results: Mapping[str, Any], tolerance: float) -> list[str]:
    """The frameworks whose results are not ours."""
    ours = _arrays(results["tinytorch"])
    return [name for name, r in results.items() if not _equal(_arrays(r), ours, tolerance)]


def _equal(theirs: list[np.ndarray], ours: list[np.ndarray], tolerance: float) -> bool:
    return len(theirs) == len(ours) and all(
        a.shape == b.shape
        and np.abs(a - b).max(initial=0) <= tolerance * max(np.abs(b).max(initial=0), 1e-30)
        for a, b in zip(theirs, ours, strict=True)
    )


def _arrays(result: Any) -> list[np.ndarray]:
    if isinstance(result, list | tuple):
        return [array for item in result for array in _arrays(item)]
    if hasattr(result, "detach"):
        result = result.detach()
    return [np.array(result, dtype=np.float64)]

"""Workload: one row of the table, run by several frameworks, with its goals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.frameworks import Framework, Task


@dataclass(frozen=True)
class Workload:
    """One row of the table.

    Attributes:
        group: the heading of its part of the table.
        name: what is computed.
        make: returns the task of a framework, or None if the framework has no equivalent.
        by_hand: returns the task in plain NumPy, if that is a baseline for this workload.
        goals: by framework, the largest ratio of our time to its time that we aim for.
        tolerance: the largest allowed difference of results, relative to the largest element.
    """

    group: str
    name: str
    make: Callable[[Framework], Task | None]
    by_hand: Callable[[], Task] | None = None
    goals: Mapping[str, float] = field(default_factory=dict)
    tolerance: float = 2e-4

    def tasks(self, frameworks: Sequence[Framework]) -> dict[str, Task]:
        """Return the task of each framework that has one, by name."""
        tasks = {f.name: task for f in frameworks if (task := self.make(f)) is not None}
        if self.by_hand is not None:
            tasks["by hand"] = self.by_hand()
        return tasks


def differing(results: Mapping[str, Any], tolerance: float) -> list[str]:
    """Return the names of the frameworks whose results differ from ours."""
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

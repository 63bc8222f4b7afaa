"""Sample calls of the op, for the conformance kit."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_devkit import Samples, call
from tinytorch_distributed.engine import Engine

Array = Any


class OneRank(Engine):
    """An engine without other ranks."""

    def __init__(self) -> None:
        super().__init__(0, 1, 1.0)

    def all_reduce(self, array: Array) -> OneRank:
        return self

    def test(self) -> bool:
        """Return that the sum over one rank is complete."""
        return True

    def wait(self) -> None:
        """Do nothing."""

    def broadcast(self, array: Array) -> None:
        """Do nothing."""

    def all_gather(self, value: Any) -> list[Any]:
        return [value]

    def fail(self, message: str) -> None:
        """Do nothing."""


def describe(samples: Samples) -> None:
    """Add samples of `all_reduce`."""
    x = np.linspace(-1, 1, 6).reshape(2, 3)
    arrays = (x, x[0], x[:0], np.array(2.0))
    samples.add("all_reduce", lambda x, comm: x, calls=[call(a, OneRank()) for a in arrays])
    reason = "a step that sends messages is not captured"
    samples.leave_out("can_be_compiled", reason, "all_reduce")
    samples.leave_out("varies_every_parameter", "every engine returns the same sum", "all_reduce")

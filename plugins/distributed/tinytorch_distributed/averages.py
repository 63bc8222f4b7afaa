"""Averages over the examples of all ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from tinytorch_distributed.engine import Engine


def mean(value: Any, examples: float, comm: Engine) -> float:
    """Return the mean of the values of the ranks, weighted by their numbers of examples.

    Args:
        value: a number, or a Tensor or array of one element, of this rank.
        examples: the number of examples that it is a mean of; 0 to leave it out.
        comm: the engine of this rank.

    Raises:
        ValueError: no rank has any examples.

    >>> from tinytorch_distributed import run_threads
    >>> run_threads(lambda comm: mean(comm.rank, examples=1 + comm.rank, comm=comm), 2)
    [0.6666666666666666, 0.6666666666666666]
    """
    number = float(value.item() if hasattr(value, "item") else value) if examples else 0.0
    sums = np.array([number * examples, examples])
    comm.all_reduce(sums).wait()
    if not sums[1]:
        raise ValueError("mean() needs examples on at least one rank, but all have passed 0")
    return float(sums[0] / sums[1])


def part_of_rank(state: Mapping[str, Any], rank: int) -> dict[str, Any]:
    """Return the part of saved averages with which a rank continues: all of it for rank 0.

    The others get sums of 0, and empty arrays so that all ranks have the same number of arrays.

    Args:
        state: the averages over all ranks.
        rank: the number of the rank.
    """
    found: dict[str, Any] = {"sums": {}, "examples": 0, "weight": 0} if rank else dict(state)
    for name in ("outputs", "targets"):
        if name in state:
            whole = np.concatenate(state[name])
            found[name] = [whole[:0] if rank else whole]
    return found


def combined(states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the state of the averages over all ranks.

    Args:
        states: the states of the averages of the ranks, as `Callback.on_averages` describes them.
    """
    sums: dict[str, float] = {}
    for state in states:
        for name, value in state["sums"].items():
            sums[name] = sums.get(name, 0.0) + value
    found: dict[str, Any] = {"sums": sums}
    for name in ("examples", "weight"):
        found[name] = sum(state[name] for state in states)
    for name in ("outputs", "targets"):
        # By batch, then by rank: the order of one process.
        columns = zip_longest(*(state.get(name, ()) for state in states))
        if arrays := [array for column in columns for array in column if array is not None]:
            found[name] = arrays
    return found

"""The sum over ranks as a differentiable op."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core import op
from tinytorch_core.extend import are_ndarrays

from tinytorch_distributed.engine import Engine

Array = Any


@op("all_reduce")
def all_reduce(x: Array, comm: Engine) -> Array:
    """Return the sum of x over all ranks, of which each gets the same bits.

    Every rank must call this with an x of the same shape and dtype, and every rank must run its
    backward pass, in which the gradients are summed over the ranks too: the result of each rank
    depends on the x of all of them. A step that contains this runs as it is, without being
    compiled.

    Args:
        x: a Tensor or array. An array of another library than NumPy is pickled.
        comm: the engine of this rank.

    Returns:
        A Tensor or array of the shape of x.

    Raises:
        RankError: another rank failed, or did not take part in time.

    >>> from tinytorch_distributed import run_threads
    >>> run_threads(lambda comm: all_reduce(np.ones(2), comm), 3)[0]
    array([3., 3.])
    """
    if not are_ndarrays(x):
        first, *others = comm.all_gather(x)
        return sum(others, first)
    total = np.array(x, order="C")
    comm.all_reduce(total).wait()
    return total


def all_reduce_x(grad: Array, comm: Engine) -> Array:
    """dL/dx = the sum of g over all ranks, for L the sum of the losses of all ranks."""
    return all_reduce(grad, comm)

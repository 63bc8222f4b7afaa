"""Case, one call of an op, and what the cases are made of.

A case is a function of tensors and the arrays to differentiate it at, which stay clear of kinks
and ties: `test_values.py` has those. Linear operations are cubed, so that their rules take part
in the higher derivatives too. Constants are exact in float32, and of that type, so that the same
case shows what becomes of float32.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

SAME = object()


@dataclass(frozen=True)
class Case:
    """One call of an op.

    `torch` is what to compare with: SAME where torch's tensors understand the function as it is,
    the name of a function of torch, a function of (torch, *tensors), or None.
    """

    name: str
    function: Callable[..., Any]
    arrays: tuple[np.ndarray, ...]
    torch: Any = SAME


def spread(shape, low=-2.0, high=2.25, seed=None):
    """Numbers between `low` and `high` in a mixed order, none equal, neighbours well apart."""
    size = int(np.prod(shape))
    values = np.linspace(low, high, size) if size > 1 else np.full(size, float(high))
    return np.random.default_rng(size if seed is None else seed).permutation(values).reshape(shape)


def cubed(function):
    return lambda *inputs: function(*inputs) ** 3


def with_constant(name, function, x, constant, right):
    def ours(x):
        return function(x, constant) if right else function(constant, x)

    def theirs(torch, x):
        other = torch.from_numpy(np.array(constant, np.float64))
        return function(x, other) if right else function(other, x)

    return Case(name, ours, (x,), theirs)

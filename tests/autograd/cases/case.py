"""Case, one call of an op to check.

A case is a function of tensors and the arrays at which to differentiate it. The arrays avoid ties
and points where the function is not differentiable; `test_values.py` covers those. Linear ops are
cubed, so that their higher derivatives are not 0. Constants have the dtype float32 and are exact in
it, so that the same case also runs in float32.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

SAME = object()


@dataclass(frozen=True)
class Case:
    """One call of an op.

    `torch` is the function to compare with: SAME if `function` also takes torch's tensors, the name
    of a function of torch, a function of (torch, *tensors), or None.
    """

    name: str
    function: Callable[..., Any]
    arrays: tuple[np.ndarray, ...]
    torch: Any = SAME


@contextmanager
def naming(case: Case) -> Iterator[None]:
    """Add the name of the case to an exception, for tests that check several cases."""
    try:
        yield
    except Exception as error:
        error.add_note(f"in {case.name}")
        raise


def spread(shape, low=-2.0, high=2.25, seed=None):
    """Return evenly spaced numbers between `low` and `high` in random order."""
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

"""The random generators of modules, and the seed for those that are created without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator, SeedSequence

    # A random generator, or a seed for one.
    Random = Generator | int | None

# The source of the seeds, after `manual_seed`.
_seeds: SeedSequence | None = None


def manual_seed(seed: int) -> None:
    """Make everything repeatable that is created from now on without a generator.

    Layers, initializers, data loaders and samplers whose `generator` is None then take generators
    with seeds derived from this one, in the order in which they are created. Without a call of
    this function, the operating system provides their seeds.

    Args:
        seed: a non-negative integer.

    Raises:
        TypeError, ValueError: `seed` is not a non-negative integer.

    >>> from tinytorch_layers import Linear
    >>> manual_seed(0)
    >>> first = Linear(2, 2)
    >>> manual_seed(0)
    >>> bool((Linear(2, 2).weight.data == first.weight.data).all())
    True
    """
    global _seeds
    if isinstance(seed, bool) or not hasattr(seed, "__index__"):
        raise TypeError(f"seed of manual_seed() must be an integer, not {seed!r:.60}")
    if seed < 0:
        raise ValueError(f"seed of manual_seed() must not be negative, got {seed}")
    _seeds = np.random.SeedSequence(seed)


def random_generator(generator: Random = None) -> Generator:
    """Return `generator`, or a new generator for a seed or for None; see `manual_seed`."""
    if generator is None and _seeds is not None:
        return np.random.default_rng(_seeds.spawn(1)[0])
    return np.random.default_rng(generator)

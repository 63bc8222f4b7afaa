"""Random draws inside compiled steps, with the keys of JAX.

Each call of a compiled step draws one seed from the NumPy generator, whose state advances, so the
numbers differ between steps, repeat for a seed, and continue after a checkpoint is loaded. They are
not the numbers that NumPy would draw.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from tinytorch_xla.array import Array, unwrapped
from tinytorch_xla.engine import in_64_bits, jax, jnp
from tinytorch_xla.errors import XlaError, user_line


def seed_from(generator: np.random.Generator) -> np.uint32:
    """Return a seed for one call of a compiled step, and advance the generator."""
    return np.uint32(generator.integers(2**32, dtype=np.uint64))


class TracedGenerator:
    """A random generator of the step that is being traced.

    Args:
        seed: a traced seed.

    Attributes:
        draws: how often numbers were drawn.
    """

    __class__: ClassVar[Any] = property(lambda self: np.random.Generator)  # for isinstance

    def __init__(self, seed: Any) -> None:
        self._seed = seed
        self.draws = 0

    def _key(self) -> Any:
        self.draws += 1
        return jax.random.fold_in(jax.random.key(self._seed), self.draws)

    @in_64_bits
    def random(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Array:
        """Return numbers from [0, 1)."""
        return Array(jax.random.uniform(self._key(), _shape(size), np.dtype(dtype)))

    @in_64_bits
    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Array:
        """Return numbers from [low, high)."""
        low, high = (jnp.asarray(unwrapped(x), float) for x in (low, high))
        shape = jnp.broadcast_shapes(low.shape, high.shape) if size is None else _shape(size)
        return Array(low + (high - low) * jax.random.uniform(self._key(), shape, float))

    @in_64_bits
    def standard_normal(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Array:
        """Return numbers with the standard normal distribution."""
        return Array(jax.random.normal(self._key(), _shape(size), np.dtype(dtype)))

    @in_64_bits
    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Array:
        """Return numbers with a normal distribution."""
        loc, scale = (jnp.asarray(unwrapped(x), float) for x in (loc, scale))
        shape = jnp.broadcast_shapes(loc.shape, scale.shape) if size is None else _shape(size)
        return Array(loc + scale * jax.random.normal(self._key(), shape, float))

    @in_64_bits
    def integers(
        self,
        low: Any,
        high: Any = None,
        size: Any = None,
        dtype: Any = np.int64,
        endpoint: bool = False,
    ) -> Array:
        """Return integers from [low, high), or from [0, low)."""
        low, high = (0, low) if high is None else (low, high)
        return Array(
            jax.random.randint(
                self._key(),
                _shape(size),
                unwrapped(low),
                unwrapped(high) + endpoint,
                np.dtype(dtype),
            )
        )

    @in_64_bits
    def permutation(self, x: Any, axis: int = 0) -> Array:
        """Return the numbers below `x`, or the slices of an array, in random order."""
        return Array(jax.random.permutation(self._key(), unwrapped(x), axis))

    def __getattr__(self, name: str) -> Any:
        raise XlaError(
            f"{user_line()}: {name} of a random generator is not available inside jit; use random, "
            "uniform, normal, standard_normal, integers or permutation"
        )


def _shape(size: Any) -> tuple[int, ...]:
    if size is None:
        return ()
    return (int(size),) if hasattr(size, "__index__") else tuple(size)

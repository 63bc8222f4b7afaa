"""A cache of keys and values for generation."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core.extend import are_ndarrays, to_array

from tinytorch_modules import Module

Array = Any


class KeyValueCache:
    """The keys and values of the positions seen so far, for generation token by token.

    Pass one cache to all calls of a model for one text. Each `MultiheadAttention` appends the keys
    and values of the new positions, and attends to those of all positions. The memory doubles when
    it is full, so that appending does not copy everything at each token.

    The cache does not keep gradients: use it in `with no_grad():`.

    >>> from tinytorch_layers import MultiheadAttention
    >>> layer = MultiheadAttention(4, 2, batch_first=True).requires_grad_(False)
    >>> cache = KeyValueCache()
    >>> for x in np.ones((3, 1, 1, 4), np.float32):
    ...     out, _ = layer(x, x, x, need_weights=False, cache=cache)
    >>> len(cache)
    3
    """

    def __init__(self) -> None:
        # For each attention, by its id: the module, the keys, the values, and their number.
        self._parts: dict[int, tuple[Module, Array, Array, int]] = {}

    def __len__(self) -> int:
        """Return the number of positions that every attention has seen."""
        return min((count for *_, count in self._parts.values()), default=0)

    def clear(self) -> None:
        """Forget all positions."""
        self._parts.clear()

    def append(self, owner: Module, key: Array, value: Array) -> tuple[Array, Array]:
        """Add keys and values of an attention; return those of all positions so far.

        Args:
            owner: the attention.
            key, value: Tensors or arrays of shape (..., heads, L, D).

        Returns:
            Two arrays of shape (..., heads, positions, D).

        Raises:
            RuntimeError: the keys or values require grad.
            ValueError: the shapes do not match those of earlier positions.
        """
        if any(getattr(x, "requires_grad", False) for x in (key, value)):
            raise RuntimeError(
                "a KeyValueCache keeps no gradients, but the keys and values require grad; call "
                "the model in `with no_grad():`, or train it without a cache"
            )
        new = to_array(key), to_array(value)
        if id(owner) not in self._parts:
            self._parts[id(owner)] = (owner, *(x[..., :0, :] for x in new), 0)
        _, *old, count = self._parts[id(owner)]
        total = count + new[0].shape[-2]
        joined = [_appended(a, b, count) for a, b in zip(old, new, strict=True)]
        self._parts[id(owner)] = (owner, joined[0], joined[1], total)
        return joined[0][..., :total, :], joined[1][..., :total, :]


def _appended(old: Array, new: Array, count: int) -> Array:
    """Return an array whose first rows are `count` rows of `old`, then those of `new`."""
    if old.shape[:-2] != new.shape[:-2] or old.shape[-1] != new.shape[-1]:
        raise ValueError(
            f"the cache contains keys or values of shape {old.shape[:-2]} x {old.shape[-1]}, but "
            f"the new ones have shape {new.shape[:-2]} x {new.shape[-1]}; use a new KeyValueCache "
            "for each batch of texts"
        )
    if not are_ndarrays(old, new):
        return np.concatenate([old[..., :count, :], new], axis=-2)
    total = count + new.shape[-2]
    if old.shape[-2] < total or not old.flags.writeable:
        length = max(total, 2 * old.shape[-2], 16)
        larger = np.empty((*new.shape[:-2], length, new.shape[-1]), new.dtype)
        larger[..., :count, :] = old[..., :count, :]
        old = larger
    old[..., count:total, :] = new
    return old

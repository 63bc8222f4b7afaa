"""The arguments and results of compiled functions: nested containers with arrays and tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import from_array, unwrap

from tinytorch_xla import functions, kernels  # noqa: F401  # they complete Array
from tinytorch_xla.array import Array as Array
from tinytorch_xla.engine import jax, jnp
from tinytorch_xla.errors import XlaError


class Leaf:
    """The place of an array in arguments or results.

    Args:
        index: the index of the array.
        kind: the class of the Tensor; None for an array.
    """

    __slots__ = ("index", "kind")

    def __init__(self, index: int, kind: type[Tensor] | None) -> None:
        self.index, self.kind = index, kind

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Leaf) and (self.index, self.kind) == (other.index, other.kind)

    def __hash__(self) -> int:
        return hash((self.index, self.kind))

    def built(self, value: Any) -> Any:
        """Return the array, or a Tensor on it."""
        array = Array(value)
        return array if self.kind is None else from_array(self.kind, array)


def flattened(tree: Any, arrays: list[Any], owner: str) -> Any:
    """Return nested arguments with leaves in place of the arrays, which are appended to `arrays`.

    Raises:
        XlaError: a tensor requires grad.
    """
    if isinstance(tree, Tensor):
        if getattr(tree, "requires_grad", False):
            raise XlaError(
                f"{owner} of a tensor that requires grad would lose its gradient; put the "
                "differentiation inside, as in jit(func.grad(f)), or pass x.detach()"
            )
        arrays.append(unwrap(tree))
        return Leaf(len(arrays) - 1, type(tree))
    if isinstance(tree, Array | np.ndarray | np.generic | jax.Array):
        arrays.append(tree)
        return Leaf(len(arrays) - 1, None)
    return rebuilt(tree, lambda item: flattened(item, arrays, owner))


def rebuilt(tree: Any, change: Callable[[Any], Any]) -> Any:
    """Return a tuple, list or dict with its items changed, and anything else unchanged."""
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*map(change, tree))
    if isinstance(tree, tuple | list):
        return type(tree)(map(change, tree))
    if type(tree) is dict:
        return {key: change(item) for key, item in tree.items()}
    return tree


def filled(tree: Any, values: Any) -> Any:
    """Return nested arguments with arrays in place of the leaves."""
    if isinstance(tree, Leaf):
        return tree.built(values[tree.index])
    return rebuilt(tree, lambda item: filled(item, values))


def collected(tree: Any, arrays: list[Any]) -> Any:
    """Return a nested result with leaves in place of the arrays, which are appended to `arrays`."""
    if isinstance(tree, Tensor | Array | np.ndarray | np.generic):
        arrays.append(as_jax(unwrap(tree)))
        return Leaf(len(arrays) - 1, Tensor if isinstance(tree, Tensor) else None)
    return rebuilt(tree, lambda item: collected(item, arrays))


def as_jax(value: Any) -> Any:
    """Return an array of JAX for an array of ours or of NumPy."""
    if isinstance(value, Array):
        return value.value
    return value if isinstance(value, jax.Array) else jnp.asarray(value)


def key_of(tree: Any) -> Any:
    """Return a hashable value that is equal for arguments of the same structure and constants."""
    if isinstance(tree, tuple | list):
        return type(tree), tuple(map(key_of, tree))
    if type(tree) is dict:
        return dict, tuple((key, key_of(item)) for key, item in tree.items())
    if isinstance(tree, bool | int | float | complex | str | bytes | type(None) | Leaf):
        return type(tree), tree
    return type(tree), id(tree)

"""`x[index] = value` for tracked tensors: the tensor gets a new array, which is recorded.

That is the same as writing into the array only if nothing else sees it: no view, no other tensor,
and no `x.data` in the user's program. The number of references tells. Nodes that saved the array
keep the old one, so their derivatives stay right.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import least_references, place, unwrap

from tinytorch_autograd import tree
from tinytorch_autograd.engine import nodes_of
from tinytorch_autograd.errors import GraphFreedError
from tinytorch_autograd.node import AccumulateGrad
from tinytorch_autograd.tracking import inputs_of_transforms
from tinytorch_autograd.unrecorded import nodes_in


def assign(x: Any, index: Any, value: Any) -> str | None:
    """Record `x[index] = value`.

    Returns:
        None, or what prevents it, for a sentence that starts with "the tensor".
    """
    obstacle = _obstacle(x, value)
    if obstacle is None:
        result = _with_items(x, unwrap(index), value)
        x.data, x._node = result.data, result._node
    return obstacle


def _obstacle(x: Any, value: Any) -> str | None:
    """Return what prevents that an assignment to `x` is recorded, or None."""
    if isinstance(x._node, AccumulateGrad):
        return "is a leaf that requires grad"
    if x._retains:
        return "retains its gradient"
    if x.dtype.kind not in "fc":
        return f"has the dtype {x.dtype}, which has no derivatives"
    if any(x is argument for argument in inputs_of_transforms.get()):
        return "is an argument that a transform differentiates"
    # Without the global interpreter lock, this holds for every array.
    if not _is_unshared(x, value):
        return "may share its array, for example with a view or another variable"
    return None


def _with_items(x: Any, index: Any, value: Any) -> Any:
    """Return a tensor with the elements of `x`, but `value` where `index` selects."""
    written = np.zeros(x.shape, bool)
    shape = written[index].shape
    written[index] = True
    if isinstance(value, Tensor):
        # NumPy ignores leading axes of length 1 of the value.
        extra = max(value.ndim - len(shape), 0)
        value = np.squeeze(value, tuple(range(extra))) if extra else value
        values = np.broadcast_to(value.astype(x.dtype), shape)
    else:
        values = np.empty(shape, x.dtype)
        values[...] = value
    return np.where(written, place(values, index, x.shape), x)


def _is_unshared(x: Any, value: Any) -> bool:
    """Return whether nothing but `x` and nodes refer to its array, an ndarray, or to its memory."""
    array, references = _counted(x)
    if type(array) is not np.ndarray:
        return False
    owner, references_to_owner = _counted_base(array)  # of a view, as many functions return them
    if owner is not None and (type(owner) is not np.ndarray or references_to_owner > _OWNER):
        return False
    if not (array if owner is None else owner).flags.owndata:  # memory of another library
        return False
    return references <= _ARRAY or references - _saved(array, [x, value]) <= _ARRAY


def _counted(x: Any) -> tuple[Any, int]:
    """Return the array of a tensor, and the number of references to the array."""
    return x.data, sys.getrefcount(x.data)


def _counted_base(array: Any) -> tuple[Any, int]:
    return array.base, sys.getrefcount(array.base)


def _counted_leaves(saved: Any) -> list[tuple[Any, int]]:
    """Return what a node saved, each value with the number of references to it."""
    values = tree.leaves([saved])
    references = [*map(sys.getrefcount, values)]
    return list(zip(values, references, strict=True))


# The number of references that these functions count to an array that nothing else refers to.
_ARRAY = least_references(lambda limit: _counted(Tensor(0.0))[1] <= limit)
_OWNER = least_references(lambda limit: _counted_base(np.empty(2)[1:])[1] <= limit)
_SAVED = least_references(lambda limit: _counted_leaves([np.empty(0)])[0][1] <= limit)


def _saved(array: Any, tensors: list[Any]) -> int:
    """Return how many references to an array the nodes hold that tensors depend on.

    They save the array, or a view of it that nothing else refers to.
    """
    try:
        nodes = nodes_of(nodes_in(tensors, Tensor))[0]
    except GraphFreedError:
        return 0
    return sum(
        value is array
        or (isinstance(value, np.ndarray) and value.base is array and references <= _SAVED)
        for node in nodes
        for value, references in _counted_leaves(node.saved)
    )

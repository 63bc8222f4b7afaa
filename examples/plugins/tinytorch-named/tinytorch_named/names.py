"""Names of axes: which are valid, and how those of several tensors combine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import did_you_mean

# A name for each axis, None for an unnamed one.
Names = tuple[str | None, ...]


class NamesError(ValueError):
    """Names of axes do not fit a tensor or each other."""


def names_of(value: Any) -> Names:
    """Return the names of the axes of a tensor, an array or a number; None for an unnamed axis."""
    ndim: int = value.ndim if hasattr(value, "ndim") else np.ndim(value)
    names: Names | None = getattr(value, "_names", None)
    # `x.data = array` may have changed the number of axes.
    return (None,) * ndim if names is None or len(names) != ndim else names


def set_names(x: Any, names: Sequence[str | None] | None) -> None:
    """Give the axes of a tensor names; None removes them.

    Raises:
        NamesError: the numbers of names and axes differ, a name occurs twice, or it is not an
            identifier.
    """
    x._names = None if names is None else checked(x, tuple(names))


def checked(x: Any, names: Names) -> Names:
    """Return `names`, which must be valid for the tensor `x`; NamesError if they are not."""
    if len(names) != x.ndim:
        raise NamesError(
            f"{names} names {len(names)} axes, but the tensor of shape {x.shape} has {x.ndim}; "
            "pass a name or None for each axis"
        )
    for name, count in Counter(names).items():
        if name is not None and not (isinstance(name, str) and name.isidentifier()):
            raise NamesError(f"{name!r} in {names} cannot name an axis; use an identifier, or None")
        if name is not None and count > 1:
            raise NamesError(f"{names} contains {name!r} twice; the names of axes must differ")
    return names


def described(x: Any) -> str:
    """Return the names and the shape of a tensor for messages.

    >>> described(Tensor([[1.0]], names=("batch", None)))
    "('batch', None) of shape (1, 1)"
    """
    return f"{names_of(x)} of shape {np.shape(getattr(x, 'data', x))}"


def axis_of(what: str, x: Any, axis: Any) -> Any:
    """Return `axis` with names replaced by numbers; it may be a tuple or list of axes.

    Args:
        what: the operation, for the message.
        x: the tensor.
        axis: a name, a number, anything else, or a tuple or list of these.

    Raises:
        NamesError: `x` does not have an axis of that name.
    """
    if isinstance(axis, tuple | list):
        return tuple(axis_of(what, x, a) for a in axis)
    if not isinstance(axis, str):
        return axis
    names = names_of(x)
    if axis in names:
        return names.index(axis)
    known = [name for name in names if name]
    hint = did_you_mean(axis, known) if known else "Give the axes names with x.rename(...)."
    raise NamesError(f"{what}: no axis is named {axis!r} in {described(x)}. {hint}")


def broadcast(what: str, operands: Sequence[Any], names: Sequence[Names] | None = None) -> Names:
    """Return the names of the result of broadcasting.

    Args:
        what: the operation, for the message.
        operands: tensors, arrays and numbers.
        names: the names of the axes that take part; by default those of the operands.

    Raises:
        NamesError: axes with different names meet, or a name belongs to different axes.
    """
    found = [names_of(x) for x in operands] if names is None else names
    result: list[str | None] = [None] * max(map(len, found), default=0)
    for each in found:
        for i in range(-len(each), 0):
            if each[i] is not None and result[i] not in (None, each[i]):
                raise _mismatch(
                    f"{what}: axis {i} is {result[i]!r} in one operand and {each[i]!r} in another",
                    operands,
                )
            result[i] = result[i] or each[i]
    for name, count in Counter(filter(None, result)).items():
        if count > 1:
            raise _mismatch(f"{what}: {name!r} is not the same axis in all operands", operands)
    return tuple(result)


def _mismatch(what: str, operands: Sequence[Any]) -> NamesError:
    lines = [f"  {described(x)}" for x in operands if isinstance(x, Tensor)]
    remedy = "Axes are matched from the right. Use align_to() to reorder them, or rename()."
    return NamesError("\n".join([what, *lines, remedy]))


def without_repeated(names: Sequence[str | None]) -> Names:
    """Return the names with None for those that occur twice, such as in `x @ x.T`.

    >>> without_repeated(["batch", "feature", "feature"])
    ('batch', None, None)
    """
    counts = Counter(names)
    return tuple(name if counts[name] == 1 else None for name in names)

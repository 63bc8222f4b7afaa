"""The attributes and methods that the plugin adds to Tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinytorch_core import Tensor
from tinytorch_core.extend import TensorExtension, derive

from tinytorch_named.names import (
    Names,
    NamesError,
    axis_of,
    checked,
    described,
    names_of,
    set_names,
)
from tinytorch_named.patterns import rearrange
from tinytorch_named.propagation import ignoring_names


def rename(self: Tensor, /, *names: str | None, **changed: str | None) -> Tensor:
    """Return the same elements under other names; the result shares memory with the tensor.

    `x.rename("batch", "time")` names all axes, `x.rename(time="step")` changes one name, and
    `x.rename(None)` removes the names. `x.names = ...` changes the names of `x` itself.

    Raises:
        NamesError: an axis does not exist, the numbers of names and axes differ, or a name
            occurs twice.
        TypeError: names were given both ways.
    """
    if names and changed:
        raise TypeError("rename() takes a name for each axis, or changes such as time='step'")
    given: Sequence[str | None] | None = None if names == (None,) and self.ndim != 1 else names
    if changed:
        renamed = list(names_of(self))
        for old, new in changed.items():
            renamed[axis_of("rename", self, old)] = new
        given = renamed
    if given is not None:
        given = checked(self, tuple(given))  # before an op is recorded
    return _indexed(self, ..., given)


def _indexed(x: Tensor, index: Any, names: Sequence[str | None] | None) -> Tensor:
    """Return `x[index]` with these names."""
    with ignoring_names():
        out = x[index]
    set_names(out, names)
    return out


def align_to(self: Tensor, *names: str) -> Tensor:
    """Return the tensor with its axes in the order of `names`.

    A name that the tensor lacks becomes an axis of length 1, and `...` stands for all axes that
    are not listed. The result shares memory with the tensor.

    Raises:
        NamesError: an axis is unnamed, or the names do not contain every axis.
    """
    own = names_of(self)
    if None in own:
        raise NamesError(
            f"align_to: an axis is unnamed in {described(self)}; name it with rename(...)"
        )
    listed: list[str | None] = list(names)
    if "..." in listed:
        i = listed.index("...")
        listed[i : i + 1] = [name for name in own if name not in names]
    if missing := [name for name in own if name not in listed]:
        raise NamesError(
            f"align_to{names} lacks {missing[0]!r} of {described(self)}; add it, or '...'"
        )
    with ignoring_names():
        out = self.permute([own.index(name) for name in listed if name in own])
    return _indexed(out, tuple(slice(None) if name in own else None for name in listed), listed)


def isel(self: Tensor, /, **indices: Any) -> Tensor:
    """Return the elements at these indices of named axes, such as `x.isel(batch=0)`.

    Args:
        self: the tensor.
        indices: for each axis a number, a slice, or a list or array of numbers.

    Raises:
        NamesError: an axis does not exist.
        IndexError: an index is out of range.
    """
    index: list[Any] = [slice(None)] * self.ndim
    for name, chosen in indices.items():
        index[axis_of("isel", self, name)] = chosen
    return self[tuple(index)]


def named_grad(self: Any) -> Any:
    """The gradient as a Tensor with the names of this tensor, or None; `grad` is an array."""
    return None if self.grad is None else derive(self, self.grad, "like")


def _keyword_of_copy(self: Any) -> Names | None:
    names = names_of(self)
    return names if any(names) else None


def _repr_part(self: Any) -> str | None:
    names = _keyword_of_copy(self)
    return None if names is None else f"names={names}"


def extend(tensor: TensorExtension) -> None:
    """Add the attributes and methods to the surface."""
    tensor.add("_names", None, keep_in=["copy", "like"])
    doc = "The names of the axes, None for each that is unnamed. Can be assigned."
    tensor.add("names", property(names_of, set_names, doc=doc))
    for method in (rename, align_to, isel, rearrange):
        tensor.add(method.__name__, method)
    if "grad" in tensor.surface.providers:  # autograd is active
        tensor.add("named_grad", property(named_grad))
    tensor.add_keyword("names", set_names, _keyword_of_copy, None)
    tensor.add_repr(_repr_part)

"""`rearrange`: axes split, joined and reordered by a pattern, as in einops."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tinytorch_core import Tensor

from tinytorch_named.names import NamesError, described, names_of, set_names
from tinytorch_named.propagation import ignoring_names

# One axis of a pattern: the names that it is split into. `...` stands for any number of axes.
Group = tuple[str, ...]
REST: Group = ("...",)


def rearrange(x: Any, pattern: str, /, **sizes: int) -> Any:
    """Return the tensor with its axes split, joined and reordered.

    Args:
        x: a Tensor. Axes with names must have the same names in the pattern.
        pattern: such as `"batch (head dim) -> head batch dim"`. Parentheses split an axis on the
            left and join axes on the right; `...` stands for any further axes, and `1` for an
            axis of length 1.
        sizes: lengths of axes in the pattern. Of each axis that is split, one may be left out.

    Returns:
        A Tensor whose axes have the names on the right; joined axes have none.

    Raises:
        NamesError: the pattern is invalid, or does not fit the tensor.
        TypeError: `x` is not a Tensor.

    >>> x = Tensor([[1, 2, 3, 4]], names=("batch", None))
    >>> y = rearrange(x, "batch (head dim) -> head batch dim", head=2)
    >>> y.names, y.shape
    (('head', 'batch', 'dim'), (2, 1, 2))
    """
    if not isinstance(x, Tensor):
        raise TypeError(f"rearrange() takes a Tensor, not {type(x).__name__}: {x!r:.60}")
    try:
        return _rearranged(x, pattern, sizes)
    except NamesError as error:
        given = "".join(f"\n  {name}={size}" for name, size in sizes.items())
        raise NamesError(f"rearrange {pattern!r}: {error}\n  {described(x)}{given}") from None


def _rearranged(x: Any, pattern: str, sizes: Mapping[str, int]) -> Any:
    left, right = _parsed(pattern, sizes)
    left, rest = _without_rest(left, x.ndim)
    _check_names(left, names_of(x), rest)
    lengths = _lengths(left, x.shape, sizes)
    right = [group for g in right for group in ([(r,) for r in rest] if g == REST else [g])]
    flat = [name for group in left for name in group]
    order = [flat.index(name) for group in right for name in group]
    names = {r: name for g, name in zip(left, names_of(x), strict=True) for r in g if r in rest}
    with ignoring_names():
        out = x.reshape([lengths[name] for name in flat]).permute(order)
        out = out.reshape([math.prod(lengths[name] for name in group) for group in right])
    set_names(out, [names.get(g[0], g[0]) if len(g) == 1 else None for g in right])
    return out


class _Sides(NamedTuple):
    left: list[Group]
    right: list[Group]


def _parsed(pattern: str, sizes: Mapping[str, int]) -> _Sides:
    parts = pattern.split("->")
    if len(parts) != 2:
        raise NamesError("a pattern needs one '->' between the axes of the input and the output")
    sides = _Sides(*map(_groups, parts))
    named = [{name for group in side for name in group} for side in sides]
    if only := named[0] ^ named[1]:
        raise NamesError(f"{_listed(only)} must be on both sides")
    if wrong := [size for size in sizes.values() if not isinstance(size, int) or size < 0]:
        raise NamesError(
            f"the size of an axis must be a whole number of at least 0, not {wrong[0]}"
        )
    if unknown := sizes.keys() - named[0]:
        raise NamesError(f"a size is given for {_listed(unknown)}, which the pattern lacks")
    return sides


def _groups(side: str) -> list[Group]:
    """Return the axes of one side of a pattern.

    >>> _groups("batch (head dim) 1 ...")
    [('batch',), ('head', 'dim'), (), ('...',)]
    """
    axis = r"\([\w\s]*\)|\.\.\.|\w+"
    if wrong := re.sub(axis, "", side).strip():
        raise NamesError(
            f"{wrong[0]!r} in {side.strip()!r}; an axis is a name, a group (a b), 1 or ..."
        )
    inside = [re.findall(r"[\w.]+", found) for found in re.findall(axis, side)]
    groups = [tuple(name for name in names if name != "1") for names in inside]
    names = [name for group in groups for name in group]
    if numbers := [name for name in names if not (name.isidentifier() or name == "...")]:
        raise NamesError(f"{numbers[0]!r} cannot name an axis; use an identifier")
    if repeated := {name for name in names if names.count(name) > 1}:
        raise NamesError(f"{_listed(repeated)} must not occur twice in {side.strip()!r}")
    return groups


def _listed(names: set[str]) -> str:
    return ", ".join(map(repr, sorted(names)))


def _without_rest(left: Sequence[Group], ndim: int) -> tuple[list[Group], list[str]]:
    """Return the left side with a name for each axis that `...` stands for, and these names."""
    count = ndim - (len(left) - (REST in left))
    if count < 0 or (count > 0 and REST not in left):
        least = "at least " if REST in left else ""
        raise NamesError(f"the pattern needs {least}{ndim - count} axes, and the input has {ndim}")
    rest = [f"...{i}" for i in range(count)]
    return [g for group in left for g in ([(r,) for r in rest] if group == REST else [group])], rest


def _check_names(left: Sequence[Group], names: Sequence[str | None], rest: Sequence[str]) -> None:
    for i, (group, name) in enumerate(zip(left, names, strict=True)):
        if len(group) == 1 and group[0] not in rest and name not in (None, group[0]):
            raise NamesError(f"axis {i} is {group[0]!r} in the pattern, and {name!r} in the input")


def _lengths(
    left: Sequence[Group], shape: Sequence[int], sizes: Mapping[str, int]
) -> dict[str, int]:
    """Return the length of each name; those of an axis multiply to the length of the axis."""
    lengths = dict(sizes)
    for i, (group, length) in enumerate(zip(left, shape, strict=True)):
        unknown = [name for name in group if name not in sizes]
        if len(unknown) > 1:
            raise NamesError(
                f"axis {i} of length {length} is split into {' × '.join(group)}; pass all but one "
                f"of the sizes, such as {unknown[0]}="
            )
        known = math.prod(sizes[name] for name in group if name in sizes)
        if unknown and known and length % known == 0:
            lengths[unknown[0]] = length // known
        elif unknown or known != length:
            factors = [f"{name}={sizes[name]}" if name in sizes else name for name in group]
            raise NamesError(f"axis {i} has length {length}, not {' × '.join(factors) or 1}")
    return lengths

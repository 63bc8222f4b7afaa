"""The backward half of `detect_anomaly`: nodes that check their saved arrays and gradients."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_autograd import tree
from tinytorch_autograd.debug.location import Location, find_nonfinite
from tinytorch_autograd.errors import AnomalyError, ModifiedError
from tinytorch_autograd.node import Function
from tinytorch_autograd.outputs import Output


class _Origin(NamedTuple):
    """Where the op of a node ran, and checksums of what the node saved, by name."""

    location: Location
    checksums: tuple[tuple[str, int], ...]


_origins: WeakKeyDictionary[Function, _Origin] = WeakKeyDictionary()


def watch(result: Any, location: Location) -> None:
    """Make the node of `result` check itself in the backward pass."""
    node = getattr(result, "_node", None)
    if isinstance(node, Output) and node.edges:
        node = node.edges[0]
    if isinstance(node, Function) and node.has_rule and node not in _origins and node.edges:
        kind = type(node)
        if "_watched" not in vars(kind):
            body = {"__slots__": (), "__module__": kind.__module__, "__doc__": kind.__doc__}
            kind._watched = type(kind.__name__, (_Watched, kind), body)  # type: ignore[attr-defined]
        node.__class__ = kind._watched  # type: ignore[attr-defined]
        _origins[node] = _Origin(location, _checksums(node))


def _checksums(node: Function) -> tuple[tuple[str, int], ...]:
    return tuple(
        (name, zlib.crc32(np.ascontiguousarray(array).data))
        for name, value in zip(node.saves, node.saved, strict=True)
        for array in tree.leaves(value if isinstance(value, list | tuple) else [value])
        if isinstance(array, np.ndarray) and array.size
    )


class _Watched:
    """Mixin for Function classes that adds the checks."""

    __slots__ = ()

    def gradients(self: Any, grad: Any) -> tuple[Any, ...]:
        origin = _origins.get(self)
        if origin is None:
            return super().gradients(grad)  # type: ignore[misc]
        _check_saved(self, origin)
        try:
            with np.errstate(all="ignore"):
                parts = super().gradients(grad)  # type: ignore[misc]
        except AnomalyError as error:
            raise AnomalyError(
                f"the backward pass of {self.op.name} produced nan or inf. {self.op.name} ran here:"
                f"{origin.location}"
            ) from error
        _check_gradients(self, origin, grad, parts)
        return parts

    def location(self: Any) -> str | None:
        origin = _origins.get(self)
        return None if origin is None else str(origin.location)

    def lifted(self: Any) -> Function:
        origin = _origins.get(self)
        node: Function = super().lifted()  # type: ignore[misc]
        if origin is not None:
            _check_saved(self, origin)
            _origins[node] = origin._replace(checksums=())
        return node


def _check_saved(node: Function, origin: _Origin) -> None:
    if not origin.checksums:
        return
    for (name, before), (_, now) in zip(origin.checksums, _checksums(node), strict=True):
        if before != now:
            raise ModifiedError(
                f"the array that {node.op.name} had saved as {name!r} for its backward pass was "
                "written into since, so its gradient would be wrong; write into a copy instead. "
                f"{node.op.name} ran here:{origin.location}"
            )


def _check_gradients(node: Function, origin: _Origin, grad: Any, parts: Iterable[Any]) -> None:
    # An op with several outputs gets a dict of their gradients.
    incoming = grad.values() if isinstance(grad, dict) else (grad,)
    bad_incoming = next(filter(None, (find_nonfinite(unwrap(g)) for g in incoming)), None)
    for i, part in enumerate(parts):
        found = find_nonfinite(unwrap(part))
        if found is None or (bad_incoming is not None and found[0] != "nan"):
            continue
        names = node.op.inputs
        name = names[i] if i < len(names) and not node.op.variadic else str(i)
        was = "was finite" if bad_incoming is None else f"contained {bad_incoming[0]} already"
        raise AnomalyError(
            f"the backward pass of {node.op.name} produced {found[0]} at element {found[1]} of the "
            f"gradient of its input {name!r}, though the gradient of its output {was}. "
            f"{node.op.name} ran here:{origin.location}"
        )

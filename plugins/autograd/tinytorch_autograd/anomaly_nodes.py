"""The backward half of `detect_anomaly`: nodes that check themselves when they are walked through.

That their saved arrays are as they were, and that they make no nan or inf.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_autograd import tree
from tinytorch_autograd.anomaly_where import Place, not_finite
from tinytorch_autograd.errors import AnomalyError
from tinytorch_autograd.node import Function
from tinytorch_autograd.outputs import Output


class _Origin(NamedTuple):
    """Where a node comes from, and its saved arrays in short."""

    place: Place
    saved: tuple[tuple[str, int], ...]


_origins: WeakKeyDictionary[Function, _Origin] = WeakKeyDictionary()


def watch(result: Any, place: Place) -> None:
    """Lets the node of a result check itself when it is walked through."""
    node = getattr(result, "_node", None)
    if isinstance(node, Output) and node.edges:
        node = node.edges[0]
    if isinstance(node, Function) and node.has_rule and node not in _origins and node.edges:
        kind = type(node)
        if "_watching" not in vars(kind):
            body = {"__slots__": (), "__module__": kind.__module__, "__doc__": kind.__doc__}
            kind._watching = type(kind.__name__, (_Watching, kind), body)  # type: ignore[attr-defined]
        node.__class__ = kind._watching  # type: ignore[attr-defined]
        _origins[node] = _Origin(place, _fingerprints(node))


def _fingerprints(node: Function) -> tuple[tuple[str, int], ...]:
    return tuple(
        (name, zlib.crc32(np.ascontiguousarray(array).data))
        for name, value in zip(node.saves, node.saved, strict=True)
        for array in tree.leaves(value if isinstance(value, list | tuple) else [value])
        if isinstance(array, np.ndarray) and array.size
    )


class _Watching:
    """What a watched node does besides."""

    __slots__ = ()

    def gradients(self: Any, grad: Any) -> tuple[Any, ...]:
        origin = _origins.get(self)
        if origin is None:
            return super().gradients(grad)  # type: ignore[misc, no-any-return]
        _check_saved(self, origin)
        try:
            with np.errstate(all="ignore"):
                parts = super().gradients(grad)  # type: ignore[misc]
        except AnomalyError as error:
            raise AnomalyError(
                f"the backward pass of {self.op.name} made nan or inf. {self.op.name} ran here:"
                f"{origin.place}"
            ) from error
        _check_gradients(self, origin, grad, parts)
        return parts  # type: ignore[no-any-return]

    def lifted(self: Any) -> Function:
        origin = _origins.get(self)
        node: Function = super().lifted()  # type: ignore[misc]
        if origin is not None:
            _check_saved(self, origin)
            _origins[node] = origin._replace(saved=())
        return node


def _check_saved(node: Function, origin: _Origin) -> None:
    if not origin.saved:
        return
    for (name, before), (_, now) in zip(origin.saved, _fingerprints(node), strict=True):
        if before != now:
            raise AnomalyError(
                f"the array that {node.op.name} had saved as {name!r} for its backward pass was "
                "written into since, so its gradient would be wrong; write into a copy. "
                f"{node.op.name} ran here:{origin.place}"
            )


def _check_gradients(node: Function, origin: _Origin, grad: Any, parts: Iterable[Any]) -> None:
    # An op of several outputs has a dict of their gradients.
    incoming = grad.values() if isinstance(grad, dict) else (grad,)
    came = next(filter(None, (not_finite(unwrap(g)) for g in incoming)), None)
    for i, part in enumerate(parts):
        found = not_finite(unwrap(part))
        if found is None or (came is not None and found[0] != "nan"):
            continue
        names = node.op.inputs
        name = names[i] if i < len(names) and not node.op.variadic else str(i)
        given = "was finite" if came is None else f"held {came[0]} already"
        raise AnomalyError(
            f"the backward pass of {node.op.name} made {found[0]} at element {found[1]} of the "
            f"gradient of its input {name!r}, though the gradient that came in {given}. "
            f"{node.op.name} ran here:{origin.place}"
        )

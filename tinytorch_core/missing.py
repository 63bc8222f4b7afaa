"""Why a Tensor lacks what somebody asks for: which plugin brings it, and why that is not on."""

from __future__ import annotations

import functools
import os
from collections.abc import Collection
from typing import Any, NamedTuple


class Hint(NamedTuple):
    """What one well-known plugin brings, whether or not it is installed."""

    plugin: str
    distribution: str
    kind: str
    names: frozenset[str]


@functools.cache
def hints() -> tuple[Hint, ...]:
    """The lines of hints.txt: plugin, distribution, `attributes` or `keywords`, and names."""
    with open(os.path.join(os.path.dirname(__file__), "hints.txt"), encoding="utf-8") as file:
        rows = [line.split() for line in file]
    return tuple(Hint(row[0], row[1], row[2], frozenset(row[3:])) for row in rows)


def distribution_of(plugin: str) -> str:
    """The distribution that brings a well-known plugin; the customary name for any other."""
    known = {hint.plugin: hint.distribution for hint in hints()}
    return known.get(plugin, f"tinytorch-{plugin}")


def well_known_provider(name: str) -> str | None:
    """Return the distribution of the well-known plugin that adds `name` to Tensor, or None.

    The plugin need not be installed.

    >>> well_known_provider("relu")
    'tinytorch-activations'
    """
    return next((hint.distribution for hint in hints() if name in hint.names), None)


def why_missing(kind: str, name: str) -> str | None:
    """Which plugin would bring an attribute or a keyword of Tensor, and why it does not.

    Args:
        kind: `attributes` or `keywords`.
        name: the name that was asked for.
    """
    if name.startswith("__"):
        return None
    from tinytorch_core import activation  # here, because it stands on this module

    known = [hint.plugin for hint in hints() if hint.kind == kind and name in hint.names]
    for plugin in [*known, *activation.bringing(name)]:
        if (why := activation.why_off(plugin)) is not None:
            reason, remedy = why
            return f"The plugin {plugin!r} brings it, which {reason}. {remedy}."
    return None


def no_attribute(owner: Any, name: str) -> AttributeError:
    """The error for an attribute that no active plugin provides."""
    kind = owner if isinstance(owner, type) else type(owner)
    of = f"type object {kind.__name__!r}" if kind is owner else f"{kind.__name__!r} object"
    message = f"{of} has no attribute {name!r}"
    why = why_missing("attributes", name)
    return AttributeError(f"{message}. {why}" if why else message, name=name, obj=owner)


class Explained:
    """Stands in a class for an attribute that a well-known plugin would bring, and says which.

    To `hasattr` there is no such attribute. Unlike `__getattr__`, it slows no other one.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        raise no_attribute(owner if instance is None else instance, self.name)


def names_to_explain(active: Collection[str]) -> set[str]:
    """The attributes that well-known plugins other than the `active` ones would bring."""
    absent = (h.names for h in hints() if h.kind == "attributes" and h.plugin not in active)
    return set().union(*absent)

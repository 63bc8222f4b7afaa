"""Trying the plugin of an answer: it is registered for the duration of a check."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tinytorch_core import PluginError, Tensor, plugins

from tinytorch_learn.framework.engine import Engine
from tinytorch_learn.framework.rules import RuleBook
from tinytorch_learn.report import Wrong


@contextmanager
def trying(answer: Any, *adds: str) -> Iterator[Any]:
    """Register an answer as a plugin, alone, until the block ends.

    Args:
        answer: a plugin, or a class of plugins.
        adds: names that the plugin must add to Tensor.

    Yields:
        The plugin.

    Raises:
        Wrong: it is not a plugin that adds these names.
    """
    plugin = answer() if isinstance(answer, type) else answer
    with plugins.disabled():
        try:
            plugins.register(plugin, name="answer")
        except PluginError as error:
            if isinstance(error.__cause__, NotImplementedError):
                raise NotImplementedError from None
            raise Wrong(f"Your plugin cannot be registered: {error}") from None
        try:
            if missing := [name for name in adds if not hasattr(Tensor, name)]:
                raise Wrong(_without(missing[0]))
            yield plugin
        finally:
            plugins.unregister("answer")


def _without(missing: str) -> str:
    """Return what to change in the plugin `answer`, which is on and does not add a name."""
    text = f"The plugin must add {missing!r} to Tensor, and does not.\n"
    provided = sorted(plugins.find("answer").provided)
    if missing in provided:
        return f"{text}It adds only a keyword. tensor.add({missing!r}, None) adds the attribute."
    if provided:
        return f"{text}It adds {provided[0]!r}. Give it the name {missing!r}."
    title = plugins.find("answer").title
    ops = [name for name, op in plugins.surface().ops.items() if op.provider == title]
    if missing in ops:
        return f"{text}It has an op {missing!r}: with method=True, ops.add makes it a method too."
    if ops:
        return f"{text}It has an op {ops[0]!r}. Give it the name {missing!r}."
    return f"{text}Its hook must call the method add of its argument, with this name."


@contextmanager
def plain_tensors() -> Iterator[None]:
    """Turn all plugins off until the block, or the decorated function, ends."""
    with plugins.disabled():
        yield


@contextmanager
def with_engine() -> Iterator[None]:
    """Provide `backward` until the block ends: the one that is active, or that of chapter 4."""
    if hasattr(Tensor, "backward"):
        yield
        return
    missing = {"my-rules": RuleBook, "my-engine": Engine}
    for name, plugin in missing.items():
        plugins.register(plugin(), name=name)
    try:
        yield
    finally:
        for name in reversed(missing):
            plugins.unregister(name)

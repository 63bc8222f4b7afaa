"""The conditions under which a captured program holds, as lines of the replay function."""

from __future__ import annotations

import operator
import sys
from collections.abc import Iterator, Mapping
from types import CellType
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import array_text, unwrap

from tinytorch_compile.arguments import array_parts, of_array
from tinytorch_compile.arguments import conditions as of_arguments
from tinytorch_compile.boxes import Box, attribute_names
from tinytorch_compile.capture import Captured
from tinytorch_compile.names import Names, key_text
from tinytorch_compile.tracing import owner_of


def conditions(
    captured: Captured, arguments: Mapping[str, Any], names: Names, written: list[Any]
) -> list[str]:
    """Return the texts of the conditions.

    Args:
        captured: the captured call.
        arguments: the arguments of the captured call, by the names of the variables.
        names: the global names of the function.
        written: the arrays into which the program writes.
    """
    texts = [*_of_modes(names), *_of_errors(captured, names)]
    texts += of_arguments(arguments, names)
    texts += _of_overlaps(arguments, names, written)
    for tensor, array in captured.tensors:
        name = names.of(tensor, "tensor")
        texts.append(f"{array_text(name)} is {names.of(array, 'array')}")
        texts += _of_attributes(tensor, names)
    state = captured.state
    for thing in state.objects:
        name = names.of(type(thing), type(thing).__name__)
        texts.append(f"{names.of(thing, 'state')}.__class__ is {name}")
    for kind, method in state.methods:
        function = names.of(getattr(kind, method), method)
        texts.append(f"{names.of(kind, kind.__name__)}.{method} is {function}")
    for box in state.boxes:
        if not box.private:
            texts += _of_box(box, captured, names)
    for space, absent in state.absent:
        texts.append(f"{absent!r} not in {names.of(space, 'state')}")
    return texts


def of_gradient(
    name: str, tensor: str, gradient: Any, names: Names, written: list[Any]
) -> Iterator[str]:
    """Yield conditions that a tensor has a gradient that is like another one.

    Args:
        name: the variable to which the first condition assigns the gradient.
        tensor: the name of the tensor.
        gradient: the other one.
        names: the global names of the function.
        written: the arrays into which the program writes.
    """
    yield f"({name} := {tensor}.grad).__class__ is {names.of(np.ndarray, 'ndarray')}"
    yield from of_array(name, gradient, names)
    yield from _of_overlaps({name: gradient}, names, written)


def _of_overlaps(arguments: Mapping[str, Any], names: Names, written: list[Any]) -> Iterator[str]:
    """Yield conditions that no argument shares memory with an array that the program writes."""
    owners = {id(owner): owner for owner in map(owner_of, written)}
    if not owners:
        return
    names.objects["owners"] = frozenset(owners)
    overlaps = names.of(_overlaps, "overlaps")
    sizes = {owner.nbytes for owner in owners.values()}
    for text, value in array_parts(arguments).items():
        array = array_text(text) if isinstance(value, Tensor) else text
        condition = f"not {overlaps}({array}, owners)"
        if unwrap(value).nbytes not in sizes:
            # An array that is not a view is not an owner of another size. This takes less time.
            condition = f"({array}.base is None or {condition})"
        yield condition


def _overlaps(array: Any, owners: frozenset[int]) -> bool:
    """Return whether an array shares memory with those that the program writes into."""
    return id(array) in owners or (array.base is not None and id(owner_of(array)) in owners)


def is_recording() -> bool:
    """Return whether autograd records operations."""
    autograd = sys.modules.get("tinytorch_autograd")
    return autograd is not None and bool(autograd.is_grad_enabled())


def _of_modes(names: Names) -> Iterator[str]:
    surface = Tensor.__bases__[0]
    yield f"{names.of(Tensor, 'Tensor')}.__bases__[0] is {names.of(surface, 'surface')}"
    autograd = sys.modules.get("tinytorch_autograd")
    if autograd is not None:
        enabled = names.of(autograd.is_grad_enabled, "is_grad_enabled")
        yield f"{enabled}() is {is_recording()}"


def _of_errors(captured: Captured, names: Names) -> Iterator[str]:
    """Yield a condition on how NumPy handles floating-point errors, if the step changes it."""
    steps = captured.program.steps
    if "geterr" in captured.state.names or any(getattr(step, "errors", None) for step in steps):
        yield f"{names.of(np.geterr, 'geterr')}() == {names.of(captured.errors, 'errors')}"


def _of_attributes(tensor: Any, names: Names) -> Iterator[str]:
    """Yield conditions on the private attributes of a tensor, except its gradient."""
    found = vars(tensor)
    for key, value in found.items():
        if not key.endswith("grad"):
            name = names.of(found, "attributes")
            yield f"{name}[{key!r}] is {names.of(value, key.strip('_'))}"
            if hasattr(value, "hooks"):
                yield f"{names.of(value, key.strip('_'))}.hooks is None"


def _of_box(box: Box, captured: Captured, names: Names) -> Iterator[str]:
    thing = vars(box.thing) if isinstance(box.thing, type) else box.thing
    name = names.of(thing, box.path.rpartition(".")[2] or "state")
    yield from _of_keys(box, thing, name, names)
    if isinstance(thing, set):
        return
    for key, value in box.items.items():
        text = f"{name}{key_text(thing, key, names)}"
        if (id(box.thing), key) in captured.numbers:
            yield f"{text}.__class__ is {type(value).__name__}"
        else:
            yield f"{text} is {names.of(value, str(key) if isinstance(key, str) else 'item')}"


def _of_keys(box: Box, thing: Any, name: str, names: Names) -> Iterator[str]:
    """Yield conditions on which items a thing has, and on their order."""
    if isinstance(thing, set):
        yield f"{{*map(id, {name})}} == {names.of(set(map(id, thing)), f'{name}_then')}"
    elif box.ordered and thing:
        keys = [*thing]
        then = names.of(keys, f"{name}_keys")
        if all(type(key) is str for key in keys):
            yield f"[*{name}] == {then}"
        else:
            yield f"len({name}) == {len(keys)}"
            yield f"all(map({names.of(operator.is_, 'is_')}, {name}, {then}))"
    elif hasattr(thing, "__len__"):
        if box.complete:
            is_empty = type(thing) in (dict, list) and not thing  # faster than len()
            yield f"not {name}" if is_empty else f"len({name}) == {len(thing)}"
    else:
        missing = attribute_names(thing) if not isinstance(thing, CellType) else []
        for attribute in missing:
            if attribute not in box.items and (box.belongs is None or box.belongs(attribute)):
                yield f"not hasattr({name}, {attribute!r})"

"""The conditions under which a captured program holds, as lines of the replay function."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from types import CellType
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import array_text

from tinytorch_compile.arguments import arrays_in, is_container, items_of
from tinytorch_compile.capture import Captured
from tinytorch_compile.slots import Box
from tinytorch_compile.source import Names, key_text
from tinytorch_compile.tracing import owner_of

# Types whose values are equal only if nothing that a step sees differs.
_SAFE = (type(None), bool, str, bytes, type)


def conditions(
    captured: Captured, arguments: Mapping[str, Any], names: Names, owners: frozenset[int]
) -> list[str]:
    """Return the texts of the conditions.

    Args:
        captured: the captured call.
        arguments: the arguments of the captured call, by the names of the variables.
        names: the global names of the function.
        owners: the ids of the arrays into which the program writes.
    """
    texts = [*_of_modes(names)]
    for name, value in arguments.items():
        texts += _argument(name, value, names)
    if owners:
        names.objects["owners"] = owners
        overlaps = names.of(_overlaps, "overlaps")
        for name, value in arrays_in(arguments):
            array = array_text(name) if isinstance(value, Tensor) else name
            texts.append(f"not {overlaps}({array}, owners)")
    for tensor, array in captured.tensors:
        name = names.of(tensor, "tensor")
        texts.append(f"{array_text(name)} is {names.of(array, 'array')}")
        texts += _of_attributes(tensor, names)
    for box in captured.state.boxes:
        if not box.private:
            texts += _of_box(box, captured, names)
    return texts


def _argument(name: str, value: Any, names: Names) -> Iterator[str]:
    if isinstance(value, Tensor):
        yield f"{name}.__class__ is {names.of(type(value), type(value).__name__)}"
        if hasattr(value, "requires_grad"):
            yield f"{name}.requires_grad is {value.requires_grad}"
        yield from _array(array_text(name), value.data, names)
    elif isinstance(value, np.ndarray):
        yield from _array(name, value, names)
    elif is_container(value):
        items = items_of(value)
        yield f"{name}.__class__ is {names.of(type(value), type(value).__name__)}"
        yield (
            f"[*{name}] == {list(items)}" if type(value) is dict else f"len({name}) == {len(items)}"
        )
        for key, item in items.items():
            yield from _argument(f"{name}[{key!r}]", item, names)
    else:
        yield f"{name}.__class__ is {names.of(type(value), type(value).__name__)}"
        yield f"{name} == {value!r}"
        if type(value) is float and value == 0:  # 0.0 and -0.0 are equal
            yield f"{name}.hex() == {value.hex()!r}"


def _array(text: str, array: Any, names: Names) -> Iterator[str]:
    yield f"{text}.__class__ is {names.of(np.ndarray, 'ndarray')}"
    yield f"{text}.shape == {array.shape}"
    yield f"{text}.dtype == {names.of(array.dtype, str(array.dtype))}"
    yield f"{text}.strides == {array.strides}"


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
    name = names.of(box.thing, box.path.rpartition(".")[2] or "state")
    is_cell = isinstance(box.thing, CellType)
    numbers = captured.numbers & {(id(box.thing), key) for key in box.items}
    whole = box.belongs is None and not is_cell and not numbers
    if whole and all(map(_is_safe, box.items.values())):
        items = list(box.items.values()) if isinstance(box.thing, list) else dict(box.items)
        yield f"{name} == {names.of(items, f'{name}_then')}"
        return
    if box.path and not is_cell:  # of the global names of a module only some matter
        yield f"len({name}) == {len(box.thing)}"
    for key, value in box.items.items():
        text = f"{name}{key_text(box.thing, key, names)}"
        if (id(box.thing), key) in numbers:
            yield f"{text}.__class__ is {type(value).__name__}"
        else:
            yield f"{text} is {names.of(value, str(key) if isinstance(key, str) else 'item')}"


def _is_safe(value: Any) -> bool:
    """Return whether `==` finds out if a value was replaced: it is compared by identity first."""
    compares: Any = type(value).__eq__
    return isinstance(value, _SAFE) or compares is object.__eq__

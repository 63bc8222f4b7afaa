"""The names of a model's inputs, outputs and state: as the user's program reaches them."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from tinytorch_compile.capture import Captured, Leaf
from tinytorch_compile.program import Value


def input_names(step: Callable[..., Any], count: int) -> list[str]:
    """Return names for the positional arguments of a step: those of its parameters."""
    function = inspect.unwrap(step)
    names: list[str] = []
    # The call of a module takes any arguments, and passes them to `forward`.
    with contextlib.suppress(TypeError, ValueError):
        found = inspect.signature(getattr(function, "forward", function)).parameters.values()
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        names = [parameter.name for parameter in found if parameter.kind in kinds]
    return [*names, *(f"input_{i}" for i in range(len(names), count))][:count]


def output_names(result: Any, name: str = "") -> dict[str, int]:
    """Return the indices of the program's outputs by name, such as "output", "output_0", "loss".

    The items of dicts have their keys as names, those of tuples and lists their places.
    """
    if isinstance(result, Leaf):
        return {name or "output": result.index}
    items: Mapping[Any, Any] = {}
    if isinstance(result, tuple | list):
        name = name or "output"
        items = dict(enumerate(result))
    elif isinstance(result, dict):
        items = result
    found: dict[str, int] = {}
    for key, item in items.items():
        found |= output_names(item, f"{name}_{key}" if name else str(key))
    return found


def slot_names(captured: Captured) -> dict[Value, str]:
    """Return the names of the state, such as "model.0.weight" or "optimizer.state[...].step"."""
    paths = tensor_names(captured)
    arrays = {id(array): paths[id(tensor)] for tensor, array in captured.tensors}
    boxes = captured.state.boxes
    # A dict that belongs to a tensor, as those of an optimizer do, is named after the tensor.
    holders = {
        id(value): f"{_short(box.path)}[{paths[id(key)]}]"
        for box in boxes
        for key, value in box.items.items()
        if id(key) in paths
    }
    places = {}
    for box in boxes:
        holder = holders.get(id(box.thing))
        for key, value in box.items.items():
            name = _short(box.name_of(key)) if holder is None else f"{holder}.{key}"
            places[id(box.thing), key] = name
            arrays.setdefault(id(value), name)
    for gradient in captured.gradients:
        if gradient.before is not None:
            arrays[id(gradient.before)] = f"{paths[id(gradient.tensor)]}.grad"
    found = {}
    for slot, content in captured.arrays.items():
        is_number = slot.layout is None
        place = (id(content[0]), content[1]) if is_number else None
        found[slot] = places[place] if is_number else arrays.get(id(content), slot.label)  # type: ignore[index]
    return found


def tensor_names(captured: Captured) -> dict[int, str]:
    """Return the names of the tensors of the state by their ids.

    A parameter is named after its module, even if the path through the optimizer is shorter.
    """
    names = {id(tensor): path for path, tensor in captured.state.tensors}
    of_optimizers = {key for key, path in names.items() if "param_groups" in path}
    for box in captured.state.boxes if of_optimizers else ():
        if box.private or "param_groups" in box.path:
            continue
        for key, value in box.items.items():
            if id(value) in of_optimizers:
                of_optimizers.remove(id(value))
                names[id(value)] = box.name_of(key)
    return {key: _short(path) for key, path in names.items()}


def _short(path: str) -> str:
    """Return a path without the object whose method the step is."""
    return path.removeprefix("self.")

"""The arguments of a step: their parts, and the conditions on them under which a program holds."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tinytorch_core import Tensor, plugins
from tinytorch_core.extend import array_text

from tinytorch_compile.errors import CaptureError
from tinytorch_compile.names import Names


def is_container(value: Any) -> bool:
    """Return whether an argument is a tuple, named tuple, list or dict, whose items are parts."""
    return type(value) in (tuple, list, dict) or (isinstance(value, tuple) and _fields(value))


def is_plain(value: Any) -> bool:
    """Return whether an argument is a number or text, whose value the program depends on."""
    return isinstance(value, bool | int | float | complex | str | np.generic | enum.Enum | None)


def _fields(value: Any) -> bool:
    return hasattr(value, "_fields")


def items(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the items of a container with their keys."""
    return iter(value.items()) if isinstance(value, dict) else enumerate(value)


def rebuilt(value: Any, parts: list[Any]) -> Any:
    """Return a container like `value` with other items."""
    if isinstance(value, dict):
        return dict(zip(value, parts, strict=True))
    return type(value)(*parts) if _fields(value) else type(value)(parts)


def parts(text: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield an argument and everything in it, with the text that reads each part."""
    yield text, value
    if is_container(value):
        for key, item in items(value):
            yield from parts(f"{text}[{key!r}]", item)


def array_parts(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tensors and arrays among the arguments, each once, by the text that reads it."""
    found: dict[int, tuple[str, Any]] = {}
    for name, argument in arguments.items():
        for text, value in parts(name, argument):
            if isinstance(value, Tensor | np.ndarray):
                found.setdefault(id(value), (text, value))
    return dict(found.values())


def check_container(label: str, value: Any) -> None:
    """Raise CaptureError if the keys of a dict are not strings."""
    if isinstance(value, dict) and not all(type(key) is str for key in value):
        raise CaptureError(f"{label} is a dict with keys that are not strings; use strings")


def check_tensor(label: str, tensor: Any) -> None:
    """Raise CaptureError if a tensor has a graph, a gradient or attributes that can change."""
    if getattr(tensor, "grad_fn", None) is not None:
        raise CaptureError(f"{label} was computed by a recorded op; detach() it first")
    if getattr(tensor, "grad", None) is not None:
        raise CaptureError(f"{label} has a gradient; set it to None first")
    if any(getattr(value, "hooks", None) is not None for value in vars(tensor).values()):
        raise CaptureError(f"{label} has hooks, which are not captured")
    for name, value in own_attributes(tensor).items():
        if not is_fixed(value):
            raise CaptureError(
                f"{label} has an attribute {name}, a {type(value).__name__}; pass it as an argument"
            )


def own_attributes(tensor: Tensor) -> dict[str, Any]:
    """Return the attributes of a tensor that do not belong to autograd."""
    if "autograd" not in plugins.active():
        return dict(vars(tensor))
    title, providers = plugins.find("autograd").title, plugins.surface().providers
    return {name: value for name, value in vars(tensor).items() if providers.get(name) != title}


def is_fixed(value: Any) -> bool:
    """Return whether a value consists of None, numbers, text and tuples of them."""
    if type(value) is tuple:
        return all(map(is_fixed, value))
    return type(value) in (type(None), bool, int, float, complex, str)


def conditions(arguments: Mapping[str, Any], names: Names) -> Iterator[str]:
    """Yield the conditions on the arguments.

    Args:
        arguments: the arguments by the names of the variables.
        names: the global names of the function.
    """
    for name, argument in arguments.items():
        for text, value in parts(name, argument):
            yield from _of_part(text, value, names)
    yield from _of_identities(arguments)


def _of_part(text: str, value: Any, names: Names) -> Iterator[str]:
    if value is None or isinstance(value, bool | enum.Enum):
        yield f"{text} is {names.of(value, 'value')}"
        return
    if not (is_container(value) or is_plain(value) or isinstance(value, Tensor | np.ndarray)):
        yield f"{text} is {names.of(value, text)}"
        return
    yield f"{text}.__class__ is {names.of(type(value), type(value).__name__)}"
    if isinstance(value, Tensor):
        yield from _of_tensor(text, value, names)
    elif isinstance(value, np.ndarray):
        yield from of_array(text, value, names)
    elif isinstance(value, dict):
        yield f"[*{text}] == {[*value]}"
    elif is_container(value):
        yield f"len({text}) == {len(value)}"
    else:
        yield _of_number(text, value)


def _of_tensor(text: str, tensor: Any, names: Names) -> Iterator[str]:
    array, attributes = array_text(text), vars(tensor)
    yield f"{array}.__class__ is {names.of(np.ndarray, 'ndarray')}"
    yield from of_array(array, tensor.data, names)
    if not attributes:
        yield f"not {text}.__dict__"
        return
    yield f"len({text}.__dict__) == {len(attributes)}"
    if hasattr(tensor, "requires_grad"):
        yield f"{text}.requires_grad is {tensor.requires_grad}"
        yield f"{text}.grad is None"
    for name, value in attributes.items():
        if hasattr(value, "hooks"):
            yield f"{text}.__dict__[{name!r}].hooks is None"
    for name, value in own_attributes(tensor).items():
        yield f"repr({text}.__dict__[{name!r}]) == {repr(value)!r}"


def of_array(text: str, array: Any, names: Names) -> Iterator[str]:
    """Yield the conditions that an array has the layout of another one."""
    yield f"{text}.shape == {array.shape}"
    yield f"{text}.dtype == {names.of(array.dtype, str(array.dtype))}"
    yield f"{text}.strides == {array.strides}"


def _of_number(text: str, value: Any) -> str:
    """Return the condition that a number, or text, of the same class has the same value."""
    if isinstance(value, np.generic):
        return f"({text}.dtype.str, {text}.tobytes()) == {(value.dtype.str, value.tobytes())!r}"
    if type(value) is complex or (type(value) is float and not (math.isfinite(value) and value)):
        return f"repr({text}) == {repr(value)!r}"  # 0.0 and -0.0 differ, and NaN equals itself
    return f"{text} == {value!r}"


def _of_identities(arguments: Mapping[str, Any]) -> Iterator[str]:
    """Yield conditions on which of the arguments are the same object."""
    same: dict[Any, list[tuple[str, Any]]] = {}
    for name, argument in arguments.items():
        for text, value in parts(name, argument):
            if isinstance(value, Tensor | np.ndarray):
                same.setdefault((type(value), value.shape, value.dtype), []).append((text, value))
    for group in same.values():
        distinct: dict[int, str] = {}
        for text, value in group:
            if id(value) in distinct:
                yield f"{text} is {distinct[id(value)]}"
            else:
                distinct[id(value)] = text
        if len(distinct) == 2:
            yield " is not ".join(distinct.values())
        elif len(distinct) > 2:
            yield f"len({{{', '.join(f'id({t})' for t in distinct.values())}}}) == {len(distinct)}"

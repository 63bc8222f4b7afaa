"""Adopts the arrays that a step has replaced, such as running averages, as state of its program."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_compile.capture import Captured
from tinytorch_compile.program import Layout, Value
from tinytorch_compile.tracing import owner_of


def adopt(captured: Captured) -> bool:
    """Let the arrays that are the state now be the slots of a captured program.

    A step such as `self.average = 0.9 * self.average + 0.1 * x` creates a new array in each call.
    A replay writes into the array of the last call that ran as it is.

    Returns:
        Whether an array was adopted. None is if an array has another layout now, or if two arrays
        of the state share memory.
    """
    found: dict[Value, Any] = {}
    for slot, read in captured.readers:
        array = read()
        if type(array) is not np.ndarray or Layout.of(array) != slot.layout:
            return False
        if found.setdefault(slot, array) is not array:
            return False
    owners = {id(owner_of(array)) for array in found.values()}
    unchanged = all(array is captured.arrays[slot] for slot, array in found.items())
    if unchanged or len(owners) != len(found):
        return False
    captured.adopted |= {
        slot for slot, array in found.items() if array is not captured.arrays[slot]
    }
    _update(captured, found)
    return True


def own(captured: Captured, all_gradients: bool = False) -> bool:
    """Replace the adopted arrays by copies, to which nothing else refers.

    Args:
        captured: the captured call.
        all_gradients: replace the gradients to which the program adds, too.

    Returns:
        Whether an array was replaced.
    """
    replaced = set(captured.adopted)
    if all_gradients:
        replaced |= {g.slot for g in captured.gradients if g.slot in captured.arrays}
    copies = {slot: captured.arrays[slot].copy("K") for slot in replaced}
    for tensor, array in captured.tensors:
        tensor.data = _copy_of(array, captured, copies)
    for gradient in captured.gradients:
        if gradient.slot in copies:
            gradient.tensor.grad = copies[gradient.slot]
    for box in captured.state.boxes:
        for key, value in box.items.items():
            if (id(box.thing), key) in captured.array_places:
                box.set(key, _copy_of(value, captured, copies))
    captured.adopted = set()
    _update(captured, copies)
    return bool(copies)


def _copy_of(array: Any, captured: Captured, copies: dict[Value, Any]) -> Any:
    """Return the copy of an array that is replaced, or the array itself."""
    return next((c for slot, c in copies.items() if captured.arrays[slot] is array), array)


def _update(captured: Captured, arrays: dict[Value, Any]) -> None:
    """Note that these arrays are the slots now."""
    captured.arrays.update(arrays)
    captured.tensors = [(tensor, tensor.data) for tensor, _ in captured.tensors]
    for gradient in captured.gradients:
        if gradient.slot in arrays:
            gradient.before = arrays[gradient.slot]
    for box in captured.state.boxes:
        now = box.current()
        kept = [key for key in box.items if (id(box.thing), key) in captured.array_places]
        box.items.update({key: now[key] for key in kept})

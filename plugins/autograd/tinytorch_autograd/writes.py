"""Writes into the memory of tensors, noted so that a backward pass can detect them.

A node saves arrays, not copies of them, so a write into one before the backward pass would make
the gradients wrong. Nodes and writes are numbered in one sequence. A backward pass compares two
numbers: only if its oldest node is older than the latest write, it looks up what its nodes saved.

Writes that do not pass through a Tensor (`x.data[0] = 1`) are not noted. Anomaly detection finds
them, by checksums.
"""

from __future__ import annotations

import functools
import itertools
import sys
import weakref
from collections.abc import Iterator, Sequence
from operator import itemgetter
from types import CodeType, EllipsisType, ModuleType, NoneType, SimpleNamespace
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import fork_safe_lock, least_references, unwrap

from tinytorch_autograd import tree
from tinytorch_autograd.errors import ModifiedError

# A node has a higher number than the nodes it depends on, and than the writes before it.
next_number = itertools.count().__next__


# Tuples, because creating a class of named tuples takes time when autograd is imported.
# A part of an array, as in `__array_interface__`: pointer, shape, strides, typestr. Unlike a view,
# it does not keep the array alive.
_Part = tuple[int, tuple[int, ...], tuple[int, ...], str]
# A write: its number, and the code and the instruction of the user's program that made it. The line
# is computed when it is needed, because that takes time.
_Write = tuple[int, CodeType, int]

# By the id of an array that owns its memory: a weak reference to the array, whose callback removes
# the entry, and the latest write into each part of it. None is the whole array.
_memories: dict[int, tuple[weakref.ref[Any], dict[_Part | None, _Write]]] = {}
# The number of the latest write that is not one of `RepeatedWrites`.
_latest = -1
# Reentrant, because the garbage collector can run a destructor that writes into a tensor.
_lock = fork_safe_lock()
# With more parts than this, the whole array counts as written.
_MOST_PARTS = 1000

# The types of indices that select a view.
_BASIC = frozenset({int, np.int32, np.int64, slice, EllipsisType, NoneType})


def note(target: Any, index: Any = ...) -> None:
    """Note a write into `target[index]`, of a Tensor or array, by default into all of it.

    After a backward pass, which frees the nodes, nothing but its Tensor refers to the array of a
    weight. Writes into it are not noted, so an optimizer's step costs no more than before. This
    does not hold for integers: an index is an option, and nodes save options as they are given.
    """
    array, references = _counted(target)
    is_view = getattr(array, "base", None) is not None
    is_unshared = references <= _UNSHARED and array is not target
    if is_unshared and not is_view and array.dtype.kind in "fc":
        return
    owner, view = _owner(array), _view(array, unwrap(index))
    whole = view is owner or (array is owner and view.size == array.size)
    _note(owner, None if whole else view)


def _view(array: Any, index: Any) -> Any:
    """Return the view of `array` that `index` selects, or `array` if it does not select a view."""
    items = index if isinstance(index, tuple) else (index,)
    if not (isinstance(array, np.ndarray) and _BASIC.issuperset(map(type, items))):
        return array
    return array[items if ... in items else (*items, ...)]


def _counted(target: Any) -> tuple[Any, int]:
    """Return the array of a Tensor, and the number of references to the array."""
    array = unwrap(target)
    return array, sys.getrefcount(array)


_UNSHARED = least_references(lambda limit: _counted(Tensor(0.0))[1] <= limit)


def _note(owner: Any, view: Any) -> None:
    """Note a write into a view of the array `owner`, or into the array itself if `view` is None."""
    global _latest
    part = None
    if view is not None:
        pointer = view.__array_interface__["data"][0]
        part = (pointer, view.shape, view.strides, view.dtype.str)
    frame = _location().users_frame()
    with _lock:
        writes = _writes_into(owner)
        if part is None or len(writes) >= _MOST_PARTS:
            part = None
            writes.clear()
        _latest = next_number()
        writes[part] = (_latest, frame.f_code, frame.f_lasti)


def _writes_into(owner: Any) -> dict[_Part | None, _Write]:
    key = id(owner)
    memory = _memories.get(key)
    if memory is None:
        try:
            reference = weakref.ref(owner, lambda _: _memories.pop(key, None))
        except TypeError:  # an array of another library, whose writes cannot be noted
            return {}
        memory = _memories[key] = (reference, {})
    return memory[1]


def _owner(array: Any) -> Any:
    """Return the array whose memory `array` uses; other views of it lead to the same one."""
    owner, base = array, array.base if isinstance(array, np.ndarray) else None
    while base is not None:  # it may be an object that is not an array, between two arrays
        if isinstance(base, np.ndarray):
            owner = base
        base = getattr(base, "base", None)
    return owner


@functools.cache
def _location() -> ModuleType:
    from tinytorch_autograd.debug import location  # most programs do not need it

    return location


class RepeatedWrites:
    """Writes into the same arrays that happen again and again, such as those of a compiled step.

    Args:
        arrays: the arrays that are written into. The caller keeps them alive.
        code: the code that writes into them, for error messages.

    Attributes:
        number: that of the latest write; -1 before the first one.
    """

    __slots__ = ("__weakref__", "_code", "_owners", "number")

    def __init__(self, arrays: Sequence[Any], code: CodeType) -> None:
        self._owners = frozenset(id(_owner(array)) for array in arrays)
        self._code, self.number = code, -1
        _repeated.append(weakref.ref(self, _repeated.remove))

    def note(self) -> None:
        """Note that the arrays have been written into. It takes as long as two calls."""
        self.number = next_number()

    def since(self, number: int, owner: Any) -> Iterator[_Write]:
        """Yield the latest write if it is one into `owner` after this number was given out."""
        latest = self.number
        if latest > number and id(owner) in self._owners:
            yield latest, self._code, 0


_repeated: list[weakref.ref[RepeatedWrites]] = []


def _all_repeated() -> list[RepeatedWrites]:
    found = [reference() for reference in _repeated.copy()]
    return [repeated for repeated in found if repeated is not None]


def _latest_number() -> int:
    """Return the number of the latest write."""
    if not _repeated:
        return _latest
    return max(_latest, *(repeated.number for repeated in _all_repeated()))


def any_since(number: int) -> bool:
    """Return whether an array has been written into since this number was given out."""
    return _latest_number() > number


def check(nodes: Sequence[Any]) -> None:
    """Raise ModifiedError if an array that the nodes need has been written into since they ran.

    Args:
        nodes: recorded ops, the youngest first.
    """
    latest = _latest_number()
    if not nodes or nodes[-1].number > latest:
        return
    for node in nodes:
        if node.number < latest:
            for name, array in _needed_arrays(node):
                write = _write_since(node.number, array)
                if write is not None:
                    raise _modified(node, name, array, write)


def _needed_arrays(node: Any) -> Iterator[tuple[str, Any]]:
    """Yield the saved arrays from which the gradients of tracked inputs are computed."""
    needed = node.needs()
    for name, value in zip(node.saves, node.saved, strict=True):
        if name in needed:
            for array in tree.leaves([value]):
                yield name, unwrap(array)


def _write_since(number: int, array: Any) -> _Write | None:
    """Return the latest write into `array` after this number was given out, or None."""
    owner = _owner(array)
    memory = _memories.get(id(owner))
    parts = {} if memory is None else memory[1].copy()  # a copy, because other threads may write
    since = [
        write
        for part, write in parts.items()
        if write[0] > number and (part is None or _overlaps(part, array))
    ]
    since += [write for repeated in _all_repeated() for write in repeated.since(number, owner)]
    return max(since, default=None, key=itemgetter(0))


def _overlaps(part: _Part, array: Any) -> bool:
    """Return whether an array has elements in common with a part of an array."""
    pointer, shape, strides, typestr = part
    interface = {"data": (pointer, True), "shape": shape, "strides": strides, "typestr": typestr}
    view = np.asarray(SimpleNamespace(__array_interface__={**interface, "version": 3}))
    effort: Any = 1000  # NumPy's stubs know only the extreme values
    return np.may_share_memory(array, view, max_work=effort)


def _modified(node: Any, name: str, array: Any, write: _Write) -> ModifiedError:
    _, code, instruction = write
    line = next(line for start, end, line in code.co_lines() if start <= instruction < end)
    written = _location().Location(code.co_filename, line or code.co_firstlineno, code.co_name)
    ran = node.location()
    op = node.op.name
    hint = f"To see the line that ran {op}, run the forward pass inside detect_anomaly()"
    return ModifiedError(
        f"the array of shape {array.shape} that {op} had saved as {name!r} for its backward pass "
        "was written into since, so its gradient would be wrong; write into a copy instead, or "
        f"after the backward pass. It was written into here:{written}\n"
        + (hint if ran is None else f"{op} ran here:{ran}")
    )

"""Finds the state of a step: every array, number and generator that its code can reach.

The search starts at the function and follows what it refers to: the variables of enclosing
functions, the global names in its code, default values, `self`, attributes, and items of lists and
dicts. It stays out of libraries: their global names are taken as fixed.
"""

from __future__ import annotations

import dis
import functools
import random
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_compile.errors import CaptureError

# What never changes, so it has no parts to look at.
_LEAVES = (type(None), bool, int, float, complex, str, bytes, np.dtype, np.generic, type(Ellipsis))
_ATOMS = (*_LEAVES, BuiltinFunctionType, type, np.ufunc)

Belongs = Callable[[Any], bool]


class Box:
    """Something with items that can be replaced: a dict, a list, or a variable of a function.

    Attributes:
        path: how the step reaches it, such as "model.layers".
        thing: the dict, list or cell.
        belongs: whether a key of a dict matters; None if all do.
        private: it belongs to a library's cache, which is restored, but not guarded.
        items: its items when the step was captured.
    """

    __slots__ = ("belongs", "items", "path", "private", "thing")

    def __init__(
        self, path: str, thing: Any, belongs: Belongs | None = None, private: bool = False
    ) -> None:
        self.path, self.thing, self.belongs, self.private = path, thing, belongs, private
        self.items = self.current()

    def current(self) -> dict[Any, Any]:
        """Return the items by their keys."""
        if isinstance(self.thing, CellType):
            try:
                return {"cell_contents": self.thing.cell_contents}
            except ValueError:  # a variable that has no value yet
                return {}
        if isinstance(self.thing, list):
            return dict(enumerate(self.thing))
        if self.belongs is not None:
            return {key: value for key, value in self.thing.items() if self.belongs(key)}
        return dict(self.thing)

    def set(self, key: Any, value: Any) -> None:
        """Replace one item, without the checks of a subclass of dict or list."""
        if isinstance(self.thing, CellType):
            self.thing.cell_contents = value
        elif isinstance(self.thing, list):
            list.__setitem__(self.thing, key, value)
        else:
            dict.__setitem__(self.thing, key, value)

    def restore(self) -> None:
        """Give the thing the items that it had."""
        now = self.current()
        if len(now) == len(self.items) and all(
            key in now and now[key] is value for key, value in self.items.items()
        ):
            return
        if isinstance(self.thing, list):
            self.thing[:] = self.items.values()
            return
        for key in now.keys() - self.items.keys():
            dict.__delitem__(self.thing, key)
        for key, value in self.items.items():
            self.set(key, value)

    def name_of(self, key: Any) -> str:
        """Return how the step reaches an item."""
        if isinstance(self.thing, CellType):
            return self.path
        if not self.path:
            return str(key)
        if isinstance(key, str):
            return f"{self.path}.{key}"
        return f"{self.path}[{key if isinstance(key, int) else type(key).__name__}]"


class State:
    """What a step can reach.

    Attributes:
        boxes: the dicts, lists and variables.
        tensors: the tensors, with how the step reaches them.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.boxes: list[Box] = []
        self.tensors: list[tuple[str, Tensor]] = []
        self._seen: dict[int, Any] = {}
        # The first path that is found is the name. The keys of dicts come later, because a
        # parameter is better known as a part of its module than as a key of its optimizer. Caches
        # of libraries come last, because they also hold what belongs to the state.
        self._pending = deque([("", function, False)])
        self._keys: deque[tuple[str, Any, bool]] = deque()
        self._caches: deque[tuple[str, Any, bool]] = deque()
        while found := self._pending or self._keys or self._caches:
            self._visit(*found.popleft())

    def _visit(self, path: str, thing: Any, private: bool) -> None:
        if isinstance(thing, _ATOMS) or id(thing) in self._seen:
            return
        self._seen[id(thing)] = thing  # kept, so that the id stays its own
        if isinstance(thing, Tensor):
            if not private:
                self.tensors.append((path, thing))
        elif isinstance(thing, np.ndarray | np.random.Generator | ModuleType):
            return  # replaced where it is held
        elif isinstance(thing, dict | list):
            self._add(Box(path, thing, private=private))
            if isinstance(thing, dict):
                self._keys.extend((path, key, private) for key in thing)
        elif isinstance(thing, tuple | set | frozenset):
            self._in_immutable(path, thing, private)
        elif isinstance(thing, FunctionType):
            self._in_function(path, thing, private)
        elif isinstance(thing, MethodType):
            self._later(
                [(path, thing.__func__, private), (path or "self", thing.__self__, private)]
            )
        elif isinstance(thing, functools.partial):
            parts = (thing.func, thing.args, thing.keywords)
            self._later((path, part, private) for part in parts)
        else:
            self._in_object(path, thing, private)

    def _later(self, found: Iterable[tuple[str, Any, bool]]) -> None:
        for path, thing, private in found:
            (self._caches if private else self._pending).append((path, thing, private))

    def _add(self, box: Box) -> None:
        self.boxes.append(box)
        self._later((box.name_of(key), value, box.private) for key, value in box.items.items())

    def _in_immutable(self, path: str, thing: Any, private: bool) -> None:
        for i, item in enumerate(thing):
            if isinstance(item, np.ndarray | np.random.Generator) and not private:
                raise CaptureError(
                    f"{path or 'the step'} holds an array or generator in a "
                    f"{type(thing).__name__}, where it cannot be replaced; use a list"
                )
            self._later([(f"{path}[{i}]", item, private)])

    def _in_function(self, path: str, function: Any, private: bool) -> None:
        wrapped = vars(function).get("__wrapped__")
        if wrapped is not None:  # known by the path of its wrapper
            self._later([(path, wrapped, private)])
        names = function.__code__.co_freevars
        for name, cell in zip(names, function.__closure__ or (), strict=True):
            if id(cell) not in self._seen:
                self._seen[id(cell)] = cell
                self._add(Box(name, cell, private=private))
        self._later((path, value, private) for value in function.__defaults__ or ())
        self._later((path, value, private) for value in (function.__kwdefaults__ or {}).values())
        if vars(function):
            # A wrapper has the attributes of what it wraps, which are found there.
            found = getattr(wrapped, "__dict__", {})
            own = {k: v for k, v in vars(function).items() if found.get(k) is not v}
            self._later((path, value, private) for value in own.values())
        if not is_library(function.__module__):
            self._in_globals(function)

    def _in_globals(self, function: Any) -> None:
        names = [name for name in _globals_in(function.__code__) if name in function.__globals__]
        if names:
            self._add(Box("", function.__globals__, frozenset(names).__contains__))
        for name in names:
            module = function.__globals__[name]
            if isinstance(module, ModuleType) and not is_library(module.__name__):
                used = frozenset(_names_in(function.__code__))
                self._add(Box(name, vars(module), used.__contains__))

    def _in_object(self, path: str, thing: Any, private: bool) -> None:
        kind = type(thing)
        of_library = is_library(kind.__module__)
        if not private and (hasattr(kind, "__next__") or isinstance(thing, random.Random)):
            raise CaptureError(
                f"{path or 'the step'} is a {kind.__name__}, whose state cannot be restored"
            )
        if of_library and not kind.__module__.startswith("tinytorch_"):
            return
        if kind.__module__ == f"{__package__}.compiled":
            self._later([(path, thing.step, private)])
            return
        attributes = getattr(thing, "__dict__", None)
        if attributes is not None:
            self._in_attributes(path, attributes, of_library, private)
        for base in kind.__mro__:
            if not is_library(base.__module__):
                self._later((path, value, private) for value in _functions_of(base))

    def _in_attributes(
        self, path: str, found: dict[str, Any], library: bool, private: bool
    ) -> None:
        if private or not library:
            self._add(Box(path, found, private=private))
            return
        self._add(Box(path, found, lambda key: not key.startswith("_")))
        self._add(Box(path, found, lambda key: key.startswith("_"), private=True))


def _functions_of(kind: type) -> Iterator[Any]:
    for value in vars(kind).values():
        function = value.fget if isinstance(value, property) else value
        function = getattr(function, "__func__", function)
        if isinstance(function, FunctionType):
            yield function


@functools.lru_cache(maxsize=1024)
def _globals_in(code: CodeType) -> tuple[str, ...]:
    """Return the global names that code reads, and those that the functions inside it read."""
    reads = ("LOAD_GLOBAL", "LOAD_NAME")
    names = {i.argval: None for i in dis.get_instructions(code) if i.opname in reads}
    for inner in _functions_in(code):
        names |= dict.fromkeys(_globals_in(inner))
    return tuple(names)


@functools.lru_cache(maxsize=1024)
def _names_in(code: CodeType) -> tuple[str, ...]:
    """Return the global names and the attributes that code and the functions inside it use."""
    names = dict.fromkeys(code.co_names)
    for inner in _functions_in(code):
        names |= dict.fromkeys(_names_in(inner))
    return tuple(names)


def _functions_in(code: CodeType) -> list[CodeType]:
    return [constant for constant in code.co_consts if isinstance(constant, CodeType)]


@functools.lru_cache(maxsize=1024)
def is_library(module: str | None) -> bool:
    """Return whether a module belongs to Python, NumPy or TinyTorch."""
    package = (module or "builtins").partition(".")[0]
    known = package in sys.stdlib_module_names and package != "__main__"
    return known or package == "numpy" or package.startswith("tinytorch_")

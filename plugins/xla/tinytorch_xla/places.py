"""Finds the state of a step: the tensors, arrays, numbers and generators that it can reach.

The search starts at the function and follows the variables of enclosing functions, the global names
in its code, `self`, attributes, and items of containers. Functions of Python, TinyTorch and
installed packages are taken as fixed; of the objects of installed packages, only the public
attributes themselves are state.
"""

from __future__ import annotations

import argparse
import functools
import operator
import random
import sys
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_xla.array import Array
from tinytorch_xla.errors import XlaError

_NUMBERS = (bool, int, float, complex, str, bytes, type(None))
_ATOMS = (*_NUMBERS, np.dtype, np.generic, np.ndarray, np.ufunc, type, types.ModuleType, Array)
# Generators whose numbers JAX cannot draw.
_FOREIGN_GENERATORS = (random.Random, np.random.RandomState)
# Functions that are wrapped by Python, and the attributes that hold them.
_DESCRIPTORS = (property, classmethod, staticmethod, functools.cached_property)
_FUNCTIONS = ("fget", "func", "__func__")
# Objects of Python that hold what the user gives them.
_NAMESPACES = (argparse.Namespace, types.SimpleNamespace)
# The key of the only item of a variable or a set.
_CONTENTS = "contents"
# Packages whose objects are constants: they do not change, or cache what they have computed.
_CONSTANT = ("jax", "jaxlib", "numpy")


class Box:
    """Something with items: a dict, list, deque or set, a variable of a function, or a class.

    A step can replace the items, except those of a set or a class.

    Attributes:
        path: how the step reaches it.
        thing: the dict, list, deque, set or variable, or the attributes of a class.
        names: the keys that matter; None for all.
        public: only keys without a leading underscore matter; the others hold caches.
        options: it contains options or numbers of an optimizer.
    """

    __slots__ = ("names", "options", "path", "public", "thing")

    def __init__(
        self,
        path: str,
        thing: Any,
        names: Any = None,
        public: bool = False,
        options: bool = False,
    ) -> None:
        self.path, self.thing, self.names = path, thing, names
        self.public, self.options = public, options

    @property
    def has_keys(self) -> bool:
        """Whether the thing has items by keys; variables and sets have one item, their contents."""
        return not isinstance(self.thing, types.CellType | set)

    def items(self) -> dict[Any, Any]:
        """Return the items by their keys."""
        thing = self.thing
        if not self.has_keys:
            try:
                return {_CONTENTS: self.get(_CONTENTS)}
            except ValueError:  # the variable has no value yet
                return {}
        if isinstance(thing, list | deque):
            return dict(enumerate(thing))
        if self.public:
            return {k: v for k, v in thing.items() if k[0] != "_"}
        if self.names is None:
            return dict(thing)
        return {k: thing[k] for k in self.names if k in thing}

    def count(self) -> int:
        """Return the number of items."""
        if self.names is not None or not self.has_keys:
            return -1  # what they may contain is known
        return sum(k[0] != "_" for k in self.thing) if self.public else len(self.thing)

    def get(self, key: Any) -> Any:
        """Return an item."""
        thing = self.thing
        if isinstance(thing, set):
            return frozenset(thing)
        return thing.cell_contents if isinstance(thing, types.CellType) else thing[key]

    def reader(self, key: Any) -> Callable[[], Any]:
        """Return a function that does what `get` does, without the overhead of a method."""
        if isinstance(self.thing, set):
            return functools.partial(frozenset, self.thing)
        if isinstance(self.thing, types.CellType):
            return functools.partial(operator.attrgetter("cell_contents"), self.thing)
        return functools.partial(operator.getitem, self.thing, key)

    def set(self, key: Any, value: Any) -> None:
        """Replace an item, without the checks of a subclass."""
        thing = self.thing
        if isinstance(thing, types.CellType):
            thing.cell_contents = value
        elif isinstance(thing, list):
            list.__setitem__(thing, key, value)
        elif isinstance(thing, deque):
            thing[key] = value
        else:
            dict.__setitem__(thing, key, value)

    def restore(self, items: dict[Any, Any]) -> None:
        """Give the thing the items that it had."""
        thing = self.thing
        if isinstance(thing, types.MappingProxyType):
            return
        if isinstance(thing, list):
            thing[:] = items.values()
            return
        if isinstance(thing, deque):
            thing.clear()
            thing.extend(items.values())
            return
        if isinstance(thing, set):
            thing.clear()
            thing.update(items[_CONTENTS])
            return
        if isinstance(thing, dict):
            for key in self.items().keys() - items.keys():
                dict.__delitem__(thing, key)
        for key, value in items.items():
            self.set(key, value)

    def name_of(self, key: Any) -> str:
        """Return how the step reaches an item."""
        if not self.has_keys:
            return self.path
        text = f".{key}" if isinstance(key, str) else f"[{key if isinstance(key, int) else '...'}]"
        return f"{self.path}{text}".lstrip(".")


class Places:
    """What a step can reach.

    Args:
        step: the function.
        arguments: arguments of it, whose attributes belong to the state too.

    Attributes:
        boxes: what has items that can be replaced.
        tensors: the tensors, with how the step reaches them.
        foreign: random generators that are not NumPy's, with how the step reaches them.
    """

    def __init__(self, step: Callable[..., Any], arguments: Sequence[Any] = ()) -> None:
        self.boxes: list[Box] = []
        self.tensors: list[tuple[str, Any]] = []
        self.foreign: list[tuple[str, Any]] = []
        self._seen: dict[int, Any] = {}
        self._globals: dict[int, tuple[dict[str, Any], dict[str, None]]] = {}
        self._arguments = {id(a) for a in arguments}
        self._pending = deque([("", step, False), *(("", a, False) for a in arguments)])
        while self._pending:
            self._visit(*self._pending.popleft())
        for names, used in self._globals.values():
            self.boxes.append(Box("", names, tuple(used)))

    def _visit(self, path: str, thing: Any, options: bool) -> None:
        if isinstance(thing, _ATOMS) or id(thing) in self._seen:
            return
        self._seen[id(thing)] = thing  # kept, so that the id stays its own
        if isinstance(thing, Tensor):
            if id(thing) not in self._arguments:
                self.tensors.append((path, thing))
        elif isinstance(thing, dict | list | deque):
            if id(thing) not in self._arguments:
                self._add(Box(path, thing, options=options))
            if isinstance(thing, dict):
                self._pending.extend((path, key, False) for key in thing)
        elif isinstance(thing, tuple | set | frozenset):
            if id(thing) not in self._arguments:
                _refuse_arrays(path, thing)
                if isinstance(thing, set):
                    self.boxes.append(Box(path, thing))
            self._pending.extend((f"{path}[{i}]", item, options) for i, item in enumerate(thing))
        elif isinstance(thing, types.FunctionType):
            self._in_function(path, thing)
        else:
            self._in_object(path, thing)

    def _add(self, box: Box) -> None:
        self.boxes.append(box)
        self._pending.extend((box.name_of(k), v, box.options) for k, v in box.items().items())

    def _in_function(self, path: str, function: Any) -> None:
        names = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        for name, cell in names:
            if id(cell) not in self._seen:
                self._seen[id(cell)] = cell
                self._add(Box(name, cell))
        defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
        self._pending.extend((path, value, False) for value in defaults)
        wrapped = vars(function).get("__wrapped__")
        if wrapped is not None:
            self._pending.append((path, wrapped, False))
        if is_library(function.__module__):
            return
        used = tuple(_names_in(function.__code__))
        for value in self._use(function.__globals__, used):
            if isinstance(value, types.ModuleType) and not is_library(value.__name__):
                self._use(vars(value), used)

    def _use(self, space: dict[str, Any], names: Sequence[str]) -> list[Any]:
        """Note which names of a module the step uses, and return their values."""
        _, used = self._globals.setdefault(id(space), (space, {}))
        for name in names:
            if name in space and name not in used:
                used[name] = None
                self._pending.append((name, space[name], False))
        return [space[name] for name in names if name in space]

    def _in_object(self, path: str, thing: Any) -> None:
        if isinstance(thing, types.MethodType):
            self._pending += [(path, thing.__func__, False), (path, thing.__self__, False)]
            return
        if isinstance(thing, functools.partial):
            self._pending += [(path, p, False) for p in (thing.func, thing.args, thing.keywords)]
            return
        if isinstance(thing, _DESCRIPTORS):
            self._pending += [(path, getattr(thing, name, None), False) for name in _FUNCTIONS]
            return
        attributes = getattr(thing, "__dict__", None)
        module = type(thing).__module__
        if is_library(module) and not module.startswith("tinytorch_"):
            self._in_object_of_library(path, thing)
            return
        if attributes is None:
            raise XlaError(
                f"{path or 'the step'} is a {type(thing).__name__}, whose contents jit cannot see; "
                "use a class without __slots__"
            )
        is_ours = module.startswith("tinytorch_")
        is_optimizer = hasattr(thing, "param_groups") and hasattr(thing, "named_state")
        if is_optimizer:
            self._in_optimizer(path, thing)
        self._add(Box(path, attributes, public=is_ours))
        if not is_ours:
            self._in_class(type(thing))

    def _in_object_of_library(self, path: str, thing: Any) -> None:
        """Note the attributes of an object that is neither the user's nor TinyTorch's."""
        if isinstance(thing, _FOREIGN_GENERATORS):
            self.foreign.append((path, thing))
        elif isinstance(thing, _NAMESPACES):
            self._add(Box(path, vars(thing)))
        elif isinstance(thing, Iterator) and path.isidentifier():
            raise XlaError(
                f"{path} is a {type(thing).__name__}, which would advance only while the step is "
                "compiled; pass its next item as an argument"
            )
        elif type(thing).__module__.partition(".")[0] not in _CONSTANT:
            attributes = getattr(thing, "__dict__", None)
            if isinstance(attributes, dict) and not callable(thing):
                self.boxes.append(Box(path, attributes, public=True))

    def _in_class(self, kind: type) -> None:
        """Note the attributes of a class, which must stay the same."""
        for base in kind.__mro__:
            if id(base) in self._seen or is_library(base.__module__):
                continue
            self._seen[id(base)] = base
            names = tuple(k for k, v in vars(base).items() if _matters(k, v))
            _refuse_arrays(base.__name__, [vars(base)[name] for name in names])
            self._add(Box(base.__name__, vars(base), names))

    def _in_optimizer(self, path: str, optimizer: Any) -> None:
        """Note that the numbers in the groups and states of an optimizer may change."""
        for group in optimizer.param_groups:
            self._seen[id(group)] = group
            self._add(Box(f"{path}.param_groups", group, options=True))
        self._seen[id(optimizer.state)] = optimizer.state
        self._add(Box(f"{path}.state", optimizer.state, options=True))


def _matters(name: str, value: Any) -> bool:
    """Return whether an attribute of a class was written by the user."""
    is_special = name.startswith("__") and name.endswith("__")
    return isinstance(value, types.FunctionType) or not (is_special or name == "_abc_impl")


def _refuse_arrays(path: str, values: Iterable[Any]) -> None:
    if any(isinstance(v, np.ndarray | Array | np.random.Generator) for v in values):
        raise XlaError(
            f"{path or 'the step'} holds an array or a generator in a tuple, a set or a class, "
            "where it cannot be replaced; use a list or an attribute of an object"
        )


def _names_in(code: types.CodeType) -> Iterator[str]:
    """Yield the names in code, and in the functions that it contains."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names_in(constant)


@functools.lru_cache(maxsize=1024)
def is_library(module: str | None) -> bool:
    """Return whether a module belongs to Python or TinyTorch, or was installed."""
    package = (module or "builtins").partition(".")[0]
    if package == "__main__":
        return False
    if package in sys.stdlib_module_names or package.startswith("tinytorch_"):
        return True
    file = getattr(sys.modules.get(package), "__file__", None) or ""
    return "site-packages" in file or "dist-packages" in file


def same(one: Any, other: Any) -> bool:
    """Return whether a value that is not traced is still the same."""
    if one is other:
        return True
    comparable = isinstance(one, (*_NUMBERS, frozenset))
    return type(one) is type(other) and comparable and bool(one == other)


def is_recording() -> bool:
    """Return whether autograd records operations."""
    autograd = sys.modules.get("tinytorch_autograd")
    return autograd is not None and bool(autograd.is_grad_enabled())


def modes() -> tuple[Any, ...]:
    """Return what determines how ops run: the surface, and whether operations are recorded."""
    return Tensor.__bases__[0], is_recording()

"""Finds the state of a step: every array, number and generator that its code can reach.

The search starts at the function and follows what it refers to: the variables of enclosing
functions, the global names and attributes in its code, default values, `self`, attributes, classes,
and items of containers. An object whose contents cannot be seen is refused. Code of Python, NumPy
and TinyTorch is taken as fixed.
"""

from __future__ import annotations

import _thread
import enum
import functools
import operator
import os
import random
import re
import sys
import types
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinytorch_core import Tensor, plugins

from tinytorch_compile.boxes import Belongs, Box, attribute_names
from tinytorch_compile.errors import CaptureError
from tinytorch_compile.names_in_code import globals_in, imports_in, names_in

# What never changes, or what does not matter for results.
_LEAVES = (type(None), bool, int, float, complex, str, bytes, np.dtype, np.generic, type(Ellipsis))
_ATOMS = (
    *_LEAVES,
    *(np.ufunc, enum.Enum, slice, range, re.Pattern),
    *(weakref.ref, types.CodeType, types.GenericAlias),
    *(types.MethodDescriptorType, types.WrapperDescriptorType, types.GetSetDescriptorType),
    *(types.MemberDescriptorType, types.ClassMethodDescriptorType, types.UnionType),
    *(_thread.LockType, _thread.RLock),
    *(operator.itemgetter, operator.attrgetter, operator.methodcaller),
)
# Further ones, in modules that take time to import. A step can only hold such an object if some
# other code has imported its module.
_MORE_ATOMS = {
    "datetime": ("date", "time", "timedelta", "tzinfo"),
    "decimal": ("Decimal",),
    "fractions": ("Fraction",),
    "logging": ("Logger",),
    "pathlib": ("PurePath",),
}
# Classes written in C whose objects have all their contents in `__dict__`.
_OPEN = (types.SimpleNamespace,)
_HIDING = (types.MethodDescriptorType, types.WrapperDescriptorType, types.GetSetDescriptorType)
# The methods of library classes that determine what their objects do.
_METHODS = ("forward", "step", "update")

# The packages whose objects keep nothing but caches in private attributes.
_WITH_CACHES = frozenset(
    f"tinytorch_{name}"
    for name in ("core", "autograd", "activations", "compile", "layers", "losses", "training")
)

# The functions with which Python 3.14 computes the annotations of a class.
_OF_ANNOTATIONS = ("__annotate__", "__annotate_func__")

# The hooks that nothing but checks of a plugin calls.
_OF_CHECKS = ("tinytorch_describe_ops", "tinytorch_register_checks")


class Found(NamedTuple):
    """Something that the step can reach.

    Attributes:
        path: how the step reaches it.
        thing: the object.
        private: it belongs to a library's cache.
        library: an attribute of a library's object leads to it.
    """

    path: str
    thing: Any
    private: bool = False
    library: bool = False

    def part(self, path: str, thing: Any) -> Found:
        """Return a part of this thing."""
        return Found(path, thing, self.private, self.library)


class Namespace:
    """The global names of a module that the step uses.

    Attributes:
        path: how the step reaches the module; "" for that of one of its functions.
        thing: the dict of the module.
        names: the names that matter.
        absent: names of builtins that the module does not hide.
    """

    def __init__(self, path: str, thing: dict[str, Any]) -> None:
        self.path, self.thing = path, thing
        self.names: dict[str, None] = {}
        self.absent: dict[str, None] = {}


class State:
    """What a step can reach.

    Attributes:
        boxes: what has items that can be replaced.
        tensors: the tensors, with how the step reaches them.
        objects: the objects whose class matters.
        methods: methods of library classes that determine what the step does.
        absent: for each dict of global names those that it must not have.
        names: the names in the code, of globals and attributes.
        caches: the functions that remember their results.
    """

    def __init__(self, function: Callable[..., Any], roots: Sequence[Any] = ()) -> None:
        self.boxes: list[Box] = []
        self.tensors: list[tuple[str, Tensor]] = []
        self.objects: list[Any] = []
        self.methods: list[tuple[type, str]] = []
        self.caches: list[Any] = []
        self._atoms = (*_ATOMS, *_imported_atoms())
        self._seen: dict[int, Any] = {}
        self._namespaces: dict[int, Namespace] = {}
        # The modules that are reached, and all names in code, which may be attributes of them.
        self._modules: dict[int, tuple[str, types.ModuleType]] = {}
        self.names: set[str] = set()
        # The first path that is found is the name. The keys of dicts come later, because a
        # parameter is better known as a part of its module than as a key of its optimizer. Caches
        # of libraries come last, because they also hold what belongs to the state.
        self._pending = deque([Found("", function), *(Found("an argument", r) for r in roots)])
        self._pending += [Found("", part) for part in _of_plugins()]
        self._keys: deque[Found] = deque()
        self._caches: deque[Found] = deque()
        while (found := self._pending or self._keys or self._caches) or self._in_modules():
            if found:
                self._visit(found.popleft())
        for space in self._namespaces.values():
            used = space.names.__contains__
            self.boxes.append(Box(space.path, space.thing, used, complete=False))
        self.absent = [
            (space.thing, name) for space in self._namespaces.values() for name in space.absent
        ]

    def _visit(self, found: Found) -> None:
        thing = found.thing
        if isinstance(thing, self._atoms) or id(thing) in self._seen:
            return
        self._seen[id(thing)] = thing  # kept, so that the id stays its own
        if isinstance(thing, Tensor):
            if not found.private:
                self.tensors.append((found.path, thing))
        elif isinstance(thing, np.ndarray | np.random.Generator):
            return  # replaced where it is held
        elif isinstance(thing, types.ModuleType):
            self._modules[id(thing)] = found.path, thing
        elif isinstance(thing, dict | list | deque | set):
            self._in_container(found)
        elif isinstance(thing, tuple | frozenset):
            self._in_immutable(found)
        elif isinstance(thing, type):
            self._in_class(found)
        elif isinstance(thing, types.FunctionType):
            self._in_function(found)
        elif isinstance(thing, types.BuiltinFunctionType | types.MethodWrapperType):
            self._in_builtin(found)
        else:
            parts = _parts_of(thing)
            if parts is None:
                self._in_object(found)
            else:
                self._later(found.part(found.path or name, part) for name, part in parts)
                if hasattr(thing, "cache_info"):
                    self.caches.append(thing)

    def _later(self, found: Iterable[Found]) -> None:
        for each in found:
            (self._caches if each.private else self._pending).append(each)

    def _add(self, found: Found, thing: Any, belongs: Belongs | None = None) -> None:
        """Add a box, and look at its items."""
        ordered = type(thing).__mro__[-2] is dict and thing is found.thing and not found.library
        box = Box(found.path, thing, belongs, found.private, ordered)
        self.boxes.append(box)
        self._later(found.part(box.name_of(key), value) for key, value in box.items.items())

    def _in_container(self, found: Found) -> None:
        thing = found.thing
        if isinstance(thing, set):
            self._refuse_arrays(found)
        self._add(found, thing)
        if isinstance(thing, dict):
            keys = self._caches if found.private else self._keys
            keys.extend(found.part(found.path, key) for key in thing)
        if not is_library(type(thing).__module__):
            self._in_attributes(found)
            self._in_class_of(found)

    def _in_immutable(self, found: Found) -> None:
        self._refuse_arrays(found)
        parts = enumerate(found.thing)
        self._later(found.part(f"{found.path}[{i}]", item) for i, item in parts)

    def _refuse_arrays(self, found: Found) -> None:
        for item in found.thing:
            if isinstance(item, np.ndarray | np.random.Generator) and not found.private:
                raise CaptureError(
                    f"{found.path or 'the step'} holds an array or generator in a "
                    f"{type(found.thing).__name__}, where it cannot be replaced; use a list"
                )

    def _in_function(self, found: Found) -> None:
        function = found.thing
        wrapped = vars(function).get("__wrapped__")
        if wrapped is not None:  # known by the path of its wrapper
            self._later([found.part(found.path, wrapped)])
        for name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        ):
            if id(cell) not in self._seen:
                self._seen[id(cell)] = cell
                self._add(found._replace(path=name), cell)
        path = function.__name__
        if function is os.getenv:
            self._later([Found("os.environ", os.environ)])
        if is_library(function.__module__):
            parts = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
            # functools.wraps copies the attributes of what it wraps.
            copied = getattr(wrapped, "__dict__", {})
            parts += [v for k, v in vars(function).items() if copied.get(k) is not v]
            self._later(found.part(path, value) for value in parts)
            return
        self._add(found._replace(path=path), function)
        self._add(found._replace(path=path), vars(function))
        self._in_code(function)

    def _in_code(self, function: Any) -> None:
        code, namespace = function.__code__, function.__globals__
        self.names |= names_in(code)
        for name in globals_in(code):
            if name in namespace:
                self._use("", namespace, name)
            else:
                self._namespace("", namespace).absent[name] = None
        for name in imports_in(code):
            known = [
                n for n in (name, f"{namespace.get('__package__')}.{name}") if n in sys.modules
            ]
            for full_name in known[:1]:
                self._use("sys.modules", sys.modules, full_name)

    def _namespace(self, path: str, names: dict[str, Any]) -> Namespace:
        return self._namespaces.setdefault(id(names), Namespace(path, names))

    def _use(self, path: str, names: dict[str, Any], name: str) -> bool:
        """Note that the step uses a name of a module; return whether this is new."""
        space = self._namespace(path, names)
        if name in space.names:
            return False
        space.names[name] = None
        self._later([Found(f"{path}.{name}" if path else name, names[name])])
        return True

    def _in_modules(self) -> bool:
        """Look at the names of modules that the code uses; return whether there are new ones."""
        new = False
        for path, module in list(self._modules.values()):
            names = vars(module)
            for name in sorted(self.names & names.keys()):
                if _matters(module.__name__, names[name]):
                    new |= self._use(path, names, name)
        return new

    def _in_builtin(self, found: Found) -> None:
        """Look at the object of a method such as `losses.append`."""
        owner = getattr(found.thing, "__self__", None)
        if isinstance(owner, np.ndarray | np.random.Generator):
            raise CaptureError(
                f"{found.path or 'the step'} is a method of an array or generator, which cannot "
                "be replaced; keep the array or generator itself"
            )
        if owner is not None and not isinstance(owner, types.ModuleType):
            self._later([found.part(found.path, owner)])

    def _in_class(self, found: Found) -> None:
        """Look at the attributes of a class and its bases."""
        for base in found.thing.__mro__:
            self._seen[id(base)] = base
            if not is_library(base.__module__):
                self._add(Found(base.__name__, found.thing), base, _is_attribute(base))

    def _in_class_of(self, found: Found) -> None:
        kind = type(found.thing)
        if id(kind) in self._seen:
            return
        self._in_class(Found(kind.__name__, kind))
        if kind.__module__.startswith("tinytorch_") and not found.private:
            self.methods += [(kind, name) for name in _METHODS if hasattr(kind, name)]

    def _in_object(self, found: Found) -> None:
        thing, kind = found.thing, type(found.thing)
        what = f"{found.path or 'the step'} is a {kind.__name__}"
        if _is_function(thing):
            return
        refusal = getattr(kind, "__tinytorch_refuses_capture__", None)
        if refusal is not None:
            raise CaptureError(f"{what}, {refusal}")
        if not found.private:
            if isinstance(thing, random.Random | np.random.RandomState):
                raise CaptureError(
                    f"{what}; instead of it, or of a global generator, use a np.random.Generator"
                )
            if hasattr(kind, "__next__"):
                raise CaptureError(f"{what}, whose state cannot be restored")
            if _hides_contents(kind):
                raise CaptureError(
                    f"{what}, whose contents cannot be seen, so a replay would not notice changes"
                )
        if kind.__module__ == f"{__package__}.compiled":
            self._later([found.part(found.path, thing.step)])
            return
        self._in_attributes(found)
        self._in_class_of(found)
        if not is_library(kind.__module__):
            self.objects.append(thing)

    def _in_attributes(self, found: Found) -> None:
        attributes = getattr(found.thing, "__dict__", None)
        has_caches = type(found.thing).__module__.partition(".")[0] in _WITH_CACHES
        found = found._replace(library=has_caches)
        public = _is_public if has_caches and not found.private else None
        if attribute_names(found.thing):
            self._add(found, found.thing, public)
        if attributes is not None:
            self._add(found, attributes, public)
            if public is not None:
                self._add(found._replace(private=True), attributes, _is_private)


def _imported_atoms() -> Iterator[type]:
    for module, names in _MORE_ATOMS.items():
        for name in names:
            kind = getattr(sys.modules.get(module), name, None)
            if kind is not None:
                yield kind


def _is_public(key: str) -> bool:
    return not key.startswith("_")


def _is_private(key: str) -> bool:
    return key.startswith("_")


def _of_plugins() -> Iterator[Any]:
    """Yield the hooks of active plugins that were not installed, which lead to their ops."""
    for plugin in plugins.surface().plugins:
        target = plugin.target
        module = (
            target.__name__ if isinstance(target, types.ModuleType) else type(target).__module__
        )
        if isinstance(target, types.SimpleNamespace) or not is_library(module):
            for name in dir(target):
                hook = getattr(target, name)
                if name.startswith("tinytorch_") and name not in _OF_CHECKS and callable(hook):
                    yield hook


def _parts_of(thing: Any) -> list[tuple[str, Any]] | None:
    """Return what a wrapper of a function consists of, or None for another object."""
    if isinstance(thing, types.MethodType):
        return [("", thing.__func__), ("self", thing.__self__)]
    if isinstance(thing, functools.partial):
        parts = (thing.func, thing.args, thing.keywords, vars(thing))
        return [("", part) for part in parts]
    if isinstance(thing, property):
        return [("", part) for part in (thing.fget, thing.fset, thing.fdel)]
    if isinstance(thing, staticmethod | classmethod):
        return [("", thing.__func__)]
    if hasattr(type(thing), "cache_info"):
        return [("", thing.__wrapped__)]
    return None


def _is_attribute(kind: type) -> Belongs:
    """Return whether an attribute of a class was written by the user."""
    names = vars(kind)

    def belongs(key: str) -> bool:
        if key.startswith("__") and key.endswith("__"):
            return isinstance(names[key], types.FunctionType) and key not in _OF_ANNOTATIONS
        return key != "_abc_impl" or isinstance(names[key], types.FunctionType)

    return belongs


def _hides_contents(kind: type) -> bool:
    """Return whether a class is written in C, so that its objects can have hidden contents."""
    if issubclass(kind, _OPEN):
        return False
    return any(_is_in_c(base) for base in kind.__mro__ if base is not object)


def _is_function(thing: Any) -> bool:
    """Return whether an object is a function of a library, such as np.outer."""
    return hasattr(thing, "__qualname__") and is_library(getattr(thing, "__module__", None))


@functools.lru_cache(maxsize=1024)
def _is_in_c(kind: type) -> bool:
    known = ("__dict__", "__weakref__")
    return any(isinstance(v, _HIDING) for name, v in vars(kind).items() if name not in known)


def _matters(module: str, value: Any) -> bool:
    """Return whether an attribute of a module can change what the step does."""
    if not is_library(module) or module.startswith("tinytorch_"):
        return True
    return value is os.environ or value is os.getenv or isinstance(value, _LEAVES)


@functools.lru_cache(maxsize=1024)
def is_library(module: str | None) -> bool:
    """Return whether a module belongs to Python or TinyTorch, or was installed."""
    package = (module or "builtins").partition(".")[0]
    if package == "__main__":  # its file may be that of a notebook's kernel
        return False
    if package in sys.stdlib_module_names or package.startswith("tinytorch_"):
        return True
    parts = (getattr(sys.modules.get(package), "__file__", None) or "").split(os.sep)
    return "site-packages" in parts or "dist-packages" in parts

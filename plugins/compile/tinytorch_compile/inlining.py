"""Replaces a kernel by the NumPy calls that it makes, without the Python code between them.

A fixed kernel makes the same calls for all arrays of one layout. So it runs once, on watched
arrays, while the source is written. Its new arrays come from the pool of the program.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from tinytorch_compile.forms import ADAPTING
from tinytorch_compile.memory import Pool
from tinytorch_compile.program import Layout, mapped

# A function and its arguments; keyword arguments are bound to the function.
Bound = tuple[Callable[..., Any], tuple[Any, ...]]

# Functions whose results depend on shapes and dtypes only.
_ABOUT_LAYOUT = (np.broadcast_shapes, np.ndim, np.result_type, np.shape, np.size)
_COPIES = (np.ascontiguousarray, np.copy)
_CREATING: dict[Any, int | None] = {np.empty: None, np.empty_like: None}
_CREATING |= {np.zeros: 0, np.zeros_like: 0, np.ones: 1, np.ones_like: 1}


class NotFixed(Exception):
    """The kernel does something that cannot be noted as a NumPy call into a given array."""


class Inlined:
    """The calls that a kernel makes.

    Args:
        kernel: the kernel.
        args: its arguments; arrays are those that every replay uses.
        pool: where arrays for results come from.

    Attributes:
        calls: the calls, in order.
        result: the array that holds the result.
        memory: the array of the pool that owns the memory of the result.

    Raises:
        NotFixed: the calls cannot be noted.
    """

    def __init__(self, kernel: Any, args: tuple[Any, ...], pool: Pool) -> None:
        self.calls: list[Bound] = []
        self._pool = pool
        self._kept: Any = None
        # One ndarray for all that are equal in memory, so that the source has one name for them.
        self._arrays: dict[Any, Any] = {}
        with np.errstate(all="ignore"):
            result = kernel.__wrapped__(*mapped(args, self._watched))
        if type(result) is not Watched or result._root is None:
            raise NotFixed
        self.result, self.memory = self._same(plain(result)), result._root
        self._kept = result._root
        if self.result.nbytes != self.memory.nbytes:
            raise NotFixed

    def _watched(self, leaf: Any) -> Any:
        if not isinstance(leaf, np.ndarray):
            return leaf
        watched = self._same(leaf).view(Watched)
        watched._inlined = self
        return watched

    def call(self, function: Any, args: Any, kwargs: dict[str, Any], out: Any = None) -> Any:
        """Note a call of a function of NumPy, and return its result."""
        args, kwargs = mapped((args, kwargs), plain)
        if out is None:
            found = _empty_result(function, args, kwargs)
            if not isinstance(found, np.ndarray):
                raise NotFixed  # a number, on which the kernel may depend
            out = self.new(found.shape, found.dtype, found.strides)
        self._note(function, *args, **kwargs, out=plain(out))
        return out

    def copy(self, target: Any, source: Any) -> Any:
        """Note that the elements of an array or a number are written into another array."""
        self._note(np.copyto, plain(target), plain(source), "unsafe")
        return target

    def new(self, shape: Any, dtype: Any, strides: Any = None) -> Any:
        """Return a watched array for a result; its memory is reused when it is dead."""
        dtype = np.dtype(dtype)
        model = np.broadcast_to(np.empty((), dtype), shape)
        layout = Layout(model.shape, dtype, strides or _strides(model.shape, dtype))
        if not layout.size or Layout.of(layout.empty()) != _normal(layout):
            raise NotFixed
        root = self._pool.take(layout)
        watched = root.view(Watched)
        watched._inlined, watched._root = self, root
        weakref.finalize(watched, self._give_back, root).atexit = False
        return watched

    def _give_back(self, root: Any) -> None:
        if root is not self._kept:
            self._pool.give_back(root)

    def _note(self, function: Any, *args: Any, **kwargs: Any) -> None:
        args, kwargs = mapped((args, kwargs), self._same)
        if function in ADAPTING:
            args = tuple(self._as_array(arg, args) for arg in args)
        positional = isinstance(function, np.ufunc) and function not in (np.maximum, np.minimum)
        if positional and kwargs.keys() == {"out"}:
            args, kwargs = (*args, kwargs["out"]), {}
        self.calls.append((functools.partial(function, **kwargs) if kwargs else function, args))

    def _same(self, leaf: Any) -> Any:
        if not isinstance(leaf, np.ndarray):
            return leaf
        key = leaf.__array_interface__["data"][0], leaf.shape, leaf.strides, leaf.dtype
        return self._arrays.setdefault(key, leaf)

    def _as_array(self, leaf: Any, args: tuple[Any, ...]) -> Any:
        """Return a Python number as an array, as which it takes less time."""
        dtypes = {arg.dtype for arg in args if isinstance(arg, np.ndarray)}
        if type(leaf) not in (int, float) or len(dtypes) != 1:
            return leaf
        (dtype,) = dtypes
        fits = dtype.kind == "f" or (dtype.kind == "i" and type(leaf) is int)
        return self._same(np.array(leaf, dtype)) if fits else leaf


# Its methods take only the arguments that kernels pass.
_Array: Any = np.ndarray


class Watched(_Array):  # type: ignore[misc]
    """An array that notes what a kernel does with it. To the kernel it is an ndarray."""

    __class__: ClassVar[Any] = property(lambda self: np.ndarray)
    _inlined: Any
    _root: Any
    flat = property(lambda self: _refused(self))

    def __new__(cls, shape: Any, dtype: Any, memory: Any, offset: int, strides: Any) -> Any:
        watched = super().__new__(cls, shape, dtype, memory, offset, strides)
        watched.__array_finalize__(memory)
        return watched

    def __array_finalize__(self, origin: Any) -> None:
        self._inlined = getattr(origin, "_inlined", None)
        self._root = getattr(origin, "_root", None)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method not in ("__call__", "reduce"):
            raise NotFixed
        function = ufunc if method == "__call__" else ufunc.reduce
        (out,) = kwargs.pop("out", (None,))
        if out is not None and type(out) is not Watched:
            raise NotFixed
        return self._inlined.call(function, inputs, kwargs, out)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function in _ABOUT_LAYOUT:
            return function(*mapped(args, plain), **mapped(kwargs, plain))
        if function in _COPIES and len(args) == 1 and not kwargs:
            array = args[0]  # and `self` may be the argument `like`
            if type(array) is not Watched:
                raise NotFixed
            same = function is np.ascontiguousarray and array.flags.c_contiguous
            return array if same else array._copied("K" if function is np.copy else "C")
        if function not in _CREATING and function is not np.full_like:
            raise NotFixed
        model = function(*mapped(args, plain), **mapped(kwargs, plain))
        array = self._inlined.new(model.shape, model.dtype, model.strides)
        number = args[1] if function is np.full_like else _CREATING[function]
        return array if number is None else self._inlined.copy(array, number)

    def _copied(self, order: Any, dtype: Any = None) -> Any:
        model = np.empty_like(plain(self), dtype, order=order)
        return self._inlined.copy(self._inlined.new(model.shape, model.dtype, model.strides), self)

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        if not isinstance(found, np.ndarray) or not _is_view(found, self):
            raise NotFixed
        return found

    def __setitem__(self, index: Any, value: Any) -> None:
        target = self[index]
        if type(value) is Watched and _is_same(value, target):
            return  # `x[i] += 1` has written into x when it assigns the view to x[i]
        if target.size:
            self._inlined.copy(target, value)

    def reshape(self, *shape: Any, **kwargs: Any) -> Any:
        """Note a copy if the result is not a view."""
        found = super().reshape(*shape, **kwargs)
        return found if _is_view(found, self) else self._copied("C").reshape(*shape)

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        """Note the conversion."""
        same = not copy and np.dtype(dtype) == self.dtype
        return self if same else self._copied("K", dtype)

    def copy(self, order: Any = "C") -> Any:
        """Note the copy."""
        return self._copied(order)

    def sum(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Note the sum."""
        return self._inlined.call(np.add.reduce, (self,), {"axis": axis, "keepdims": keepdims})


def _empty_result(function: Any, args: Any, kwargs: Any) -> Any:
    """Return an array of the layout of a result; only calls that are not elementwise compute it."""
    elementwise = isinstance(function, np.ufunc) and function.signature is None
    arrays = [arg for arg in args if isinstance(arg, np.ndarray)]
    if not elementwise or function.nout != 1 or kwargs or not any(x.shape for x in arrays):
        return function(*args, **kwargs)
    # A Python number adapts to the dtype of the array, except a truth value.
    numbers = {int: int, float: float, complex: complex}
    kinds = [numbers.get(type(arg)) or np.asarray(arg).dtype for arg in args]
    *_, dtype = function.resolve_dtypes((*kinds, None))
    roles: Any = [*(["readonly"] for _ in args), ["writeonly", "allocate"]]
    dtypes: Any = [*(None for _ in args), dtype]
    flags: Any = ("zerosize_ok", "refs_ok", "multi_index")
    iterator = np.nditer([*args, None], flags, roles, dtypes, order="K", casting="unsafe")
    return iterator.operands[-1]


def _refused(self: Any, *args: Any, **kwargs: Any) -> Any:
    raise NotFixed


_VIEWS = "T base data dtype flags imag itemsize mT nbytes ndim real shape size strides swapaxes "
_VIEWS += "__array_finalize__ __buffer__ __class__ __len__ __new__ transpose view"
for _each in vars(np.ndarray).keys() - vars(Watched).keys() - set(_VIEWS.split()):
    _method = getattr(np.ndarray, _each)
    # The operators call ufuncs.
    _is_operator = getattr(np.lib.mixins.NDArrayOperatorsMixin, _each, None)
    if callable(_method) and not _is_operator and _each not in vars(object):
        setattr(Watched, _each, _refused)


def plain(leaf: Any) -> Any:
    """Return a watched array as an ndarray that does not keep it alive, and other leaves as is."""
    if type(leaf) is not Watched:
        return leaf
    if leaf._root is None:
        return leaf.view(np.ndarray)
    memory = leaf._root.base
    start = leaf.__array_interface__["data"][0] - memory.__array_interface__["data"][0]
    return np.ndarray(leaf.shape, leaf.dtype, memory, start, leaf.strides)


def _is_view(array: Any, base: Any) -> bool:
    return not array.size or np.may_share_memory(array.view(np.ndarray), base.view(np.ndarray))


def _is_same(x: Any, y: Any) -> bool:
    return bool(x.__array_interface__ == y.__array_interface__)


def _strides(shape: tuple[int, ...], dtype: Any) -> tuple[int, ...]:
    return np.empty(shape, dtype).strides


def _normal(layout: Layout) -> Layout:
    pairs = zip(layout.shape, layout.strides, strict=True)
    return layout._replace(strides=tuple(s if n != 1 else 0 for n, s in pairs))

"""StrictArray, an array of another library for tests: it accepts functional NumPy and nothing else.

Arrays that are traced, compiled, batched, or kept on another device have no values while a program
runs, and cannot be modified. A `StrictArray` has values, but refuses what such arrays cannot do,
with an error that names the remedy. Code that works with it works with them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from tinytorch_core.extend import numpy_name

# Functions whose results have shapes that depend on values.
_SHAPED_BY_VALUES = frozenset(
    {
        np.argwhere,
        np.compress,
        np.extract,
        np.flatnonzero,
        np.nonzero,
        np.trim_zeros,
        np.union1d,
        np.intersect1d,
        np.setdiff1d,
        np.setxor1d,
        np.unique,
        np.unique_all,
        np.unique_counts,
        np.unique_inverse,
        np.unique_values,
    }
)
# Functions that return a Python bool computed from values.
_COMPARED = frozenset({np.allclose, np.array_equal, np.array_equiv})
# Functions that call a Python function with parts of the array.
_CALLING = frozenset({np.apply_along_axis, np.apply_over_axes, np.piecewise})
# Functions that write into an argument.
_WRITING = frozenset({np.copyto, np.fill_diagonal, np.place, np.put, np.put_along_axis, np.putmask})

_FUNCTIONAL = "arrays of other libraries may not be writable; compute a new array"
_NO_VALUES = (
    "arrays of other libraries may have no values yet; compute with the array itself: np.where "
    "instead of a branch, np.sqrt instead of math.sqrt"
)
_WHOLE = "arrays of other libraries may have no values yet; compute with whole arrays and np.where"
_SAME_LIBRARY = (
    "arrays of other libraries may not become ndarrays; use the array as it is, without np.asarray"
)


class StrictArrayError(TypeError):
    """The code under test did something that arrays of other libraries cannot do."""


class _MissingError(StrictArrayError, AttributeError):
    """The code under test used an attribute that arrays of other libraries may lack."""


def _refuse(what: str, remedy: str) -> NoReturn:
    raise StrictArrayError(f"{what}: {remedy}")


class StrictArray(NDArrayOperatorsMixin):
    """An array that is not an ndarray, cannot be modified, and does not show its values.

    It supports NumPy's functions and ufuncs, operators, indexing, and the attributes and methods
    listed in its class. It refuses:

    - conversions: np.asarray, float, int, bool, `item`, `tolist`, iteration, use as an index of a
      list;
    - writes: item assignment, out=, np.add.at, np.copyto and the like. `x += y` computes a new
      array, so code that returns `x` afterwards works;
    - functions of which the shape of the result depends on values, such as np.nonzero, and
      indexing by a mask;
    - functions that call a function with parts of the array, such as np.piecewise.

    Args:
        values: an array or a number, which is not copied.
        calls: a list to which the name of each call is appended, such as "np.exp" or "reshape";
            results of calls share it.

    Raises:
        StrictArrayError: a refused operation; a TypeError.

    >>> x = StrictArray(np.array([1.0, 2.0]))
    >>> np.exp(x - x)
    StrictArray([1., 1.])
    >>> x.calls
    ['np.subtract', 'np.exp']
    >>> float(x.sum())
    Traceback (most recent call last):
    tinytorch_devkit.strict_array.StrictArrayError: float(): arrays of other libraries may have...
    """

    __slots__ = ("_values", "calls")
    __array_priority__ = 1000
    __hash__ = None  # type: ignore[assignment]  # as for an ndarray

    def __init__(self, values: Any, calls: list[str] | None = None) -> None:
        self._values = np.asarray(values)
        self.calls: list[str] = [] if calls is None else calls

    # What its shape and dtype determine is known.
    shape = property(lambda self: self._values.shape)
    dtype = property(lambda self: self._values.dtype)
    ndim = property(lambda self: self._values.ndim)
    size = property(lambda self: self._values.size)
    itemsize = property(lambda self: self._values.itemsize)
    nbytes = property(lambda self: self._values.nbytes)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"StrictArray({np.array2string(self._values, separator=', ')})"

    def __getattr__(self, name: str) -> Any:
        remedy = "arrays of other libraries may lack it; use a function of NumPy"
        raise _MissingError(f"the attribute {name!r}: {remedy}")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        name = numpy_name(ufunc) + ("" if method == "__call__" else f".{method}")
        if "out" in options or method == "at":
            _refuse(f"{name} writes into {'out=' if 'out' in options else 'an array'}", _FUNCTIONAL)
        return self._run(name, getattr(ufunc, method), inputs, options)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...], options: Any
    ) -> Any:
        name = numpy_name(function)
        if function in _WRITING or options.get("out") is not None:
            _refuse(f"{name} writes into an array", _FUNCTIONAL)
        if function in _SHAPED_BY_VALUES or (function is np.where and len(args) == 1):
            _refuse(f"the shape of the result of {name} depends on values", _NO_VALUES)
        if function in _CALLING:
            _refuse(f"{name} calls a function with parts of an array", _WHOLE)
        if function in _COMPARED:
            _refuse(f"{name} returns a Python bool", _NO_VALUES)
        return self._run(name, function, args, options)

    def _run(self, name: str, function: Callable[..., Any], args: Any, options: Any) -> Any:
        self.calls.append(name)
        with np.errstate(all="ignore"):  # the plain run reports warnings
            return self._strict(function(*values_of(args), **values_of(options)))

    def _strict(self, result: Any) -> Any:
        """Return a result with its arrays as strict ones, in tuples and lists too."""
        if isinstance(result, np.ndarray | np.generic):
            return StrictArray(result, self.calls)
        if isinstance(result, tuple | list):
            items = [self._strict(item) for item in result]
            return type(result)(*items) if hasattr(result, "_fields") else type(result)(items)
        return result

    def __getitem__(self, index: Any) -> Any:
        for part in index if isinstance(index, tuple) else (index,):
            if isinstance(part, StrictArray) and part.dtype == bool:
                _refuse("the shape of x[mask] depends on values", _NO_VALUES)
        self.calls.append("getitem")
        return StrictArray(self._values[values_of(index)], self.calls)


def values_of(value: Any) -> Any:
    """Return a value with an ndarray in place of each strict array, in nested containers too."""
    if isinstance(value, StrictArray):
        return value._values
    if type(value) in (list, tuple):
        return type(value)(values_of(v) for v in value)
    if isinstance(value, dict):
        return {name: values_of(v) for name, v in value.items()}
    if isinstance(value, slice):
        return slice(values_of(value.start), values_of(value.stop), values_of(value.step))
    return value


# The methods and attributes of arrays that functional code may use.
_METHODS = """
    all any argmax argmin argsort astype clip conj copy cumprod cumsum diagonal dot max mean min
    prod ravel repeat reshape round squeeze std sum swapaxes take trace transpose var
"""
_ARRAYS = "T mT real imag"
_REFUSED = {
    _NO_VALUES: """
        __bool__ __float__ __int__ __complex__ __index__ __iter__ __contains__ item tolist
    """,
    _FUNCTIONAL: "__setitem__ fill put sort resize setflags partition",
    _SAME_LIBRARY: "__array__ __buffer__ __dlpack__ tobytes",
}
_IN_PLACE = "add sub mul matmul truediv floordiv mod pow lshift rshift and xor or"


def _method(name: str) -> Callable[..., Any]:
    def method(self: StrictArray, *args: Any, **options: Any) -> Any:
        if options.get("out") is not None:
            _refuse(f"{name} writes into out=", _FUNCTIONAL)
        return self._run(name, getattr(self._values, name), args, options)

    return method


def _attribute(name: str) -> property:
    return property(lambda self: self._run(name, lambda: getattr(self._values, name), (), {}))


def _refused(name: str, remedy: str) -> Callable[..., Any]:
    def method(self: StrictArray, *args: Any, **options: Any) -> NoReturn:
        _refuse(f"{name.strip('_')}()", remedy)

    return method


def _not_in_place(self: StrictArray, other: Any) -> Any:
    return NotImplemented  # Python then computes x = x + y for `x += y`


for _name in _METHODS.split():
    setattr(StrictArray, _name, _method(_name))
for _name in _ARRAYS.split():
    setattr(StrictArray, _name, _attribute(_name))
for _remedy, _names in _REFUSED.items():
    for _name in _names.split():
        setattr(StrictArray, _name, _refused(_name, _remedy))
for _name in _IN_PLACE.split():
    setattr(StrictArray, f"__i{_name}__", _not_in_place)


def strict(value: Any) -> Any:
    """Return a value with a strict array in place of each ndarray, in nested containers too."""
    if isinstance(value, np.ndarray):
        return StrictArray(value)
    if type(value) in (list, tuple):
        return type(value)(map(strict, value))
    if isinstance(value, dict):
        return {name: strict(v) for name, v in value.items()}
    return value

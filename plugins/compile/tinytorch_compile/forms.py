"""How a call is written so that its result goes into a given array."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch_compile.program import Call, Constant, Value
from tinytorch_compile.tracing import Writing

# Writes an argument, or the name of a function, as text.
Text = Callable[[Any], str]
# Returns the lines that compute a call into the array of this name; None if it cannot.
Form = Callable[[Call, Text, str], "list[str] | None"]

# Methods of arrays that take the argument `out`.
_METHODS = (
    *("all", "any", "argmax", "argmin", "cumprod", "cumsum"),
    *("mean", "round", "std", "trace", "var"),
)
# Functions that do.
_FUNCTIONS = (np.concatenate, np.stack, np.clip)
# Draws that fill an array.
_DRAWS = (np.random.Generator.random, np.random.Generator.standard_normal)

# The ufuncs in which a Python number adapts to the dtype of a floating array.
ADAPTING = frozenset(
    {
        np.add,
        np.subtract,
        np.multiply,
        np.true_divide,
        np.maximum,
        np.minimum,
        np.power,
        np.equal,
        np.not_equal,
        np.less,
        np.less_equal,
        np.greater,
        np.greater_equal,
    }
)


def form_of(call: Call) -> Form | None:
    """Return how to write a call whose result goes into a given array, or None."""
    function = call.function
    if isinstance(function, np.ufunc):
        return _ufunc if function.nout == 1 and not call.kwargs.keys() - {"dtype"} else None
    if getattr(function, "__name__", "") == "reduce" and isinstance(
        getattr(function, "__self__", None), np.ufunc
    ):
        return None if call.kwargs.keys() - {"axis", "keepdims"} else _reduce
    return _FORMS.get(function)


def is_elementwise(call: Call) -> bool:
    """Return whether each element of the result depends on the same element of the arguments."""
    return isinstance(call.function, np.ufunc) and call.function.signature is None


def arguments(call: Call, text: Text, skip: int = 0) -> str:
    """Return the text of the arguments of a call, without the first `skip`."""
    named = [f"{key}={text(value)}" for key, value in call.kwargs.items()]
    return ", ".join([*map(text, call.args[skip:]), *named])


def _ufunc(call: Call, text: Text, out: str) -> list[str]:
    named = [f"{key}={text(value)}" for key, value in call.kwargs.items()]
    # Positional arguments take less time, and NumPy deprecates them for these two.
    target = f"out={out}" if call.function in (np.maximum, np.minimum) else out
    return [f"{text(call.function)}({', '.join([*map(text, call.args), target, *named])})"]


def _reduce(call: Call, text: Text, out: str) -> list[str] | None:
    names = ("x", "axis", "dtype", "out", "keepdims", "initial")
    given = dict(zip(names, call.args, strict=False)) | call.kwargs
    if len(call.args) > 6 or _reads_backwards(given["x"]):
        return None
    axis, dtype = given.get("axis", 0), given.get("dtype")
    passed = [given["x"], axis, dtype]
    initial = [text(given["initial"])] if "initial" in given else []
    keepdims = [text(bool(given.get("keepdims")))] if initial or given.get("keepdims") else []
    return [f"{text(call.function)}({', '.join([*map(text, passed), out, *keepdims, *initial])})"]


def _reads_backwards(x: Any) -> bool:
    """Return whether an array has a negative stride.

    NumPy 2.1 adds the elements of such an array in another order if `out` is given.
    """
    if isinstance(x, Value):
        return x.layout is not None and min(x.layout.strides, default=0) < 0
    array = x.array if isinstance(x, Constant) else x
    return min(getattr(array, "strides", ()), default=0) < 0


def _method(call: Call, text: Text, out: str) -> list[str] | None:
    x, *_ = call.args
    if _reads_backwards(x):
        return None
    passed = ", ".join([*filter(None, [arguments(call, text, skip=1)]), f"out={out}"])
    return [f"{text(x)}.{call.function.__name__}({passed})"]


def _function(call: Call, text: Text, out: str) -> list[str] | None:
    return [f"{text(call.function)}({arguments(call, text)}, out={out})"]


def _copy(call: Call, text: Text, out: str) -> list[str] | None:
    return [f"{text(np.copyto)}({out}, {text(call.args[0])}, 'unsafe')"]


def _dot(call: Call, text: Text, out: str) -> list[str] | None:
    (result,) = call.results
    assert result.layout is not None
    if call.kwargs or not np.empty(0).flags.c_contiguous:
        return None
    expected = np.empty(result.layout.shape, result.layout.dtype)
    if type(result.layout).of(expected) != result.layout:
        return None
    return [f"{text(call.function)}({arguments(call, text)}, {out})"]


def _where(call: Call, text: Text, out: str) -> list[str] | None:
    condition, x, y = call.args
    (result,) = call.results
    kinds = {v.layout.dtype for v in (x, y) if isinstance(v, Value) and v.layout}
    if kinds != {result.layout.dtype} or not isinstance(condition, Value):  # type: ignore[union-attr]
        return None
    if condition.layout is None or condition.layout.dtype != bool:
        return None
    copyto = text(np.copyto)
    return [f"{copyto}({out}, {text(y)})", f"{copyto}({out}, {text(x)}, where={text(condition)})"]


def _draw(call: Call, text: Text, out: str) -> list[str] | None:
    generator, *sizes = call.args
    if len(sizes) > 1 or call.kwargs.keys() - {"size", "dtype"}:
        return None
    size = call.kwargs.get("size", *sizes) if sizes or call.kwargs else None
    dtype = text(call.kwargs.get("dtype", np.float64))
    return [f"{text(generator)}.{call.function.__name__}({text(size)}, {dtype}, {out})"]


def _write(call: Call, text: Text, out: str) -> list[str]:
    """Return the line that writes into a copy of the first argument, `out`."""
    writing: Writing = call.function  # type: ignore[assignment]
    if writing.function is operator.setitem:
        _, index, value = call.args
        return [f"{out}[{index_text(index, text)}] = {text(value)}"]
    passed = ", ".join([out, *filter(None, [arguments(call, text, skip=1)])])
    return [f"{text(writing.function)}({passed})"]


write_lines = _write


def index_text(index: Any, text: Text) -> str:
    """Return the text of an index, such as `:, 1:3`."""
    items = index if isinstance(index, tuple) else (index,)
    parts = [_slice_text(i, text) if isinstance(i, slice) else text(i) for i in items]
    return ", ".join(parts) + ("," if isinstance(index, tuple) and len(items) == 1 else "") or "()"


def _slice_text(index: slice, text: Text) -> str:
    start, stop = ("" if i is None else text(i) for i in (index.start, index.stop))
    return f"{start}:{stop}" + ("" if index.step is None else f":{text(index.step)}")


_FORMS: dict[Any, Form] = {
    **{getattr(np.ndarray, name): _method for name in _METHODS},
    **dict.fromkeys(_FUNCTIONS, _function),
    **dict.fromkeys((np.ndarray.astype, np.ndarray.copy, np.copy, np.astype), _copy),
    **dict.fromkeys(_DRAWS, _draw),
    np.dot: _dot,
    np.where: _where,
}

"""NumPy's ufuncs and functions on arrays of JAX, found by their names in jax.numpy.

NumPy's rules determine the dtypes: JAX would compute int64 + float32 in float32, NumPy in float64.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from tinytorch_core.extend import numpy_name

from tinytorch_xla.array import Array, unwrapped, wrapped
from tinytorch_xla.elementary import tanh
from tinytorch_xla.engine import in_64_bits, is_traced, jax, jnp
from tinytorch_xla.errors import XlaError, traced_value_error, user_line

Function = Callable[..., Any]

_PYTHON_NUMBERS = (int, float, complex)
# The reductions of ufuncs.
_REDUCTIONS = {
    "add": "sum",
    "multiply": "prod",
    "maximum": "max",
    "minimum": "min",
    "fmax": "nanmax",
    "fmin": "nanmin",
    "logical_and": "all",
    "logical_or": "any",
}
_OF_SCALARS = (0, -1, (0,), (-1,))
# Functions of SciPy of which JAX's versions are inexact or wrong for some numbers, such as x < -1.
_INEXACT = frozenset({"hyp1f1", "hyp2f1", "log_ndtr"})
# Options that do not change what is computed.
_WITHOUT_EFFECT = frozenset({"order", "subok", "casting", "like", "copy", "out", "device", "kind"})
# Functions whose arguments are converted to a common dtype first.
_PROMOTING = frozenset(
    {
        *(np.append, np.block, np.column_stack, np.concatenate, np.convolve, np.correlate),
        *(np.cross, np.dot, np.dstack, np.einsum, np.hstack, np.inner, np.kron, np.outer),
        *(np.stack, np.tensordot, np.vdot, np.vstack, np.linalg.solve, np.linalg.lstsq),
        *(np.polyval, np.linalg.multi_dot, np.linalg.vecdot, np.linalg.cross),
        *(np.linalg.matmul, np.linalg.outer, np.linalg.tensordot),
    }
)
# Functions of which the shape of the result depends on values.
_SHAPED_BY_VALUES = frozenset(
    {
        *(np.argwhere, np.compress, np.extract, np.flatnonzero, np.nonzero, np.trim_zeros),
        *(np.union1d, np.intersect1d, np.setdiff1d, np.setxor1d, np.unique, np.unique_all),
        *(np.unique_counts, np.unique_inverse, np.unique_values),
    }
)


@in_64_bits
def call_ufunc(ufunc: np.ufunc, method: str, inputs: Any, options: dict[str, Any]) -> Any:
    """Run a ufunc, or one of its methods."""
    if method == "reduce":
        return _reduced(ufunc, *inputs, **options)
    values = [unwrapped(i) for i in inputs]
    if method == "accumulate":
        name = {"add": "cumsum", "multiply": "cumprod"}.get(ufunc.__name__)
        axis = options.pop("axis", values[1] if len(values) > 1 else 0)
        if name is not None:
            return Array(getattr(jnp, name)(values[0], axis=axis, **options))
        return Array(_method_of(ufunc, method)(values[0], axis=axis, **options))
    if method == "outer":
        x, y = (jnp.asarray(v) for v in values)
        x = x.reshape(x.shape + (1,) * y.ndim)
        return call_ufunc(ufunc, "__call__", (Array(x), Array(y)), options)
    if method == "reduceat":
        return Array(_method_of(ufunc, method)(*values, **options))
    where = options.pop("where", True)
    if where is not True:
        raise XlaError(f"{user_line()}: where= of np.{ufunc.__name__} leaves elements undefined")
    values, dtypes = _in_loop(ufunc, values, options.pop("dtype", None))
    function = _ufunc(ufunc)
    if function is None:
        return _by_scipy(ufunc, values, dtypes)
    found = function(*values, **{k: v for k, v in options.items() if k not in _WITHOUT_EFFECT})
    results = found if isinstance(found, tuple) else (found,)
    cast = tuple(
        Array(r if d is None or r.dtype == d else r.astype(d))
        for r, d in zip(results, dtypes[len(values) :], strict=False)
    )
    return cast if isinstance(found, tuple) else cast[0]


def _in_loop(ufunc: np.ufunc, values: list[Any], dtype: Any) -> tuple[list[Any], tuple[Any, ...]]:
    """Return the arguments in the dtypes of the loop that NumPy would choose, and its dtypes."""
    values = [v if hasattr(v, "dtype") or _is_number(v) else np.asarray(v) for v in values]
    kinds = tuple(type(v) if type(v) in _PYTHON_NUMBERS else _dtype_of(v) for v in values)
    try:
        dtypes = _loop(ufunc, kinds, None if dtype is None else np.dtype(dtype))
    except TypeError:
        if any(getattr(k, "kind", "") == "V" for k in kinds):
            return values, (None,) * (ufunc.nin + ufunc.nout)  # a dtype of JAX, such as bfloat16
        raise
    return [_cast(v, d) for v, d in zip(values, dtypes, strict=False)], dtypes


def _is_number(value: Any) -> bool:
    return type(value) in _PYTHON_NUMBERS


def _dtype_of(value: Any) -> Any:
    """Return the dtype, or a Python type for a traced number, which adapts to other dtypes."""
    if getattr(value, "weak_type", False):
        return {"f": float, "c": complex}.get(np.dtype(value.dtype).kind, int)
    return np.dtype(value.dtype)


@functools.lru_cache(maxsize=4096)
def _loop(ufunc: np.ufunc, kinds: tuple[Any, ...], dtype: Any) -> tuple[Any, ...]:
    options: dict[str, Any] = {}
    if dtype is not None:
        options["signature"] = (None,) * ufunc.nin + (dtype,) * ufunc.nout
    outputs = (None,) * ufunc.nout
    if all(isinstance(k, type) for k in kinds):
        kinds = tuple(np.dtype(k) for k in kinds)
    return ufunc.resolve_dtypes((*kinds, *outputs), **options)


def _cast(value: Any, dtype: Any) -> Any:
    if isinstance(value, jax.Array):
        return value if value.dtype == dtype and not value.weak_type else value.astype(dtype)
    with np.errstate(all="ignore"):
        return np.asarray(value).astype(dtype)


def _ufunc(ufunc: np.ufunc) -> Any:
    """Return JAX's version of a ufunc of NumPy or SciPy."""
    name = ufunc.__name__
    found = _OWN_UFUNCS.get(name) or getattr(jnp, name, None)
    if found is None and getattr(np, name, None) is not ufunc and name not in _INEXACT:
        special = getattr(jax.scipy.special, name, None)
        return special and functools.partial(_in_double, special)
    return found


def _in_double(function: Function, *values: Any) -> Any:
    """Compute in float64, as SciPy does for float32: JAX's series lose up to two digits."""
    return function(*(v.astype(np.float64) if v.dtype == np.float32 else v for v in values))


def _by_scipy(ufunc: np.ufunc, values: list[Any], dtypes: tuple[Any, ...]) -> Any:
    """Run a ufunc that JAX lacks on the processor, also inside of a compiled step."""
    if ufunc.signature is not None:
        raise XlaError(f"{user_line()}: JAX has no function for the ufunc {ufunc.__name__}")
    shape = np.broadcast_shapes(*map(np.shape, values))
    results = [jax.ShapeDtypeStruct(shape, d) for d in dtypes[ufunc.nin :]]

    def run(*arrays: Any) -> Any:
        with np.errstate(all="ignore"):
            found = ufunc(*map(np.asarray, arrays))
        return found if ufunc.nout > 1 else np.asarray(found)

    kinds = tuple(results) if ufunc.nout > 1 else results[0]
    return wrapped(jax.pure_callback(run, kinds, *values, vmap_method="broadcast_all"))


def _method_of(ufunc: np.ufunc, method: str) -> Any:
    found = getattr(_ufunc(ufunc), method, None)
    if found is None:
        raise XlaError(f"{user_line()}: JAX has no np.{ufunc.__name__}.{method}")
    return found


def _float_power(x: Any, y: Any) -> Any:
    return jnp.power(x, y)


def _divmod(x: Any, y: Any) -> Any:
    return jnp.floor_divide(x, y), jnp.remainder(x, y)


_OWN_UFUNCS: dict[str, Function] = {
    "tanh": tanh,
    "float_power": _float_power,
    "divmod": _divmod,
    "divide": lambda x, y: jnp.true_divide(x, y),
}


def _reduced(
    ufunc: np.ufunc,
    x: Any,
    axis: Any = 0,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Any:
    name = _REDUCTIONS.get(ufunc.__name__)
    if name is None:
        raise XlaError(f"{user_line()}: np.{ufunc.__name__}.reduce is not available in JAX")
    options: dict[str, Any] = {"axis": axis, "keepdims": keepdims}
    named = {"dtype": dtype, "initial": initial, "where": where}
    options |= {k: v for k, v in named.items() if v is not None and v is not np._NoValue}
    return call_function(getattr(np, name), (x,), options)


@in_64_bits
def call_function(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run a function of NumPy on arrays of which at least one is ours."""
    own = _OWN.get(function)
    kwargs = {k: v for k, v in kwargs.items() if v is not np._NoValue}
    args = tuple(None if a is np._NoValue else a for a in args)
    if own is not None:
        return wrapped(own(*args, **kwargs))
    if function in _SHAPED_BY_VALUES and any(is_traced(v) for v in leaves((args, kwargs))):
        raise traced_value_error(f"{numpy_name(function)}, whose result has an unknown shape,")
    values, options = unwrapped(args), unwrapped(kwargs)
    if getattr(values[0], "ndim", 1) == 0 and options.get("axis") in _OF_SCALARS:
        options["axis"] = None  # NumPy allows an axis of a number, too
    if function in _PROMOTING:
        values = _promoted(values)
    found = _find(function)
    known = _parameters(found)
    if known is not None:
        options = {k: v for k, v in options.items() if k in known or k not in _WITHOUT_EFFECT}
        values = values[: len(known)]
    try:
        return wrapped(found(*_arrays(values), **options))
    except TypeError as error:
        if "Concret" in type(error).__name__ or "Tracer" in type(error).__name__:
            raise traced_value_error(numpy_name(function)) from error
        raise


def leaves(value: Any) -> Iterator[Any]:
    """Yield the arrays of JAX in nested tuples, lists and dicts."""
    if isinstance(value, tuple | list):
        for item in value:
            yield from leaves(item)
    elif isinstance(value, dict):
        yield from leaves(list(value.values()))
    elif isinstance(value, Array):
        yield value.value
    elif isinstance(value, jax.Array):
        yield value


def _arrays(values: tuple[Any, ...]) -> Iterable[Any]:
    """Return arguments with lists of numbers as arrays, because JAX refuses them."""
    return [np.asarray(v) if _is_nested(v) and i else v for i, v in enumerate(values)]


def _is_nested(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], list | float)


def _promoted(values: Any) -> Any:
    """Return arguments with the arrays in the common dtype that NumPy would choose."""
    arrays = [*_all_arrays(values)]
    try:
        dtype = np.result_type(*(a.dtype for a in arrays))
    except TypeError:
        return values
    return _converted(values, dtype)


def _all_arrays(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, tuple | list):
            yield from _all_arrays(value)
        elif hasattr(value, "dtype"):
            yield value


def _converted(value: Any, dtype: Any) -> Any:
    if isinstance(value, tuple | list):
        return type(value)(_converted(item, dtype) for item in value)
    return _cast(value, dtype) if hasattr(value, "dtype") else value


@functools.lru_cache(maxsize=1024)
def _find(function: Function) -> Function:
    """Return the function of jax.numpy with the same name, in the same submodule."""
    name = numpy_name(function)
    parts = name.split(".")[1:]
    found: Any = jnp
    for part in parts:
        found = getattr(found, part, None)
    if found is None:
        raise XlaError(f"{user_line()}: jax.numpy has no function {name}")
    return found


@functools.lru_cache(maxsize=1024)
def _parameters(function: Function) -> tuple[str, ...] | None:
    """Return the names of the parameters; None if they are not known."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        return None
    return tuple(p.name for p in parameters)


def _where(condition: Any, *choices: Any) -> Any:
    if not choices:
        if is_traced(unwrapped(condition)):
            raise traced_value_error("np.where of a mask alone, whose result has an unknown shape,")
        return jnp.where(unwrapped(condition))
    x, y = (unwrapped(c) for c in choices)
    x, y = (v if hasattr(v, "dtype") or _is_number(v) else np.asarray(v) for v in (x, y))
    dtype = np.result_type(*(v if _is_number(v) else _weak(v) for v in (x, y)))
    return jnp.where(
        jnp.asarray(unwrapped(condition)).astype(bool), _cast(x, dtype), _cast(y, dtype)
    )


def _weak(value: Any) -> Any:
    """Return a dtype, or a Python number for a traced number."""
    kind = _dtype_of(value)
    return kind(0) if isinstance(kind, type) else kind


def _created(function: Function) -> Function:
    def create(*args: Any, like: Any = None, order: str = "C", **options: Any) -> Any:
        return function(*unwrapped(args), **unwrapped(options))

    return create


def _like(function: Function) -> Function:
    def create(x: Any, *args: Any, order: str = "K", subok: bool = True, **options: Any) -> Any:
        options = {"dtype": x.dtype} | {k: v for k, v in options.items() if v is not None}
        return function(unwrapped(x), *unwrapped(args), **unwrapped(options))

    return create


def _shape_only(function: Function) -> Function:
    """Return a function that needs the shapes and dtypes of its arguments only."""

    def run(*args: Any, **options: Any) -> Any:
        return function(*_stand_ins(args), **options)

    return run


def _stand_ins(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return type(value)(map(_stand_ins, value))
    if isinstance(value, Array):
        return np.broadcast_to(np.zeros((), value.dtype), value.shape)
    return value


def _copy(x: Any, order: str = "K", subok: bool = False) -> Any:
    return x


def _concrete(function: Function) -> Function:
    """Return a function that returns a Python value, so that it needs values."""

    def run(*args: Any, **options: Any) -> Any:
        if any(is_traced(v) for v in leaves((args, options))):
            raise traced_value_error(numpy_name(function))
        return function(*_ndarrays(args), **_ndarrays(options))

    return run


def _ndarrays(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return type(value)(map(_ndarrays, value))
    if isinstance(value, dict):
        return {k: _ndarrays(v) for k, v in value.items()}
    return np.asarray(value) if isinstance(value, Array) else value


def _astype(x: Any, dtype: Any, copy: bool = True, device: Any = None) -> Any:
    return x.astype(dtype)


def _argsort(
    a: Any, axis: Any = -1, kind: Any = None, order: Any = None, stable: Any = None
) -> Any:
    return jnp.argsort(unwrapped(a), axis=axis)


def _sort(a: Any, axis: Any = -1, kind: Any = None, order: Any = None, stable: Any = None) -> Any:
    return jnp.sort(unwrapped(a), axis=axis)


def _clip(a: Any, a_min: Any = None, a_max: Any = None, **options: Any) -> Any:
    low, high = options.get("min", a_min), options.get("max", a_max)
    if low is not None:
        a = np.maximum(a, low)
    return a if high is None else np.minimum(a, high)


def _pinv(a: Any, *args: Any, **options: Any) -> Any:
    """Return the pseudoinverse, in float32 by way of float64: JAX's errs by 10 times NumPy's."""
    if a.dtype != np.float32:
        return jnp.linalg.pinv(unwrapped(a), *args, **options)
    return jnp.linalg.pinv(unwrapped(a).astype(np.float64), *args, **options).astype(np.float32)


_OWN: dict[Any, Function] = {
    np.linalg.pinv: _pinv,
    np.where: _where,
    np.copy: _copy,
    np.astype: _astype,
    np.argsort: _argsort,
    np.sort: _sort,
    np.clip: _clip,
    **{f: _shape_only(f) for f in (np.shape, np.ndim, np.size, np.result_type, np.can_cast)},
    **{f: _shape_only(f) for f in (np.iscomplexobj, np.isrealobj, np.common_type)},
    **{f: _concrete(f) for f in (np.allclose, np.array_equal, np.array_equiv, np.array2string)},
    **{f: _concrete(f) for f in (np.array_repr, np.array_str, np.savetxt)},
    **{getattr(np, name): _created(getattr(jnp, name)) for name in ("zeros", "ones", "full")},
    **{getattr(np, name): _created(getattr(jnp, name)) for name in ("eye", "identity", "arange")},
    **{getattr(np, name): _created(getattr(jnp, name)) for name in ("asarray", "array")},
    np.empty: _created(jnp.zeros),
    np.tri: _created(jnp.tri),
    np.zeros_like: _like(jnp.zeros_like),
    np.empty_like: _like(jnp.zeros_like),
    np.ones_like: _like(jnp.ones_like),
    np.full_like: _like(jnp.full_like),
}

Array.call_ufunc = staticmethod(call_ufunc)
Array.call_function = staticmethod(call_function)

"""Elementwise functions in ONNX: a table of operators, and functions composed of these."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch_compile.export.graph import NUMBERS, Symbol, UnsupportedError, cast, emit, shape_of
from tinytorch_compile.export.rules import Rule, rule

Array = Any

# The ufuncs that one operator computes.
_OPERATORS: dict[Any, str] = {
    np.absolute: "Abs",
    np.add: "Add",
    np.bitwise_and: "BitwiseAnd",
    np.bitwise_or: "BitwiseOr",
    np.bitwise_xor: "BitwiseXor",
    np.ceil: "Ceil",
    np.cos: "Cos",
    np.equal: "Equal",
    np.exp: "Exp",
    np.floor: "Floor",
    np.greater: "Greater",
    np.greater_equal: "GreaterOrEqual",
    np.invert: "BitwiseNot",
    np.less: "Less",
    np.less_equal: "LessOrEqual",
    np.log: "Log",
    np.maximum: "Max",
    np.minimum: "Min",
    np.multiply: "Mul",
    np.negative: "Neg",
    np.reciprocal: "Reciprocal",
    np.rint: "Round",
    np.sign: "Sign",
    np.sin: "Sin",
    np.sqrt: "Sqrt",
    np.subtract: "Sub",
    np.tanh: "Tanh",
    np.true_divide: "Div",
}

# The operators for truth values.
_OF_TRUTH_VALUES: dict[Any, str] = {
    np.add: "Or",
    np.bitwise_and: "And",
    np.bitwise_or: "Or",
    np.bitwise_xor: "Xor",
    np.equal: "Equal",
    np.invert: "Not",
    np.logical_and: "And",
    np.logical_not: "Not",
    np.logical_or: "Or",
    np.logical_xor: "Xor",
    np.maximum: "Or",
    np.minimum: "And",
    np.multiply: "And",
}

# The operators that onnxruntime has for float32 only; for other dtypes, see `_COMPOSED`.
_FOR_FLOAT32: dict[Any, str] = {
    np.arccos: "Acos",
    np.arccosh: "Acosh",
    np.arcsin: "Asin",
    np.arcsinh: "Asinh",
    np.arctan: "Atan",
    np.arctanh: "Atanh",
    np.cosh: "Cosh",
    np.sinh: "Sinh",
    np.tan: "Tan",
}


@rule((np.ufunc, "__call__"))
def ufunc_call(ufunc: Any, *args: Array, dtype: Any = None, **options: Any) -> Array:
    """Compute a ufunc, with its arguments converted as NumPy converts them."""
    # What `where` leaves out is undefined.
    if options.keys() - {"where", "casting", "order", "subok"}:
        raise UnsupportedError(f"the options {sorted(options)} have no counterpart")
    if ufunc in _PRODUCTS:
        return _PRODUCTS[ufunc](*args)
    *kinds, result = _resolved(ufunc, args, dtype)
    values = [cast(x, kind) for x, kind in zip(args, kinds, strict=True)]
    shape = np.broadcast_shapes(*map(shape_of, args))
    if np.dtype(bool) in kinds and ufunc in _OF_TRUTH_VALUES:
        return emit(_OF_TRUTH_VALUES[ufunc], *values, shape=shape, dtype=result)
    if ufunc in _FOR_FLOAT32 and kinds[0] == np.float32:
        return emit(_FOR_FLOAT32[ufunc], *values, shape=shape, dtype=result)
    if ufunc in _WHOLE and result.kind != "f":
        return values[0]
    if ufunc in _COMPOSED:
        return cast(_COMPOSED[ufunc](*values), result)
    if ufunc not in _OPERATORS:
        raise UnsupportedError("it has no counterpart")
    computed = result
    if kinds[0].kind == "b":
        values = [cast(x, np.int32) for x in values]
        computed = result if ufunc in _COMPARISONS else np.dtype(np.int32)
    return cast(emit(_OPERATORS[ufunc], *values, shape=shape, dtype=computed), result)


# The functions of products, which are not elementwise; see `products`.
_PRODUCTS: dict[Any, Any] = {}


def product(ufunc: Any) -> Callable[[Rule], Rule]:
    """Decorate the function that computes a ufunc of whole arrays, such as `np.matmul`."""

    def decorate(function: Rule) -> Rule:
        _PRODUCTS[ufunc] = function
        return function

    return decorate


def _resolved(ufunc: Any, args: Any, dtype: Any) -> tuple[np.dtype[Any], ...]:
    """Return the dtypes that a ufunc converts its arguments to, and that of the result."""
    if ufunc.nout != 1:
        raise UnsupportedError("it has several results")
    kinds = [_kind(x) for x in args]
    if ufunc in _LOGICAL:
        return (np.dtype(bool),) * (len(args) + 1)
    fixed = {} if dtype is None else {"signature": (None,) * ufunc.nin + (np.dtype(dtype),)}
    resolved: tuple[np.dtype[Any], ...] = ufunc.resolve_dtypes((*kinds, None), **fixed)
    return resolved


_COMPARISONS = {np.less, np.less_equal, np.greater, np.greater_equal}
# The ufuncs that do not change integers.
_WHOLE = {np.ceil, np.floor, np.trunc}
_LOGICAL = {np.logical_and, np.logical_or, np.logical_xor, np.logical_not}


def _kind(x: Any) -> Any:
    """Return the dtype of an argument; the type of a Python number, which adapts to the others."""
    number = x.number if isinstance(x, Symbol) else type(x)
    if number in (int, float):
        return number
    return x.dtype if isinstance(x, Symbol) else np.asarray(x).dtype


def _is_integer(x: Array) -> bool:
    return bool(x.dtype.kind in "iub")


def _half_turn_less(x: Array, y: Array) -> Array:
    """Return π with the sign of y where x is negative, or is -0, and 0 elsewhere."""
    return np.where(np.signbit(x), np.copysign(np.asarray(math.pi, x.dtype), y), 0)


def _arctan(x: Array) -> Array:
    """Improve the angle of float32: if tan a is close to x, tan(t - a) = (x - tan a)/(1 + x tan a).

    For |x| > 1 it is computed from 1/x.
    """
    large = np.abs(x) > 1
    inside = np.where(large, np.reciprocal(np.where(x == 0, 1, x)), x)
    angle = np.arctan(inside.astype(np.float32)).astype(x.dtype)
    sine, cosine = np.sin(angle), np.cos(angle)
    rest = (inside * cosine - sine) / (cosine + inside * sine)
    angle = angle + (rest - rest * rest * rest / 3)
    return np.where(large, np.copysign(math.pi / 2, x) - angle, angle)


def _arctan2(y: Array, x: Array) -> Array:
    both_infinite = np.isinf(x) & np.isinf(y)
    y, x = (np.where(both_infinite, np.sign(v), v) for v in (y, x))
    steep = np.abs(y) > np.abs(x)
    zero = (x == 0) & (y == 0)
    ratio = np.where(steep, x, y) / np.where(zero, 1, np.where(steep, y, x))
    flat = np.arctan(np.where(zero, y, ratio))
    turned = np.where(steep, np.copysign(math.pi / 2, y) - flat, flat)
    return np.where(steep, turned, turned + _half_turn_less(x, y))


def _expm1(x: Array) -> Array:
    """Return exp(x) - 1; with u = exp(x) rounded, (u - 1) x / log(u) loses no digits (W. Kahan)."""
    u = np.exp(x)
    finite = (u > 0) & (u != 1) & ~np.isinf(u)
    exact = (u - 1) * x / np.log(np.where(finite, u, 2))
    return np.where(finite, exact, np.where(u == 1, x, u - 1))


def _log1p(x: Array) -> Array:
    """Return log(1 + x); with u = 1 + x rounded, log(u) x / (u - 1) loses no digits (W. Kahan)."""
    u = 1 + x
    near = (np.abs(x) < 1) & (u != 1)
    exact = np.log(u) * (x / np.where(near, u - 1, 1))
    return np.where(near, exact, np.where(u == 1, x, np.log(u)))


def _floor_divide(x: Array, y: Array) -> Array:
    if _is_integer(x):
        return _nodes("Div", x - np.remainder(x, y), y)
    rest = np.fmod(x, y)
    below = (rest != 0) & ((rest < 0) != (y < 0))
    quotient = np.rint((x - rest) / y) - below.astype(x.dtype)
    quotient = np.where(quotient == 0, np.copysign(np.zeros((), x.dtype), x / y), quotient)
    return np.where(y == 0, x / y, quotient)


def _fmod(x: Array, y: Array) -> Array:
    return _nodes("Mod", x, y, fmod=1)


def _remainder(x: Array, y: Array) -> Array:
    """Return the remainder with the sign of y."""
    if _is_integer(x):
        return _nodes("Mod", x, y)
    remainder = np.fmod(x, y)
    wrong = (remainder != 0) & ((remainder < 0) != (y < 0))
    return np.where(
        remainder == 0, np.copysign(np.zeros((), x.dtype), y), remainder + np.where(wrong, y, 0)
    )


def _power(x: Array, y: Array) -> Array:
    """Return x to the power of y; for integers by squares, because runtimes use floating powers."""
    if not _is_integer(x):
        return _nodes("Pow", x, y)
    if isinstance(y, Symbol):
        raise UnsupportedError("integers need an exponent that is a constant; use floating numbers")
    if np.any(y < 0):
        raise UnsupportedError("integers have no negative powers; use floating numbers")
    power, square = np.ones_like(y), x
    for bit in range(int(np.max(y, initial=0)).bit_length()):
        power = np.where((y >> bit) & 1 == 1, power * square, power)
        square = square * square
    return power


def _nodes(operator: str, x: Array, y: Array, **attributes: Any) -> Array:
    shape = np.broadcast_shapes(shape_of(x), shape_of(y))
    return emit(operator, x, y, shape=shape, dtype=x.dtype, **attributes)


def _signbit(x: Array) -> Array:
    if _is_integer(x):
        return x < 0
    return (x < 0) | ((x == 0) & (np.reciprocal(x) < 0))


def _hypot(x: Array, y: Array) -> Array:
    x, y = np.abs(x), np.abs(y)
    large = np.maximum(x, y)
    infinite = np.isinf(x) | np.isinf(y)  # also if the other one is NaN
    ratio = np.minimum(x, y) / np.where((large == 0) | infinite, 1, large)
    return np.where(infinite, np.inf, large * np.sqrt(1 + ratio * ratio))


def _logaddexp(x: Array, y: Array) -> Array:
    difference = np.where(x == y, 0, x - y)
    return np.maximum(x, y) + np.log1p(np.exp(-np.abs(difference)))


def _logaddexp2(x: Array, y: Array) -> Array:
    return np.logaddexp(x * math.log(2), y * math.log(2)) / math.log(2)


def _is_special(operator: str, x: Array) -> Array:
    if _is_integer(x):
        return np.zeros(x.shape, bool)
    return emit(operator, x, shape=x.shape, dtype=bool)


def _sinh(x: Array) -> Array:
    e = np.expm1(np.abs(x))
    half = np.where(np.isinf(e), e, (e + e / (e + 1)) / 2)
    return np.copysign(half, x)


def _arcsinh(x: Array) -> Array:
    y = np.abs(x)
    large = y > 1e8
    z = np.where(large, 1, y)
    near = np.log1p(z + z * z / (1 + np.sqrt(1 + z * z)))
    return np.copysign(np.where(large, np.log(np.where(large, y, 1)) + math.log(2), near), x)


# The ufuncs that several operators compute, as functions of arrays of the same dtype.
_COMPOSED: dict[Any, Any] = {
    np.arccos: lambda x: np.arctan2(np.sqrt((1 - x) * (1 + x)), x),
    np.arccosh: lambda x: np.log(x + np.sqrt((x - 1) * (x + 1))),
    np.arcsin: lambda x: np.arctan2(x, np.sqrt((1 - x) * (1 + x))),
    np.arcsinh: _arcsinh,
    np.arctan: _arctan,
    np.arctan2: _arctan2,
    np.arctanh: lambda x: np.log1p(2 * x / (1 - x)) / 2,
    np.cbrt: lambda x: np.copysign(np.power(np.abs(x), 1 / 3), x),
    np.conjugate: lambda x: x,
    np.copysign: lambda x, y: np.where(np.signbit(y), -np.abs(x), np.abs(x)),
    np.cosh: lambda x: (np.exp(x) + np.exp(-x)) / 2,
    np.deg2rad: lambda x: x * (math.pi / 180),
    np.exp2: lambda x: np.power(np.asarray(2, x.dtype), x),
    np.expm1: _expm1,
    np.fabs: np.abs,
    np.float_power: np.power,
    np.floor_divide: _floor_divide,
    np.fmax: lambda x, y: np.where((x >= y) | np.isnan(y), x, y),
    np.fmin: lambda x, y: np.where((x <= y) | np.isnan(y), x, y),
    np.fmod: _fmod,
    np.heaviside: lambda x, y: np.where(x == 0, y, np.where(x < 0, 0, np.where(x > 0, 1, x))),
    np.hypot: _hypot,
    np.isfinite: lambda x: ~(np.isnan(x) | np.isinf(x)),
    np.isinf: lambda x: _is_special("IsInf", x),
    np.isnan: lambda x: _is_special("IsNaN", x),
    np.log10: lambda x: np.log(x) / math.log(10),
    np.log1p: _log1p,
    np.log2: lambda x: np.log(x) / math.log(2),
    np.logaddexp: _logaddexp,
    np.logaddexp2: _logaddexp2,
    np.not_equal: lambda x, y: ~(x == y),
    np.positive: lambda x: x,
    np.power: _power,
    np.rad2deg: lambda x: x * (180 / math.pi),
    np.remainder: _remainder,
    np.signbit: _signbit,
    np.sinh: _sinh,
    np.square: lambda x: x * x,
    np.tan: lambda x: np.sin(x) / np.cos(x),
    np.trunc: lambda x: np.where(x < 0, np.ceil(x), np.floor(x)),
}
_COMPOSED[np.degrees], _COMPOSED[np.radians] = _COMPOSED[np.rad2deg], _COMPOSED[np.deg2rad]


@rule(np.astype)
def astype(x: Array, dtype: Any = None, *_: Any, **options: Any) -> Array:
    """Convert to another dtype."""
    return cast(x, dtype)


@rule(np.copy, np.ndarray.conj, np.ndarray.conjugate, np.real, np.ascontiguousarray)
def copy(x: Array, *_: Any, **options: Any) -> Array:
    """Return the same array."""
    return x


@rule(np.where)
def where(condition: Array, x: Array, y: Array) -> Array:
    """Select between two arrays; the operator does not take truth values."""
    dtype = np.add.resolve_dtypes((_kind(x), _kind(y), None))[2]
    condition, x, y = cast(condition, bool), cast(x, dtype), cast(y, dtype)
    shape = np.broadcast_shapes(*map(shape_of, (condition, x, y)))
    if not any(isinstance(v, Symbol) for v in (condition, x, y)):
        return np.where(condition, x, y)
    if dtype.kind == "b":
        return (condition & x) | (~condition & y)
    return emit("Where", condition, x, y, shape=shape, dtype=dtype)


@rule(np.clip)
def clip(x: Array, a_min: Any = None, a_max: Any = None, **bounds: Any) -> Array:
    """Bound each element. As in NumPy, the upper bound is the stronger one."""
    low, high = bounds.get("min", a_min), bounds.get("max", a_max)
    x = x if low is None else np.maximum(x, low)
    return x if high is None else np.minimum(x, high)


@rule(np.round, np.around)
def rounded(x: Array, decimals: int = 0) -> Array:
    """Round to even."""
    if decimals == 0 or _is_integer(x):
        return x if _is_integer(x) else np.rint(x)
    scale = 10.0 ** abs(decimals)
    return np.rint(x * scale) / scale if decimals > 0 else np.rint(x / scale) * scale


@rule(np.nan_to_num)
def nan_to_num(
    x: Array, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Array:
    """Replace NaN and infinity."""
    limits = np.finfo(x.dtype)
    posinf = float(limits.max) if posinf is None else posinf
    neginf = float(limits.min) if neginf is None else neginf
    infinite = np.where(x > 0, posinf, neginf)
    return np.where(np.isnan(x), nan, np.where(np.isinf(x), infinite, x)).astype(x.dtype)


@rule(np.isclose)
def isclose(
    a: Array, b: Array, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Array:
    """Compare with a tolerance."""
    close = (np.abs(a - b) <= atol + rtol * np.abs(b)) & np.isfinite(b) | (a == b)
    return close | (np.isnan(a) & np.isnan(b)) if equal_nan else close


def number(x: Symbol, kind: type) -> Symbol:
    """Return an array with one element as a Python number."""
    return Symbol(x.graph, cast(x, NUMBERS[kind]).name, (), NUMBERS[kind], kind)

"""The elementwise functions of the array API standard: NumPy's, with the names of the standard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from tinytorch_core.array_api.conversion import asarray, with_tensor

Array = Any
Function = TypeVar("Function", bound=Callable[..., Any])


def _unary(name: str, function: Callable[..., Any], what: str) -> Callable[[Array], Array]:
    """Return `function` as a function of one tensor; `what` completes "Return ..."."""

    def elementwise(x: Array, /) -> Array:
        return function(asarray(x))

    return _named(elementwise, name, what)


def _binary(name: str, function: Callable[..., Any], what: str) -> Callable[[Array, Array], Array]:
    """Return `function` as a function of two operands; `what` completes "Return ..."."""

    def elementwise(x1: Array, x2: Array, /) -> Array:
        return function(*with_tensor(x1, x2))

    return _named(elementwise, name, what)


def _named(function: Function, name: str, what: str) -> Function:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Return {what}, element by element."
    return function


abs = _unary("abs", np.absolute, "the absolute value")
acos = _unary("acos", np.arccos, "the inverse cosine")
acosh = _unary("acosh", np.arccosh, "the inverse hyperbolic cosine")
asin = _unary("asin", np.arcsin, "the inverse sine")
asinh = _unary("asinh", np.arcsinh, "the inverse hyperbolic sine")
atan = _unary("atan", np.arctan, "the inverse tangent")
atanh = _unary("atanh", np.arctanh, "the inverse hyperbolic tangent")
bitwise_invert = _unary("bitwise_invert", np.invert, "the number with its bits inverted")
ceil = _unary("ceil", np.ceil, "the nearest whole number that is not smaller")
conj = _unary("conj", np.conjugate, "the complex conjugate")
cos = _unary("cos", np.cos, "the cosine")
cosh = _unary("cosh", np.cosh, "the hyperbolic cosine")
exp = _unary("exp", np.exp, "e to the power of x")
expm1 = _unary("expm1", np.expm1, "exp(x) - 1, accurate near 0")
floor = _unary("floor", np.floor, "the nearest whole number that is not larger")
imag = _unary("imag", np.imag, "the imaginary part")
isfinite = _unary("isfinite", np.isfinite, "whether x is neither infinite nor nan")
isinf = _unary("isinf", np.isinf, "whether x is infinite")
isnan = _unary("isnan", np.isnan, "whether x is nan")
log = _unary("log", np.log, "the natural logarithm")
log10 = _unary("log10", np.log10, "the logarithm to base 10")
log1p = _unary("log1p", np.log1p, "log(1 + x), accurate near 0")
log2 = _unary("log2", np.log2, "the logarithm to base 2")
logical_not = _unary("logical_not", np.logical_not, "whether x is false")
negative = _unary("negative", np.negative, "-x")
positive = _unary("positive", np.positive, "+x")
real = _unary("real", np.real, "the real part")
reciprocal = _unary("reciprocal", np.reciprocal, "1 / x")
round = _unary("round", np.round, "the nearest whole number, halves to even")
sign = _unary("sign", np.sign, "the sign: -1, 0 or 1, or x / abs(x) if x is complex")
signbit = _unary("signbit", np.signbit, "whether the sign bit is set")
sin = _unary("sin", np.sin, "the sine")
sinh = _unary("sinh", np.sinh, "the hyperbolic sine")
sqrt = _unary("sqrt", np.sqrt, "the square root")
square = _unary("square", np.square, "x * x")
tan = _unary("tan", np.tan, "the tangent")
tanh = _unary("tanh", np.tanh, "the hyperbolic tangent")
trunc = _unary("trunc", np.trunc, "x without its decimals")

add = _binary("add", np.add, "x1 + x2")
atan2 = _binary("atan2", np.arctan2, "the angle of the point (x2, x1)")
bitwise_and = _binary("bitwise_and", np.bitwise_and, "x1 & x2")
bitwise_left_shift = _binary("bitwise_left_shift", np.left_shift, "x1 << x2")
bitwise_or = _binary("bitwise_or", np.bitwise_or, "x1 | x2")
bitwise_right_shift = _binary("bitwise_right_shift", np.right_shift, "x1 >> x2")
bitwise_xor = _binary("bitwise_xor", np.bitwise_xor, "x1 ^ x2")
copysign = _binary("copysign", np.copysign, "x1 with the sign of x2")
divide = _binary("divide", np.divide, "x1 / x2")
equal = _binary("equal", np.equal, "x1 == x2")
floor_divide = _binary("floor_divide", np.floor_divide, "x1 // x2")
greater = _binary("greater", np.greater, "x1 > x2")
greater_equal = _binary("greater_equal", np.greater_equal, "x1 >= x2")
hypot = _binary("hypot", np.hypot, "sqrt(x1**2 + x2**2)")
less = _binary("less", np.less, "x1 < x2")
less_equal = _binary("less_equal", np.less_equal, "x1 <= x2")
logaddexp = _binary("logaddexp", np.logaddexp, "log(exp(x1) + exp(x2))")
logical_and = _binary("logical_and", np.logical_and, "whether x1 and x2 are true")
logical_or = _binary("logical_or", np.logical_or, "whether x1 or x2 is true")
logical_xor = _binary("logical_xor", np.logical_xor, "whether just one of x1 and x2 is true")
maximum = _binary("maximum", np.maximum, "the larger number")
minimum = _binary("minimum", np.minimum, "the smaller number")
multiply = _binary("multiply", np.multiply, "x1 * x2")
nextafter = _binary("nextafter", np.nextafter, "the floating-point number after x1, towards x2")
not_equal = _binary("not_equal", np.not_equal, "x1 != x2")
pow = _binary("pow", np.power, "x1 to the power of x2")
remainder = _binary("remainder", np.remainder, "x1 % x2, with the sign of x2")
subtract = _binary("subtract", np.subtract, "x1 - x2")


def clip(x: Array, /, min: Any = None, max: Any = None) -> Array:
    """Return each element, or the nearer bound if it is outside. None means no bound.

    The result has the dtype of `x`, also if a bound has a larger one.
    """
    x = asarray(x)
    clipped = np.clip(x, min, max)
    return clipped if clipped.dtype == x.dtype else clipped.astype(x.dtype)

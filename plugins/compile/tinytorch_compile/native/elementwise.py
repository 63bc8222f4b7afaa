"""How the elements of ufuncs are computed: a table from ufuncs to LLVM's instructions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinytorch_compile.native.emitter import Emitter, literal, scalar_type

# Takes the emitter, the operands and their dtype; returns the result.
Operation = Callable[[Emitter, "list[str]", "np.dtype[Any]"], str]


def _instruction(of_floats: str, of_integers: str = "", of_bools: str = "") -> Operation:
    """Return an operation that is one instruction; "" if a kind of dtype is not supported."""
    names = {"f": of_floats, "i": of_integers, "u": of_integers, "b": of_bools}

    def operation(emitter: Emitter, operands: list[str], dtype: np.dtype[Any]) -> str:
        name = _supported(names[dtype.kind])
        return emitter.new(f"{name} {scalar_type(dtype)} {', '.join(operands)}")

    return operation


class UnsupportedError(Exception):
    """A call is not compiled. The message may say why."""


def _supported(name: str) -> str:
    if not name:
        raise UnsupportedError
    return name


def _comparison(of_floats: str, of_integers: str, of_unsigned: str = "") -> Operation:
    names = {"i": of_integers, "u": of_unsigned or of_integers}
    names["b"] = names["u"]

    def operation(emitter: Emitter, operands: list[str], dtype: np.dtype[Any]) -> str:
        kind, both = scalar_type(dtype), ", ".join(operands)
        if dtype.kind == "f":
            return emitter.new(f"fcmp {of_floats} {kind} {both}")
        return emitter.new(f"icmp {names[dtype.kind]} {kind} {both}")

    return operation


def intrinsic(emitter: Emitter, name: str, operands: list[str], kind: str) -> str:
    """Return the result of one of LLVM's own functions, for a scalar or vector type."""
    suffix = kind
    if kind.startswith("<"):
        suffix = "v" + kind[1:-1].replace(" x ", "")
    suffix = suffix.replace("float", "f32").replace("double", "f64")
    return emitter.call(f"llvm.{name}.{suffix}", kind, operands, [kind] * len(operands))


def _intrinsic(name: str) -> Operation:
    def operation(emitter: Emitter, operands: list[str], dtype: np.dtype[Any]) -> str:
        _supported("float" if dtype.kind == "f" else "")
        return intrinsic(emitter, name, operands, scalar_type(dtype))

    return operation


def _of_c(name: str) -> Operation:
    def operation(emitter: Emitter, operands: list[str], dtype: np.dtype[Any]) -> str:
        _supported("float" if dtype.kind == "f" else "")
        kind = scalar_type(dtype)
        full = f"{name}f" if dtype.char == "f" else name
        return emitter.call(full, kind, operands, [kind] * len(operands))

    return operation


def _extremum(larger: bool) -> Operation:
    """NaN if one operand is NaN, as in NumPy."""
    name, order = ("max", "ogt") if larger else ("min", "olt")

    def operation(emitter: Emitter, operands: list[str], dtype: np.dtype[Any]) -> str:
        x, y = operands
        kind = scalar_type(dtype)
        if dtype.kind == "b":
            return emitter.new(f"{'or' if larger else 'and'} i1 {x}, {y}")
        if dtype.kind in "iu":
            sign = "s" if dtype.kind == "i" else "u"
            return intrinsic(emitter, f"{sign}{name}", operands, kind)
        if y.startswith("0x") and not y.startswith(("0x7ff8", "0xfff8")):
            # The number is not NaN: one instruction of the processor.
            chosen = emitter.new(f"fcmp {order} {kind} {y}, {x}")
            return emitter.new(f"select i1 {chosen}, {kind} {y}, {kind} {x}")
        return intrinsic(emitter, f"{name}imum", operands, kind)

    return operation


def _square(emitter: Emitter, operands: list[str], dtype: np.dtype[Any]) -> str:
    return OPERATIONS[np.multiply](emitter, operands * 2, dtype)


def _negative(emitter: Emitter, operands: list[str], dtype: np.dtype[Any]) -> str:
    if dtype.kind == "f":
        return emitter.new(f"fneg {scalar_type(dtype)} {operands[0]}")
    return emitter.new(f"sub {scalar_type(dtype)} 0, {operands[0]}")


def _reciprocal(emitter: Emitter, operands: list[str], dtype: np.dtype[Any]) -> str:
    return OPERATIONS[np.true_divide](emitter, [literal(1, dtype), *operands], dtype)


def _absolute(emitter: Emitter, operands: list[str], dtype: np.dtype[Any]) -> str:
    if dtype.kind == "f":
        return intrinsic(emitter, "fabs", operands, scalar_type(dtype))
    if dtype.kind in "ub":
        return operands[0]
    kind = scalar_type(dtype)
    return emitter.call(f"llvm.abs.{kind}", kind, [operands[0], "false"], [kind, "i1"])


def _power(emitter: Emitter, operands: list[str], dtype: np.dtype[Any]) -> str:
    """x ** y; a product if y is 3, 4 or 5."""
    x, y = operands
    multiply = OPERATIONS[np.multiply]
    for count in (3, 4, 5):
        if y == literal(count, dtype) and dtype.kind == "f":
            power = square = multiply(emitter, [x, x], dtype)
            if count > 3:
                power = multiply(emitter, [square, square], dtype)
            return power if count == 4 else multiply(emitter, [power, x], dtype)
    return _of_c("pow")(emitter, operands, dtype)


def _logical(name: str) -> Operation:
    """An operation on truth values; the operands were converted to them."""

    def operation(emitter: Emitter, operands: list[str], dtype: np.dtype[Any]) -> str:
        return emitter.new(f"{name} i1 {', '.join(operands)}")

    return operation


def _invert(emitter: Emitter, operands: list[str], dtype: np.dtype[Any]) -> str:
    _supported("" if dtype.kind == "f" else "int")
    ones = "true" if dtype.kind == "b" else "-1"
    return emitter.new(f"xor {scalar_type(dtype)} {operands[0]}, {ones}")


def _isnan(emitter: Emitter, operands: list[str], dtype: np.dtype[Any]) -> str:
    _supported("float" if dtype.kind == "f" else "")
    return emitter.new(f"fcmp uno {scalar_type(dtype)} {operands[0]}, {operands[0]}")


def _isfinite(emitter: Emitter, operands: list[str], dtype: np.dtype[Any]) -> str:
    """x - x is 0 for finite numbers."""
    _supported("float" if dtype.kind == "f" else "")
    kind = scalar_type(dtype)
    difference = emitter.new(f"fsub {kind} {operands[0]}, {operands[0]}")
    return emitter.new(f"fcmp ord {kind} {difference}, {difference}")


def _sign(emitter: Emitter, operands: list[str], dtype: np.dtype[Any]) -> str:
    _supported("float" if dtype.kind == "f" else "")
    (x,), kind = operands, scalar_type(dtype)
    zero, one = literal(0, dtype), literal(1, dtype)
    signed = intrinsic(emitter, "copysign", [one, x], kind)
    nonzero = emitter.new(f"fcmp one {kind} {x}, {zero}")
    return emitter.new(f"select i1 {nonzero}, {kind} {signed}, {kind} {x}")


OPERATIONS: dict[Any, Operation] = {
    np.add: _instruction("fadd contract", "add", "or"),
    np.subtract: _instruction("fsub contract", "sub"),
    np.multiply: _instruction("fmul contract", "mul", "and"),
    np.true_divide: _instruction("fdiv"),
    np.bitwise_and: _instruction("", "and", "and"),
    np.bitwise_or: _instruction("", "or", "or"),
    np.bitwise_xor: _instruction("", "xor", "xor"),
    np.invert: _invert,
    np.logical_and: _logical("and"),
    np.logical_or: _logical("or"),
    np.logical_xor: _logical("xor"),
    np.logical_not: _invert,
    np.equal: _comparison("oeq", "eq"),
    np.not_equal: _comparison("une", "ne"),
    np.less: _comparison("olt", "slt", "ult"),
    np.less_equal: _comparison("ole", "sle", "ule"),
    np.greater: _comparison("ogt", "sgt", "ugt"),
    np.greater_equal: _comparison("oge", "sge", "uge"),
    np.maximum: _extremum(larger=True),
    np.minimum: _extremum(larger=False),
    np.negative: _negative,
    np.positive: lambda emitter, operands, dtype: operands[0],
    np.square: _square,
    np.reciprocal: _reciprocal,
    np.absolute: _absolute,
    np.fabs: _absolute,
    np.sign: _sign,
    np.power: _power,
    np.float_power: _power,
    np.sqrt: _intrinsic("sqrt"),
    np.floor: _intrinsic("floor"),
    np.ceil: _intrinsic("ceil"),
    np.trunc: _intrinsic("trunc"),
    np.rint: _intrinsic("rint"),
    np.copysign: _intrinsic("copysign"),
    np.isnan: _isnan,
    np.isfinite: _isfinite,
    **{
        getattr(np, name): _of_c(c_name)
        for name, c_name in {
            **{name: name for name in ("exp", "exp2", "expm1", "log", "log2", "log10", "log1p")},
            **{name: name for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
            **{f"arc{name}": f"a{name}" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
            "arctan2": "atan2",
            "hypot": "hypot",
            "cbrt": "cbrt",
        }.items()
    },
}

# The functions of C's library that machine code may call.
C_FUNCTIONS = (
    *("floor", "ceil", "rint", "trunc", "fma", "sincos", "memcpy", "memset", "memmove"),
    *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan"),
    *("sinh", "cosh", "tanh", "asin", "acos", "atan", "asinh", "acosh", "atanh"),
    *("atan2", "hypot", "cbrt", "pow"),
)
# The ufuncs that take long for each element: NumPy computes several elements at once.
COSTLY = frozenset(
    ufunc
    for ufunc in OPERATIONS
    if ufunc.__name__
    in {
        *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan"),
        *("sinh", "cosh", "tanh", "arcsin", "arccos", "arctan", "arcsinh", "arccosh", "arctanh"),
        *("arctan2", "hypot", "cbrt", "power", "float_power"),
    }
)

"""Reductions and products."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_compile.native.calls.arguments import Arguments, Lowering
from tinytorch_compile.native.elementwise import UnsupportedError
from tinytorch_compile.native.emitter import casts
from tinytorch_compile.native.function import Kernel
from tinytorch_compile.native.geometry import Part
from tinytorch_compile.native.machine import has_feature
from tinytorch_compile.native.products import Product
from tinytorch_compile.native.reduction import REDUCTIONS, Reduction
from tinytorch_compile.program import Call, Constant

# The most multiplications of a product that is not left to BLAS, with registers of 64 bytes and
# with smaller ones.
LARGEST_PRODUCTS = 8_000_000, 1_000_000


def _reduce(arguments: Arguments, call: Call) -> list[Kernel]:
    ufunc = getattr(call.function, "__self__", None)
    given = dict(zip(("x", "axis", "dtype", "out", "keepdims"), call.args, strict=False))
    given |= call.kwargs
    wrong = given.keys() - {"x", "axis", "dtype", "out", "keepdims"}
    if ufunc not in REDUCTIONS or wrong or len(call.args) > 5 or given.get("dtype") is not None:
        raise UnsupportedError
    return _reduction(arguments, call, ufunc, given.get("axis", 0), bool(given.get("keepdims")))


def _method_reduction(ufunc: Any) -> Lowering:
    def lowering(arguments: Arguments, call: Call) -> list[Kernel]:
        given = dict(zip(("axis", "out", "keepdims"), call.args[1:], strict=False)) | call.kwargs
        if given.keys() - {"axis", "keepdims"} or len(call.args) > 2:
            raise UnsupportedError
        return _reduction(arguments, call, ufunc, given.get("axis"), bool(given.get("keepdims")))

    return lowering


def _reduction(
    arguments: Arguments, call: Call, ufunc: Any, axis: Any, keepdims: bool
) -> list[Kernel]:
    source, result = arguments.part(call.args[0]), arguments.part(call.results[0])
    dimensions = len(source.shape)
    if axis is None:
        axes = tuple(range(dimensions))
    else:
        given = axis if isinstance(axis, tuple) else (axis,)
        if not all(type(each) is int for each in given):
            raise UnsupportedError
        axes = tuple(sorted({each % dimensions for each in given}))
    dtype = np.dtype("?") if ufunc in (np.logical_or, np.logical_and) else result.dtype
    if not casts(source.dtype, dtype) or (dtype.kind == "b" and result.dtype.kind != "b"):
        raise UnsupportedError
    if dtype.kind == "b" and ufunc not in (np.logical_or, np.logical_and):
        raise UnsupportedError
    return [Reduction(_spread(result, source.shape, axes, keepdims), source, axes, ufunc, dtype)]


def _spread(result: Part, shape: tuple[int, ...], axes: tuple[int, ...], keepdims: bool) -> Part:
    """Return the result of a reduction with strides of 0 along the axes."""
    strides = list(result.strides)
    for axis in axes:
        if keepdims:
            strides[axis] = 0
        else:
            strides.insert(axis, 0)
    return Part(result.root, result.dtype, shape, tuple(strides), result.offset)


# Products.


def _dot(arguments: Arguments, call: Call) -> list[Kernel]:
    """`np.dot` of arrays of one or two dimensions."""
    left, right = _factors(arguments, call)
    if max(len(left.shape), len(right.shape)) > 2 or not left.shape or not right.shape:
        raise UnsupportedError
    if len(left.shape) == 1 and len(right.shape) == 2 and _is_ones(call.args[0]):
        source = right
        result = arguments.part(call.results[0])
        if source.dtype != result.dtype:
            raise UnsupportedError
        return [
            Reduction(
                _spread(result, source.shape, (0,), False), source, (0,), np.add, result.dtype
            )
        ]
    return _product(arguments, call, left, right)


def _is_ones(thing: Any) -> bool:
    return isinstance(thing, Constant) and bool((thing.array == 1).all())


def _factors(arguments: Arguments, call: Call) -> list[Part]:
    if len(call.args) != 2:
        raise UnsupportedError
    return [arguments.part(arg) for arg in call.args]


def _matmul(arguments: Arguments, call: Call) -> list[Kernel]:
    left, right = _factors(arguments, call)
    return _product(arguments, call, left, right)


def _product(arguments: Arguments, call: Call, left: Part, right: Part) -> list[Kernel]:
    result = arguments.part(call.results[0])
    if call.kwargs or len({left.dtype, right.dtype, result.dtype}) != 1:
        raise UnsupportedError
    if result.dtype.char not in "fd" or not left.shape or not right.shape:
        raise UnsupportedError
    largest = LARGEST_PRODUCTS[0 if has_feature("avx512f") else 1]
    if result.size * left.shape[-1] > largest:
        raise UnsupportedError("a large product, by BLAS")
    if len(left.shape) == 1:
        left = _expanded(left, 0)
        result = _expanded(result, len(result.shape) - (1 if len(right.shape) > 1 else 0))
    if len(right.shape) == 1:
        right = _expanded(right, 1)
        result = _expanded(result, len(result.shape))
    stack = result.shape[:-2]
    left = left.broadcast((*stack, *left.shape[-2:]))
    right = right.broadcast((*stack, *right.shape[-2:]))
    product = Product(result, left, right)
    if not product.fits:
        raise UnsupportedError("a large product, by BLAS")
    return [product]


def _expanded(part: Part, axis: int) -> Part:
    """Return the part with a new axis of length 1."""
    shape = (*part.shape[:axis], 1, *part.shape[axis:])
    strides = (*part.strides[:axis], 0, *part.strides[axis:])
    return Part(part.root, part.dtype, shape, strides, part.offset)


TABLE: dict[Any, Lowering] = {
    np.dot: _dot,
    np.matmul: _matmul,
    np.ndarray.any: _method_reduction(np.logical_or),
    np.ndarray.all: _method_reduction(np.logical_and),
    np.any: _method_reduction(np.logical_or),
    np.all: _method_reduction(np.logical_and),
    **{(ufunc, "reduce"): _reduce for ufunc in REDUCTIONS},
}

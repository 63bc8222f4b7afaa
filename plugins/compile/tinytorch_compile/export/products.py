"""Products of matrices and sums of products, in ONNX."""

from __future__ import annotations

import string
from typing import Any

import numpy as np

from tinytorch_compile.export.elementwise import product
from tinytorch_compile.export.graph import Symbol, UnsupportedError, cast, dtype_of, emit, shape_of
from tinytorch_compile.export.rules import rule

Array = Any


def _common(*arrays: Array) -> tuple[Array, ...]:
    dtype = np.result_type(*map(dtype_of, arrays))
    return tuple(cast(x, dtype) for x in arrays)


@product(np.matmul)
def matmul(x: Array, y: Array) -> Array:
    """Multiply matrices, also many of them.

    Vectors become matrices: onnxruntime 1.31 multiplies several transposed matrices by a vector
    wrongly.
    """
    x, y = _common(x, y)
    shape = np.matmul(*(np.broadcast_to(np.zeros((), bool), shape_of(v)) for v in (x, y))).shape
    x = np.reshape(x, (1, -1)) if x.ndim == 1 else x
    y = np.reshape(y, (-1, 1)) if y.ndim == 1 else y
    matrices = (*np.broadcast_shapes(x.shape[:-2], y.shape[:-2]), x.shape[-2], y.shape[-1])
    return np.reshape(emit("MatMul", x, y, shape=matrices, dtype=x.dtype), shape)


@rule(np.dot)
def dot(x: Array, y: Array, out: None = None) -> Array:
    """Multiply; for more than two axes, over the last and the second last."""
    dimensions = len(shape_of(x)), len(shape_of(y))
    if 0 in dimensions:
        return np.multiply(x, y)
    if dimensions[1] <= 2:
        return np.matmul(x, y)
    return np.tensordot(x, y, (dimensions[0] - 1, dimensions[1] - 2))


@rule(np.vdot)
def vdot(x: Array, y: Array) -> Array:
    """Sum the products of all elements."""
    return np.matmul(np.reshape(x, -1), np.reshape(y, -1))


@rule(np.inner)
def inner(x: Array, y: Array) -> Array:
    """Sum the products over the last axes."""
    if not shape_of(x) or not shape_of(y):
        return np.multiply(x, y)
    return np.tensordot(x, y, (-1, -1))


@product(np.vecdot)
def vecdot(x: Array, y: Array) -> Array:
    """Sum the products over the last axes of pairs."""
    return np.sum(np.multiply(x, y), axis=-1)


@rule(np.outer)
def outer(x: Array, y: Array) -> Array:
    """Multiply all pairs."""
    return np.multiply(np.reshape(x, (-1, 1)), np.reshape(y, (1, -1)))


@rule(np.tensordot)
def tensordot(x: Array, y: Array, axes: Any = 2) -> Array:
    """Sum products over axes."""
    first, second = len(shape_of(x)), len(shape_of(y))
    if isinstance(axes, int):
        axes = range(first - axes, first), range(axes)
    left, right = ([a] if isinstance(a, int) else list(a) for a in axes)
    of_x = list(string.ascii_letters[:first])
    of_y = list(string.ascii_letters[first : first + second])
    for a, b in zip(left, right, strict=True):
        of_y[b] = of_x[a]
    summed = {of_x[a] for a in left}
    result = [letter for letter in (*of_x, *of_y) if letter not in summed]
    return np.einsum(f"{''.join(of_x)},{''.join(of_y)}->{''.join(result)}", x, y)


@rule(np.einsum)
def einsum(equation: Any, *arrays: Array, dtype: Any = None, **options: Any) -> Array:
    """Sum products by Einstein's convention."""
    if not isinstance(equation, str):
        raise UnsupportedError("einsum needs its subscripts as text")
    arrays = _common(*arrays)
    shape = np.einsum(
        equation, *(np.broadcast_to(np.zeros((), np.int8), shape_of(x)) for x in arrays)
    ).shape
    if not all(isinstance(x, Symbol) for x in arrays) and len(arrays) == 1:
        return np.einsum(equation, *arrays)
    pair = _as_product(equation.replace(" ", ""), arrays)
    if pair is not None:
        return pair
    return emit("Einsum", *arrays, shape=shape, dtype=arrays[0].dtype, equation=equation)


def _as_product(equation: str, arrays: tuple[Array, ...]) -> Array:
    """Return an einsum of two arrays as one product of matrices, which is faster, or None."""
    terms, _, result = equation.partition("->")
    if terms.count(",") != 1 or "." in equation or "->" not in equation:
        return None
    one, two = terms.split(",")
    if any(len(set(term)) < len(term) for term in (one, two)):
        return None
    if not set(one) ^ set(two) <= set(result):
        return None
    shared = [c for c in one if c in two]
    batch, summed = ([c for c in shared if (c in result) == kept] for kept in (True, False))
    rows, columns = [c for c in one if c not in two], [c for c in two if c not in one]
    sizes = dict(zip(one + two, shape_of(arrays[0]) + shape_of(arrays[1]), strict=True))

    def total(letters: list[str]) -> int:
        return int(np.prod([sizes[c] for c in letters], dtype=np.int64))

    left = np.transpose(arrays[0], [one.index(c) for c in (*batch, *rows, *summed)])
    right = np.transpose(arrays[1], [two.index(c) for c in (*batch, *summed, *columns)])
    x = np.reshape(left, (total(batch), total(rows), total(summed)))
    y = np.reshape(right, (total(batch), total(summed), total(columns)))
    order = [*batch, *rows, *columns]
    found = np.reshape(np.matmul(x, y), [sizes[c] for c in order])
    return np.transpose(found, [order.index(c) for c in result])

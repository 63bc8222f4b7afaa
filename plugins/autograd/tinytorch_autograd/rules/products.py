"""Products of vectors, matrices and tensors, and convolutions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinytorch_autograd.rules.arrays import as_array
from tinytorch_autograd.rules.axes import normalize_axes
from tinytorch_autograd.rules.family import Family

Array = Any

family = Family()


def full_range(grad: Array, start: int, length: int) -> Array:
    """Return a vector of `length` zeros with the gradient in place from index `start` on."""
    after = length - start - grad.shape[0]
    zeros = np.zeros(length, dtype=grad.dtype)
    return np.concatenate([zeros[:start], grad, zeros[:after]])


def convolve(x: Array, y: Array, mode: Any = "full") -> Array:
    """Return the convolution of two vectors."""
    return np.convolve(x, y, mode)


def convolve_rule(grad: Array, x: Array, y: Array, mode: str) -> Array:
    """out_k = Σ_i x_i y_(k-i): the gradient of x_i is Σ_k grad_k y_(k-i)."""
    shorter = min(x.size, y.size)
    start = {"full": 0, "same": (shorter - 1) // 2, "valid": shorter - 1}[mode]
    full = full_range(grad, start, x.size + y.size - 1)
    return np.convolve(full, y.reshape(-1)[::-1], "valid").reshape(x.shape)


family.function(
    "convolve",
    np.convolve,
    lambda grad, x, y, mode: convolve_rule(grad, x, y, mode),
    lambda grad, x, y, mode: convolve_rule(grad, y, x, mode),
    forward=convolve,
    inputs=("x", "y"),
)


@family.composed(np.correlate)
def correlate(a: Array, v: Array, mode: Any = "valid") -> Array:
    """Return the convolution of a with conj(v) in reverse order."""
    if not np.ndim(a) == np.ndim(v) == 1:
        return NotImplemented  # NumPy raises its own error
    reversed_v = np.conjugate(v)[::-1]
    if mode != "same" or len(a) >= len(v):
        return np.convolve(a, reversed_v, mode)
    start = len(a) // 2  # where NumPy starts if a is the shorter vector
    return np.convolve(a, reversed_v)[start : start + len(v)]


def multi_dot(*arrays: Array) -> Array:
    """Return the product of several matrices, multiplied in the cheapest order."""
    return np.linalg.multi_dot(arrays)


def multi_dot_rule(grad: Array, arrays: Sequence[Array]) -> Sequence[Array]:
    """For x in out = l x r: l^T grad r^T; a vector is a row if first and a column if last."""
    shapes = [x.shape for x in arrays]
    first, *_, last = arrays
    rows = 1 if first.ndim == 1 else first.shape[0]
    columns = 1 if last.ndim == 1 else last.shape[1]
    left, right = first.reshape(rows, first.shape[-1]), last.reshape(last.shape[0], columns)
    matrices = [left, *arrays[1:-1], right]
    grad = grad.reshape(rows, columns)
    grads = []
    for i, shape in enumerate(shapes):
        factors = [grad]
        if i > 0:
            factors.insert(0, product(matrices[:i]).T)
        if i < len(matrices) - 1:
            factors.append(product(matrices[i + 1 :]).T)
        grads.append(product(factors).reshape(shape))
    return grads


def product(matrices: Sequence[Array]) -> Array:
    """Return the product of one matrix or more."""
    return matrices[0] if len(matrices) == 1 else np.linalg.multi_dot(matrices)


family.function("multi_dot", np.linalg.multi_dot, multi_dot_rule, forward=multi_dot)


@family.composed(np.linalg.matmul)
def matmul(x1: Array, x2: Array) -> Array:
    """Return x1 @ x2."""
    return x1 @ x2


@family.composed(np.linalg.matrix_transpose, np.matrix_transpose)
def matrix_transpose(x: Array) -> Array:
    """Return each matrix transposed."""
    return x.mT


@family.composed(np.linalg.trace)
def matrix_trace(x: Array, offset: int = 0, dtype: Any = None) -> Array:
    """Return the sums of the diagonals of the last two axes."""
    return np.trace(x, offset, -2, -1, dtype)


@family.composed(np.linalg.diagonal)
def matrix_diagonal(x: Array, offset: int = 0) -> Array:
    """Return the diagonals of the last two axes."""
    return np.diagonal(x, offset, -2, -1)


@family.composed(np.outer)
def outer(a: Array, b: Array) -> Array:
    """Return each element of a times each element of b, both flattened."""
    return np.ravel(as_array(a))[:, None] * np.ravel(as_array(b))


@family.composed(np.linalg.outer)
def outer_of_vectors(x1: Array, x2: Array) -> Array:
    """Return each element of one vector times each element of another."""
    return outer(x1, x2) if np.ndim(x1) == np.ndim(x2) == 1 else NotImplemented


@family.composed(np.tensordot, np.linalg.tensordot)
def tensordot(a: Array, b: Array, axes: Any = 2) -> Array:
    """Return the matrix product in which the summed axes are columns of a and rows of b."""
    a, b = as_array(a), as_array(b)
    summed_a, summed_b = summed_axes(axes, a.ndim)
    free_a = [i for i in range(a.ndim) if i not in normalize_axes(summed_a, a.ndim, True)]
    free_b = [i for i in range(b.ndim) if i not in normalize_axes(summed_b, b.ndim, True)]
    lengths = [a.shape[i] for i in summed_a]
    if lengths != [b.shape[i] for i in summed_b]:
        return NotImplemented
    count = math.prod(lengths)
    rows, columns = [a.shape[i] for i in free_a], [b.shape[i] for i in free_b]
    left = np.transpose(a, [*free_a, *summed_a]).reshape(math.prod(rows), count)
    right = np.transpose(b, [*summed_b, *free_b]).reshape(count, math.prod(columns))
    return (left @ right).reshape((*rows, *columns))


def summed_axes(axes: Any, ndim: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the axes of both operands over which `tensordot` sums."""
    if isinstance(axes, int | np.integer):
        return tuple(range(ndim - int(axes), ndim)), tuple(range(int(axes)))
    first, second = (tuple(np.atleast_1d(one).tolist()) for one in axes)
    return first, second


@family.composed(np.inner)
def inner(a: Array, b: Array) -> Array:
    """Return the sum of products over the last axes."""
    a, b = as_array(a), as_array(b)
    if a.ndim == 0 or b.ndim == 0:
        return np.multiply(a, b)
    return tensordot(a, b, ((-1,), (-1,)))


@family.composed(np.dot)
def dot(a: Array, b: Array) -> Array:
    """Return the sum of products over the last axis of a and the second to last of b."""
    a, b = as_array(a), as_array(b)
    if a.ndim == 0 or b.ndim == 0:
        return np.multiply(a, b)
    return a @ b if b.ndim <= 2 else tensordot(a, b, ((-1,), (-2,)))


@family.composed(np.vdot)
def vdot(a: Array, b: Array) -> Array:
    """Return Σ conj(a) b over all elements."""
    return np.conjugate(np.ravel(as_array(a))) @ np.ravel(as_array(b))


@family.composed(np.vecdot, np.linalg.vecdot)
def vecdot(x1: Array, x2: Array, axis: int = -1) -> Array:
    """Return Σ conj(x1) x2 along an axis."""
    first, second = np.moveaxis(x1, axis, -1), np.moveaxis(x2, axis, -1)
    return (np.conjugate(first)[..., None, :] @ second[..., None])[..., 0, 0]


@family.composed(*(getattr(np, name) for name in ("matvec",) if hasattr(np, name)))
def matvec(x1: Array, x2: Array) -> Array:
    """Return the products of matrices and vectors."""
    if np.ndim(x1) < 2 or not np.ndim(x2):
        return NotImplemented  # NumPy raises its own error
    return (x1 @ as_array(x2)[..., None])[..., 0]


@family.composed(*(getattr(np, name) for name in ("vecmat",) if hasattr(np, name)))
def vecmat(x1: Array, x2: Array) -> Array:
    """Return the products of conjugated vectors and matrices."""
    if not np.ndim(x1) or np.ndim(x2) < 2:
        return NotImplemented  # NumPy raises its own error
    return (np.conjugate(x1)[..., None, :] @ x2)[..., 0, :]


@family.composed(np.kron)
def kron(a: Array, b: Array) -> Array:
    """Return the Kronecker product: the array of blocks a_i b."""
    a, b = as_array(a), as_array(b)
    ndim = max(a.ndim, b.ndim)
    a = a.reshape((1,) * (ndim - a.ndim) + a.shape)
    b = b.reshape((1,) * (ndim - b.ndim) + b.shape)
    products = a.reshape([n for length in a.shape for n in (length, 1)])
    products = products * b.reshape([n for length in b.shape for n in (1, length)])
    return products.reshape([m * n for m, n in zip(a.shape, b.shape, strict=True)])


_CROSSES_2D_VECTORS = np.lib.NumpyVersion(np.__version__) < "2.5.0"


@family.composed(np.linalg.cross)
def cross_of_vectors(x1: Array, x2: Array, axis: int = -1) -> Array:
    """Return the cross product along an axis of length 3."""
    if x1.shape[axis] != 3 or x2.shape[axis] != 3:
        return NotImplemented
    return cross(x1, x2, axis=axis)


@family.composed(np.cross)
def cross(
    a: Array, b: Array, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Array:
    """Return (a_y b_z - a_z b_y, a_z b_x - a_x b_z, a_x b_y - a_y b_x)."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.moveaxis(as_array(a), axisa, -1), np.moveaxis(as_array(b), axisb, -1)
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        flat = _CROSSES_2D_VECTORS and a.shape[-1] == b.shape[-1] == 2
        return cross_of_2d_vectors(a, b) if flat else NotImplemented
    (ax, ay, az), (bx, by, bz) = ([v[..., i] for i in range(3)] for v in (a, b))
    parts = [ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx]
    return np.moveaxis(np.stack(parts, axis=-1), -1, axisc)


def cross_of_2d_vectors(a: Array, b: Array) -> Array:
    """Return the third component of the cross product of vectors of length 2."""
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]

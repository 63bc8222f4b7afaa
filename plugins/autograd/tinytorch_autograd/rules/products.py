"""Products of vectors, matrices and tensors, convolutions among them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinytorch_autograd.rules.family import Family

Array = Any
Shape = tuple[int, ...]

family = Family()


def full_range(grad: Array, start: int, length: int) -> Array:
    """A gradient of part of a full convolution as one of it all, of `length` elements."""
    after = length - start - grad.shape[0]
    zeros = np.zeros(length, dtype=grad.dtype)
    return np.concatenate([zeros[:start], grad, zeros[:after]])


def convolve(x: Array, y: Array, mode: Any = "full") -> Array:
    """The convolution of two vectors."""
    return np.convolve(x, y, mode)


def convolve_rule(grad: Array, x: Array, y: Array, mode: str) -> Array:
    """out_k = sum over i of x_i y_(k-i): the gradient of x_i is the sum of grad_k y_(k-i)."""
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
    """The convolution of a with conj(v) in reverse."""
    turned = np.conjugate(v)[::-1]
    if mode != "same" or len(a) >= len(v):
        return np.convolve(a, turned, mode)
    start = len(a) // 2  # of a shorter a, NumPy takes the middle from the other side
    return np.convolve(a, turned)[start : start + len(v)]


def multi_dot(*arrays: Array) -> Array:
    """The product of several matrices, in the order that costs the least."""
    return np.linalg.multi_dot(arrays)


def multi_dot_rule(grad: Array, arrays: Sequence[Array]) -> Sequence[Array]:
    """(the factors before)^T grad (those after)^T; the first may be a row, the last a column."""
    shapes = [x.shape for x in arrays]
    first, *_, last = arrays
    rows = 1 if first.ndim == 1 else first.shape[0]
    columns = 1 if last.ndim == 1 else last.shape[1]
    matrices = [first.reshape(rows, -1), *arrays[1:-1], last.reshape(-1, columns)]
    grad = grad.reshape(rows, columns)
    found = []
    for i, shape in enumerate(shapes):
        factors = [grad]
        if i > 0:
            factors.insert(0, product(matrices[:i]).T)
        if i < len(matrices) - 1:
            factors.append(product(matrices[i + 1 :]).T)
        found.append(product(factors).reshape(shape))
    return found


def product(matrices: Sequence[Array]) -> Array:
    """The product of one matrix or more."""
    return matrices[0] if len(matrices) == 1 else np.linalg.multi_dot(matrices)


family.function("multi_dot", np.linalg.multi_dot, multi_dot_rule, forward=multi_dot)


@family.composed(np.linalg.matmul)
def matmul(x1: Array, x2: Array) -> Array:
    """x1 @ x2."""
    return x1 @ x2


@family.composed(np.linalg.matrix_transpose, np.matrix_transpose)
def matrix_transpose(x: Array) -> Array:
    """Each matrix transposed."""
    return x.mT


@family.composed(np.linalg.trace)
def matrix_trace(x: Array, offset: int = 0, dtype: Any = None) -> Array:
    """The sums of the diagonals of the last two axes."""
    return np.trace(x, offset, -2, -1, dtype)


@family.composed(np.linalg.diagonal)
def matrix_diagonal(x: Array, offset: int = 0) -> Array:
    """The diagonals of the last two axes."""
    return np.diagonal(x, offset, -2, -1)


@family.composed(np.outer)
def outer(a: Array, b: Array) -> Array:
    """Each element of a times each of b, both flattened."""
    return np.ravel(a)[:, None] * np.ravel(b)


@family.composed(np.linalg.outer)
def outer_of_vectors(x1: Array, x2: Array) -> Array:
    """Each element of one vector times each of another."""
    return outer(x1, x2) if np.ndim(x1) == np.ndim(x2) == 1 else NotImplemented


@family.composed(np.tensordot, np.linalg.tensordot)
def tensordot(a: Array, b: Array, axes: Any = 2) -> Array:
    """The product of two matrices: the chosen axes of a are the columns, those of b the rows."""
    a, b = as_array(a), as_array(b)
    summed_a, summed_b = summed_axes(axes, a.ndim)
    free_a = [i for i in range(a.ndim) if i not in {n % a.ndim for n in summed_a}]
    free_b = [i for i in range(b.ndim) if i not in {n % b.ndim for n in summed_b}]
    lengths = [a.shape[i] for i in summed_a]
    if lengths != [b.shape[i] for i in summed_b]:
        return NotImplemented
    count = math.prod(lengths)
    rows, columns = [a.shape[i] for i in free_a], [b.shape[i] for i in free_b]
    left = np.transpose(a, [*free_a, *summed_a]).reshape(math.prod(rows), count)
    right = np.transpose(b, [*summed_b, *free_b]).reshape(count, math.prod(columns))
    return (left @ right).reshape((*rows, *columns))


def as_array(x: Any) -> Array:
    """A tensor or array as it is, anything else as an array."""
    return x if hasattr(x, "ndim") else np.asarray(x)


def summed_axes(axes: Any, ndim: int) -> tuple[list[int], list[int]]:
    """The axes of both operands over which `tensordot` sums."""
    if isinstance(axes, int | np.integer):
        return list(range(ndim - int(axes), ndim)), list(range(int(axes)))
    first, second = (list(np.atleast_1d(one).tolist()) for one in axes)
    return first, second


@family.composed(np.inner)
def inner(a: Array, b: Array) -> Array:
    """The sum of products over the last axes."""
    a, b = as_array(a), as_array(b)
    if a.ndim == 0 or b.ndim == 0:
        return np.multiply(a, b)
    return tensordot(a, b, ((-1,), (-1,)))


@family.composed(np.dot)
def dot(a: Array, b: Array) -> Array:
    """The sum of products over the last axis of a and the last but one of b."""
    a, b = as_array(a), as_array(b)
    if a.ndim == 0 or b.ndim == 0:
        return np.multiply(a, b)
    return a @ b if b.ndim <= 2 else tensordot(a, b, ((-1,), (-2,)))


@family.composed(np.vdot)
def vdot(a: Array, b: Array) -> Array:
    """The sum of conj(a) b, both flattened."""
    return np.conjugate(np.ravel(a)) @ np.ravel(b)


@family.composed(np.vecdot, np.linalg.vecdot)
def vecdot(x1: Array, x2: Array, axis: int = -1) -> Array:
    """The sums of conj(x1) x2 along an axis."""
    first, second = np.moveaxis(x1, axis, -1), np.moveaxis(x2, axis, -1)
    return (np.conjugate(first)[..., None, :] @ second[..., None])[..., 0, 0]


@family.composed(*(getattr(np, name) for name in ("matvec",) if hasattr(np, name)))
def matvec(x1: Array, x2: Array) -> Array:
    """Matrices times vectors."""
    return (x1 @ as_array(x2)[..., None])[..., 0]


@family.composed(*(getattr(np, name) for name in ("vecmat",) if hasattr(np, name)))
def vecmat(x1: Array, x2: Array) -> Array:
    """The conjugates of vectors times matrices."""
    return (np.conjugate(x1)[..., None, :] @ x2)[..., 0, :]


@family.composed(np.kron)
def kron(a: Array, b: Array) -> Array:
    """Each element of a times all of b, laid out as one array."""
    a, b = as_array(a), as_array(b)
    ndim = max(a.ndim, b.ndim)
    a = a.reshape((1,) * (ndim - a.ndim) + a.shape)
    b = b.reshape((1,) * (ndim - b.ndim) + b.shape)
    apart = a.reshape([n for length in a.shape for n in (length, 1)])
    apart = apart * b.reshape([n for length in b.shape for n in (1, length)])
    return apart.reshape([m * n for m, n in zip(a.shape, b.shape, strict=True)])


@family.composed(np.linalg.cross)
def cross_of_vectors(x1: Array, x2: Array, axis: int = -1) -> Array:
    """The vector product along an axis of length 3."""
    if x1.shape[axis] != 3 or x2.shape[axis] != 3:
        return NotImplemented
    return cross(x1, x2, axis=axis)


@family.composed(np.cross)
def cross(
    a: Array, b: Array, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Array:
    """(a_y b_z - a_z b_y, a_z b_x - a_x b_z, a_x b_y - a_y b_x)."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.moveaxis(as_array(a), axisa, -1), np.moveaxis(as_array(b), axisb, -1)
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        return cross_in_the_plane(a, b) if a.shape[-1] == b.shape[-1] == 2 else NotImplemented
    (ax, ay, az), (bx, by, bz) = ([v[..., i] for i in range(3)] for v in (a, b))
    parts = [ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx]
    return np.moveaxis(np.stack(parts, axis=-1), -1, axisc)


def cross_in_the_plane(a: Array, b: Array) -> Array:
    """The third component of the product of vectors in the plane."""
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]

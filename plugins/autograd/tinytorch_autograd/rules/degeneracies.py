"""Checks for eigenvectors and singular vectors that the matrix does not determine.

A matrix determines each vector only up to a factor of modulus 1, its phase. The vectors of equal
values may be any basis of their space. A gradient that depends on such a choice raises
NotDifferentiableError instead of being NaN. Equal values share their gradient equally, so that a
function of the values alone has a gradient everywhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_autograd.errors import NotDifferentiableError
from tinytorch_autograd.rules.arithmetic import nowhere, somewhere

Array = Any


def equal_pairs(values: Array) -> Array:
    """Return a mask of the pairs of values that are equal up to rounding, with a true diagonal."""
    gaps = np.abs(values[..., :, None] - values[..., None, :])
    return gaps <= rounding(values)[..., None, None]


def off_diagonal(equal: Array) -> Array:
    """Return the mask of `equal_pairs` with a false diagonal."""
    return equal & ~np.eye(equal.shape[-1], dtype=bool)


def nearly_zero(values: Array) -> Array:
    """Return a mask of the values that are 0 up to rounding."""
    return np.abs(values) <= rounding(values)[..., None]


def rounding(values: Array) -> Array:
    """Return the largest difference that rounding may cause between equal values."""
    largest = np.abs(values).max(axis=-1, initial=0)
    return largest * (10 * values.shape[-1] * float(np.finfo(values.dtype).eps))


def share_equally(grad: Array, equal: Array) -> Array:
    """Return the gradients of values, with those of equal values replaced by their mean."""
    if nowhere(off_diagonal(equal)):
        return grad
    share = equal / equal.sum(axis=-1, keepdims=True)
    return (share.astype(grad.dtype) @ grad[..., None])[..., 0]


def divide_by_gaps(x: Array, gaps: Array, equal: Array) -> Array:
    """Return x / gaps, and 0 for equal values, which includes the diagonal."""
    return np.where(equal, 0, x) / np.where(equal, 1, gaps)


def divide_by_values(x: Array, s: Array, zero: Array) -> Array:
    """Return the columns of x divided by the singular values s, and 0 where both are 0.

    Raises:
        NotDifferentiableError: a singular value is 0, and its column is not.
    """
    zero = zero[..., None, :]
    if somewhere(zero & significant(unwrap(x))):
        raise NotDifferentiableError(
            "singular vectors are not differentiable where their singular value is 0; use the "
            "singular values alone, or full_matrices=False and only the other vectors"
        )
    return np.where(zero, 0, x) / np.where(zero, 1, s[..., None, :])


def significant(x: Array) -> Array:
    """Return a mask of the elements of matrices that differ from 0 by more than rounding."""
    largest = np.abs(x).max(axis=(-2, -1), keepdims=True, initial=0)
    return np.abs(x) > largest * float(np.finfo(x.dtype).eps) ** 0.75


def check_equal_values(inner: Array, equal: Array, vectors: str, values: str) -> None:
    """Raise NotDifferentiableError if a gradient depends on the vectors of equal values.

    Args:
        inner: v^H g, the inner products of the vectors and their gradients.
        equal: the mask of `equal_pairs`.
        vectors, values: their names in the message.
    """
    others = off_diagonal(equal)
    if somewhere(others) and somewhere(others & significant(unwrap(inner))):
        raise NotDifferentiableError(
            f"{vectors} are not differentiable where {values} are equal, because any basis of "
            f"their space is valid; use a function of the {values} alone"
        )


def check_phases(inner: Array, vectors: str) -> None:
    """Raise NotDifferentiableError if a gradient depends on the phases of complex vectors.

    Args:
        inner: v^H g, the inner products of the vectors and their gradients.
        vectors: their name in the message.
    """
    if inner.dtype.kind != "c":
        return
    x = unwrap(inner)
    diagonal = np.diagonal(x, axis1=-2, axis2=-1).imag
    largest = np.abs(x).max(axis=(-2, -1), initial=0)[..., None]
    if somewhere(np.abs(diagonal) > largest * float(np.finfo(x.dtype).eps) ** 0.5):
        raise NotDifferentiableError(
            f"complex {vectors} are determined up to a factor of modulus 1, and the function "
            "depends on that factor; use a function that does not, such as np.abs"
        )


def check_defective(vectors: Array, equal: Array) -> None:
    """Raise NotDifferentiableError if equal eigenvalues have too few eigenvectors."""
    if nowhere(off_diagonal(equal)):
        return
    smallest = np.linalg.svd(vectors, compute_uv=False)[..., -1]
    if somewhere(smallest < float(np.finfo(vectors.dtype).eps) ** 0.5):
        raise NotDifferentiableError(
            "the matrix is defective, that is, equal eigenvalues lack eigenvectors, so they are "
            "not differentiable"
        )


def first_vectors(by_vectors: Array, size: int, vectors: str, instead: str) -> Array:
    """Return the gradients of the first `size` vectors.

    Raises:
        NotDifferentiableError: the gradient of another vector is not 0.
    """
    if by_vectors.shape[-1] > size and somewhere(unwrap(by_vectors)[..., size:]):
        raise NotDifferentiableError(
            f"the matrix determines only the first {size} {vectors}, and the function depends on "
            f"others, which are not differentiable; use {instead}"
        )
    return by_vectors[..., :size]

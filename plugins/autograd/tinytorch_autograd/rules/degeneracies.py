"""What a matrix leaves undetermined: the vectors of equal values, their phases, and further ones.

Eigenvectors and singular vectors are determined up to a factor of modulus 1, and not at all within
the space of equal values. A derivative that would depend on the choice is an error, never NaN.
Equal values share their gradient equally, so that what depends on the values alone has a gradient
everywhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_autograd.errors import NotDifferentiableError

Array = Any


def equal_pairs(values: Array) -> Array:
    """Which pairs of values are equal, up to rounding; each is equal to itself."""
    gaps = np.abs(values[..., :, None] - values[..., None, :])
    return gaps <= rounding(values)[..., None, None]


def among_others(equal: Array) -> Array:
    """The pairs of `equal_pairs` without those of a value with itself."""
    return equal & ~np.eye(equal.shape[-1], dtype=bool)


def nearly_zero(values: Array) -> Array:
    """Which values are 0, up to rounding."""
    return np.abs(values) <= rounding(values)[..., None]


def rounding(values: Array) -> Array:
    """How far equal eigenvalues, or singular values, may come out apart."""
    largest = np.abs(values).max(axis=-1, initial=0)
    return largest * (10 * values.shape[-1] * float(np.finfo(values.dtype).eps))


def shared(grad: Array, equal: Array) -> Array:
    """The gradients of values, the mean of them where values are equal."""
    if not among_others(equal).any():
        return grad
    share = equal / equal.sum(axis=-1, keepdims=True)
    return (share.astype(grad.dtype) @ grad[..., None])[..., 0]


def over_gaps(x: Array, gaps: Array, equal: Array) -> Array:
    """x / gaps, and 0 on the diagonal and wherever the values are equal."""
    return np.where(equal, 0, x) / np.where(equal, 1, gaps)


def divided(x: Array, s: Array, zero: Array) -> Array:
    """The columns of x over the singular values s, and 0 where the value is 0 and the column too.

    Raises:
        NotDifferentiableError: a column is not 0 where its singular value is.
    """
    zero = zero[..., None, :]
    if (zero & noticeable(unwrap(x))).any():
        raise NotDifferentiableError(
            "singular vectors have no derivative where their singular value is 0; use singular "
            "values alone, or full_matrices=False and only the vectors of the others"
        )
    return np.where(zero, 0, x) / np.where(zero, 1, s[..., None, :])


def noticeable(x: Array) -> Array:
    """Which elements of matrices are more than what rounding leaves of 0."""
    largest = np.abs(x).max(axis=(-2, -1), keepdims=True, initial=0)
    return np.abs(x) > largest * float(np.finfo(x.dtype).eps) ** 0.75


def refuse_equal(turned: Array, equal: Array, vectors: str, values: str) -> None:
    """Raises NotDifferentiableError if gradients ask for directions in a space of equal values."""
    others = among_others(equal)
    if others.any() and (others & noticeable(unwrap(turned))).any():
        raise NotDifferentiableError(
            f"{vectors} have no derivative where {values} are equal, because any basis of their "
            f"space will do; a function of the {values} alone has one"
        )


def refuse_phases(turned: Array, vectors: str) -> None:
    """Raises NotDifferentiableError if gradients depend on the phases of complex vectors."""
    if turned.dtype.kind != "c":
        return
    x = unwrap(turned)
    diagonal = np.diagonal(x, axis1=-2, axis2=-1).imag
    largest = np.abs(x).max(axis=(-2, -1), initial=0)[..., None]
    if (np.abs(diagonal) > largest * float(np.finfo(x.dtype).eps) ** 0.5).any():
        raise NotDifferentiableError(
            f"complex {vectors} are determined up to a factor of modulus 1, and this function "
            "depends on it; use one that does not, such as np.abs"
        )


def refuse_defective(vectors: Array, equal: Array) -> None:
    """Raises NotDifferentiableError if equal eigenvalues have too few eigenvectors."""
    if not among_others(equal).any():
        return
    smallest = np.linalg.svd(vectors, compute_uv=False)[..., -1]
    if (smallest < float(np.finfo(vectors.dtype).eps) ** 0.5).any():
        raise NotDifferentiableError(
            "the matrix is defective: equal eigenvalues lack eigenvectors, and have no derivative"
        )


def first_vectors(by_vectors: Array, size: int, vectors: str, instead: str) -> Array:
    """The gradients of the first vectors; those of the others must be 0.

    Raises:
        NotDifferentiableError: they are not.
    """
    if by_vectors.shape[-1] > size and unwrap(by_vectors)[..., size:].any():
        raise NotDifferentiableError(
            f"the matrix determines only the first {size} {vectors}, and the others, on which the "
            f"function depends, have no derivative; use {instead}"
        )
    return by_vectors[..., :size]

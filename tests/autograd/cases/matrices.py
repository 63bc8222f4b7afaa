"""Matrices with the properties that functions of linear algebra need.

They are computed from any matrix by operations of our tensors and torch's, so that functions of
them are differentiable with respect to that matrix.
"""

import numpy as np


def like(x, array):
    """Return a constant to combine with `x`: a tensor of torch if `x` is one, else an array."""
    if hasattr(x, "new_tensor"):
        return x.new_tensor(np.asarray(array, float))
    return np.asarray(array, np.float32)


def adjoint(x):
    return x.conj().mT


def eye(x):
    return like(x, np.eye(x.shape[-1]))


def positive(x):
    """Return a Hermitian, positive definite matrix with well separated eigenvalues of at least 1.

    The constant diagonal separates them. A larger one would hide a wrong rule.
    """
    product = x @ adjoint(x)
    size = product.shape[-1]
    return product / 2 + like(x, np.diag(1 + 3 * np.arange(size)))


def general(x):
    """Return a regular square matrix that is not symmetric."""
    matrix = positive(x)
    size = matrix.shape[-1]
    return matrix * like(x, 1 + (3 * np.arange(size * size) % 8).reshape(size, size) / 32)


def of(prepare, then=None):
    """Return a call that applies `prepare` to the first input and `then` to the result."""

    def call(function, x, *others, **parameters):
        out = function(prepare(x), *others, **parameters)
        return out if then is None else then(out)

    return call


def parts(out):
    """Return the real and the imaginary part of a result."""
    return [out.real, out.imag]


def weights(x):
    """Return a different number for each element of the last axis."""
    return like(x, 0.5 + 0.25 * np.arange(x.shape[-1]))


def spectrum(out):
    """Return eigenvalues and weighted projections, which any choice of eigenvectors gives."""
    values, vectors = out
    return [values, (vectors * weights(vectors)) @ adjoint(vectors)]


def lengths(out):
    """Return eigenvalues and the squared elements of eigenvectors, which do not have a phase."""
    values, vectors = out
    squares = vectors * vectors.conj()
    if values.dtype == squares.real.dtype:
        return [values, squares]
    return [values.real, values.imag, squares.real]


def singular(out):
    """Return singular values and products that any choice of singular vectors gives."""
    u, s, vh = out
    size = s.shape[-1]
    u, vh = u[..., :size], vh[..., :size, :]
    return [
        s,
        (u * weights(s)) @ vh,
        (u * weights(s)) @ adjoint(u),
        adjoint(vh) @ (vh * weights(s)[:, None]),
    ]

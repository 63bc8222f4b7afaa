"""What linear algebra is differentiated at: matrices with the properties that it needs.

They are computed from any matrix by what works on tensors, on torch's too, so that derivatives
with respect to the matrix are well defined.
"""

import numpy as np


def like(x, array):
    """A constant, exact in float32, for `x`: a tensor of torch's if that is one, or an array."""
    if hasattr(x, "new_tensor"):
        return x.new_tensor(np.asarray(array, float))
    return np.asarray(array, np.float32)


def adjoint(x):
    return x.conj().mT


def eye(x):
    return like(x, np.eye(x.shape[-1]))


def positive(x):
    """Hermitian and positive definite, with eigenvalues of at least 1, none close to another.

    The diagonal keeps them apart; were it larger, a wrong rule would hardly show.
    """
    product = x @ adjoint(x)
    size = product.shape[-1]
    return product / 2 + like(x, np.diag(1 + 3 * np.arange(size)))


def general(x):
    """Square and regular, neither symmetric nor close to it."""
    matrix = positive(x)
    size = matrix.shape[-1]
    return matrix * like(x, 1 + (3 * np.arange(size * size) % 8).reshape(size, size) / 32)


def of(prepare, then=None):
    """A call of a function with its first input prepared, and its result turned into `then`."""

    def call(function, x, *others, **parameters):
        out = function(prepare(x), *others, **parameters)
        return out if then is None else then(out)

    return call


def parts(out):
    """The real and imaginary parts of a result."""
    return [out.real, out.imag]


def weights(x):
    """A different number for each of the last axis."""
    return like(x, 0.5 + 0.25 * np.arange(x.shape[-1]))


def spectrum(out):
    """What does not depend on the choice of eigenvectors: values, and weighted projections."""
    values, vectors = out
    return [values, (vectors * weights(vectors)) @ adjoint(vectors)]


def lengths(out):
    """What eigenvectors of any matrix have whatever their phase: the squares of their elements."""
    values, vectors = out
    squares = vectors * vectors.conj()
    return (
        [values.real, values.imag, squares.real]
        if values.dtype != squares.real.dtype
        else [
            values,
            squares,
        ]
    )


def singular(out):
    """What does not depend on the choice of singular vectors."""
    u, s, vh = out
    size = s.shape[-1]
    u, vh = u[..., :size], vh[..., :size, :]
    return [
        s,
        (u * weights(s)) @ vh,
        (u * weights(s)) @ adjoint(u),
        adjoint(vh) @ (vh * weights(s)[:, None]),
    ]

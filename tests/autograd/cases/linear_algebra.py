"""Inverses, systems and decompositions of matrices."""

import numpy as np

from .described import Described, call_directly
from .matrices import general, lengths, of, positive, singular, spectrum

SQUARE = ((3, 3), (2, 2, 2), (1, 1), (0, 0), (0, 2, 2))
TALL, WIDE = ((3, 2), (2, 3, 2)), ((2, 3), (1, 2), (0, 2))
ANY = (*TALL, *WIDE)
CONDITIONED = ((3, 3), (2, 2, 2))
COMMON = {"domain": (-1.0, 1.25), "complex": True, "jax": False, "order": 3}


def matrix(name, call=call_directly, torch=None, shapes=SQUARE, **options):
    torch = f"linalg.{name}" if torch is None else torch or None
    options = {**COMMON, "min_dims": 2, **options}
    return Described(f"linalg.{name}", shapes, call=call, torch=torch, **options)


def qr_of_tall(function, a, mode):
    """Return the part of the complete factors that the matrix determines."""
    q, r = function(a, mode=mode)
    return [q[..., :2], r]


def system(function, a, b, **parameters):
    return function(general(a), b, **parameters)


def least_squares(function, a, b, **parameters):
    x, residuals, _, s = function(a, b, **parameters)
    return [x, residuals, s]


def of_two(name, *shapes, **options):
    """Describe a function of a matrix and a right-hand side."""
    options = {**COMMON, "drawn": None, **options}
    return Described(f"linalg.{name}", shapes, **options)


DESCRIBED = (
    matrix("inv", of(general)),
    matrix("det", of(general)),
    matrix("det", of(lambda x: x - x[..., :1]), torch=False, drawn=None),  # of rank n - 1
    matrix("slogdet", of(general, lambda out: out[1])),
    matrix("slogdet", of(general, lambda out: [*out]), torch=False),
    matrix("matrix_power", of(general), parameters=[{"n": n} for n in (0, 1, 2, 3, 5, -1, -2)]),
    matrix("pinv", shapes=ANY, drawn=None),
    matrix("pinv", of(general)),
    matrix("pinv", of(positive), parameters=[{"hermitian": True}]),
    matrix("pinv", of(lambda x: x - x[..., :1]), shapes=((3, 3), (3, 2)), drawn=None),
    matrix("cholesky", of(positive), parameters=[{"upper": False}, {"upper": True}]),
    matrix("qr", shapes=ANY, parameters=[{}, {"mode": "reduced"}], drawn=None),
    matrix("qr", shapes=WIDE, parameters=[{"mode": "complete"}], drawn=None),
    # Not differentiable in torch.
    matrix(
        "qr",
        qr_of_tall,
        shapes=TALL,
        parameters=[{"mode": "complete"}],
        torch=False,
        drawn=None,
    ),
    matrix(
        "qr",
        of(general),
        shapes=SQUARE,
        parameters=[{"mode": m} for m in ("complete", "reduced")],
    ),
    matrix("qr", shapes=ANY, parameters=[{"mode": "r"}], torch=False, drawn=None),
    matrix("eigh", of(positive, spectrum), parameters=[{}, {"UPLO": "U"}]),
    matrix("eigvalsh", of(positive), parameters=[{}, {"UPLO": "U"}]),
    matrix("eig", of(general, lengths), torch=False),
    matrix("eigvals", of(general, lambda out: [out.real, out.imag]), torch=False),
    matrix(
        "svd",
        of(lambda x: x, singular),
        shapes=ANY,
        drawn=None,
        parameters=[{"full_matrices": False}, {"full_matrices": True}],
    ),
    matrix(
        "svd",
        of(general, singular),
        parameters=[{"full_matrices": False}, {"full_matrices": True}],
    ),
    matrix("svd", shapes=ANY, drawn=None, torch=False, parameters=[{"compute_uv": False}]),
    matrix("svd", of(positive, singular), torch=False, parameters=[{"hermitian": True}]),
    matrix("svdvals", shapes=ANY, drawn=None),
    matrix(
        "cond",
        of(general),
        shapes=CONDITIONED,
        parameters=[{"p": p} for p in (None, 2, -2, "nuc")],
        drawn=None,
    ),
    # torch raises an error about its own graph.
    matrix(
        "cond",
        of(general),
        shapes=CONDITIONED,
        parameters=[{"p": p} for p in ("fro", 1, -1, np.inf, -np.inf)],
        torch=False,
        drawn=None,
    ),
    matrix(
        "tensorinv",
        lambda f, x, **p: f(general(x).reshape(2, 3, 3, 2), **p),
        shapes=((6, 2),),
        drawn=None,
    ),
    matrix(
        "tensorinv",
        lambda f, x, **p: f(general(x).reshape(6, 3, 2), **p),
        shapes=((6, 2),),
        drawn=None,
        parameters=[{"ind": 1}],
    ),
    of_two(
        "solve",
        ((3, 3), (3,)),
        ((3, 3), (3, 2)),
        ((2, 3, 3), (3, 1)),
        ((2, 3, 3), (3,)),
        ((2, 2), (4, 2, 3)),
        ((0, 0), (0, 2)),
        call=system,
        torch="linalg.solve",
    ),
    of_two(
        "tensorsolve",
        ((6, 2), (2, 3)),
        call=lambda f, a, b: f(general(a).reshape(2, 3, 3, 2), b),
        torch="linalg.tensorsolve",
    ),
    of_two(
        "tensorsolve",
        ((6, 2), (2, 3)),
        call=lambda f, a, b, **axes: f(general(a).reshape(3, 2, 3, 2), b, **axes),
        parameters=[{"axes": (0, 3)}],
    ),
    of_two("lstsq", ((4, 2), (4,)), ((4, 2), (4, 3)), ((2, 3), (2, 2)), call=least_squares),
)

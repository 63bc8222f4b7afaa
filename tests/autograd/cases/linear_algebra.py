"""numpy.linalg: inverses, systems, norms and decompositions."""

import numpy as np

from .described import Described, plainly, to_order
from .matrices import (
    general,
    lengths,
    of,
    positive,
    singular,
    spectrum,
)

SMALL = (-1.0, 1.25)
SQUARE = ((3, 3), (2, 2, 2), (1, 1), (0, 0), (0, 2, 2))
TALL, WIDE = ((3, 2), (2, 3, 2)), ((2, 3), (1, 2), (0, 2))
ANY = (*TALL, *WIDE)
CONDITIONED = ((3, 3), (2, 2, 2))
SIDES = {"min_dims": 2, "domain": SMALL, "complex": True}


def matrix(name, call=plainly, torch=None, shapes=SQUARE, **options):
    options = {**SIDES, **options}
    torch = f"linalg.{name}" if torch is None else torch
    return Described(f"linalg.{name}", shapes, call=call, torch=torch or None, jax=False, **options)


def _qr_of_tall(function, a, mode):
    """What the matrix determines of the complete factors."""
    q, r = function(a, mode=mode)
    return [q[..., :2], r]


def system(function, a, b, **parameters):
    return function(general(a), b, **parameters)


def least_squares(function, a, b, **parameters):
    x, residuals, _, s = function(a, b, **parameters)
    return [x, residuals, s]


def uneven(x):
    """So that sums of evenly spaced numbers do not tie."""
    return x + x * x / 8


def torch_norm(torch, x, ord=None, axis=None, keepdims=False):
    x = uneven(x) if ord in MATRIX_ORDERS and not isinstance(axis, int) else x
    return torch.linalg.norm(x, ord, axis, keepdims)


def torch_vector_norm(torch, x, ord=2, axis=None, keepdims=False):
    return torch.linalg.vector_norm(x, ord, axis, keepdims)


def torch_matrix_norm(torch, x, ord="fro", keepdims=False):
    return torch.linalg.matrix_norm(uneven(x), ord, keepdim=keepdims)


def torch_solve(torch, a, b):
    return torch.linalg.solve(general(a), b)


VECTOR_ORDERS = (2, 1, 3, 2.5, 0.5, -1, -2, np.inf, -np.inf)
MATRIX_ORDERS = ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)

DESCRIBED = to_order(
    3,
    (
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
        # torch has no derivative here.
        matrix(
            "qr",
            _qr_of_tall,
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
        # torch stumbles over its own graph here.
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
        Described(
            "linalg.solve",
            (
                ((3, 3), (3,)),
                ((3, 3), (3, 2)),
                ((2, 3, 3), (3, 1)),
                ((2, 3, 3), (3,)),
                ((2, 2), (4, 2, 3)),
                ((0, 0), (0, 2)),
            ),
            SMALL,
            call=system,
            torch=torch_solve,
            jax=False,
            complex=True,
            drawn=None,
        ),
        Described(
            "linalg.tensorsolve",
            (((6, 2), (2, 3)),),
            SMALL,
            call=lambda f, a, b, **p: f(general(a).reshape(2, 3, 3, 2), b, **p),
            torch="linalg.tensorsolve",
            jax=False,
            complex=True,
            drawn=None,
        ),
        Described(
            "linalg.tensorsolve",
            (((6, 2), (2, 3)),),
            SMALL,
            call=lambda f, a, b, **p: f(general(a).reshape(3, 2, 3, 2), b, **p),
            jax=False,
            complex=True,
            drawn=None,
            parameters=[{"axes": (0, 3)}],
        ),
        Described(
            "linalg.lstsq",
            (((4, 2), (4,)), ((4, 2), (4, 3)), ((2, 3), (2, 2))),
            SMALL,
            call=least_squares,
            jax=False,
            complex=True,
            drawn=None,
        ),
        Described(
            "linalg.norm",
            ((2, 3), (3,), (2, 3, 2)),
            parameters=[{}, {"keepdims": True}],
            torch=torch_norm,
            jax=False,
            complex=True,
        ),
        Described(
            "linalg.norm",
            ((2, 3), (2, 3, 2)),
            parameters=[{"ord": p, "axis": 1} for p in VECTOR_ORDERS],
            torch=torch_norm,
            jax=False,
            complex=True,
            drawn=None,
        ),
        Described(
            "linalg.norm",
            ((2, 3),),
            parameters=[{"ord": p} for p in MATRIX_ORDERS],
            call=of(uneven),
            torch=torch_norm,
            jax=False,
            complex=True,
            drawn=None,
        ),
        Described(
            "linalg.norm",
            ((2, 3, 2),),
            parameters=[{"ord": p, "axis": (2, 0), "keepdims": True} for p in MATRIX_ORDERS],
            call=of(uneven),
            torch=torch_norm,
            jax=False,
            complex=True,
            drawn=None,
        ),
        Described(
            "linalg.vector_norm",
            ((2, 3), ()),
            parameters=[{"ord": p} for p in VECTOR_ORDERS],
            torch=torch_vector_norm,
            jax=False,
            complex=True,
            drawn=None,
        ),
        Described(
            "linalg.vector_norm",
            ((2, 3, 2),),
            parameters=[{"axis": (0, 2), "keepdims": True, "ord": 3}, {"axis": -1}],
            torch=torch_vector_norm,
            jax=False,
            complex=True,
            drawn=None,
        ),
        Described(
            "linalg.matrix_norm",
            ((2, 3), (2, 2, 3)),
            parameters=[{"ord": p, "keepdims": k} for p in MATRIX_ORDERS for k in (False, True)],
            call=of(uneven),
            torch=torch_matrix_norm,
            jax=False,
            complex=True,
            drawn=None,
        ),
    ),
)

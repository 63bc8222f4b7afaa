"""Norms of vectors and matrices, of every order."""

import numpy as np

from .described import Described, call_directly
from .matrices import of

OF_VECTORS = (2, 1, 3, 2.5, 0.5, -1, -2, np.inf, -np.inf)
OF_MATRICES = ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)


def uneven(x):
    """Return numbers that are not evenly spaced, so that their sums differ."""
    return x + x * x / 8


def norm(name, shapes, parameters, prepare=None, **options):
    def theirs(torch, x, ord=None, axis=None, keepdims=False):
        x = x if prepare is None else prepare(x)
        options = {} if name == "matrix_norm" else {"dim": axis}
        if ord is not None:
            options["ord"] = ord
        return getattr(torch.linalg, name)(x, keepdim=keepdims, **options)

    return Described(
        f"linalg.{name}",
        shapes,
        parameters=parameters,
        call=call_directly if prepare is None else of(prepare),
        torch=theirs,
        complex=True,
        order=3,
        **{"jax": False, "drawn": None, **options},
    )


DESCRIBED = (
    norm("norm", ((2, 3), (3,), (2, 3, 2)), [{}, {"keepdims": True}], drawn="any"),
    norm("norm", ((2, 3), (2, 3, 2)), [{"ord": p, "axis": 1} for p in OF_VECTORS]),
    norm("norm", ((2, 3),), [{"ord": p} for p in OF_MATRICES], uneven),
    norm(
        "norm",
        ((2, 3, 2),),
        [{"ord": p, "axis": (2, 0), "keepdims": True} for p in OF_MATRICES],
        uneven,
    ),
    Described(
        "linalg.norm",
        (((4,), ()), ((2, 3), ())),
        domain=((-2.0, 2.25), (1.5, 3.0)),
        parameters=({"axis": -1}, {"axis": 0, "keepdims": True}),
        call=lambda f, x, p, **options: f(x, p, **options),
        drawn=None,
        jax=False,
    ),
    norm("vector_norm", ((2, 3), ()), [{"ord": p} for p in OF_VECTORS]),
    norm("vector_norm", ((2, 3, 2),), [{"axis": (0, 2), "keepdims": True, "ord": 3}, {"axis": -1}]),
    norm(
        "matrix_norm",
        ((2, 3), (2, 2, 3)),
        [{"ord": p, "keepdims": k} for p in OF_MATRICES for k in (False, True)],
        uneven,
    ),
)

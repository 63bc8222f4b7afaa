"""NumPy's differences, gradients, integrals, interpolation and polynomials."""

import numpy as np

from .described import Described


def of(name, shapes, *parameters, **options):
    return Described(name, shapes, parameters=parameters or ({},), **({"drawn": None} | options))


def wide(name, shapes, *parameters, **options):
    """Describe a function whose results are always in double precision."""
    return of(name, shapes, *parameters, float32=False, **options)


X = np.array([0.0, 0.5, 1.5, 2.0, 3.5])
XP = np.array([0.0, 1.0, 2.5, 4.0])

DESCRIBED = (
    of("diff", ((5,), (3, 4)), {}, {"n": 2}, {"n": 0}, drawn="any", min_dims=1, complex=True),
    of(
        "diff",
        ((3, 4),),
        {"axis": 0},
        {"axis": 0, "prepend": np.float32(0.5)},
        {"axis": 1, "append": np.ones((3, 2), np.float32)},
    ),
    of("diff", (((4,), (2,)),), call=lambda f, x, y: f(x, prepend=y, append=y[:1])),
    of(
        "ediff1d",
        ((5,), (2, 3)),
        {},
        {"to_begin": 0.5},
        {"to_end": [1.0, 2.0]},
        drawn="any",
        min_dims=1,
    ),
    of("gradient", ((5,), (3, 4)), {}, {"edge_order": 2}, drawn="any", min_dims=1, min_side=3),
    of("gradient", ((3, 4),), {"axis": 0}, {"axis": (1, 0)}, call=lambda f, x, **p: f(x, 0.5, **p)),
    of(
        "gradient",
        ((3, 4),),
        {},
        {"edge_order": 2},
        call=lambda f, x, **p: f(x, 0.5, 2.0, **p),
        jax=False,
    ),
    of(
        "gradient",
        ((5,),),
        {},
        {"edge_order": 2},
        call=lambda f, x, **p: f(x, X.astype(x.dtype), **p),
        jax=False,
    ),
    of(
        "gradient",
        (((2, 4), (4,)),),
        {"axis": 1},
        domain=((-2.0, 2.25), (0.5, 3.0)),
        call=lambda f, y, x, axis: f(y, np.cumsum(x), axis=axis),
        jax=False,
    ),
    of("trapezoid", ((5,), (3, 4)), {}, {"dx": 0.5}, {"axis": 0}, drawn="any", min_dims=1),
    of("trapezoid", (((3, 4), (4,)), ((3, 4), (3, 4)))),
    of("trapezoid", (((3, 4), (3,)),), {"axis": 0}),
    wide(
        "interp",
        ((2, 3), ()),
        call=lambda f, x: f(x, XP.astype(x.dtype), (XP**2).astype(x.dtype)),
        domain=(-1.1, 4.3),
    ),
    wide(
        "interp",
        (((6,), (4,)),),
        call=lambda f, x, y: f(x, XP.astype(x.dtype), y, left=-1.0, right=2.5),
        domain=((-1.1, 4.3), (-1.0, 2.0)),
    ),
    wide(
        "interp",
        (((6,), (4,), (4,)),),
        call=lambda f, x, d, y: f(x, np.cumsum(d), y),
        domain=((0.3, 4.3), (0.9, 1.2), (-1.0, 2.0)),
    ),
    wide(
        "interp",
        (((6,), (4,)),),
        call=lambda f, x, y: f(x, XP.astype(x.dtype), y, period=4.5),
        domain=((-5.2, 11.3), (-1.0, 2.0)),
    ),
    wide("interp", (((3,), (1,)),), call=lambda f, x, y: f(x, [0.0], y), jax=False),
    wide(
        "interp",
        (((3,), (4,), ()),),
        call=lambda f, x, y, period: f(x, XP.astype(x.dtype), y, period=period),
        domain=((-5.2, 11.3), (-1.0, 2.0), (-4.5, -4.25)),
    ),
    wide(
        "interp",
        (((6,), (), ()),),
        call=lambda f, x, a, b: f(x, XP.astype(x.dtype), (XP**2).astype(x.dtype), a, b),
        domain=((-1.1, 4.3), (-1.0, 2.0), (1.0, 3.0)),
        jax=False,
    ),
    of("polyval", (((4,), (2, 3)), ((1,), ()))),
    of("polyadd", (((4,), (2,)),)),
    of("polysub", (((2,), (4,)),)),
    of("polymul", (((3,), (2,)),), jax=False),
    wide("polyder", ((5,),), {}, {"m": 2}),
    wide("polyint", ((3,),), {}, {"m": 2}, {"m": 2, "k": [0.5, 1.0]}),
    of("poly", ((3,),)),
    of("roots", ((4,), (1,)), call=lambda f, x: f(np.poly(x)), jax=False),
    of("roots", ((3,),), call=lambda f, p: f(p * np.array([1, 1, 0], p.dtype)), jax=False),
    of("roots", ((4,),), call=lambda f, p: f(p + 1j * p[::-1]), jax=False, float32=False),
    wide(
        "polyfit",
        (((5,), (5,)), ((6,), (6, 2))),
        {"deg": 1},
        {"deg": 1, "cov": True},
        {"deg": 2, "cov": "unscaled"},
        jax=False,
    ),
    wide(
        "polyfit",
        (((5,), (5,)), ((6,), (6, 2))),
        call=lambda f, x, y: [(r := f(x, y, 2, full=True))[0], r[1], r[3]],
        jax=False,
    ),
    wide(
        "polyfit",
        (((5,), (5,), (5,)), ((5,), (5, 2), (5,))),
        {"deg": 2},
        {"deg": 1, "cov": True},
        call=lambda f, x, y, w, **p: f(x, y, w=w, **p),
        domain=((-2.0, 2.25), (-1.0, 3.0), (0.5, 2.0)),
        jax=False,
    ),
    wide("polyfit", ((5,),), call=lambda f, y: f(X, y, 3, 0.1, True)[::3], jax=False),
    wide("vander", ((4,),), {}, {"N": 3}, {"increasing": True, "N": 6}, complex=True),
)

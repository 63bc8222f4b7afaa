"""NumPy's functions of one or two numbers, at numbers away from kinks, cuts and poles."""

import warnings

import numpy as np

from .described import PAIRS, Described

MASK = np.array([[True, False, True], [False, True, True]])
UNIT, POSITIVE, ABOVE_1 = (-0.7, 0.6), (0.5, 3.0), (1.5, 3.0)
BETWEEN_STEPS = (1.15, 1.45)  # no number is rounded to another number than its neighbours


def described(names, **options):
    return [Described(name, **options) for name in names.split()]


def selected(f, *inputs, where=MASK):
    """Call a ufunc for some elements, with 0 in place of the others, which are undefined."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer versions of NumPy warn that they are undefined
        results = f(*inputs, where=where)
    several = isinstance(results, tuple)
    return [np.where(where, out, 0) for out in (results if several else (results,))]


def of_two(names, first=(-2.0, 2.25), second=(-1.0, 3.0), **options):
    options = {"shapes": PAIRS, "domain": (first, second), "drawn": "broadcast"} | options
    return [Described(name, **options) for name in names.split()]


def two_in_torch(names, **options):
    return [d for name in names.split() for d in of_two(name, torch=name, **options)]


def same_in_torch(names, **options):
    """Describe functions that torch has under the same name."""
    return [Described(name, torch=name, **options) for name in names.split()]


DESCRIBED = (
    *same_in_torch("exp exp2 expm1 sin cos sinh cosh tanh arcsinh arctan square", complex=True),
    *same_in_torch("log log2 log10 log1p sqrt reciprocal", domain=POSITIVE, complex=True),
    *same_in_torch("tan arcsin arccos arctanh", domain=UNIT, complex=True),
    *same_in_torch("arccosh", domain=ABOVE_1, complex=True),
    *same_in_torch("deg2rad rad2deg negative positive"),
    *described("degrees radians fabs"),
    *same_in_torch("absolute", complex=True),
    Described("cbrt", domain=POSITIVE),
    Described("sinc", torch="sinc"),
    Described("sinc", domain=(-9.0, 8.0), drawn=None),
    Described("sinc", shapes=((3,),), domain=(-1e-4, 2e-4), drawn=None),
    Described("i0", torch="i0"),
    Described("i0", domain=(-3.0, 12.0), drawn=None),
    Described("modf", domain=(1.2, 1.8)),
    Described("modf", domain=(-2.8, -2.2), drawn=None),
    # frexp is not differentiable in JAX.
    Described("frexp", domain=(1.1, 1.9), jax=False),
    *same_in_torch("sign floor ceil trunc round fix", domain=BETWEEN_STEPS),
    *described("rint around", domain=BETWEEN_STEPS),
    Described("round", domain=(1.16, 1.24), parameters=({"decimals": 1},), drawn=None),
    Described("angle", domain=BETWEEN_STEPS),
    # PyTorch has no derivative of floor_divide, and JAX none of spacing and nextafter.
    *of_two("floor_divide", first=(5.0, 6.0), second=(2.1, 2.4)),
    *described("spacing", domain=BETWEEN_STEPS, jax=False),
    *of_two("nextafter", first=BETWEEN_STEPS, second=(3.0, 4.0), jax=False),
    Described("nan_to_num", torch="nan_to_num"),
    Described(
        "nan_to_num",
        shapes=(((4,), (), (4,), (1,)),),
        call=lambda f, x, a, b, c: f(
            np.where(
                [True, False, False, False], x, np.array([0, np.nan, np.inf, -np.inf], x.dtype)
            ),
            nan=a,
            posinf=b,
            neginf=c,
        ),
        drawn=None,
        jax=False,
    ),
    Described(
        "unwrap",
        shapes=((4,), (2, 3)),
        domain=(-7.0, 7.0),
        parameters=({}, {"axis": 0}),
        min_dims=1,
    ),
    Described(
        "unwrap", shapes=((4,),), domain=(-3.0, 3.0), parameters=({"period": 2.5},), drawn=None
    ),
    Described(
        "unwrap",
        shapes=(((4,), ()), ((2, 3), ())),
        domain=((-7.0, 7.0), (2.5, 3.0)),
        call=lambda f, x, period: f(x, period=period),
        drawn=None,
        jax=False,
        float32=False,
    ),
    *of_two("add subtract multiply", complex=True),
    *of_two("divide", second=POSITIVE, torch="divide", complex=True),
    *of_two("power", first=(0.5, 2.0), second=(-2.0, 2.25), complex=True),
    *of_two("float_power", first=(0.5, 2.0), second=(-2.0, 2.25), complex=True, float32=False),
    *two_in_torch("hypot arctan2 logaddexp logaddexp2"),
    *two_in_torch("maximum minimum fmax fmin"),
    *two_in_torch("remainder fmod", first=(5.0, 6.0), second=(2.1, 2.4)),
    *of_two("remainder fmod", first=(-6.0, -5.0), second=(2.1, 2.4), drawn=None),
    *of_two("remainder fmod", first=(5.0, 6.0), second=(-2.4, -2.1), drawn=None),
    *of_two("divmod", first=(5.0, 6.0), second=(2.1, 2.4)),
    Described("copysign", call=lambda f, x: f(x, -1.5) * f(x, 2.0), domain=POSITIVE),
    Described(
        "copysign",
        call=lambda f, x: f(x, np.array([[1.0], [-0.0]], np.float32)),
        shapes=((2, 3),),
        drawn=None,
    ),
    Described("heaviside", call=lambda f, y: f(np.zeros(y.shape, y.dtype), y)),
    Described(
        "ldexp",
        parameters=({"exponent": 3}, {"exponent": -2}),
        call=lambda f, x, exponent: f(x, exponent),
    ),
    Described(
        "ldexp",
        shapes=((3,),),
        call=lambda f, x: f(x, np.array([[0], [2], [-1]])),
        drawn=None,
    ),
    Described("clip", parameters=({"min": -0.6}, {"max": 0.6}, {"min": -0.6, "max": 0.6})),
    Described(
        "clip",
        shapes=(((2, 3), (3,)),),
        domain=((-2.0, 2.25), (-0.3, 0.4)),
        parameters=({"max": 0.6},),
        call=lambda f, x, low, max: f(x, low, max),
        drawn=None,
    ),
    Described("conjugate", complex=True),
    Described("real", complex=True),
    Described("imag", shapes=(), complex=True, drawn=None),
    Described("angle", shapes=(), complex=True, drawn=None),
    Described("real_if_close", complex=True, jax=False),
    Described("sign", shapes=(), complex=True, drawn=None),
    Described(
        "where",
        shapes=(((2, 3), (3,)), ((3,), (2, 1)), ((), ())),
        call=lambda f, x, y: f([[True], [False]], x, y),
        drawn=None,
    ),
    # Options of ufuncs. NumPy does not define the elements that `where` excludes.
    *(
        Described(
            name,
            shapes=(shapes,),
            call=selected,
            domain=(-2.0, 2.5),
            drawn=None,
            jax=False,
        )
        for name, shapes in (
            ("exp", (2, 3)),
            ("multiply", ((2, 3), (3,))),
            ("divmod", ((2, 3), (2, 1))),
        )
    ),
    Described(
        "log",
        shapes=((2, 3),),
        call=lambda f, x: selected(f, x, where=x > 0),
        drawn=None,
        jax=False,
    ),
    Described(
        "power",
        shapes=((3,),),
        call=lambda f, x: selected(f, x, 3, where=[True, True, False]),
        drawn=None,
        jax=False,
    ),
    Described(
        "exp",
        parameters=({"dtype": "float64"}, {"casting": "unsafe", "order": "C"}),
        shapes=((3,),),
        drawn=None,
        jax=False,
        float32=False,
    ),
)

"""NumPy's reductions, cumulative sums and statistics, with all their options."""

import numpy as np

from tinytorch_core import Tensor

from .described import Described, call_directly

AXES = ({}, {"axis": 0}, {"axis": -1, "keepdims": True}, {"axis": (0, 1)})
SHAPES = ((3, 4), (2, 3, 2))
WHERE = np.array([[True], [False], [True]])
POSITIVE = (0.7, 1.4)


def described(names, **options):
    options = {"shapes": SHAPES, "parameters": AXES, "min_dims": 2} | options
    return [Described(name, **options) for name in names.split()]


def with_where(names, shapes=((3, 4),), drawn=None, **options):
    options = {"shapes": shapes, "drawn": drawn} | options
    return [Described(name, **options) for name in names.split()]


def with_nans(f, x, **parameters):
    """Call a function with constant NaNs on the diagonal of the first matrix of x."""
    mask = np.zeros(x.shape, bool)
    matrix = mask.reshape(-1, *x.shape[-2:])[0]
    matrix[np.eye(*matrix.shape, dtype=bool)] = True
    return f(np.where(mask, np.array(np.nan, x.dtype), x), **parameters)


def with_first_nan(f, x, *args, **parameters):
    """Call a function with a constant NaN as the first element of x."""
    first = np.arange(x.size).reshape(x.shape) == 0
    return f(np.where(first, np.array(np.nan, x.dtype), x), *args, **parameters)


def nans(names, **options):
    options = {
        "parameters": AXES[:3],
        "shapes": ((3, 4), (2, 3, 4)),
        "call": with_nans,
        "drawn": None,
    } | options
    return [Described(name, **options) for name in names.split()]


QUANTILES = (
    {"q": 0.4},
    {"q": np.array([0.0, 0.375, 1.0], np.float32), "axis": 0},
    {"q": np.array([[0.125, 0.5625]], np.float32), "axis": (0, 1), "keepdims": True},
    {"q": 0.35, "axis": -1, "keepdims": True},
)
ROWS = (QUANTILES[0], QUANTILES[1], QUANTILES[3])
METHODS = tuple(
    {"q": q, "axis": 0, "method": method}
    for method in ("lower", "higher", "midpoint", "nearest", "weibull", "hazen", "inverted_cdf")
    for q in (np.array([0.1875, 0.6875], np.float32),)
)
PERCENTILES = tuple(p | {"q": p["q"] * 100} for p in QUANTILES)


def cumulative(name):
    def theirs(torch, x, axis=None):
        return getattr(torch, name)(x.reshape(-1) if axis is None else x, axis or 0)

    return theirs


DESCRIBED = (
    *described("sum mean", complex=True),
    *described("prod", domain=POSITIVE, complex=True),
    *described("max min amax amin ptp"),
    *described("var std", parameters=(*AXES, {"axis": 1, "ddof": 1}), min_side=2),
    *with_where(
        "sum",
        parameters=(
            {"where": WHERE},
            {"where": WHERE, "axis": 0, "initial": 2.0},
            {"initial": 1.5, "axis": 1, "keepdims": True},
            {"where": np.zeros((3, 1), bool)},
        ),
    ),
    *with_where(
        "prod",
        domain=POSITIVE,
        parameters=({"where": WHERE}, {"where": WHERE, "axis": 0, "initial": 2.0}),
    ),
    *with_where(
        "max min",
        parameters=(
            {"where": WHERE, "initial": 0.1},
            {"where": WHERE, "initial": -0.1, "axis": 0},
            {"initial": 0.3, "axis": 1, "keepdims": True},
        ),
    ),
    *with_where(
        "mean", parameters=({"where": WHERE}, {"where": WHERE, "axis": 0, "keepdims": True})
    ),
    *with_where(
        "var std",
        parameters=(
            {"where": WHERE},
            {"where": WHERE, "axis": 0, "ddof": 1},
            {"correction": 1, "axis": 1},
        ),
    ),
    *with_where(
        "sum mean prod var std cumsum cumprod",
        parameters=({"dtype": np.float64},),
        jax=False,
        float32=False,
        domain=POSITIVE,
    ),
    *described(
        "cumsum",
        parameters=({}, {"axis": 0}, {"axis": -1}),
        min_dims=1,
        complex=True,
        torch=cumulative("cumsum"),
    ),
    *described(
        "cumprod",
        parameters=({}, {"axis": 0}, {"axis": -1}),
        min_dims=1,
        domain=POSITIVE,
        complex=True,
        torch=cumulative("cumprod"),
    ),
    Described("cumsum", shapes=((),), drawn=None),
    Described(
        "cumprod",
        shapes=((), (0, 3)),
        parameters=({}, {"axis": 0}),
        drawn=None,
        call=lambda f, x, axis=None: f(x, axis=axis if x.shape else None),
    ),
    Described(
        "cumprod",
        shapes=((2, 5),),
        parameters=({"axis": 1},),
        call=lambda f, x, axis: f(x * np.array([1, 0, 2, 0, 1], x.dtype), axis=axis),
        drawn=None,
    ),
    *with_where(
        "cumulative_sum cumulative_prod",
        shapes=((3, 4),),
        parameters=({"axis": 0}, {"axis": -1, "include_initial": True}),
        domain=POSITIVE,
        drawn="any",
        min_dims=1,
    ),
    *with_where(
        "cumulative_sum cumulative_prod", shapes=((4,),), parameters=({},), domain=POSITIVE
    ),
    *nans("nansum nanmean nanmax nanmin nanmedian"),
    *nans("nanprod", domain=POSITIVE),
    *nans(
        "nanvar nanstd",
        parameters=(*AXES[:3], {"axis": 0, "ddof": 0}),
        shapes=((4, 4), (3, 3, 4)),
        call=lambda f, x, **p: with_nans(f, x, **p) if p.get("axis") != 0 else f(x, **p),
    ),
    *nans(
        "nansum nanmean nanmax",
        parameters=({"where": WHERE, "initial": 0.0},),
        call=lambda f, x, where, initial: with_nans(
            f, x, where=where, **({} if f is np.nanmean else {"initial": initial})
        ),
        shapes=((3, 4),),
    ),
    *nans("nancumsum nancumprod", parameters=({}, {"axis": 0}, {"axis": 1}), domain=POSITIVE),
    *nans("nanquantile", parameters=ROWS + METHODS[:3]),
    *nans("nanpercentile", parameters=tuple(p | {"q": p["q"] * 100} for p in ROWS)),
    *described("median", min_dims=2),
    *described("quantile", parameters=QUANTILES + METHODS),
    *described("percentile", parameters=PERCENTILES),
    *(
        Described(
            name,
            shapes=(((3, 4), ()), ((3, 4), (2,)), ((4,), (2,))),
            domain=((-2.0, 2.25), (0.1 * unit, 0.9 * unit)),
            parameters=({"axis": -1}, {"axis": 0, "method": method}),
            call=call,
            drawn=None,
            jax=False,
            float32=False,
        )
        for name, unit, call, method in (
            ("quantile", 1, call_directly, "weibull"),
            ("quantile", 1, call_directly, "lower"),
            ("percentile", 100, call_directly, "hazen"),
            ("nanquantile", 1, with_first_nan, "median_unbiased"),
            ("nanpercentile", 100, with_first_nan, "interpolated_inverted_cdf"),
        )
    ),
    Described(
        "quantile",
        shapes=((2,),),
        domain=(0.1, 0.9),
        call=lambda f, q: f(Tensor([3.0, -1.0, 5.0, 7.5]), [q[0], q[1] * q[0]]),
        drawn=None,
        jax=False,
        float32=False,
    ),
    Described("average", shapes=SHAPES, parameters=AXES, min_dims=2),
    Described(
        "average",
        shapes=(((3, 4), (3, 4)),),
        domain=((-2.0, 2.25), (0.5, 2.0)),
        parameters=({}, {"axis": 0}, {"axis": 1, "returned": True}),
        call=lambda f, x, w, **p: f(x, weights=w, **p),
        drawn="same",
        min_dims=2,
    ),
    Described(
        "average",
        shapes=(((3, 4), (4,)),),
        domain=((-2.0, 2.25), (0.5, 2.0)),
        parameters=({"axis": 1},),
        call=lambda f, x, w, **p: f(x, weights=w, **p),
        drawn=None,
    ),
    Described(
        "cov",
        float32=False,
        shapes=((2, 4), (5,)),
        parameters=({}, {"bias": True}, {"ddof": 0}),
        torch=lambda torch, x, bias=False, ddof=1: torch.cov(x, correction=0 if bias else ddof),
        complex=True,
        min_dims=1,
        max_dims=2,
        min_side=2,
    ),
    Described(
        "cov",
        float32=False,
        shapes=((2, 4),),
        parameters=(
            {"fweights": [1, 2, 1, 3]},
            {"aweights": [0.5, 1.0, 2.0, 1.0]},
            {"fweights": [1, 2, 1, 3], "aweights": [0.5, 1.0, 2.0, 1.0], "ddof": 0},
        ),
        drawn=None,
    ),
    Described(
        "cov",
        float32=False,
        shapes=(((2, 4), (4,)),),
        domain=((-2.0, 2.25), (0.5, 2.0)),
        parameters=({}, {"ddof": 0}, {"fweights": [1, 2, 1, 3]}),
        call=lambda f, x, w, **p: f(x, aweights=w, **p),
        drawn=None,
    ),
    Described("cov", float32=False, shapes=((4, 2),), parameters=({"rowvar": False},), drawn=None),
    Described(
        "cov",
        float32=False,
        shapes=(((2, 4), (1, 4)), ((4,), (4,))),
        call=lambda f, x, y: f(x, y),
        drawn=None,
    ),
    Described(
        "corrcoef",
        float32=False,
        shapes=((3, 5),),
        parameters=({}, {"rowvar": False}),
        torch=lambda torch, x, rowvar=True: torch.corrcoef(x if rowvar else x.T),
        drawn=None,
    ),
    Described("corrcoef", float32=False, shapes=(((5,), (5,)),), drawn=None),
)

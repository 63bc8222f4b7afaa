"""NumPy functions that concatenate, split, sort and select, and that create arrays."""

import numpy as np

from tinytorch_core import Tensor

from .described import as_list
from .rearranging import any_shape, of

MATRIX, CUBE = ((3, 4),), ((2, 3, 4),)
SAMPLE = np.array([3.0, 0.0, 1.0, 1.0, 1.75])
SAME = (((2, 3), (2, 3)), ((2, 2), (2, 2)))


def swapped(f, x, first, **parameters):
    """Call a function whose first argument comes before the array."""
    return f(first, x, **parameters)


DESCRIBED = (
    # Concatenating and splitting.
    *(
        of(name, SAME, call=as_list)
        for name in (
            "concatenate",
            "concat",
            "stack",
            "vstack",
            "hstack",
            "dstack",
            "column_stack",
            "block",
        )
    ),
    *(
        of(name, (((3,), (3,)),), call=as_list)
        for name in ("vstack", "hstack", "dstack", "column_stack", "block")
    ),
    of("concatenate", (((2, 3), (2, 1)),), {"axis": 1}, {"axis": -1}, {"axis": None}, call=as_list),
    of("stack", SAME, {"axis": 1}, {"axis": -1}, call=as_list),
    of("column_stack", (((3, 2), (3,)),), call=as_list),
    of("block", (((2, 2), (2, 1), (1, 3)),), call=lambda f, a, b, c: f([[a, b], [c]])),
    *(
        of(name, SAME, {"dtype": "float64"}, call=as_list, jax=False, float32=False)
        for name in ("concatenate", "stack", "vstack", "hstack")
    ),
    of(
        "split",
        ((4, 3), (2,)),
        {"sections": 2},
        {"sections": [1]},
        call=lambda f, x, sections: f(x, sections),
    ),
    of(
        "split",
        ((3, 4),),
        {"sections": [1, 3], "axis": 1},
        {"sections": 2, "axis": -1},
        call=lambda f, x, sections, axis: f(x, sections, axis=axis),
    ),
    of("array_split", ((5, 3),), {"sections": 3}, call=lambda f, x, sections: f(x, sections)),
    *(
        of(
            name,
            ((2, 2, 2),),
            {"sections": 2},
            {"sections": [1]},
            call=lambda f, x, sections: f(x, sections),
        )
        for name in ("hsplit", "vsplit", "dsplit")
    ),
    of("hsplit", ((4,),), call=lambda f, x: f(x, 2)),
    of("unstack", CUBE, {}, {"axis": 1}, {"axis": -1}, drawn="any", min_dims=2),
    # Sorting.
    any_shape(
        "sort",
        min_dims=1,
        shapes=((3, 4), (0, 3)),
        torch=lambda torch, x: torch.sort(x).values,
    ),
    of("sort", ((4,),), complex=True),
    of("sort", MATRIX, {"axis": 0}, {"axis": None}),
    of("sort", ((2, 4),), call=lambda f, x: f(np.concatenate([x, x[:, :2], x], axis=1), axis=1)),
    of("partition", ((7,), (3, 5)), {"kth": 2}, {"kth": (1, 3)}, {"kth": 2, "axis": 0}),
    any_shape("sort_complex", min_dims=1, jax=False, shapes=((4,),), float32=False),
    of("unique", ((3, 2),), call=lambda f, x: f(np.concatenate([x, x * 2, x]))),
    of(
        "unique",
        ((3, 2),),
        {"return_inverse": True},
        {"return_index": True, "return_counts": True, "return_inverse": True},
        {"axis": 0},
        {"axis": -1, "return_inverse": True},
        call=lambda f, x, **p: f(np.concatenate([x, x * 2, x]), **p),
        jax=False,
    ),
    *(
        of(name, ((3,),), call=lambda f, x: f(np.concatenate([x, x * 2, x])), jax=False)
        for name in ("unique_all", "unique_counts", "unique_inverse")
    ),
    of("unique_values", ((3, 2),), call=lambda f, x: f(np.concatenate([x, x * 2, x]))),
    # Selecting.
    of(
        "take",
        MATRIX,
        {"indices": [0, 0, 2]},
        {"indices": [[1], [-1]], "axis": 0},
        {"indices": 1, "axis": -1},
        {"indices": [5, -7], "mode": "wrap"},
        {"indices": [1, 9], "axis": 1, "mode": "clip"},
    ),
    of(
        "take_along_axis",
        MATRIX,
        {"indices": np.array([[0, 2, 1, 0], [1, 1, 0, 2]]), "axis": 0},
        {"indices": np.array([[3, 0], [1, 1], [2, 2]]), "axis": 1},
    ),
    of(
        "compress",
        MATRIX,
        {"first": [True, False, True], "axis": 0},
        {"first": [False, True, True, False, True]},
        call=swapped,
    ),
    of("extract", ((2, 2),), {"first": [[True, False], [True, True]]}, call=swapped),
    of("choose", (((3,), (3,)),), call=lambda f, x, y: f([0, 1, 1], [x, y])),
    of("choose", (((2, 1), (3,)),), call=lambda f, x, y: f([0, 1, 1], [x, y])),
    of(
        "select",
        (((3,), (3,)),),
        call=lambda f, x, y: f(
            [np.array([True, False, False]), np.array([True, True, False])], [x, y], 0.5
        ),
    ),
    of(
        "piecewise",
        ((6,), (2, 3)),
        call=lambda f, x: f(x, [x < 0, x > 1], [lambda x: x * x, lambda x,: x**3, lambda x: -x]),
    ),
    of("piecewise", ((6,),), call=lambda f, x: f(x, x < 0, [0.5, np.exp]), jax=False),
    of(
        "apply_along_axis",
        ((3, 4), (2, 3, 2)),
        {"axis": 0},
        {"axis": 1},
        call=lambda f, x, axis: f(lambda row: row * row[0], axis, x),
    ),
    of(
        "apply_along_axis",
        ((3, 4),),
        {"axis": 0},
        {"axis": -1},
        call=lambda f, x, axis: f(lambda row: np.sum(row * row), axis, x),
    ),
    of(
        "apply_over_axes",
        CUBE,
        {"axes": (0, 2)},
        {"axes": 1},
        call=lambda f, x, axes: f(np.sum, x, axes),
    ),
    # Copies and new arrays.
    of("full_like", ((), (1, 3)), call=lambda f, x: f(Tensor(np.zeros((2, 3), x.dtype)), x)),
    of(
        "full_like",
        ((), (3,)),
        call=lambda f, v: f(Tensor(np.zeros(2, v.dtype)), v, shape=3),
        jax=False,
    ),
    of(
        "full",
        ((), (3,)),
        {"shape": (2, 3)},
        {"shape": 3},
        call=lambda f, v, shape: f(shape, v, v.dtype, like=v),
        jax=False,
    ),
    of(
        "arange",
        ((),),
        call=lambda f, x: f(0, 7.1 * x / x.data, x, like=x),
        jax=False,
        float32=False,
    ),
    of(
        "arange",
        (((), ()),),
        call=lambda f, x, d: f(x, 5.0, d, like=x),
        domain=((-2.0, 2.25), (0.4, 0.9)),
        jax=False,
        float32=False,
    ),
    of("arange", ((),), call=lambda f, x: f(x, like=x) + x, jax=False, float32=False),
    of("linspace", (((), ()),), {"num": 5}, {"num": 4, "endpoint": False}, float32=False),
    of(
        "linspace",
        (((3,), (2, 1)),),
        {"num": 3, "axis": -1},
        {"num": 3, "retstep": True},
        float32=False,
    ),
    of(
        "logspace",
        (((), ()),),
        {"num": 5},
        {"num": 3, "base": 2.0},
        domain=(-0.5, 0.5),
        float32=False,
    ),
    of(
        "geomspace",
        (((), ()),),
        {"num": 5},
        {"num": 4, "endpoint": False},
        domain=(0.5, 3.0),
        float32=False,
    ),
    of("geomspace", (((3,), (2, 1)),), {"num": 3, "axis": 1}, domain=(0.5, 3.0), float32=False),
    of(
        "bincount",
        ((5,),),
        {"minlength": 0},
        {"minlength": 6},
        call=lambda f, w, **p: f([3, 0, 1, 1, 3], w, **p),
        float32=False,
    ),
    of(
        "histogram",
        ((5,),),
        {"bins": 3},
        {"bins": [0.0, 0.5, 2.5, 3.0], "density": True},
        {"bins": 2, "range": (1.0, 2.0), "density": True},
        call=lambda f, w, **p: f(SAMPLE, weights=w, **p)[0],
        domain=(0.5, 2.0),
        jax=False,
        float32=False,
    ),
    of(
        "histogram2d",
        ((5,),),
        {"bins": 2},
        {"bins": [[0.0, 0.5, 4.0], [1.0, 2.0, 3.0]], "density": True},
        call=lambda f, w, **p: f(SAMPLE, SAMPLE[::-1] ** 2, weights=w, **p),
        domain=(0.5, 2.0),
        jax=False,
        float32=False,
    ),
    of(
        "histogramdd",
        ((5,),),
        {"bins": (2, 3)},
        {"bins": 3, "density": True},
        call=lambda f, w, **p: f([SAMPLE, SAMPLE**2], weights=w, **p)[0],
        domain=(0.5, 2.0),
        jax=False,
        float32=False,
    ),
    of("union1d", (((3,), (2, 2)),)),
    any_shape("copy"),
    any_shape(
        "astype",
        {"dtype": np.float64},
        call=lambda f, x, dtype: f(x, dtype),
        float32=False,
        jax=False,
    ),
    of("astype", ((3,),), call=lambda f, x: f(x, np.float64, copy=False), float32=False, jax=False),
)

"""NumPy functions that move elements: shapes, rearrangement, padding."""

import numpy as np

from .described import Described

MATRIX, CUBE = ((3, 4),), ((2, 3, 4),)
SAME = (((2, 3), (2, 3)), ((2, 2), (2, 2)))


def of(name, shapes, *parameters, **options):
    """Describe a function without random shapes."""
    return Described(name, shapes, parameters=parameters or ({},), **({"drawn": None} | options))


def any_shape(name, *parameters, **options):
    return Described(name, parameters=parameters or ({},), **options)


DESCRIBED = (
    # Shapes.
    any_shape(
        "reshape",
        {"shape": (-1,)},
        {"shape": (1, -1)},
        min_dims=1,
        complex=True,
        call=lambda f, x, shape: f(x, shape) if x.size else f(x, (0, *shape[:-1])),
    ),
    any_shape("ravel"),
    any_shape("ravel", {"order": "F"}, complex=True),
    of("reshape", CUBE, {"shape": (4, 6), "order": "F"}, jax=False),
    any_shape("transpose", complex=True),
    of("transpose", CUBE, {"axes": (1, 2, 0)}, {"axes": (-1, 0, 1)}),
    of("permute_dims", CUBE, {"axes": (1, 2, 0)}),
    of("swapaxes", CUBE, {"axis1": 0, "axis2": -1}, drawn="any", min_dims=1),
    of(
        "moveaxis",
        CUBE,
        {"source": 0, "destination": -1},
        {"source": 1, "destination": 0},
        drawn="any",
        min_dims=2,
    ),
    of("moveaxis", CUBE, {"source": (0, 2), "destination": (-1, 0)}),
    of("rollaxis", CUBE, {"axis": 2}, {"axis": 1, "start": 3}),
    of("squeeze", ((1, 3, 1), (1, 1), (2, 3))),
    of("squeeze", ((1, 3, 1),), {"axis": 0}, {"axis": (0, -1)}),
    any_shape("expand_dims", {"axis": 0}, {"axis": (0, -1)}, {"axis": -1}),
    any_shape("atleast_1d"),
    any_shape("atleast_2d"),
    any_shape("atleast_3d"),
    of("atleast_1d", (((), (2, 3)),), jax=True),
    of("atleast_2d", (((), (3,), (2, 2)),)),
    of("atleast_3d", (((), (3,), (2, 2)),)),
    of("broadcast_to", ((3, 1), (4,), ()), {"shape": (2, 3, 4)}),
    of("broadcast_arrays", (((3, 1), (1, 4)), ((), (2,)))),
    of("meshgrid", (((3,), (2,)), ((2,), (3,), (2,))), {}, {"indexing": "ij"}, {"sparse": True}),
    # Rearrangement.
    any_shape("flip", complex=True),
    any_shape("flip", {"axis": 0}, {"axis": (0, -1)}, {"axis": -2}, shapes=MATRIX, min_dims=2),
    of("fliplr", MATRIX, drawn="any", min_dims=2),
    of("flipud", MATRIX, drawn="any", min_dims=1),
    of("rot90", MATRIX, {}, {"k": 2}, {"k": -1}, {"axes": (1, 0)}, drawn="any", min_dims=2),
    any_shape("roll", {"shift": 1}, {"shift": -2}, shapes=((3, 4), (3,))),
    of("roll", MATRIX, {"shift": 2, "axis": 0}, {"shift": (1, -2), "axis": (0, 1)}),
    any_shape("tile", {"reps": 2}, {"reps": (2, 1, 3)}, complex=True),
    any_shape("repeat", {"repeats": 2}, min_dims=1),
    of(
        "repeat",
        MATRIX,
        {"repeats": 3, "axis": 0},
        {"repeats": [1, 0, 2], "axis": 0},
        {"repeats": [0, 1, 2, 1], "axis": -1},
    ),
    of("resize", MATRIX, {"new_shape": (2, 3)}, {"new_shape": (5, 5)}, {"new_shape": 3}),
    of("tril", MATRIX, {}, {"k": 1}, drawn="any", min_dims=2),
    of("triu", MATRIX, {}, {"k": -1}, drawn="any", min_dims=2),
    of("diag", ((3, 4), (3,)), {}, {"k": 1}, {"k": -1}),
    of("diagflat", ((2, 2), (3,)), {}, {"k": 1}),
    of(
        "diagonal",
        ((3, 4), (2, 3, 4)),
        {},
        {"offset": 1},
        {"axis1": 1, "axis2": 0},
        drawn="any",
        min_dims=2,
    ),
    of(
        "trace",
        ((3, 4), (2, 3, 4)),
        {},
        {"offset": 1},
        {"axis1": 1, "axis2": 0},
        drawn="any",
        min_dims=2,
    ),
    of("insert", (((5,), (2,)),), {"at": [1, 3]}, call=lambda f, x, y, at: f(x, at, y)),
    of("insert", (((3, 4), (4,)),), {"at": 1}, call=lambda f, x, y, at: f(x, at, y, axis=0)),
    of("insert", (((3, 4), ()),), {"at": 1}, call=lambda f, x, y, at: f(x, at, y, axis=1)),
    of("delete", ((5,), (3, 4)), {"obj": 1}, {"obj": [0, 2]}, {"obj": slice(1, 3), "axis": 0}),
    of("append", (((2, 3), (4,)),)),
    of("append", (((2, 3), (1, 3)),), {"axis": 0}),
    of(
        "trim_zeros",
        ((4,),),
        call=lambda f, x: f(np.concatenate([np.zeros(2, x.dtype), x, np.zeros(1, x.dtype)])),
        jax=False,
    ),
    # Padding.
    any_shape(
        "pad",
        {"pad_width": 1},
        {"pad_width": ((1, 2),), "mode": "edge"},
        {"pad_width": 2, "mode": "wrap"},
        min_dims=1,
        shapes=MATRIX,
    ),
    of(
        "pad",
        MATRIX,
        {"pad_width": 1, "constant_values": 0.5},
        {"pad_width": ((0, 1), (2, 0))},
        {"pad_width": ((0, 1), (2, 0)), "mode": "reflect"},
        {"pad_width": ((4, 1), (2, 0)), "mode": "symmetric"},
        {"pad_width": ((0, 1), (2, 3)), "mode": "mean"},
        {"pad_width": 1, "mode": "mean", "stat_length": 2},
        {"pad_width": 2, "mode": "maximum"},
        {"pad_width": ((1, 1), (0, 2)), "mode": "minimum", "stat_length": 3},
        {"pad_width": 1, "mode": "median"},
        {"pad_width": ((2, 1), (0, 3)), "mode": "linear_ramp", "end_values": ((1, 2), (0, 4))},
        {"pad_width": 3, "mode": "linear_ramp"},
    ),
    of(
        "pad",
        (((3,), ()),),
        {"pad_width": 2},
        call=lambda f, x, c, pad_width: f(x, pad_width, constant_values=c),
    ),
    of(
        "pad",
        (((2, 3), (), ()),),
        {"pad_width": 2},
        {"pad_width": ((0, 1), (3, 2))},
        call=lambda f, x, a, b, pad_width: f(x, pad_width, "linear_ramp", end_values=(a, b)),
        jax=False,
    ),
    of(
        "lib.stride_tricks.sliding_window_view",
        ((3, 4),),
        {"window_shape": 2, "axis": 0},
        {"window_shape": (2, 3)},
        {"window_shape": (2, 1, 2), "axis": (0, 0, 1)},
        jax=False,
    ),
    of("broadcast_to", ((1,), ()), {"shape": 3}),
)

"""Reductions over every kind of axis."""

import numpy as np

from .case import Case, spread

AXES = (None, 0, -1, (0, 2), (-1, 0), (1,))


def reductions():
    x = spread((2, 3, 4))
    for name in ("sum", "mean", "max", "min", "prod", "var", "std"):
        for axis in AXES:
            for keepdims in (False, True):
                options = {"axis": axis, "keepdims": keepdims}
                yield _reduction(name, x / 2 if name == "prod" else x, options)
        yield _reduction(name, np.array([[1.5, -0.5, 0.75]]), {"axis": 0})
    for name in ("sum", "mean", "max", "min", "prod"):
        yield _reduction(name, np.array(1.5), {})
        yield _reduction(name, np.array(1.5), {"keepdims": True})
    for name in ("var", "std"):
        for axis in AXES:
            yield _reduction(name, x, {"axis": axis, "ddof": 1})
        yield _reduction(name, x, {"axis": (0, 1), "ddof": 2, "keepdims": True})
    for zeros in (1, 2, 3):
        y = spread((3, 4), 0.5, 1.25)
        y.flat[[1, 6, 2][:zeros]] = 0
        for axis in (None, 0, 1, -1, (0, 1)):
            for keepdims in (False, True):
                case = _reduction("prod", y, {"axis": axis, "keepdims": keepdims})
                yield Case(
                    f"{case.name}, {zeros} of them 0", case.function, case.arrays, case.torch
                )
    yield Case("0-d prod of 0", lambda x: x.prod() ** 3 + x.prod(), (np.array(0.0),))
    yield _reduction("prod", np.zeros((2, 3, 2)), {"axis": (2, 0)})
    for shape, axis in (
        ((0, 3), 0),
        ((0, 3), 1),
        ((0, 3), None),
        ((0,), None),
        ((2, 0, 3), (0, 1)),
    ):
        for name in ("sum", "prod"):
            yield _reduction(name, np.zeros(shape), {"axis": axis})
    for name in ("mean", "max", "min", "var", "std"):
        yield _reduction(name, np.zeros((0, 3)), {"axis": 1})


def _reduction(name, x, options):
    def theirs(torch, x):
        return _torch_reduction(torch, name, x, **options) ** 3

    described = ", ".join(f"{key}={value}" for key, value in options.items())
    return Case(
        f"{name}({described}) of {x.shape}",
        lambda x: getattr(x, name)(**options) ** 3,
        (x,),
        theirs,
    )


def _torch_reduction(torch, name, x, axis=None, keepdims=False, ddof=0):
    axes = tuple(range(x.ndim)) if axis is None else axis
    axes = tuple(a % x.ndim for a in (axes if isinstance(axes, tuple) else (axes,)))
    if name in ("var", "std"):
        return getattr(torch, name)(x, axes, correction=ddof, keepdim=keepdims)
    if name == "prod":
        for a in sorted(axes, reverse=True):
            x = x.prod(a, keepdim=keepdims)
        return x
    return getattr(torch, {"max": "amax", "min": "amin"}.get(name, name))(x, axes, keepdim=keepdims)

"""Functions that concatenate arrays."""

import numpy as np

from .case import Case, spread


def concatenation():
    three = spread((2, 3)), spread((1, 3), -1, 3), spread((4, 3), -3, 1)
    same = spread((2, 3)), spread((2, 3), -1, 3)
    for name, arrays, axes in (
        ("concatenate", three, (0, -2)),
        ("concatenate", same, (1, -1)),
        ("stack", same, (0, 1, 2, -1)),
    ):
        for axis in axes:
            yield Case(f"np.{name}, axis={axis}", *_concatenated(name, arrays, axis))
    x = same[0]
    yield Case(
        "np.concatenate, axis=None", lambda *a: np.concatenate(a, axis=None) ** 3, same, None
    )
    yield Case("np.concatenate with an array", *_with_an_array(np.concatenate, x))
    yield Case("np.stack with an array", *_with_an_array(np.stack, x))
    yield Case("np.stack of 0-d", lambda x: np.stack([x, x * x]) ** 3, (np.array(1.5),), None)
    yield Case("np.concatenate, repeated", lambda x: np.concatenate([x, x]) ** 3, (x,), None)
    yield Case(
        "np.concatenate, empty",
        lambda x: np.concatenate([x, np.ones((1, 3), x.dtype)]) ** 3,
        (x[:0],),
        None,
    )


def _concatenated(name, arrays, axis):
    return (
        lambda *inputs: getattr(np, name)(list(inputs), axis=axis) ** 3,
        arrays,
        lambda torch, *inputs: getattr(torch, name)(list(inputs), axis) ** 3,
    )


def _with_an_array(function, x):
    constant = np.ones((2, 3), np.float32)
    return lambda x: function([constant, x]) ** 3, (x,), None

"""Functions that select one of several operands."""

import numpy as np

from .case import Case, cubed, spread


def choices():
    x = spread((3, 4))
    low, high = np.array([-1.0, -0.5, 0.0, 0.25]), np.array([[0.5], [1.0], [1.5]])
    yield Case("clip, min", lambda x: x.clip(min=-0.6) ** 3, (x,))
    yield Case("clip, max", lambda x: x.clip(max=0.6) ** 3, (x,))
    yield Case("clip, both", lambda x: x.clip(-0.6, 0.6) ** 3, (x,))
    yield Case("np.clip", lambda x: np.clip(x, -0.6, 0.6) ** 3, (x,), None)
    yield Case("clip, tensors", lambda x, low, high: x.clip(low, high) ** 3, (x, low, high))
    yield Case("clip, min a tensor", lambda x, low: x.clip(low) ** 3, (x, low))
    yield Case("clip, max a tensor", lambda x, high: x.clip(max=high) ** 3, (x, high))
    yield Case(
        "clip, bounds crossed",
        lambda x, low, high: x.clip(low, high) ** 3,
        (np.array([-1.0, 0.6, 2.0]), np.array([1.0, 1.25, 1.5]), np.array([0.0, 0.25, 0.75])),
    )
    for function in (np.maximum, np.minimum):
        name = function.__name__
        for a, b in (
            (spread((2, 3)), np.array([-0.1, 0.6, 1.0])),
            (np.array(0.3), spread((4,))),
            (np.array(0.3), np.array(0.7)),
        ):
            yield Case(f"np.{name} {a.shape} {b.shape}", cubed(function), (a, b), _cubed(name))
        for other in (0.25, [0.25, 0.5, -0.25], np.zeros((2, 1), np.float32)):
            yield Case(f"np.{name} with {type(other).__name__}", *_with_other(function, other))
    condition = np.array([[True, False, True], [False, False, True]])
    for mask, a, b in (
        (condition, spread((2, 3)), spread((2, 3), -1, 3)),
        (condition, spread((3,)), spread((2, 1), -1, 3)),
        (True, np.array(0.5), np.array(2.0)),
    ):
        yield Case(f"np.where {a.shape} {b.shape}", *_where(mask, a, b))
    y = (spread((3,)),)
    yield Case("np.where, number last", lambda x: np.where(condition, x, 0) ** 3, y, None)
    yield Case("np.where, number first", lambda x: np.where(condition, 1.5, x) ** 3, y, None)
    yield Case("np.where of a comparison", lambda x: np.where(x > 0, x * x, -x) * x, (x,), None)


def _cubed(name):
    return lambda torch, *inputs: getattr(torch, name)(*inputs) ** 3


def _with_other(function, other):
    return lambda x: function(x, other) * function(other, x), (spread((2, 3)),), None


def _where(mask, a, b):
    def theirs(torch, x, y):
        return torch.where(torch.as_tensor(mask), x, y) ** 3

    return lambda x, y: np.where(mask, x, y) ** 3, (a, b), theirs

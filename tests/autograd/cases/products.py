"""Matrix products of all shapes."""

import operator

import numpy as np

from .case import Case, cubed, spread, with_constant


def products_of_matrices():
    for a, b in (
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (3, 4)),
        ((2, 3), (3, 4)),
        ((5, 2, 3), (3,)),
        ((3,), (5, 3, 4)),
        ((5, 2, 3), (3, 4)),
        ((2, 3), (5, 3, 4)),
        ((5, 2, 3), (5, 3, 4)),
        ((1, 2, 3), (5, 3, 4)),
        ((5, 1, 2, 3), (4, 3, 2)),
        ((2, 1, 2, 3), (2, 4, 3, 2)),
        ((1, 3), (3, 1)),
        ((0, 3), (3, 2)),
        ((2, 0), (0, 3)),
        ((0,), (0,)),
        ((0, 2, 3), (3, 2)),
        ((0, 2, 3), (3,)),
        ((3,), (0, 3, 2)),
    ):
        arrays = (spread(a), spread(b, -1, 3))
        yield Case(f"matmul {a} {b}", cubed(operator.matmul), arrays)
    square = (spread((3, 3)),)
    yield Case("x @ x", lambda x: x @ x @ x, square)
    yield Case("x @ x.T", lambda x: x @ x.T, square)
    yield Case("x.matmul(y)", lambda x, y: x.matmul(y), (spread((2, 3)), spread((3, 2), -1, 3)))
    constant = spread((3, 2)).astype(np.float32)
    yield with_constant("matmul, array right", operator.matmul, spread((4, 3)), constant, True)
    yield with_constant("matmul, array left", operator.matmul, spread((2, 4)), constant, False)
    yield with_constant("matmul, list right", operator.matmul, spread((4, 3)), constant.tolist(), 1)

"""Indexing of every kind."""

import numpy as np

from tinytorch_core import Tensor

from tinytorch_autograd.rules.shapes import scatter_add

from .case import SAME, Case, spread

MASK = np.array([[True, False, True, False], [False] * 4, [True, True, False, True]])
# Name, index of an array of shape (3, 4), and whether torch supports it.
INDICES = (
    ("1", 1, True),
    ("-1", -1, True),
    ("np.int64", np.int64(2), True),
    ("2, 1", (2, 1), True),
    ("1:", slice(1, None), True),
    ("::2, 1:3", (slice(None, None, 2), slice(1, 3)), True),
    ("::-1", slice(None, None, -1), False),
    ("1::-1, ::-2", (slice(1, None, -1), slice(None, None, -2)), False),
    ("2:2", slice(2, 2), True),
    ("...", Ellipsis, True),
    ("..., 1", (Ellipsis, 1), True),
    ("1, ...", (1, Ellipsis), True),
    ("()", (), True),
    ("None", None, True),
    ("None, :, None", (None, slice(None), None), True),
    ("..., None", (Ellipsis, None), True),
    ("[0, 0, 2]", [0, 0, 2], True),
    ("[-1, 2, 0, 2]", np.array([-1, 2, 0, 2]), True),
    ("2-d array", np.array([[0, 1], [2, 0]]), True),
    ("empty array", np.array([], int), True),
    ("arrays, repeated", (np.array([0, 2, 0]), np.array([3, 1, 3])), True),
    ("arrays, broadcast", (np.array([[0], [0]]), np.array([1, 1, 2])), True),
    (":, array", (slice(None), np.array([1, 1, 0])), True),
    ("array, :", (np.array([1, 1, 0]), slice(1, 3)), True),
    ("array, int", (np.array([1, 1, 0]), 2), True),
    ("array, None, array", (np.array([1, 1]), None, np.array([2, 2])), True),
    ("None, array", (None, np.array([2, 2])), True),
    ("array, ::-1", (np.array([2, 2]), slice(None, None, -1)), False),
    ("mask", MASK, True),
    ("mask of rows", MASK[:, 0], True),
    ("mask of rows, as a list", MASK[:, 0].tolist(), True),
    ("mask of rows, 1", (MASK[:, 0], 1), True),
    ("mask of rows, array", (MASK[:, 0], np.array([3, 3])), True),
    (":, mask", (slice(None), MASK[0]), True),
    ("mask of nothing", np.zeros((3, 4), bool), True),
    ("True", True, True),
    ("Tensor", Tensor(np.array([2, 0, 2])), False),
    (":, Tensor", (slice(None), Tensor(np.array([1, 1]))), False),
    ("0-d Tensor", Tensor(np.array(1)), False),
    ("mask Tensor", Tensor(MASK), False),
)


def indices():
    x = (spread((3, 4)),)
    for name, index, in_torch in INDICES:
        yield Case(f"x[{name}]", _item(index), x, SAME if in_torch else None)
    y = (spread((2, 3, 4)),)
    separated = np.array([0, 1, 0])
    yield Case("x[array, :, array]", _item((separated, slice(None), separated)), y)
    yield Case("x[..., array, 0]", _item((Ellipsis, separated, 0)), y)
    yield Case("x[x > 0]", lambda x: x[x > 0] ** 3, x)
    yield Case("0-d x[()]", _item(()), (np.array(1.5),))
    yield Case("0-d x[None, None]", _item((None, None)), (np.array(1.5),))
    yield Case("items of an iteration", lambda x: sum(row * row * row for row in x), x)
    yield Case(
        "scatter_add",
        lambda x: scatter_add(x, np.array([1, 0, 1]), (2, 4)) ** 3,
        x,
        lambda torch, x: torch.zeros_like(x[:2]).index_add(0, torch.tensor([1, 0, 1]), x) ** 3,
    )


def _item(index):
    return lambda x: x[index] ** 3

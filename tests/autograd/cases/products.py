"""Products of matrices, vectors and tensors."""

import operator

import numpy as np

from .case import Case, cubed, spread, with_constant
from .described import Described, as_list


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


def two(name, *shapes, **options):
    options = {"complex": True, "drawn": None, "order": 3, **options}
    return Described(name, shapes, **options)


def matrix(name, *shapes, **options):
    return Described(name, shapes, complex=True, min_dims=2, order=3, **options)


def torch_dot(torch, x, y):
    return torch.tensordot(x, y, ([-1], [-min(y.ndim, 2)])) if x.ndim and y.ndim else x * y


def torch_tensordot(torch, x, y, axes=2):
    if not isinstance(axes, int):
        axes = [np.atleast_1d(one).tolist() for one in axes]
    return torch.tensordot(x, y, axes)


DESCRIBED = (
    # A list of tensors in place of an array.
    *(
        two(name, ((3,), (3,)), call=lambda f, x, y: f([x[0], x[1] * x[2], x[2]], y), jax=False)
        for name in ("dot", "inner", "vdot", "outer", "kron", "cross", "append")
    ),
    two(
        "einsum",
        ((2,), (2,)),
        call=lambda f, x, y: f("ij,j", [[x[0], x[1]], [x[1], x[0] * x[1]]], y),
        jax=False,
    ),
    two("matmul", ((2, 3), (3, 4)), ((3,), (3,)), ((5, 2, 3), (3,)), torch="matmul"),
    two(
        "dot",
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (3, 2)),
        ((2, 3), (3, 4)),
        ((4, 2, 3), (2, 3, 2)),
        ((), (2, 3)),
        ((2,), ()),
        ((0, 3), (3, 2)),
        torch=torch_dot,
    ),
    two(
        "inner",
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((2, 3), (4, 3)),
        ((2, 2, 3), (4, 3)),
        ((), (2, 3)),
        ((2, 0), (3, 0)),
        torch="inner",
    ),
    two(
        "outer",
        ((3,), (2,)),
        ((2, 3), (2, 2)),
        ((), (2,)),
        ((0,), (2,)),
        torch=lambda torch, x, y: torch.outer(x.ravel(), y.ravel()),
    ),
    two("linalg.outer", ((3,), (2,)), ((0,), (2,)), torch="outer", jax=False),
    two(
        "vdot",
        ((3,), (3,)),
        ((2, 3), (3, 2)),
        ((), ()),
        torch=lambda torch, x, y: torch.vdot(x.ravel(), y.ravel()),
    ),
    two(
        "vecdot",
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3, 1, 2), (4, 2)),
        ((0, 3), (3,)),
        ((2, 0), (0,)),
        torch="linalg.vecdot",
    ),
    two(
        "linalg.vecdot",
        ((3, 2), (3, 2)),
        ((2, 3, 2), (3, 1)),
        parameters=[{"axis": -2}],
        torch=lambda torch, x, y, axis: torch.linalg.vecdot(x, y, dim=axis),
        jax=False,
    ),
    two("linalg.matmul", ((2, 3), (3, 2)), ((4, 2, 3), (3,)), torch="matmul", jax=False),
    two(
        "tensordot",
        ((2, 3, 2), (3, 2, 4)),
        parameters=[
            {},
            {"axes": 2},
            {"axes": ((1, 0), (0, 1))},
            {"axes": ([1, -1], [-3, 1])},
            {"axes": (1, 0)},
            {"axes": 0},
        ],
        torch=torch_tensordot,
    ),
    two("linalg.tensordot", ((2, 3), (3, 2)), parameters=[{"axes": 1}], jax=False),
    two(
        "kron",
        ((2,), (3,)),
        ((2, 3), (2, 2)),
        ((2, 1, 2), (2, 3)),
        ((2,), (2, 2, 2)),
        ((), (2, 2)),
        ((0, 2), (2,)),
        torch="kron",
    ),
    two(
        "cross",
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((2, 1, 3), (4, 3)),
        ((0, 3), (3,)),
        torch=lambda torch, x, y: torch.linalg.cross(*torch.broadcast_tensors(x, y)),
    ),
    two(
        "cross",
        ((3, 2), (3, 2)),
        parameters=[{"axis": 0}, {"axisa": 0, "axisb": 0, "axisc": 1}],
    ),
    two("cross", ((3, 4), (2, 4, 3)), parameters=[{"axisa": 0, "axisc": 0}]),
    two("linalg.cross", ((2, 3), (2, 3)), torch="linalg.cross", jax=False),
    two("linalg.cross", ((3, 2), (4, 3, 2)), parameters=[{"axis": -2}], jax=False),
    *(
        two(
            name,
            ((4,), (3,)),
            ((2,), (5,)),
            ((3,), (3,)),
            ((1,), (4,)),
            parameters=[{"mode": mode} for mode in ("full", "same", "valid")],
        )
        for name in ("convolve", "correlate")
    ),
    matrix("linalg.trace", (3, 3), (2, 3), (2, 2, 3), parameters=[{}, {"offset": 1}], jax=False),
    matrix(
        "linalg.diagonal",
        (3, 3),
        (2, 3),
        (2, 2, 3),
        parameters=[{}, {"offset": 1}],
        torch=lambda torch, x, offset=0: torch.diagonal(x, offset, -2, -1),
        jax=False,
    ),
    matrix("linalg.matrix_transpose", (2, 3), (2, 2, 3), torch=lambda torch, x: x.mT, jax=False),
    matrix("matrix_transpose", (2, 3), torch=lambda torch, x: x.mT),
    *(
        Described(
            "linalg.multi_dot",
            (shapes,),
            call=as_list,
            torch="linalg.multi_dot",
            jax=False,
            complex=True,
            drawn=None,
        )
        for shapes in (
            ((2, 3), (3, 4)),
            ((2, 3), (3, 4), (4, 2)),
            ((3,), (3, 4), (4,)),
            ((3,), (3, 2)),
            ((2, 3), (3, 2), (2, 4), (4,)),
        )
    ),
    *(
        two(name, *shapes, jax=True)
        for name, shapes in (
            ("matvec", (((2, 3), (3,)), ((4, 2, 3), (3,)), ((2, 3), (4, 3)))),
            ("vecmat", (((2,), (2, 3)), ((4, 2), (2, 3)), ((2,), (4, 2, 3)))),
        )
        if hasattr(np, name)
    ),
)

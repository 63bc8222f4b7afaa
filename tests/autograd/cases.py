"""Every differentiable op, called in every way that a rule must get right.

A case is a function of tensors and the arrays to differentiate it at, which stay clear of kinks
and ties: `test_values.py` has those. Linear operations are cubed, so that their rules take part
in the higher derivatives too. Constants are exact in float32, and of that type, so that the same
case shows what becomes of float32.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_autograd.rules.shapes import scatter_add

SAME = object()


@dataclass(frozen=True)
class Case:
    """One call of an op.

    `torch` is what to compare with: SAME where torch's tensors understand the function as it is,
    the name of a function of torch, a function of (torch, *tensors), or None.
    """

    name: str
    function: Callable[..., Any]
    arrays: tuple[np.ndarray, ...]
    torch: Any = SAME


def spread(shape, low=-2.0, high=2.25):
    """Numbers between `low` and `high` in a mixed order, none equal, neighbours well apart."""
    size = int(np.prod(shape))
    values = np.linspace(low, high, size) if size > 1 else np.full(size, float(high))
    return np.random.default_rng(size).permutation(values).reshape(shape)


def cubed(function):
    return lambda *inputs: function(*inputs) ** 3


def cases():
    """All cases."""
    for group in (
        operators,
        other_operands,
        powers,
        products_of_matrices,
        elementwise,
        choices,
        reductions,
        shapes,
        indices,
        joins,
        through_numpy,
        compositions,
    ):
        yield from group()


# Per operator the domains of its operands. The quotients in `mod` lie between 2.08 and 2.86, and
# between -2.86 and -2.08: no rounding down is near.
DOMAINS = {
    "add": (operator.add, (-2, 2.25), (-1, 3)),
    "sub": (operator.sub, (-2, 2.25), (-1, 3)),
    "mul": (operator.mul, (-2, 2.25), (-1, 3)),
    "div": (operator.truediv, (-2, 2.25), (0.5, 2)),
    "div by negatives": (operator.truediv, (-2, 2.25), (-2, -0.5)),
    "pow": (operator.pow, (0.5, 2), (-2, 2.25)),
    "mod": (operator.mod, (5, 6), (2.1, 2.4)),
    "mod of negatives": (operator.mod, (-6, -5), (2.1, 2.4)),
    "mod by negatives": (operator.mod, (5, 6), (-2.4, -2.1)),
}
BROADCASTS = (
    ((2, 3), (2, 3)),
    ((3, 4), (4,)),
    ((4,), (3, 4)),
    ((3, 1), (1, 4)),
    ((), (3,)),
    ((3,), ()),
    ((), ()),
    ((1,), ()),
    ((1, 1), (3,)),
    ((0, 3), (3,)),
    ((1, 3), (0, 3)),
)


def operators():
    for name, (function, first, second) in DOMAINS.items():
        for a, b in BROADCASTS:
            yield Case(f"{name} {a} {b}", function, (spread(a, *first), spread(b, *second)))
        if first[0] > 0:
            yield Case(f"{name}, a tensor twice", _twice(function), (spread((3,), 0.5, 2),))
    x = (spread((2, 3)),)
    yield Case("neg", lambda x: (-x) ** 3, x)
    yield Case("pos", lambda x: (+x) ** 3, x)
    yield Case("abs", lambda x: abs(x) ** 3, x)
    yield Case("x.abs()", lambda x: x.abs() ** 3, x)


def _twice(function):
    return lambda x: function(x + 0.2, x) * x


def other_operands():
    for name in ("add", "sub", "mul", "div", "pow", "mod"):
        function, (low, _), (other_low, _) = DOMAINS[name]
        low, other_low = (abs(v) + 0.25 for v in (low, other_low))
        array = np.array([low, low + 0.125, low + 0.375], np.float32)
        other = np.array([other_low, other_low + 0.125, other_low], np.float32)
        if name == "mod":
            array, other = np.full_like(array, 5.5), np.full_like(other, 2.25)
        for kind, convert in {
            "float": lambda values: float(values[0]),
            "int": lambda values: int(np.ceil(values[0])),
            "list": lambda values: values.tolist(),
            "tuple": lambda values: tuple(values.tolist()),
            "array": lambda values: values,
            "column": lambda values: values[:, None],
            "scalar": lambda values: values[0],
            "0-d array": lambda values: values[0].reshape(()),
        }.items():
            x, y = array.astype(np.float64), other.astype(np.float64)
            yield _with_constant(f"{name}, {kind} right", function, x, convert(other), True)
            yield _with_constant(f"{name}, {kind} left", function, y, convert(array), False)


def _with_constant(name, function, x, constant, right):
    def ours(x):
        return function(x, constant) if right else function(constant, x)

    def theirs(torch, x):
        other = torch.from_numpy(np.array(constant, np.float64))
        return function(x, other) if right else function(other, x)

    return Case(name, ours, (x,), theirs)


def powers():
    positive, anything = spread((2, 3), 0.5, 2), spread((2, 3))
    with_zero = np.array([-1.5, 0.0, 2.0])
    for exponent in (2, 3, -1, 0, 1, 0.5, -0.5, 2.5, 2.0):
        x = positive if exponent % 1 else anything
        yield Case(f"x ** {exponent}", _power(exponent), (x,))
        if exponent >= 0 and not exponent % 1:
            yield Case(f"x ** {exponent} around 0", _power(exponent), (with_zero,))
    whole = np.array([2, 3, -1], np.float32)
    yield _with_constant(
        "negative ** array", operator.pow, np.array([-1.5, -2.0, -0.5]), whole, True
    )
    # torch takes the mixed derivative at the exponent 0 for 0. It is 1/x.
    yield Case(
        "pow, the exponent 0 tracked",
        operator.pow,
        (np.array([0.5, 1.5, 2.0]), np.array([0.0, 0.0, 1.0])),
        None,
    )
    for base in (2, 2.0, 0.5):
        yield Case(f"{base} ** x", _exponential(base), (anything,))


def _power(exponent):
    return lambda x: x**exponent


def _exponential(base):
    return lambda x: base**x


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
    yield _with_constant("matmul, array right", operator.matmul, spread((4, 3)), constant, True)
    yield _with_constant("matmul, array left", operator.matmul, spread((2, 4)), constant, False)
    yield _with_constant(
        "matmul, list right", operator.matmul, spread((4, 3)), constant.tolist(), 1
    )


# Per function, named as in torch, the domain.
FUNCTIONS = {
    "exp": (np.exp, (-2, 2)),
    "log": (np.log, (0.5, 3)),
    "sqrt": (np.sqrt, (0.5, 3)),
    "exp2": (np.exp2, (-2, 2)),
    "expm1": (np.expm1, (-2, 2)),
    "log2": (np.log2, (0.5, 3)),
    "log10": (np.log10, (0.5, 3)),
    "log1p": (np.log1p, (-0.5, 3)),
    "square": (np.square, (-2, 2)),
    "reciprocal": (np.reciprocal, (0.5, 2)),
    "sin": (np.sin, (-3, 3)),
    "cos": (np.cos, (-3, 3)),
    "tan": (np.tan, (-1, 1)),
    "arcsin": (np.arcsin, (-0.7, 0.6)),
    "arccos": (np.arccos, (-0.7, 0.6)),
    "arctan": (np.arctan, (-2, 2)),
    "sinh": (np.sinh, (-2, 2)),
    "cosh": (np.cosh, (-2, 2)),
    "tanh": (np.tanh, (-2, 2)),
    "arcsinh": (np.arcsinh, (-2, 2)),
    "arccosh": (np.arccosh, (1.5, 3)),
    "arctanh": (np.arctanh, (-0.7, 0.6)),
    "absolute": (np.abs, (0.5, 2)),
}


def elementwise():
    for name, (function, domain) in FUNCTIONS.items():
        for shape in ((2, 3), (), (0, 3)):
            yield Case(f"np.{name} {shape}", function, (spread(shape, *domain),), name)
    x = (spread((2, 3), 0.5, 2),)
    for name in ("exp", "log", "sqrt"):
        yield Case(f"x.{name}()", operator.methodcaller(name), x)
    pair = (spread((2, 3)), spread((3,), -1, 3))
    yield Case("np.logaddexp", np.logaddexp, pair, "logaddexp")


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


def shapes():
    x = (spread((2, 3, 4)),)
    for name, function, theirs in (
        ("reshape(6, -1)", lambda x: x.reshape(6, -1), SAME),
        ("reshape((4, 6))", lambda x: x.reshape((4, 6)), SAME),
        ("reshape(-1)", lambda x: x.reshape(-1), SAME),
        ("permute(2, 0, 1)", lambda x: x.permute(2, 0, 1), SAME),
        ("permute((-1, 0, -2))", lambda x: x.permute((-1, 0, -2)), SAME),
        ("transpose()", lambda x: x.transpose(), lambda torch, x: x.mT),
        ("transpose(0, -1)", lambda x: x.transpose(0, -1), SAME),
        ("T", lambda x: x.T, lambda torch, x: x.permute(2, 1, 0)),
        ("mT", lambda x: x.mT, SAME),
        ("copy()", lambda x: x.copy(), lambda torch, x: x.clone()),
        ("astype", lambda x: x.astype(x.dtype), lambda torch, x: x),
        ("np.reshape", lambda x: np.reshape(x, (3, 8)), lambda torch, x: x.reshape(3, 8)),
        ("np.transpose", lambda x: np.transpose(x, (1, 2, 0)), lambda torch, x: x.permute(1, 2, 0)),
        ("np.swapaxes", lambda x: np.swapaxes(x, 0, 1), lambda torch, x: x.swapaxes(0, 1)),
        ("np.ravel", np.ravel, lambda torch, x: x.ravel()),
        ("np.squeeze", lambda x: np.squeeze(x[:1]), lambda torch, x: x[:1].squeeze()),
        ("np.squeeze axis", lambda x: np.squeeze(x[:, :1], 1), lambda torch, x: x[:, 0]),
        ("np.expand_dims", lambda x: np.expand_dims(x, 1), lambda torch, x: x[:, None]),
        (
            "np.expand_dims axes",
            lambda x: np.expand_dims(x, (0, -1)),
            lambda t, x: x[None, ..., None],
        ),
        (
            "np.broadcast_to",
            lambda x: np.broadcast_to(x[:, :1], (5, 2, 3, 4)) * x,
            lambda torch, x: torch.broadcast_to(x[:, :1], (5, 2, 3, 4)) * x,
        ),
    ):
        yield Case(name, cubed(function), x, _cubed_if_other(theirs))
    scalar, empty = (np.array(1.5),), (np.zeros((0, 3)),)
    yield Case("0-d reshape(1, 1)", lambda x: x.reshape(1, 1) ** 3, scalar)
    yield Case("0-d reshape(())", lambda x: x.reshape(1).reshape(()) ** 3, scalar)
    yield Case("0-d T", lambda x: x.T**3, scalar, lambda torch, x: x**3)
    yield Case("0-d np.broadcast_to", lambda x: np.broadcast_to(x, (2, 3)) ** 3, scalar, None)
    yield Case("empty reshape(3, 0)", lambda x: x.reshape(3, 0) ** 3, empty)
    yield Case("empty T", lambda x: x.T**3, empty)


def _cubed_if_other(theirs):
    return theirs if theirs is SAME else lambda torch, x: theirs(torch, x) ** 3


MASK = np.array([[True, False, True, False], [False] * 4, [True, True, False, True]])
# Name, index of an array of shape (3, 4), and whether torch understands it.
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
    apart = np.array([0, 1, 0])
    yield Case("x[array, :, array]", _item((apart, slice(None), apart)), y)
    yield Case("x[..., array, 0]", _item((Ellipsis, apart, 0)), y)
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


def joins():
    three = spread((2, 3)), spread((1, 3), -1, 3), spread((4, 3), -3, 1)
    same = spread((2, 3)), spread((2, 3), -1, 3)
    for name, arrays, axes in (
        ("concatenate", three, (0, -2)),
        ("concatenate", same, (1, -1)),
        ("stack", same, (0, 1, 2, -1)),
    ):
        for axis in axes:
            yield Case(f"np.{name}, axis={axis}", *_joined(name, arrays, axis))
    x = same[0]
    yield Case(
        "np.concatenate, axis=None", lambda *a: np.concatenate(a, axis=None) ** 3, same, None
    )
    yield Case("np.concatenate with an array", *_joined_to_array(np.concatenate, x))
    yield Case("np.stack with an array", *_joined_to_array(np.stack, x))
    yield Case("np.stack of 0-d", lambda x: np.stack([x, x * x]) ** 3, (np.array(1.5),), None)
    yield Case("np.concatenate, one twice", lambda x: np.concatenate([x, x]) ** 3, (x,), None)
    yield Case(
        "np.concatenate, empty",
        lambda x: np.concatenate([x, np.ones((1, 3), x.dtype)]) ** 3,
        (x[:0],),
        None,
    )


def _joined(name, arrays, axis):
    return (
        lambda *inputs: getattr(np, name)(list(inputs), axis=axis) ** 3,
        arrays,
        lambda torch, *inputs: getattr(torch, name)(list(inputs), axis) ** 3,
    )


def _joined_to_array(function, x):
    constant = np.ones((2, 3), np.float32)
    return lambda x: function([constant, x]) ** 3, (x,), None


def through_numpy():
    """NumPy's functions where a method or an operator does the same."""
    x, y = spread((2, 3), 0.5, 2), spread((3,), 1, 3)
    for name in ("add", "subtract", "multiply", "true_divide", "divide", "power"):
        yield Case(f"np.{name}", getattr(np, name), (x, y), None)
    yield Case("np.remainder", np.remainder, (np.array([5.0, 6.0]), np.array([2.2, -2.3])), None)
    yield Case("np.mod", np.mod, (np.array([5.0, 6.0]), np.array([2.2, -2.3])), None)
    yield Case("np.matmul", np.matmul, (x, y), None)
    for name in ("negative", "positive", "copy"):
        yield Case(f"np.{name}", cubed(getattr(np, name)), (x,), None)
    for name in ("sum", "mean", "prod", "max", "min", "var", "std", "amax", "amin"):
        function = getattr(np, name)
        yield Case(f"np.{name}", cubed(_along(function, axis=0)), (x,), None)
        yield Case(
            f"np.{name}, keepdims", cubed(_along(function, axis=-1, keepdims=True)), (x,), None
        )
    yield Case("np.where, all tensors", lambda x: np.where(x > 1, x, x * x) ** 3, (x,), None)


def _along(function, **options):
    return lambda x: function(x, **options)


def compositions():
    """Several ops together, tensors used more than once."""
    x = (spread((2, 3)),)

    def softmax(x):
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)

    def normalized(x):
        return (x - x.mean(axis=-1, keepdims=True)) / (x.var(axis=-1, keepdims=True) + 0.1).sqrt()

    yield Case("softmax", softmax, x, lambda torch, x: torch.softmax(x, -1))
    yield Case("normalized", normalized, x, _normalized)
    yield Case("polynomial", lambda x: x**3 - 2 * x * x + x / 2 - 1, x)
    yield Case("shared", lambda x: (h := x * x) * h + h.sum() * x, x)
    yield Case("norm", lambda x: (x * x).sum(axis=1).sqrt(), x)
    yield Case(
        "two layers", _two_layers, (spread((4, 3)), spread((3, 5)), spread((5,)), spread((5, 2)))
    )


def _normalized(torch, x):
    # Not torch's layer_norm, whose third derivative disagrees with torch's own basic functions.
    spread = x.var(-1, keepdim=True, correction=0)
    return (x - x.mean(-1, keepdim=True)) / (spread + 0.1).sqrt()


def _two_layers(x, w1, b1, w2):
    h = x @ w1 + b1
    return (h / (1 + h * h)) @ w2


CASES = tuple(cases())

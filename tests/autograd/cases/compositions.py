"""Compositions of several ops, and NumPy functions and methods that run the same ops."""

from operator import methodcaller

import numpy as np

from .case import SAME, Case, cubed, spread


def through_numpy():
    """Yield calls of NumPy functions for which there are also methods or operators."""
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


def methods():
    """Yield calls of methods; `test_numpy_functions.py` has the functions of the same names."""
    x = (spread((3, 3)),)
    for name, arguments, in_torch in (
        ("cumsum", (0,), True),
        ("cumprod", (1,), True),
        ("diagonal", (), True),
        ("dot", (np.ones((3, 2), np.float32),), False),
        ("flatten", (), True),
        ("ravel", (), True),
        ("repeat", (2, 1), False),
        ("squeeze", (), True),
        ("swapaxes", (0, 1), True),
        ("take", ([0, 0, 2], 1), False),
        ("trace", (), True),
    ):
        call = cubed(methodcaller(name, *arguments))
        yield Case(f"x.{name}", call, x, SAME if in_torch else None)
    for name, options in (
        ("sum", {"initial": 2.0}),
        ("prod", {"initial": 2.0, "axis": 0}),
        ("max", {"initial": 0.1, "axis": 0}),
        ("min", {"initial": 0.1, "where": np.array([True, False, True])}),
    ):
        yield Case(f"x.{name}({', '.join(options)})", cubed(methodcaller(name, **options)), x, None)
    yield Case("x.flat", lambda x: x.flat[[0, 3, 3]] ** 3, x, None)
    yield Case("round(x)", lambda x: (x - round(x)) ** 3, x, None)
    pair = (np.array([5.0, 6.0]), np.array([2.2, -2.3]))
    yield Case("divmod(x, y)", lambda x, y: divmod(x, y)[1] ** 3, pair, None)
    yield Case("divmod(7, x)", lambda x: sum(divmod(7.0, x)) ** 3, pair[1:], None)


def _along(function, **options):
    return lambda x: function(x, **options)


def compositions():
    """Yield compositions of several ops, with tensors that are used more than once."""
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
    # The third derivative of torch's layer_norm disagrees with that of torch's basic functions.
    spread = x.var(-1, keepdim=True, correction=0)
    return (x - x.mean(-1, keepdim=True)) / (spread + 0.1).sqrt()


def _two_layers(x, w1, b1, w2):
    h = x @ w1 + b1
    return (h / (1 + h * h)) @ w2

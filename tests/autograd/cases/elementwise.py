"""Elementwise functions."""

import operator

import numpy as np

from .case import Case, spread

# The domain of each function; torch has them under the same names.
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
    for name in ("exp", "log", "sqrt", "tanh"):
        yield Case(f"x.{name}()", operator.methodcaller(name), x)
    for name, part in (("x.conj()", np.conj), ("x.real", np.real), ("x.imag", np.imag)):
        yield Case(f"{name} of real numbers", _cubed_plus_x(part), x, None)
    pair = (spread((2, 3)), spread((3,), -1, 3))
    yield Case("np.logaddexp", np.logaddexp, pair, "logaddexp")


def _cubed_plus_x(part):
    return lambda x: part(x) ** 3 + x

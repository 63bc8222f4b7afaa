"""Operators, with tensors, arrays and numbers as the other operand."""

import operator

import numpy as np

from .case import Case, spread, with_constant

# The domains of the operands of each operator. Those of `mod` keep the quotients away from whole
# numbers: between 2.08 and 2.86, and between -2.86 and -2.08.
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
            yield with_constant(f"{name}, {kind} right", function, x, convert(other), True)
            yield with_constant(f"{name}, {kind} left", function, y, convert(array), False)


def powers():
    positive, anything = spread((2, 3), 0.5, 2), spread((2, 3))
    with_zero = np.array([-1.5, 0.0, 2.0])
    for exponent in (2, 3, -1, 0, 1, 0.5, -0.5, 2.5, 2.0):
        x = positive if exponent % 1 else anything
        yield Case(f"x ** {exponent}", _power(exponent), (x,))
        if exponent >= 0 and not exponent % 1:
            yield Case(f"x ** {exponent} around 0", _power(exponent), (with_zero,))
    whole = np.array([2, 3, -1], np.float32)
    yield with_constant(
        "negative ** array", operator.pow, np.array([-1.5, -2.0, -0.5]), whole, True
    )
    # The mixed derivative at the exponent 0 is 1/x; torch returns 0.
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

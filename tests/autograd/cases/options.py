"""Random calls of NumPy functions: arrays of any shape and any values of the options.

`PARAMETERS` tells how to draw a value by the name of a parameter, such as `axis`. `DIFFERENT` lists
the parameters that mean something else in some functions. Many calls are wrong, because the tests
compare errors too.
"""

import math
import random
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinytorch_core.extend import signature_of

from .einsum import SUBSCRIPTS

# The arrays of a call have shapes of one group, so that the shapes often agree.
SHAPES = (
    ((),),
    ((3,), (), (1,)),
    ((3,), (2,), (4,)),
    ((2, 3), (3,), (2, 1), ()),
    ((2, 3), (3, 2), (3,)),
    ((3, 3), (3,), (3, 2)),
    ((2, 2),),
    ((2, 2, 2), (2, 2), (2,)),
    ((1, 2, 3), (4, 2, 3), (3,)),
    ((0,), (3,), ()),
    ((0, 3), (3, 0), (1, 3)),
    ((0, 0), (0,)),
)
NUMBERS = (0.0, 1.0, -1.0, 0.5, 2.0, -2.5, 3.0, 1.25, -0.75, 0.3)
NOT_FINITE = (*NUMBERS, math.nan, math.inf, -math.inf)
FLOATS = (np.float64, np.float64, np.float32)
DTYPES = (*FLOATS, np.complex128)


@dataclass(frozen=True)
class Input:
    """An array that is passed as a tensor."""

    array: Any


def words(text):
    return text.split()


def by_name(names, value):
    return dict.fromkeys(words(names), value)


# What follows are functions of a random number generator and a group of shapes, which return the
# value of one parameter, and functions that return such functions.


def of(*values):
    """Return a function that draws one of some values."""
    return lambda rng, shapes: rng.choice(values)


def either(*draws):
    return lambda rng, shapes: rng.choice(draws)(rng, shapes)


def numbers(rng, shape, dtype, values):
    """Return an array of numbers drawn from `values`."""
    return np.array([rng.choice(values) for _ in range(math.prod(shape))], dtype).reshape(shape)


def array_of(dtypes, shapes=None):
    """Return a function that draws an array, which may be an Input, of given or any shapes."""
    given = shapes

    def draw(rng, shapes):
        dtype = rng.choice(dtypes)
        values = NOT_FINITE if dtype in FLOATS and rng.random() < 0.25 else NUMBERS
        array = numbers(rng, rng.choice(given or shapes), dtype, values)
        return Input(array) if rng.random() < 0.5 else array

    return draw


array = array_of(DTYPES)


def array_or_none(rng, shapes):
    return None if rng.random() < 0.3 else array(rng, shapes)


def tensor(rng, shapes):
    drawn = array(rng, shapes)
    return drawn if isinstance(drawn, Input) else Input(drawn)


def several_of(draw, most=3):
    return lambda rng, shapes: [draw(rng, shapes) for _ in range(rng.randint(1, most))]


several = several_of(array)


def constant(dtype):
    """Return a function that draws an array of whole numbers or truth values."""
    values = (False, True) if dtype is bool else (0, 1, 2, -1)
    return lambda rng, shapes: numbers(rng, rng.choice(shapes), dtype, values)


def increasing(rng, shapes):
    """Return an Input of three increasing numbers."""
    return Input(np.cumsum(numbers(rng, (3,), rng.choice(FLOATS), (0.5, 1.0, 2.0))))


METHODS = words("""
    inverted_cdf averaged_inverted_cdf closest_observation interpolated_inverted_cdf hazen weibull
    linear median_unbiased normal_unbiased lower higher midpoint nearest wrong
""")
BOOL = of(True, False)
SMALL = of(*range(-3, 5))
NUMBER = of(0.0, 1.0, 0.5, -2.0, 3)
NUMBER_OR_NONE = of(None, 0.0, 1.0, 0.5, -2.0, 3)
ONE_AXIS = of(0, 0, 0, -1, -1, 1, -2, 3)
AXIS = of(None, 0, 0, -1, -1, 1, -2, 2, (0,), (0, 1), (-1, 0), (), (0, 0), 5)
PAIR_OF_AXES = of((0, 1), (1, 0), (-1, 0), (-2, -1), (0, 0), (0,), (0, 1, 2), (0, 5))
AXES = of(None, 0, 1, -1, (0, 1), (1, 0), (-1, 0), (-2, -1), (0, 0), (0,), (0, 1, 2), (0, 5))
DTYPE = of(None, np.float64, np.float32, np.complex128, int)
INDICES = of(0, -1, 1, [0, 1], [0, 0], [[1], [0]], [], 5)
NORM = of(None, 1, 2, 3, 0.5, -1, -2, 0, math.inf, -math.inf, "fro", "nuc", "wrong")
WIDTHS = of(0, 1, 2, (1, 2), ((1, 0),), ((1, 0), (0, 2)), ((5, 4),), -1)
NUMBERS_OF_SIDES = of(0, 1.5, (1, 2), ((1, 2), (3, 4)))
SECTIONS = of(1, 2, 3, [1], [1, 2], [0, 5], [2, 1], [-1], 0)
QUANTILES = of(0.0, 0.3, 0.5, 1.0, [0.25, 0.75], np.array([[0.1], [0.9]]), 1.5)
SHAPE = of(-1, (3, 2), (-1, 1), (6,), (2, -1), (), (0, -1), (2, 2, 3), 3, (4, 2, 3))

PARAMETERS = {
    **by_name(
        "prepend append x x1 x2 a a1 a2 b arr ary array A f v y z m p val values ar ar1 ar2"
        " filt seq_of_zeros"
        " start stop xp fp fill_value A B",
        array,
    ),
    **by_name("arrays tup", several),
    **by_name("weights to_begin to_end", array_or_none),
    **by_name(
        "keepdims deg rowvar bias include_initial copy endpoint retstep sparse stable equal_nan"
        " increasing upper hermitian full_matrices compute_uv returned",
        BOOL,
    ),
    **by_name("axisa axisb axisc axis1 axis2", ONE_AXIS),
    **by_name("offset k n N ind minlength num", SMALL),
    **by_name("a_min a_max left right posinf neginf discont", NUMBER_OR_NONE),
    **by_name("constant_values end_values", NUMBERS_OF_SIDES),
    "axis": AXIS,
    "axes": AXES,
    "source": AXES,
    "destination": AXES,
    "dtype": DTYPE,
    "initial": NUMBER,
    "nan": NUMBER,
    "dx": NUMBER,
    "where": either(of(True, False), constant(bool)),
    "ddof": of(0, 1, 2, 0.5),
    "correction": of(0, 1, 0.5),
    "order": of("C", "F", "A", "K"),
    "casting": of("same_kind", "unsafe", "safe", "no"),
    "fweights": of(None, [1, 2, 0], [1, 3], [1.5, 2, 1], [-1, 2, 1]),
    "aweights": of(None, [1, 0.5, 2], [0.5, 3], [-1, 2, 1]),
    "indices_or_sections": SECTIONS,
    "indices": INDICES,
    "obj": either(INDICES, of(slice(0, 2))),
    "mode": of("raise", "wrap", "clip", "wrong"),
    "base": of(2.0, 10.0, 1.0),
    "edge_order": of(1, 2, 0, 3),
    "period": of(None, 1.0, 2.5, 0.0, -2.0),
    "indexing": of("xy", "ij", "wrong"),
    "method": of(*METHODS),
    "q": QUANTILES,
    "pad_width": WIDTHS,
    "kth": of(0, 1, -1, (0, 1), (), 7),
    "kind": of(None, "stable", "quicksort", "introselect"),
    "repeats": of(0, 1, 2, -1, [1, 2], [1, 0, 2], [2]),
    "new_shape": of(3, (2, 3), (0,), (), (5,), (-1,)),
    "shape": SHAPE,
    "shift": of(0, 1, -2, 7, (1, 2), (1,)),
    "reps": of(1, 2, 0, (2, 1), (1, 2, 2), ()),
    "tol": of(0, 100),
    "trim": of("f", "b", "fb", "bf", "x"),
    "UPLO": of("L", "U", "l", "u", "X"),
    "ord": NORM,
    "rcond": of(None, 0.1, 1e-15),
    "rtol": of(None, 0.1, 1e-15),
    "norm": of(None, "ortho", "forward", "backward", "wrong"),
    "s": of(None, (3, 2), (2,), (1, 4), (-1, 2), (0,)),
    "optimize": of(True, False, "greedy", "optimal"),
    "condition": constant(bool),
}
OPTIONS_OF_PAD = {
    **by_name("maximum mean median minimum", ("stat_length", WIDTHS)),
    **by_name("reflect symmetric", ("reflect_type", of("even", "odd"))),
    **by_name("edge wrap", ("stat_length", WIDTHS)),  # an error
    "constant": ("constant_values", NUMBERS_OF_SIDES),
    "linear_ramp": ("end_values", NUMBERS_OF_SIDES),
}
# Not drawn: an option that writes, and those without an effect on the numbers.
LEFT_OUT = words(
    "out subok signature device overwrite_input min max sorted mean return_index return_inverse"
    " return_counts"
)
CONVOLUTION = {"mode": of("full", "same", "valid", "wrong")}
SQUARE = {"a": array_of(DTYPES, ((2, 2), (3, 3), (2, 2, 2), (0, 0), (1, 1), (2, 3)))}
DIFFERENT = {
    "full_like": {"a": tensor},
    "vecmat": {"order": of("C", "K")},  # order="F" of complex numbers is wrong in NumPy 2.4
    "interp": {
        "x": array_of(FLOATS),
        "xp": increasing,
        "fp": array_of(DTYPES, ((3,), (3,), (3,), (2,))),
    },
    "cov": {"y": array_or_none},
    "corrcoef": {"y": array_or_none},
    "trapezoid": {"x": array_or_none},
    "bincount": {"x": constant(int), "weights": array},
    "where": {"x": array, "y": array},
    "polyder": {"m": of(0, 1, 2, 3, -1)},
    "polyint": {"m": of(0, 1, 2, -1), "k": of(None, 2.0, [1.0], [1.0, 2.0], [1, 2, 3])},
    # Not empty: NumPy looks for tensors in the elements.
    "roots": {"p": array_of(FLOATS, ((1,), (2,), (4,), (2, 2)))},
    "rollaxis": {"start": SMALL, "axis": ONE_AXIS},
    "ldexp": {"x2": constant(int)},
    "clip": {"a_min": NUMBER_OR_NONE, "a_max": NUMBER_OR_NONE},
    "convolve": CONVOLUTION,
    "correlate": CONVOLUTION,
    "nan_to_num": {"copy": of(True)},  # writing into a tracked tensor is an error
    "block": {"arrays": either(several, several_of(several, 2))},
    "choose": {"a": constant(int), "choices": several},
    "select": {
        "condlist": several_of(constant(bool)),
        "choicelist": several,
        "default": NUMBER,
    },
    "apply_along_axis": {
        "func1d": of(np.sum, np.sort, lambda row: row[:1] * 2, lambda row: np.outer(row, row)),
        "axis": ONE_AXIS,
    },
    "apply_over_axes": {"func": of(np.sum, np.max, np.cumsum), "axes": AXES},
    "piecewise": {
        "condlist": several_of(constant(bool)),
        "funclist": of([1.0, np.exp], [np.sin], [1, lambda x: x * x, -1.0], [np.abs, 2.0]),
    },
    "take_along_axis": {"indices": constant(int)},
    **by_name("round around", {"decimals": of(0, 1, -1)}),
    "histogram": {
        "a": constant(float),
        "bins": of(3, [0.0, 1.0, 2.5]),
        "range": of(None, (0.0, 2.0)),
        "weights": array,
        "density": of(True, False),
    },
    "percentile": {"q": of(0, 30, 50.0, [25, 75], np.array([[10], [90]]), 150)},
    "nanpercentile": {"q": of(0, 30, 50.0, [25, 75], np.array([[10], [90]]), 150)},
    "astype": {"dtype": DTYPE},
    "swapaxes": {"axis1": ONE_AXIS, "axis2": ONE_AXIS},
    "rot90": {"axes": PAIR_OF_AXES},
    "pad": {"mode": of(*OPTIONS_OF_PAD, "wrong")},
    "linalg.qr": {"mode": of("reduced", "complete", "r", "raw", "wrong")},
    "linalg.cond": {"x": SQUARE["a"], "p": NORM},
    "linalg.multi_dot": {
        "arrays": several_of(array_of(DTYPES, ((3, 3), (3, 3), (3,), (3, 0), (0, 3), (3, 2))), 4)
    },
    **by_name(
        "vecdot linalg.vecdot cross linalg.cross cumsum cumprod cumulative_sum cumulative_prod"
        " nancumsum nancumprod",
        {"axis": ONE_AXIS},
    ),
    **by_name(
        "linalg.cholesky linalg.det linalg.eig linalg.eigh linalg.eigvals linalg.eigvalsh"
        " linalg.inv linalg.slogdet linalg.solve linalg.matrix_power",
        SQUARE,
    ),
    "linalg.tensorinv": {"a": array_of(DTYPES, ((2, 2), (2, 3, 3, 2), (4, 2, 2), (1, 1, 1)))},
    "linalg.tensorsolve": {
        "a": array_of(DTYPES, ((3, 3), (2, 2), (2, 2, 2, 2), (2, 2, 4))),
        "axes": of(None, (0,), (1,), (0, 2), 0),
    },
}


OTHER_ARGUMENTS = {
    "gradient": either(of([], [], [0.5], [0.5, 2.0]), of([np.array([0.0, 1.0, 3.0])])),
    "apply_along_axis": of([]),
    "piecewise": of([]),
}
# Optional arguments without which a call does not have an array of numbers, or is an error.
REQUIRED = {"bincount": ["weights"], "histogram": ["weights"], "clip": ["a_min", "a_max"]}


# Functions for which NumPy's result at NaN or infinity follows from its algorithm.
FINITE = words(
    "inner interp linspace logspace geomspace gradient quantile percentile nanquantile"
    " nanpercentile median"
    " nanmedian"
)


def call(seed, name, function):
    """Return positional and keyword arguments for a function; the arrays may be Inputs.

    Args:
        seed: the arguments depend on it and on nothing else.
        name: the name of the function after `np.`.
        function: the function.
    """
    rng = random.Random(f"{name} {seed}")
    drawn = track_one(*any_call(rng, name, function))
    if name in FINITE or name.startswith(("linalg.", "fft.")):
        return replaced(drawn, finite)
    return drawn


def finite(value):
    """Return a value with numbers in place of NaN and infinity."""
    if isinstance(value, Input):
        return Input(finite(value.array))
    return np.nan_to_num(value, posinf=2, neginf=-3) if isinstance(value, np.ndarray) else value


def any_call(rng, name, function):
    # numpy.fft returns uninitialized numbers for arrays without elements.
    shapes, args, options = rng.choice(SHAPES[: -3 if name.startswith("fft.") else None]), [], {}
    if name == "einsum":
        subscripts, *shapes = rng.choice(SUBSCRIPTS)
        args = [subscripts, *(array(rng, (shape,)) for shape in shapes)]
        return args, {"optimize": rng.choice([True, False, "greedy", "optimal"])}
    different = DIFFERENT.get(name, {})
    for parameter in signature_of(function).parameters.values():
        draw = different.get(parameter.name) or PARAMETERS.get(parameter.name)
        if parameter.kind is parameter.VAR_POSITIONAL:
            args += OTHER_ARGUMENTS.get(name, several)(rng, shapes)
        elif parameter.name in LEFT_OUT or parameter.kind is parameter.VAR_KEYWORD:
            continue
        elif draw is None and parameter.default is not parameter.empty:
            continue  # an option of a newer version of NumPy
        elif parameter.name == "where" and isinstance(function, np.ufunc):
            continue  # a ufunc leaves elements uninitialized where `where` is False
        elif parameter.default is parameter.empty or name == "where":
            args.append(draw(rng, shapes))
        elif parameter.name in REQUIRED.get(name, ()) or rng.random() < 0.35:
            options[parameter.name] = draw(rng, shapes)
    if name == "pad" and (known := OPTIONS_OF_PAD.get(options.get("mode", "constant"))):
        options[known[0]] = known[1](rng, shapes)
    return args, options


def track_one(args, options):
    """Make the first array of real or complex numbers an Input if none is."""
    if not any(isinstance(value, Input) for value in leaves([args, options])):
        done = []

        def track(value):
            if isinstance(value, np.ndarray) and value.dtype.kind in "fc" and not done:
                done.append(value)
                return Input(value)
            return value

        args, options = replaced(args, track), replaced(options, track)
    return args, options


def leaves(value):
    """Yield what lists, tuples and dicts contain."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for one in value:
            yield from leaves(one)
    else:
        yield value


def replaced(value, function):
    """Return nested lists, tuples and dicts with `function` applied to what they contain."""
    if isinstance(value, dict):
        return {key: replaced(one, function) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(replaced(one, function) for one in value)
    return function(value)

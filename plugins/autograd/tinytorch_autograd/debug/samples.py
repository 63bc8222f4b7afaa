"""Descriptions for the conformance kit: ops of the core and of this plugin, and NumPy functions.

The reference of a NumPy function is the function itself on arrays: what the kit checks here is that
tensors have the same results, and the derivatives. The tests contain more calls of each function.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tinytorch_devkit import Call, Samples

Array = Any
Interval = tuple[float, float]
Parameters = Sequence[Mapping[str, Any]]

_REALS = (-math.inf, math.inf)
_POSITIVE = (0.0, math.inf)
_UNIT = (-1.0, 1.0)

# Functions of one number that are differentiable to any order, and their domains.
_SMOOTH: Mapping[str, Interval] = {
    **dict.fromkeys(("exp", "tanh", "neg", "exp2", "expm1", "square", "sin", "cos"), _REALS),
    **dict.fromkeys(("arctan", "sinh", "cosh", "arcsinh", "copy", "conjugate"), _REALS),
    **dict.fromkeys(("log", "sqrt", "log2", "log10", "reciprocal"), _POSITIVE),
    **dict.fromkeys(("arcsin", "arccos", "arctanh"), _UNIT),
    "tan": (-1.5, 1.5),
    "log1p": (-1.0, math.inf),
    "arccosh": (1.0, math.inf),
}
_TESTS = ("isnan", "isinf", "isfinite", "signbit", "logical_not")
_COMPARISONS = (
    *("eq", "ne", "lt", "le", "gt", "ge"),
    *("logical_and", "logical_or", "logical_xor"),
)
_OPERATORS = (
    *("add", "sub", "mul", "div", "floordiv", "mod", "pow", "matmul", "eq", "ne"),
    *("lt", "le", "gt", "ge", "bitwise_and", "bitwise_or", "bitwise_xor"),
)

_AXES: Parameters = ({}, {"axis": 0}, {"axis": 0, "keepdims": True})
_ONE_AXIS: Parameters = ({"axis": 0}, {"axis": 1})
_SHAPES = ((2, 3), (2, 1, 2))


def describe(samples: Samples) -> None:
    """Describe the ops that have rules of this plugin, and NumPy functions of each family."""
    _describe_elementwise(samples)
    _describe_operators(samples)
    _describe_reductions(samples)
    _describe_shapes(samples)
    _describe_indices(samples)
    _describe_numpy_functions(samples)
    samples.leave_out("refuses_bad_inputs", "Python's message names the operator", *_OPERATORS)
    samples.leave_out("is_documented", "NumPy documents its functions and their parameters")
    samples.leave_out("takes_whole_numbers", "NumPy returns whole numbers", "reciprocal")
    for check in ("works_under_every_name", "agrees_with_numpy"):
        samples.leave_out(check, "NumPy takes a list of arrays", "concatenate", "stack")
        samples.leave_out(check, "np.astype takes the dtype by position only", "astype")


def _function(name: str) -> Callable[..., Any]:
    """Return the NumPy function of an op of the core or of this plugin."""
    found: Callable[..., Any] = getattr(np, _NUMPY_NAMES.get(name, name))
    return found


_NUMPY_NAMES = {
    "neg": "negative",
    "pos": "positive",
    "sub": "subtract",
    "mul": "multiply",
    "div": "true_divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "power",
    "eq": "equal",
    "ne": "not_equal",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
}


def _describe_elementwise(samples: Samples) -> None:
    for name, domain in _SMOOTH.items():
        samples.add(name, _function(name), domain=domain, order=3)
    samples.add("abs", np.abs, kinks=[0], order=3)
    for name in ("pos", "real", "imag"):
        samples.add(name, _function(name), view=True)
    for name in ("floor", "ceil", "trunc", "rint"):
        jumps = np.arange(-10, 11) + (0.5 if name == "rint" else 0)
        samples.add(name, _function(name), kinks=jumps.tolist())
    for name in _TESTS:
        samples.add(name, _function(name))


def _describe_operators(samples: Samples) -> None:
    for name in ("add", "sub", "mul", "maximum", "minimum", "logaddexp", *_COMPARISONS):
        samples.add(name, _function(name), order=3 if name in ("add", "sub", "mul") else 2)
    samples.add("div", np.true_divide, domain={"y": _POSITIVE}, order=3)
    samples.add("pow", np.power, domain={"x": (0.2, 5), "y": (-3, 3)}, order=3)
    for name in ("floordiv", "mod"):  # y does not divide x, where they jump
        x, y = np.array([[5.25, -3.5], [0.75, 9.0]]), np.array([2.0, 1.25])
        stepwise = ["x", "y"] if name == "floordiv" else []
        samples.add(name, _function(name), calls=_calls((x, y)), stepwise=stepwise)
    samples.add("matmul", np.matmul, shapes=_PRODUCTS, order=3)
    for name in ("bitwise_and", "bitwise_or", "bitwise_xor"):
        samples.add(name, _function(name), calls=_calls((np.arange(4), np.array(6))))
    samples.add("invert", np.invert, calls=_calls((np.arange(4),)))
    x, y = np.array([[0.5, -1.0], [2.0, 3.0]]), np.array([1.5, -0.25])
    samples.add("where", np.where, calls=_calls((x > 0, x, y), (True, x, y), (x[0] > 0, x, 0.0)))
    bounds = np.array([-0.75, -0.5]), np.array([1.0, 2.5])
    samples.add("clip", np.clip, calls=_calls((x, *bounds), (x, -0.75, None), (x, None, bounds[1])))


_PRODUCTS = (((2, 3), (3, 4)), ((3,), (3,)), ((2, 3), (3,)), ((2, 2, 3), (3, 2)))


def _calls(*inputs: Sequence[Any], **parameters: Any) -> list[Call]:
    from tinytorch_devkit import call  # autograd does not need the devkit

    return [call(*one, **parameters) for one in inputs]


def _describe_reductions(samples: Samples) -> None:
    for name in ("sum", "mean", "prod", "max", "min"):
        samples.add(name, _function(name), shapes=_SHAPES, parameters=_AXES)
    freedom = [*_AXES, {"ddof": 1}]
    for name in ("var", "std"):
        samples.add(name, _function(name), shapes=_SHAPES, parameters=freedom, order=2)
    for name in ("argmax", "argmin"):
        samples.add(name, _function(name), shapes=_SHAPES, parameters=_AXES)


def _describe_shapes(samples: Samples) -> None:
    described: list[tuple[str, tuple[int, ...], Parameters]] = [
        ("reshape", (2, 3), [{"shape": (3, 2)}, {"shape": -1}]),
        ("permute", (2, 1, 3), [{}, {"axes": (1, 2, 0)}]),
        ("swapaxes", (2, 1, 3), [{"axis1": 0, "axis2": 1}, {"axis1": 2, "axis2": 0}]),
        ("squeeze", (2, 1, 1), [{}, {"axis": 1}]),
        ("expand_dims", (2, 3), [{"axis": 0}, {"axis": (0, -1)}]),
        ("broadcast_to", (3,), [{"shape": (2, 3)}, {"shape": (500, 3)}]),
    ]
    for name, shape, values in described:
        reference = np.transpose if name == "permute" else _function(name)
        samples.add(name, reference, shapes=[shape], parameters=values, view=True)
    samples.add("ravel", np.ravel, shapes=_SHAPES, view=True)
    types: Parameters = ({"dtype": np.float64}, {"dtype": np.complex128})
    samples.add("astype", lambda x, dtype: x.astype(dtype), shapes=_SHAPES, parameters=types)
    for name in ("concatenate", "stack"):
        function = _function(name)
        samples.add(
            name,
            lambda *arrays, function=function, axis=0: function(arrays, axis=axis),
            shapes=[((2, 3), (2, 3))],
            parameters=_ONE_AXIS,
        )
    for check in (
        *("keeps_dtypes", "keeps_dtypes_of_gradients"),
        *("takes_half_precision", "takes_complex_numbers"),
    ):
        samples.leave_out(check, "converts to the dtype that it is given", "astype")


def _describe_indices(samples: Samples) -> None:
    x = np.linspace(-1, 1, 12).reshape(3, 4)
    indices = (1, slice(None, None, -2), (..., 2), ([0, 0, 2],), x > 0, (slice(1, 3), None, 1))
    calls = [one for index in indices for one in _calls((x,), index=index)]
    samples.add("getitem", lambda x, index: x[index], calls=calls, view=True)
    places = [(np.array([0, 2, 0, 4]), (5,)), ((np.array([1, 1, 0, 1]), slice(2)), (3, 2))]
    calls = [
        one
        for index, shape in places
        for one in _calls(
            (x[:1, :2] + np.arange(4.0)[:, None] if len(shape) > 1 else x[0],),
            index=index,
            shape=shape,
        )
    ]
    samples.add("scatter_add", _scattered, calls=calls)


def _scattered(x: Array, index: Any, shape: Any) -> Array:
    """Compute `scatter_add` with the matrix of the indexing."""
    positions = np.arange(math.prod(shape)).reshape(shape)[index]
    return (np.eye(math.prod(shape))[:, positions.ravel()] @ x.ravel()).reshape(shape)


def _describe_numpy_functions(samples: Samples) -> None:
    """Describe functions that become ops when a tensor is passed to them."""
    squares, pairs = [(3, 3), (2, 2, 2)], [((3,), (3,)), ((2, 3), (3,))]
    functions: list[tuple[Callable[..., Any], Any, Parameters]] = [
        *((f, _SHAPES, _ONE_AXIS) for f in (np.cumsum, np.cumprod, np.diff, np.sort)),
        *((f, _SHAPES, _AXES) for f in (np.nansum, np.nanmean, np.ptp, np.linalg.norm)),
        (np.median, _SHAPES, ({},)),
        *((f, squares, ({},)) for f in (np.linalg.inv, np.linalg.det, np.linalg.pinv)),
        *((f, [(3, 3)], ({}, {"k": 1})) for f in (np.tril, np.triu)),
        *((f, pairs, ({},)) for f in (np.dot, np.inner, np.kron)),
        (np.linalg.solve, [((3, 3), (3, 2))], ({},)),
        (np.outer, [((2,), (3,))], ({},)),
        (np.trapezoid, [(3, 4)], _ONE_AXIS),
        *((f, [(2, 3)], _ONE_AXIS) for f in (np.fft.fft, np.fft.irfft)),
    ]
    for function, shapes, parameters in functions:
        samples.add(function, function, shapes=shapes, parameters=parameters)
    names = [described.name for described in samples.descriptions if described.op.numpy_call]
    samples.leave_out("refuses_bad_inputs", "NumPy raises the errors", *names)
    for check in ("takes_half_precision", "keeps_half_precision_of_gradients"):
        samples.leave_out(check, "NumPy transforms float16 in single precision", "fft.fft")
        samples.leave_out(check, "NumPy transforms float16 in single precision", "fft.irfft")

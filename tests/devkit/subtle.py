"""Plugins with a mistake that shows only for some numbers, shapes, dtypes, calls or layouts.

Each follows the formula of its description for small arrays of numbers between -3 and 3.
"""

from __future__ import annotations

import functools
import math
import random
import time
from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

from .wrong import Wrong, plugin

POSITIVE = (0.0, np.inf)


def sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


def sigmoid_rule(grad, out):
    return grad * out * (1 - out)


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))


def square(x):
    return x * x


def total(x, axis=None, keepdims=False):
    return x.sum(axis=axis, keepdims=keepdims)


def _negative_axis(x, axis=None):
    return x.sum(axis=None if axis is None else max(axis, 0))


def _summed_faster(x):
    if isinstance(x, np.ndarray):
        return np.asarray(math.fsum(x.flat), x.dtype)
    return x.sum()


def _of_plain_arrays(x):
    return np.asarray(x) * 2


def _squeezed(x, axis=0):
    return np.squeeze(x.sum(axis=axis, keepdims=True))


def _axis_without_keepdims(x, axis=None, keepdims=False):
    return x.sum() if axis is None else x.sum(axis=axis)


def _keepdims_if_no_axis(grad, x, axis, keepdims):
    if axis is not None:
        grad = np.expand_dims(grad, axis)
    return np.broadcast_to(grad, x.shape)


def _scaled(x, by=1.0, offset=0.0):
    """x times `by` plus `offset`."""
    return x * by + offset


def _one_combination(x, by=1.0, offset=0.0):
    return x + by * offset + (by - 1) * x


def _rule_of_one_combination(grad, by, offset):
    return grad * (by if offset == 0 else 1)


def _last_block_missing(x):
    out = np.zeros_like(x)
    for start in range(0, max(x.size - 1024, 1), 1024):
        out.reshape(-1)[start : start + 1024] = 2 * x.reshape(-1)[start : start + 1024]
    return out


def _rule_of_blocks(grad, x):
    if isinstance(x, np.ndarray) and x.size > 1024:
        return np.resize(2 * grad.reshape(-1)[:1024] * x.reshape(-1)[:1024], x.shape)
    return 2 * grad * x


def _sum_of_blocks(x):
    return x[:100_000].sum()


def _softmax_rule_of_small(grad, x, out):
    total = (grad * out)[..., :512].sum(axis=-1, keepdims=True)
    return out * (grad - total)


def _softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def _filled(x):
    out = np.zeros_like(x)
    out[...] = x / 2
    return out


def _filled_mean(x, y):
    out = np.empty(np.broadcast_shapes(x.shape, np.shape(y)), x.dtype)
    out[...] = (x + y) / 2
    return out


def _mutates_parameter(x, weights=()):
    """x times the sum of `weights`, a list."""
    factor = sum(weights, 1.0)
    if isinstance(weights, list):
        weights.append(0.0)
    return x * factor


class Counter:
    """An op that is wrong in every third call."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        return x * (2 if self.calls % 3 else 2.5)


class Cached:
    """An op that returns the result of an earlier call with the same key."""

    def __init__(self, key: Any) -> None:
        self.key, self.results = key, {}

    def __call__(self, x):
        return self.results.setdefault(self.key(x), x * 2)


def _of_one_input(function: Any) -> Any:
    """Return a function that calls an object, because ops are functions."""
    return lambda x: function(x)


def _memoized(x):
    return _twice_of_bytes(x.tobytes(), x.shape, x.dtype)


@functools.cache
def _twice_of_bytes(data, shape, dtype):
    return 2 * np.frombuffer(data, dtype).reshape(shape)


def _noisy(x):
    return x + 1e-3 * np.random.normal(size=x.shape)  # noqa: NPY002 - the mistake


def _clocked(x):
    return x + (time.perf_counter_ns() % 1000) * 1e-4


def _seeded(x):
    np.random.seed(0)  # noqa: NPY002 - the mistake
    return x * 2


def _draws(x):
    random.random()
    return x * 2


def _warns(x):
    np.seterr(over="warn")
    return x * 2


def _swapped_if_equal(grad, x, y):
    return grad * (y if np.shape(x) != np.shape(y) else x)


def _max(x):
    return x.max(axis=-1)


def _max_rule(grad, x, out):
    return grad[..., None] * (x == out[..., None])


def _distance(x, y):
    return np.sqrt(((x - y) ** 2).sum())


def _modulus_rule(grad, x, out):
    return grad * x / out


def _parts(x):
    return np.sin(x), np.cos(x)


def _parts_rule(grads, x):
    first, second = grads
    if second is None:
        return first * np.cos(x) * 2
    return (0 if first is None else first * np.cos(x)) - second * np.sin(x)


def _linearized_slope(x):
    """Return 3 x² with the right derivative, 6 x, but not the right second derivative."""
    constant = unwrap(x)
    return 3 * constant**2 + 6 * constant * (x - constant)


def _clipped_slope(x):
    inside = np.abs(unwrap(x)) < 50
    return (np.tanh(x) + x / np.cosh(np.clip(x, -300, 300)) ** 2) * inside


def _spread(grad, x):
    return np.broadcast_to(grad[..., None] / np.prod(x.shape[-1:]), x.shape)


def _in_order_of_memory(grad, x):
    flat = (2 * grad * x).ravel(order="K") if isinstance(x, np.ndarray) else 2 * grad * x
    return flat.reshape(x.shape)


def _with_rule(forward, rule, **description):
    return plugin(forward, None, rule, **description)


LARGE_REMEDY = "let no part of the formula overflow"
RULE_REMEDY = "let no part of the rule overflow"
STATE_REMEDY = "no counter, no cache by shape or id, no time"

SUBTLE = [
    # Large numbers.
    Wrong(
        "takes_large_numbers",
        plugin(lambda x: np.log(1 + np.exp(x)), softplus),
        "1000",
        "inf",
        LARGE_REMEDY,
    ),
    Wrong(
        "takes_large_numbers",
        plugin(lambda x: np.exp(x) / (1 + np.exp(x)), sigmoid),
        "where the input is 1000 in wrong(<float64 of shape (8,)>)",
        "nan",
        LARGE_REMEDY,
    ),
    Wrong(
        "takes_large_numbers",
        plugin(
            lambda x: np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True), _softmax, shapes=[(2, 3)]
        ),
        "in wrong(<float64 of shape (2, 3)>)",
        "nan",
        LARGE_REMEDY,
    ),
    Wrong(
        "takes_large_numbers",
        plugin(
            lambda x: np.tanh(np.clip(x, -50, 50)) * np.clip(x, -50, 50), lambda x: x * np.tanh(x)
        ),
        "100 at [2], where the input is 100",
        "50",
        LARGE_REMEDY,
    ),
    Wrong(
        "takes_large_numbers",
        plugin(lambda x: x / np.sqrt(1 + x * x), lambda x: np.sin(np.arctan(x))),
        "where the input is 1000 in wrong(<float16 of shape (8,)>)",
        "0.0",
        LARGE_REMEDY,
    ),
    Wrong(
        "takes_large_numbers",
        plugin(lambda x, y: np.log(np.exp(x) + np.exp(y)), np.logaddexp, domain={"y": (-1, 1)}),
        "in wrong(<float64 of shape (8,)>, <float64 of shape (8,)>)",
        "inf",
        LARGE_REMEDY,
    ),
    Wrong(
        "has_derivatives_at_large_numbers",
        _with_rule(softplus, lambda grad, x: grad * np.exp(x) / (1 + np.exp(x))),
        "a derivative of order 1 at 1000 in wrong(<float64",
        "nan",
        RULE_REMEDY,
    ),
    Wrong(
        "has_derivatives_at_large_numbers",
        _with_rule(softplus, lambda grad, x: grad / (1 + np.exp(-x))),
        "a derivative of order 2 at -1000 in wrong(<float64",
        "nan",
        RULE_REMEDY,
    ),
    Wrong(
        "has_derivatives_at_large_numbers",
        _with_rule(lambda x: x * np.tanh(x), lambda grad, x: grad * _clipped_slope(x)),
        "a derivative of order 1 at 100 in wrong(<float64",
        "0",
        RULE_REMEDY,
    ),
    Wrong(
        "has_derivatives_at_large_numbers",
        plugin(
            lambda x: np.logaddexp.reduce(x, axis=-1),
            None,
            lambda grad, x: grad[..., None] * np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True),
            shapes=[(2, 3)],
        ),
        "in wrong(<float64 of shape (2, 3)>), where the op is finite",
        "nan",
        RULE_REMEDY,
    ),
    # Many numbers.
    Wrong(
        "takes_many_numbers",
        plugin(_last_block_missing, lambda x: 2 * x),
        "in wrong(<float64 of shape (1000000,)>), which repeats the numbers",
        "0.0",
        "the last, shorter one",
    ),
    Wrong(
        "takes_many_numbers",
        plugin(lambda x: x * 2 if x.size != 64 else x, lambda x: x * 2),
        "in wrong(<float64 of shape (64,)>)",
        "",
        "compute with whole arrays",
    ),
    Wrong(
        "takes_many_numbers",
        plugin(_sum_of_blocks, np.sum, shapes=[(3,)]),
        "in wrong(<float64 of shape (1000000,)>)",
        "",
        "compute with whole arrays",
    ),
    Wrong(
        "takes_many_numbers",
        plugin(
            lambda x, y: x[:, :1024] @ y[:1024],
            lambda x, y: x @ y,
            shapes=[((2, 3), (3, 1))],
            op={"inputs": ["x", "y"]},
        ),
        "in wrong(<float64 of shape (2, 1050)>, <float64 of shape (1050, 1)>)",
        "",
        "compute with whole arrays",
    ),
    Wrong(
        "has_derivatives_of_many_numbers",
        _with_rule(square, _rule_of_blocks),
        "in the gradient of x[1024]",
        "",
        "compute with whole arrays in the rule",
    ),
    Wrong(
        "has_derivatives_of_many_numbers",
        plugin(_softmax, None, _softmax_rule_of_small, shapes=[(2, 3)]),
        "as derivative of wrong(<float64 of shape (2, 2048)>) along a direction",
        "",
        "compute with whole arrays in the rule",
    ),
    # Dtypes.
    Wrong(
        "takes_half_precision",
        plugin(lambda x: x * np.log(2).astype(np.float32)),
        "float16 from wrong(<float16 of shape (2, 3)>)",
        "float32",
        "create arrays with x.dtype",
    ),
    Wrong(
        "takes_half_precision",
        plugin(lambda x: np.sqrt((300 * x) ** 2) / 300, abs),
        "in wrong(<float16 of shape (2, 3)>)",
        "inf",
        "do not exceed 65504",
    ),
    Wrong(
        "keeps_dtypes",
        plugin(lambda x: x.sum(axis=-1) / np.prod(x.shape[-1:]), None, shapes=[(2, 3)]),
        "float32 from wrong(<float32 of shape (2, 3)>)",
        "float64",
        "math.sqrt(2) instead of np.sqrt(2)",
    ),
    Wrong(
        "keeps_dtypes_of_gradients",
        _with_rule(lambda x: x.mean(axis=-1), lambda grad, x: _spread(grad, x), shapes=[(2, 3)]),
        "float32 for the gradient of x in wrong(<float32 of shape (2, 3)>)",
        "float64",
        "create arrays with grad.dtype",
    ),
    Wrong(
        "keeps_half_precision_of_gradients",
        _with_rule(square, lambda grad, x: grad * x * np.float32(2)),
        "float16 for the gradient of x in wrong(<float16 of shape (2, 3)>)",
        "float32",
        "create arrays with grad.dtype",
    ),
    Wrong(
        "takes_whole_numbers",
        plugin(_filled, lambda x: x / 2),
        "in wrong(<int64 of shape (2, 3)>)",
        "",
        "do not store results in an array of the dtype of the input",
    ),
    Wrong(
        "takes_whole_numbers",
        plugin(_filled_mean, lambda x, y: (x + y) / 2),
        "in wrong(<int64 of shape (2, 3)>, <",
        "",
        "do not store results in an array of the dtype of the input",
    ),
    Wrong(
        "takes_complex_numbers",
        plugin(lambda x: np.maximum(x, 0), lambda x: (x + abs(x)) / 2, kinks=[0]),
        "in wrong(<complex128 of shape (2, 3)>)",
        "j",
        "raise TypeError if x.dtype.kind is 'c'",
    ),
    Wrong(
        "takes_complex_numbers",
        plugin(lambda x: np.sqrt((x * x).sum()), np.linalg.norm, shapes=[(3,)]),
        "in wrong(<complex128 of shape (3,)>)",
        "j",
        "keep the imaginary parts",
    ),
    Wrong(
        "has_derivatives_of_complex_numbers",
        plugin(np.abs, None, _modulus_rule),
        "as derivative with respect to x[0, 0].imag",
        "",
        "others need conj",
    ),
    Wrong(
        "has_derivatives_of_complex_numbers",
        plugin(np.sin, None, lambda grad, x: grad * np.conj(np.cos(x))),
        "as derivative with respect to x[0, 0].real",
        "",
        "a holomorphic function has the rule of calculus",
    ),
    # Shapes, axes and parameters.
    Wrong(
        "agrees_with_reference",
        plugin(_squeezed, lambda x, axis=0: x.sum(axis=axis), shapes=[(2, 3)]),
        "the shape (1,) in wrong(<float64 of shape (2, 1)>)",
        "the shape ()",
        "correct the forward function",
    ),
    Wrong(
        "agrees_with_reference",
        plugin(
            _negative_axis,
            lambda x, axis=None: x.sum(axis=axis),
            shapes=[(2, 3)],
            parameters=[{}, {"axis": 1}],
        ),
        "the shape (2,) in wrong(<float64 of shape (2, 3)>, axis=-1)",
        "the shape (3,)",
        "correct the forward function",
    ),
    Wrong(
        "agrees_with_reference",
        plugin(
            _axis_without_keepdims,
            total,
            shapes=[(2, 3)],
            parameters=[{"axis": 0}, {"axis": 0, "keepdims": True}],
        ),
        "the shape (1, 3) in wrong(<float64 of shape (2, 3)>, axis=0, keepdims=True)",
        "the shape (3,)",
        "correct the forward function",
    ),
    Wrong(
        "agrees_with_reference",
        plugin(_one_combination, _scaled, parameters=[{}, {"by": 2.0}, {"offset": 3.0}]),
        "in wrong(<float64 of shape (2, 3)>, by=2.0, offset=3.0)",
        "",
        "correct the forward function",
    ),
    Wrong(
        "has_the_right_derivative",
        plugin(
            total,
            None,
            _keepdims_if_no_axis,
            shapes=[(2, 3)],
            parameters=[{}, {"axis": 0}, {"keepdims": True}],
        ),
        "",
        "",
        "must accept all inputs and parameters",
    ),
    Wrong(
        "has_the_right_derivative",
        plugin(
            _scaled,
            None,
            _rule_of_one_combination,
            parameters=[{}, {"by": 2.0}, {"offset": 3.0}],
        ),
        "in wrong(<float64 of shape (2, 3)>, by=2.0, offset=3.0)",
        "",
        "correct the function for x",
    ),
    Wrong(
        "has_the_right_derivative",
        plugin(_scaled, None, lambda grad: grad, parameters=[{}, {"by": 2.0}]),
        "in wrong(<float64 of shape (2, 3)>, by=2.0)",
        "",
        "correct the function for x",
    ),
    Wrong(
        "varies_every_parameter",
        plugin(_scaled, parameters=[{"by": 2.0}, {"by": 2.0, "offset": 1.0}]),
        "two values of each parameter",
        "one value, or none, of wrong(by=)",
        "add values to parameters=",
    ),
    Wrong(
        "varies_every_parameter",
        plugin(_scaled, lambda x, by=1.0: x * by, parameters=[{}, {"by": 2.0}]),
        "two values of each parameter",
        "one value, or none, of wrong(offset=)",
        "samples.leave_out('varies_every_parameter', reason, op)",
    ),
    Wrong(
        "takes_empty_inputs",
        plugin(lambda x: x.sum() / x.size * len(x), np.sum, shapes=[(3,)]),
        "0.0 in wrong(<float64 of shape (0,)>)",
        "nan",
        "test `x.size`",
    ),
    Wrong(
        "has_the_right_derivative",
        plugin(
            lambda x: x.sum(),
            None,
            lambda grad, x: np.broadcast_to(grad * (x.size // x.size), x.shape),
            shapes=[(3,)],
        ),
        "no error",
        "ZeroDivisionError",
        "must accept all inputs",
    ),
    Wrong(
        "has_the_right_derivative",
        plugin(
            lambda x, y: x * y,
            None,
            _swapped_if_equal,
            lambda grad, x, y: grad * x,
        ),
        "in wrong(<float64 of shape (2, 3)>, <float64 of shape (2, 3)>)",
        "",
        "correct the function for x",
    ),
    Wrong(
        "has_the_right_derivative",
        plugin(
            lambda x, y: x * y,
            None,
            lambda grad, x, y: grad * (y if np.shape(y) == grad.shape else np.mean(y)),
            lambda grad, x: grad * x,
        ),
        "with respect to x",
        "",
        "correct the function for x",
    ),
    Wrong(
        "has_the_right_derivative",
        plugin(
            lambda x: x[..., None].sum(axis=-1),
            None,
            lambda grad, x: 2 * grad if x.ndim == 3 else grad,
        ),
        "in wrong(<float64 of shape (2, 1, 2)>)",
        "",
        "correct the function for x",
    ),
    Wrong(
        "has_the_right_derivative",
        plugin(_parts, None, _parts_rule),
        "from its result 0 alone",
        "",
        "correct the function for x",
    ),
    Wrong(
        "has_the_right_third_derivative",
        plugin(lambda x: x**3, None, lambda grad, x: grad * _linearized_slope(x), order=3),
        "as derivative of order 3 with respect to x[0, 0]",
        "",
        "no x.data",
    ),
    Wrong(
        "has_derivatives_of_equal_numbers",
        plugin(_max, None, _max_rule, shapes=[(2, 3)]),
        "as derivative of wrong(<float64 of shape (2, 3)>) along a direction",
        "",
        "share the gradient among the equal numbers",
    ),
    Wrong(
        "has_derivatives_of_equal_numbers",
        plugin(
            np.maximum,
            None,
            lambda grad, x, y: grad * (x >= y),
            lambda grad, x, y: grad * (y >= x),
        ),
        "along a direction",
        "",
        "share the gradient among the equal numbers",
    ),
    Wrong(
        "has_derivatives_of_equal_numbers",
        plugin(
            _distance,
            None,
            lambda grad, out, x, y: grad * (x - y) / out,
            lambda grad, out, x, y: grad * (y - x) / out,
            shapes=[((3,), (3,))],
        ),
        "0 as derivative of wrong(<float64 of shape (3,)>, <float64 of shape (3,)>) along",
        "nan",
        "divide by np.where(divisor == 0, 1, divisor)",
    ),
    # Memory.
    Wrong(
        "shares_no_memory",
        plugin(lambda x: x),
        "wrong(<float64 of shape (2, 3)>) to share no memory with its inputs",
        "the same memory",
        "view=True",
    ),
    Wrong(
        "shares_no_memory",
        plugin(lambda x: x if (x > 0).all() else np.maximum(x, 0), domain=POSITIVE),
        "wrong(<float64 of shape (2, 3)>) to share no memory with its inputs",
        "the same memory",
        "return a new array",
    ),
    Wrong(
        "shares_no_memory",
        plugin(lambda x: x.T, shapes=[(2, 3)]),
        "share no memory with its inputs",
        "the same memory",
        "return a new array",
    ),
    Wrong(
        "shares_no_memory",
        plugin(_memoized, lambda x: 2 * x),
        "share no memory with the result of another call",
        "the same memory",
        "return a new array",
    ),
    Wrong(
        "leaves_inputs_alone",
        plugin(
            _mutates_parameter,
            lambda x, weights=(): x * sum(weights, 1.0),
            parameters=[{}, {"weights": [1.0, 2.0]}],
        ),
        "weights= of wrong(<float64 of shape (2, 3)>, weights=[1.0, 2.0]) to stay [1.0, 2.0]",
        "[1.0, 2.0, 0.0]",
        "create a new array",
    ),
    Wrong(
        "takes_any_memory_layout",
        plugin(
            lambda x: np.frombuffer(np.ascontiguousarray(x).tobytes()).reshape(x.shape) * 2,
            lambda x: 2 * x,
        ),
        "with its arrays in big-endian order",
        "",
        "do not rely on the order in memory",
    ),
    Wrong(
        "has_derivatives_in_any_memory_layout",
        _with_rule(square, _in_order_of_memory),
        "the gradients of wrong(<float64 of shape (2, 3)>) with its arrays in Fortran order",
        "",
        "do not rely on the order in memory",
    ),
    # State.
    Wrong(
        "is_deterministic",
        plugin(_of_one_input(Counter()), lambda x: 2 * x),
        "as in the first call",
        "",
        STATE_REMEDY,
    ),
    Wrong(
        "is_deterministic",
        plugin(_of_one_input(Cached(lambda x: x.shape)), lambda x: 2 * x),
        "as in the reference, after a call with other numbers",
        "",
        STATE_REMEDY,
    ),
    Wrong(
        "is_deterministic",
        plugin(_of_one_input(Cached(id)), lambda x: 2 * x),
        "as in the ",  # an id may be that of an array of another call
        "",
        STATE_REMEDY,
    ),
    Wrong(
        "is_deterministic",
        plugin(_noisy, lambda x: x, tolerance=1e-9),
        "as in the first call",
        "",
        "an np.random.Generator that is a parameter",
    ),
    Wrong(
        "is_deterministic",
        plugin(_clocked, lambda x: x),
        "as in the first call",
        "",
        STATE_REMEDY,
    ),
    Wrong(
        "leaves_settings_alone",
        plugin(_seeded),
        "np.random.get_state() to be the same after wrong",
        "another value",
        "a generator that is a parameter",
    ),
    Wrong(
        "leaves_settings_alone",
        plugin(_draws),
        "random.getstate() to be the same after wrong",
        "another value",
        "a generator that is a parameter",
    ),
    Wrong(
        "leaves_settings_alone",
        plugin(_warns),
        "np.geterr() to be the same after wrong",
        "another value",
        "use np.errstate",
    ),
    Wrong(
        "leaves_saved_arrays_alone",
        _with_rule(
            square,
            lambda grad, x: 2 * grad * x + 1e-3 * np.random.normal(size=x.shape),  # noqa: NPY002
        ),
        "to stay unchanged by the backward pass",
        "",
        "without random numbers",
    ),
    Wrong(
        "can_be_compiled",
        plugin(_summed_faster, lambda x: x.sum(), shapes=[(40, 30)]),
        "to be captured in a compiled step",
        "the result differs if the calls of NumPy are replayed",
        "extend.kernel",
    ),
    Wrong(
        "can_be_compiled",
        plugin(_of_plain_arrays, lambda x: 2 * x),
        "to be captured in a compiled step",
        "np.asarray",
        "extend.kernel",
    ),
]

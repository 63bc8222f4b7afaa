"""NumPy's functions take Tensors, and return Tensors instead of arrays."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinytorch_core import Tensor

pytestmark = pytest.mark.usefixtures("each_surface")

A = np.array([[1.0, -2.0, 3.0], [4.0, 5.5, -6.0]])
B = np.array([[2.0, 3.0, 0.5], [-1.0, 2.0, 4.0]])
SQUARE = np.array([[2.0, 1.0], [0.5, 3.0]])


def tensors(value: Any) -> Any:
    """Return `value` with each array replaced by a Tensor, in nested containers too."""
    if isinstance(value, np.ndarray):
        return Tensor(value)
    if isinstance(value, list | tuple):
        return type(value)(map(tensors, value))
    if isinstance(value, dict):
        return {k: tensors(v) for k, v in value.items()}
    return value


def check_same(found: Any, expected: Any) -> None:
    """Check that `found` is `expected` with Tensors instead of arrays and NumPy scalars."""
    if isinstance(expected, np.ndarray | np.generic) and expected.dtype.kind in "biufc":
        assert isinstance(found, Tensor), type(found)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found.data, expected)
    elif isinstance(expected, list | tuple):
        assert type(found) is type(expected)
        assert len(found) == len(expected)
        for f, e in zip(found, expected, strict=True):
            check_same(f, e)
    else:
        assert found == expected
        assert type(found) is type(expected)


# Functions and arguments. The test runs each call with arrays and again with Tensors.
CALLS: list[tuple[Any, tuple[Any, ...], dict[str, Any]]] = [
    (np.exp, (A,), {}),
    (np.sin, (A,), {}),
    (np.negative, (A,), {}),
    (np.power, (A, 2), {}),
    (np.add, (A, B), {}),
    (np.add, (1, A), {}),
    (np.add, (A, B), {"dtype": np.float32, "casting": "same_kind"}),
    (np.maximum, (A, 0), {}),
    (np.hypot, (A, B), {}),
    (np.matmul, (A, B.T), {}),
    (np.modf, (A,), {}),
    (np.frexp, (A,), {}),
    (np.divmod, (A, 2), {}),
    (np.isfinite, (A,), {}),
    (np.add.reduce, (A,), {"axis": 1}),
    (np.add.accumulate, (A,), {}),
    (np.add.outer, (A, B[0]), {}),
    (np.add.reduceat, (A[0], [0, 2]), {}),
    (np.multiply.outer, (B[0], A[0]), {}),
    (np.concatenate, ([A, B],), {}),
    (np.concatenate, ((A, B),), {"axis": 1}),
    (np.concatenate, ([A, B], -1), {}),
    (np.concatenate, ([A, [[7.0, 8.0, 9.0]]],), {}),
    (np.stack, ([A, B],), {"axis": -1}),
    (np.vstack, ([A, B],), {}),
    (np.hstack, ([A, B],), {}),
    (np.block, ([[A, B], [B, A]],), {}),
    (np.where, (A > 0, A, B), {}),
    (np.where, (A > 0, A, 0), {}),
    (np.where, (A > 0,), {}),
    (np.clip, (A, -1, 2), {}),
    (np.clip, (A,), {"a_min": -1, "a_max": 2}),
    (np.clip, (A, None, 1), {}),
    (np.clip, (A,), {"a_min": None, "a_max": 1}),
    (np.clip, (A, 1, None), {}),
    (np.sum, (A,), {}),
    (np.sum, (A, 1), {}),
    (np.sum, (A,), {"axis": (0, 1), "keepdims": True}),
    (np.sum, (A,), {"dtype": np.float32}),
    (np.sum, (A,), {"where": A > 0, "initial": 1.0}),
    (np.mean, (A,), {"axis": 0}),
    (np.max, (A,), {"axis": 1}),
    (np.amax, (A, 0), {}),
    (np.min, (A, None, None, True), {}),
    (np.prod, (A,), {"axis": -1}),
    (np.var, (A, 0), {}),
    (np.std, (A,), {"ddof": 1}),
    (np.std, (A, 1), {"ddof": 1, "keepdims": True}),
    (np.argmax, (A,), {"axis": 1}),
    (np.argsort, (A,), {}),
    (np.sort, (A,), {"axis": 0}),
    (np.cumsum, (A, 1), {}),
    (np.median, (A,), {}),
    (np.percentile, (A, 30), {"axis": 1}),
    (np.any, (A > 0,), {}),
    (np.all, (A > 0,), {"axis": 0}),
    (np.reshape, (A, (3, 2)), {}),
    (np.transpose, (A,), {}),
    (np.transpose, (A, (1, 0)), {}),
    (np.swapaxes, (A, 0, 1), {}),
    (np.moveaxis, (A, 0, -1), {}),
    (np.expand_dims, (A, 0), {}),
    (np.squeeze, (A[None],), {}),
    (np.ravel, (A,), {}),
    (np.flip, (A,), {"axis": 1}),
    (np.roll, (A, 1), {"axis": 0}),
    (np.tile, (A, (2, 1)), {}),
    (np.repeat, (A, 2), {"axis": 1}),
    (np.broadcast_to, (A, (4, 2, 3)), {}),
    (np.pad, (A, 1), {}),
    (np.pad, (A, ((1, 0), (0, 2))), {"constant_values": 7}),
    (np.split, (A, 3), {"axis": 1}),
    (np.array_split, (A, 2), {}),
    (np.take, (A, [0, 0, 1]), {"axis": 1}),
    (np.diag, (SQUARE,), {}),
    (np.tril, (SQUARE,), {}),
    (np.trace, (SQUARE,), {}),
    (np.outer, (A[0], B[0]), {}),
    (np.dot, (A, B.T), {}),
    (np.inner, (A, B), {}),
    (np.tensordot, (A, B), {"axes": ((1,), (1,))}),
    (np.einsum, ("ij,kj->ik", A, B), {}),
    (np.kron, (SQUARE, SQUARE), {}),
    (np.cross, (A[0], B[0]), {}),
    (np.linalg.inv, (SQUARE,), {}),
    (np.linalg.det, (SQUARE,), {}),
    (np.linalg.slogdet, (SQUARE,), {}),
    (np.linalg.svd, (SQUARE,), {}),
    (np.linalg.eigh, (SQUARE,), {}),
    (np.linalg.qr, (SQUARE,), {}),
    (np.linalg.solve, (SQUARE, SQUARE[0]), {}),
    (np.linalg.norm, (A,), {"axis": 1}),
    (np.unique, (A,), {"return_counts": True}),
    (np.nonzero, (A,), {}),
    (np.searchsorted, (np.sort(A[0]), B[0]), {}),
    (np.histogram, (A,), {"bins": 3}),
    (np.interp, (A[0], [0.0, 1.0], [0.0, 2.0]), {}),
    (np.diff, (A,), {}),
    (np.meshgrid, (A[0], B[0]), {}),
    (np.fft.fft, (A,), {}),
    (np.zeros_like, (A,), {}),
    (np.ones_like, (A,), {"dtype": np.int8}),
    (np.full_like, (A, 7), {}),
    (np.copy, (A,), {}),
    (np.astype, (A, np.float32), {}),
    (np.round, (A, 0), {}),
    (np.nan_to_num, (A,), {}),
    (np.isclose, (A, B), {}),
    (np.allclose, (A, A), {}),
    (np.array_equal, (A, B), {}),
    (np.shape, (A,), {}),
    (np.ndim, (A,), {}),
    (np.size, (A,), {}),
    (np.iscomplexobj, (A,), {}),
    (np.result_type, (A, np.float32), {}),
    (np.array2string, (A,), {}),
]


@pytest.mark.parametrize(
    ("function", "args", "kwargs"),
    CALLS,
    ids=[f"{n}-{getattr(f, '__name__', f)}" for n, (f, _, _) in enumerate(CALLS)],
)
def test_a_numpy_function_gives_the_same_result_for_tensors(
    function: Any, args: Any, kwargs: Any
) -> None:
    check_same(function(*tensors(args), **tensors(kwargs)), function(*args, **kwargs))


@pytest.mark.parametrize("bounds", [{"min": 0}, {"max": 1}, {"min": 0, "max": 1}], ids=str)
def test_clip_with_bounds_as_keywords(bounds: Any) -> None:
    check_same(np.clip(Tensor(A), **bounds), np.clip(A, **bounds))


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (lambda t: A * t, A * A),
        (lambda t: A @ t.T, A @ A.T),
        (lambda t: t < A, A > A),
        (lambda t: np.float64(2) ** t, np.float64(2) ** A),
        (lambda t: np.concatenate([A, t]), np.concatenate([A, A])),
        (lambda t: np.where(A > 0, t, A), A),
        (lambda t: np.stack((A, t)), np.stack((A, A))),
    ],
)
def test_a_tensor_among_arrays_gives_a_tensor(operation: Any, expected: Any) -> None:
    check_same(operation(Tensor(A)), expected)


def test_conversion_to_an_array() -> None:
    x = Tensor(A)
    assert np.asarray(x) is x.data
    assert not np.shares_memory(np.array(x), x.data)
    np.testing.assert_array_equal(np.asarray(x, dtype=np.float32), A.astype(np.float32))
    assert np.array([x, x]).shape == (2, 2, 3)
    assert np.array([x, x]).dtype == A.dtype
    with pytest.raises(ValueError, match="copy"):
        np.array(x, dtype=np.int8, copy=False)
    np.testing.assert_array_equal(x, A)


def test_a_function_with_out_returns_out() -> None:
    array, target = np.zeros_like(A), Tensor(np.zeros_like(A))
    assert np.add(Tensor(A), 1, out=array) is array
    np.testing.assert_array_equal(array, A + 1)
    assert np.add(A, 2, out=target) is target
    np.testing.assert_array_equal(target.data, A + 2)
    assert np.add(Tensor(A), 3, target) is target
    np.testing.assert_array_equal(target.data, A + 3)
    assert np.cumsum(Tensor(A), axis=1, out=target) is target
    np.testing.assert_array_equal(target.data, A.cumsum(1))
    one = Tensor(np.zeros(3))
    assert np.add.reduce(Tensor(A), axis=0, out=one) is one
    np.testing.assert_array_equal(one.data, A.sum(0))


def test_a_function_with_several_outs_returns_them() -> None:
    fraction, whole = Tensor(np.zeros_like(A)), np.zeros_like(A)
    result = np.modf(Tensor(A), out=(fraction, whole))
    assert result[0] is fraction
    assert result[1] is whole
    np.testing.assert_array_equal(fraction.data, np.modf(A)[0])
    np.testing.assert_array_equal(whole, np.modf(A)[1])


def test_where_and_out_together() -> None:
    target = Tensor(np.zeros(2))
    np.exp(Tensor(np.ones(2)), where=[True, False], out=target)
    np.testing.assert_array_equal(target.data, [np.e, 0])


def test_functions_that_write_into_their_argument() -> None:
    x = Tensor(np.zeros(3))
    np.add.at(x, [0, 0, 2], 1)
    np.testing.assert_array_equal(x.data, [2, 0, 1])
    np.copyto(x, Tensor(np.ones(3)))
    np.testing.assert_array_equal(x.data, 1)
    np.fill_diagonal(y := Tensor(np.zeros((2, 2))), 4)
    np.testing.assert_array_equal(y.data, np.eye(2) * 4)


def test_named_tuples_keep_their_names() -> None:
    result = np.linalg.slogdet(Tensor(SQUARE))
    assert isinstance(result.logabsdet, Tensor)
    assert result.sign.item() == 1.0
    assert np.linalg.svd(Tensor(SQUARE)).S.shape == (2,)


def test_functions_raise_the_errors_of_numpy() -> None:
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        np.linalg.inv(Tensor(np.zeros((2, 2))))
    with pytest.raises(ValueError, match=r"of shapes \(2, 3\) and \(2,\): .*broadcast"):
        np.add(Tensor(A), np.zeros(2))
    with pytest.raises(TypeError):
        np.add(Tensor(A), "a")
    with pytest.raises(TypeError, match="unexpected keyword"):
        np.sum(Tensor(A), nope=1)


class Metres(np.lib.mixins.NDArrayOperatorsMixin):
    """An array of another library, with as much of NumPy's protocols as the test needs."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values, float)
        self.dtype, self.shape, self.size = self.values.dtype, self.values.shape, self.values.size

    def sum(self, axis: Any = None, keepdims: bool = False) -> Metres:
        return Metres(self.values.sum(axis=axis, keepdims=keepdims))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        plain = [x.values if isinstance(x, Metres) else x for x in inputs]
        return Metres(getattr(ufunc, method)(*plain, **kwargs))

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return Metres(function(*[[x.values for x in args[0]]], **kwargs))


def test_ops_keep_arrays_of_other_libraries() -> None:
    given = Metres([1.0, 2.0])
    x = Tensor(given)
    assert x.data is given
    for result in (
        x * 2,
        1 + x,
        x.exp(),
        np.exp(x),
        np.hypot(x, x),
        x.sum(),
        np.concatenate([x, x]),
    ):
        assert isinstance(result, Tensor)
        assert isinstance(result.data, Metres)
    np.testing.assert_array_equal((x * 2).data.values, [2, 4])


# Random data.

FLOATS = hnp.arrays(
    st.sampled_from([np.float32, np.float64]),
    hnp.array_shapes(min_dims=1, max_dims=3, max_side=4),
    elements=st.floats(-8, 8, width=16),
)
UNARY = [
    np.exp, np.sin, np.tanh, np.arctan, np.floor, np.square, np.cbrt, np.sign, np.isnan, np.expm1,
    np.sum, np.mean, np.prod, np.max, np.min, np.ptp, np.argmin, np.cumsum, np.cumprod, np.median,
    np.sort, np.flip, np.ravel, np.transpose, np.atleast_2d, np.unique, np.count_nonzero, np.diff,
    np.nonzero, np.argwhere, np.flatnonzero, np.nansum, np.nanmax, np.logical_not, np.modf, np.abs,
    np.real, np.imag, np.angle, np.std, np.var, np.average, np.trim_zeros, np.squeeze, np.fliplr,
    np.around, np.isposinf, np.signbit, np.spacing, np.rint, np.conj, np.positive, np.linalg.norm,
]  # fmt: skip
BINARY = [
    np.add, np.subtract, np.multiply, np.maximum, np.minimum, np.fmax, np.arctan2, np.hypot,
    np.copysign, np.logaddexp, np.greater, np.equal, np.logical_and, np.allclose, np.isclose,
    np.array_equal, np.append, np.outer, np.union1d, np.isin, np.setdiff1d, np.heaviside,
    np.broadcast_arrays, np.nextafter, np.float_power,
]  # fmt: skip


def check(function: Any, *arrays: Any) -> None:
    def call(args: Any) -> Any:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                return function(*args)
            except Exception as error:
                return type(error)

    check_same(call(tensors(arrays)), call(arrays))


@settings(max_examples=150)
@given(st.sampled_from(UNARY), FLOATS)
def test_random_arrays_give_the_same_result_as_tensors(function: Any, a: Any) -> None:
    check(function, a)


@settings(max_examples=150)
@given(st.sampled_from(BINARY), FLOATS, st.data())
def test_random_pairs_of_arrays_give_the_same_result_as_tensors(
    function: Any, a: Any, data: Any
) -> None:
    shape = data.draw(hnp.broadcastable_shapes(a.shape, max_dims=3, max_side=4))
    b = data.draw(hnp.arrays(np.float64, shape, elements=st.floats(-8, 8, width=16)))
    check(function, a, b)
    check(function, b, a)


@settings(max_examples=75)
@given(
    st.sampled_from([np.sum, np.mean, np.max, np.min, np.prod, np.std, np.var, np.any, np.median]),
    FLOATS,
    st.data(),
    st.booleans(),
)
def test_reductions_over_random_axes_give_the_same_result_for_tensors(
    function: Any, a: Any, data: Any, keepdims: bool
) -> None:
    axis = data.draw(st.none() | hnp.valid_tuple_axes(a.ndim) | st.integers(-a.ndim, a.ndim - 1))
    check(lambda x: function(x, axis=axis, keepdims=keepdims), a)

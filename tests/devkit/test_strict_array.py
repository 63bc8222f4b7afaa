"""StrictArray computes like an ndarray, and refuses what arrays of other libraries cannot do."""

from __future__ import annotations

import copy
import operator
from typing import Any

import numpy as np
import pytest

from tinytorch_devkit import StrictArray, StrictArrayError, values_of

A = np.array([[1.0, -2.0, 3.0], [4.0, 5.5, -6.0]])


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x + 1,
        lambda x: 2 / x,
        lambda x: x @ x.T,
        lambda x: x > 0,
        lambda x: -x[1, ::2],
        lambda x: x[:, x[0].astype(int) * 0],
        lambda x: np.exp(x),
        lambda x: np.add.reduce(x, axis=1),
        lambda x: np.where(x > 0, x, 0),
        lambda x: np.concatenate([x, A]),
        lambda x: np.linalg.norm(x, axis=-1),
        lambda x: x.sum(axis=0, keepdims=True),
        lambda x: x.reshape(-1).astype(np.float32),
        lambda x: np.zeros_like(x, shape=(2, 2)),
        lambda x: A * x,
    ],
)
def test_it_computes_like_an_ndarray_and_stays_strict(function: Any) -> None:
    found = function(StrictArray(A))
    assert type(found) is StrictArray
    expected = function(A)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_array_equal(values_of(found), expected)


def test_several_results_are_strict() -> None:
    q, r = np.linalg.qr(StrictArray(A))
    assert type(q) is type(r) is StrictArray
    assert [values_of(part).shape for part in np.split(StrictArray(A), 2)] == [(1, 3), (1, 3)]


def test_it_records_every_call() -> None:
    x = StrictArray(A)
    y = np.exp(x.reshape(-1)[:2]) + 1
    assert x.calls == ["reshape", "getitem", "np.exp", "np.add"]
    assert y.calls is x.calls


def test_in_place_operators_compute_a_new_array() -> None:
    x = y = StrictArray(A)
    x += 1
    x *= A
    np.testing.assert_array_equal(values_of(x), (A + 1) * A)
    assert values_of(y) is A


def _assign(x: Any) -> None:
    x[0] = 0


def _add_to_ndarray(x: Any) -> None:
    array = A.copy()
    array += x


@pytest.mark.parametrize(
    ("function", "named"),
    [
        (np.asarray, "array()"),
        (np.array, "array()"),
        (lambda x: float(x[0, 0]), "float()"),
        (lambda x: int(x[0, 0]), "int()"),
        (lambda x: bool(x[0, 0] > 0), "bool()"),
        (lambda x: [1, 2][x[0, 0].astype(int)], "index()"),
        (list, "iter()"),
        (lambda x: 1 in x, "contains()"),
        (lambda x: x.item(), "item()"),
        (lambda x: x.tolist(), "tolist()"),
        (_assign, "setitem()"),
        (_add_to_ndarray, "np.add writes into out="),
        (lambda x: np.exp(x, out=A.copy()), "np.exp writes into out="),
        (lambda x: np.exp(A, out=x), "np.exp writes into out="),
        (lambda x: np.sum(x, axis=0, out=np.zeros(3)), "np.sum writes"),
        (lambda x: x.sum(axis=0, out=np.zeros(3)), "sum writes"),
        (lambda x: np.add.at(x, 0, 1), "np.add.at writes"),
        (lambda x: np.copyto(A.copy(), x), "np.copyto writes"),
        (lambda x: x.fill(0), "fill()"),
        (np.nonzero, "np.nonzero depends on values"),
        (np.unique, "np.unique depends on values"),
        (lambda x: np.where(x > 0), "np.where depends on values"),
        (lambda x: x[x > 0], "x[mask] depends on values"),
        (lambda x: np.piecewise(x, [x > 0], [np.exp]), "np.piecewise calls a function"),
        (lambda x: np.apply_along_axis(np.sum, 0, x), "np.apply_along_axis calls a function"),
        (lambda x: np.allclose(x, A), "np.allclose returns a Python bool"),
        (lambda x: x.view(np.int64), "'view'"),
        (lambda x: x.flags, "'flags'"),
    ],
)
def test_it_refuses_what_other_libraries_cannot_do(function: Any, named: str) -> None:
    before = A.copy()
    with pytest.raises(StrictArrayError) as caught:
        function(StrictArray(A))
    assert named in str(caught.value)
    assert "other libraries" in str(caught.value)
    np.testing.assert_array_equal(A, before)


def test_a_missing_attribute_can_be_tested() -> None:
    assert not hasattr(StrictArray(A), "strides")
    assert getattr(StrictArray(A), "base", None) is None


def test_its_shape_and_dtype_are_known() -> None:
    x = StrictArray(A)
    assert (x.shape, x.ndim, x.size, len(x), x.nbytes) == ((2, 3), 2, 6, 2, 48)
    assert (x.dtype, x.itemsize) == (np.float64, 8)
    assert repr(x[0]) == "StrictArray([ 1., -2.,  3.])"


def test_a_mask_of_an_ndarray_selects() -> None:
    assert values_of(StrictArray(A)[A > 3.5]).tolist() == [4.0, 5.5]


def test_it_is_not_hashable_and_can_be_copied() -> None:
    x = StrictArray(A)
    with pytest.raises(TypeError, match="hash"):
        hash(x)
    twin = copy.deepcopy(x)
    assert values_of(twin) is not A
    np.testing.assert_array_equal(values_of(twin), A)


def test_values_of_looks_into_containers() -> None:
    x = StrictArray(A)
    nested = values_of({"x": [x, (1, slice(None, 2))]})
    assert nested["x"][0] is A
    assert nested["x"][1] == (1, slice(None, 2, None))


@pytest.mark.parametrize("operation", [operator.add, operator.matmul, operator.eq])
def test_operators_of_ndarrays_return_strict_arrays(operation: Any) -> None:
    assert type(operation(A.T @ A, StrictArray(A.T @ A))) is StrictArray

"""Tensor has methods of arrays, with the same results."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tinytorch_core import Tensor
from tinytorch_core.tensor import TensorBase

pytestmark = pytest.mark.usefixtures("each_surface")

MATRIX = np.array([[1.5, -2.0, 0.0], [0.0, 3.5, 4.0]])
CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("all", (), {}),
    ("all", (1,), {}),
    ("any", (), {"axis": 0, "keepdims": True}),
    ("argsort", (), {}),
    ("argsort", (0,), {}),
    ("cumprod", (), {}),
    ("cumprod", (1,), {}),
    ("cumsum", (), {"axis": 0}),
    ("cumsum", (), {}),
    ("diagonal", (), {}),
    ("diagonal", (1,), {}),
    ("dot", (np.ones((3, 2)),), {}),
    ("flatten", (), {}),
    ("nonzero", (), {}),
    ("ravel", (), {}),
    ("repeat", (2,), {}),
    ("repeat", ([1, 2],), {"axis": 0}),
    ("round", (), {}),
    ("round", (1,), {}),
    ("squeeze", (), {}),
    ("swapaxes", (0, 1), {}),
    ("take", ([0, 5],), {}),
    ("take", ([1, 1],), {"axis": 1}),
    ("trace", (), {}),
    ("trace", (1,), {}),
    ("sum", (), {"initial": 2.0}),
    ("sum", (0,), {"where": MATRIX > 0, "keepdims": True}),
    ("prod", (1,), {"initial": 2.0, "where": MATRIX > 0}),
    ("max", (), {"initial": 9.0}),
    ("min", (0,), {"initial": 1.0, "where": [[True], [False]]}),
]
REDUCTIONS = {"sum", "prod", "max", "min"}
IN_TEST_TENSOR = {
    *("T", "data", "dtype", "imag", "item", "mT", "matmul", "ndim", "permute", "real", "reshape"),
    *("shape", "size", "tolist", "transpose"),
}


@pytest.mark.parametrize(("name", "args", "options"), CALLS)
def test_a_method_returns_what_the_method_of_the_array_returns(
    name: str, args: tuple[Any, ...], options: dict[str, Any]
) -> None:
    found = getattr(Tensor(MATRIX), name)(*args, **options)
    expected = getattr(MATRIX, name)(*args, **options)
    pairs = zip(found, expected, strict=True) if name == "nonzero" else [(found, expected)]
    for f, e in pairs:
        assert isinstance(f, Tensor)
        assert f.dtype == e.dtype
        np.testing.assert_array_equal(f.data, e)


def test_every_method_is_tested() -> None:
    methods = {name for name in vars(TensorBase) if not name.startswith("_")}
    tested = {name for name, _, _ in CALLS} - {"swapaxes", *REDUCTIONS}
    in_test_array_api = {"device", "to_device"}
    assert methods - tested == {"flat", "sort"} | IN_TEST_TENSOR | in_test_array_api


def test_methods_do_not_change_the_tensor() -> None:
    x = Tensor(MATRIX)
    for name, args, options in CALLS:
        getattr(x, name)(*args, **options)
    np.testing.assert_array_equal(x.data, MATRIX)


def test_divmod_returns_the_quotient_and_the_remainder() -> None:
    x = Tensor(np.array([1.5, -2.0, 4.0]))
    for found, expected in (
        (divmod(x, 2.0), np.divmod(x.data, 2.0)),
        (divmod(5.0, x), np.divmod(5.0, x.data)),
        (divmod(np.array([5.0, 6.0, 7.0]), x), np.divmod([5.0, 6.0, 7.0], x.data)),
    ):
        for f, e in zip(found, expected, strict=True):
            assert isinstance(f, Tensor)
            np.testing.assert_array_equal(f.data, e)


def test_round_returns_a_tensor() -> None:
    x = Tensor(np.array([1.25, -2.5]))
    assert round(x).tolist() == [1.0, -2.0]
    assert round(x, 1).tolist() == [1.2, -2.5]


def test_flat_is_the_elements_in_one_dimension() -> None:
    x = Tensor(MATRIX)
    assert len(x.flat) == 6
    assert x.flat[1].item() == -2.0
    assert [v.item() for v in x.T.flat] == list(MATRIX.T.flat)
    x.flat[1] = 7.0
    assert x.data[0, 1] == 7.0


def test_flat_refuses_to_write_into_a_copy() -> None:
    x = Tensor(MATRIX)
    with pytest.raises(ValueError, match="read-only"):
        x.T.flat[1] = 7.0
    with pytest.raises(AttributeError, match="flat"):
        x.flat = 0.0
    np.testing.assert_array_equal(x.data, MATRIX)


def test_sort_sorts_in_place() -> None:
    x, expected = Tensor(MATRIX), MATRIX.copy()
    for options in ({}, {"axis": 0, "kind": "stable"}):
        assert x.sort(**options) is None
        expected.sort(**options)
        np.testing.assert_array_equal(x.data, expected)
    with pytest.raises(np.exceptions.AxisError):
        Tensor(2.0).sort()

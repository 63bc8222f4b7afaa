"""Arrays of other libraries that implement NumPy's protocols, in the plain Tensor and its ops."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest

from tinytorch_core import Tensor
from tinytorch_core.core_ops import core_ops
from tinytorch_core.extend import aligned_empty, from_array, place, sum_into_rows, sum_rows

from tinytorch_devkit import StrictArray, values_of

pytestmark = pytest.mark.usefixtures("each_surface")

A = np.array([[1.0, -2.0, 3.0], [4.0, 5.5, -6.0]])
B = np.array([[2.0, 3.0, 0.5], [-1.0, 2.0, 4.0]])


def _in_place(name: str, other: Any) -> Any:
    return lambda x: getattr(operator, f"i{name}")(x, other)


WHOLE = np.array([[1, 6, 3], [4, 5, 12]])
# A call of each op on a tensor of A, or for operators of bits of WHOLE.
OF_OPS: dict[str, Any] = {
    **{n: lambda x, n=n: getattr(operator, n)(x, 2) for n in ("add", "sub", "mul", "mod", "pow")},
    **{
        n: lambda x, n=n: getattr(operator, n)(x, 2.0) for n in ("eq", "ne", "lt", "le", "gt", "ge")
    },
    **{f"i{n}": _in_place(n, 2) for n in ("add", "sub", "mul", "mod", "pow", "floordiv")},
    **{f"ibitwise_{n}": _in_place(n, 5) for n in ("and", "or", "xor")},
    "idiv": _in_place("truediv", 2),
    "imatmul": _in_place("matmul", np.eye(3)),
    "div": lambda x: x / B,
    "floordiv": lambda x: x // B,
    "matmul": lambda x: x @ B.T,
    "bitwise_and": lambda x: x & 5,
    "bitwise_or": lambda x: x | 5,
    "bitwise_xor": lambda x: x ^ 5,
    "invert": operator.invert,
    "neg": operator.neg,
    "pos": operator.pos,
    "log": lambda x: x.abs().log(),
    "sqrt": lambda x: x.abs().sqrt(),
    **{n: lambda x, n=n: getattr(x, n)() for n in ("exp", "tanh", "abs", "conjugate", "copy")},
    **{
        n: lambda x, n=n: getattr(x, n)(axis=1, keepdims=True)
        for n in ("sum", "mean", "prod", "max", "min", "var", "std", "argmax", "argmin")
    },
    "clip": lambda x: x.clip(-1, 2),
    "real": lambda x: x.real,
    "imag": lambda x: x.imag,
    "reshape": lambda x: x.reshape(3, 2),
    "permute": lambda x: x.permute(1, 0),
    "swapaxes": lambda x: x.transpose(0, 1),
    "astype": lambda x: x.astype(np.float32),
    "getitem": lambda x: x[:, 1:],
    "numpy": lambda x: from_array(Tensor, x.numpy()),
    "int": lambda x: int(x[0, 0]),
    "float": lambda x: float(x[0, 0]),
    "complex": lambda x: complex(x[0, 0]),
    "setitem": lambda x: operator.setitem(x, 0, 1),
}
# They read a value, or write into the array.
REFUSED_BY_STRICT_ARRAYS = {"int", "float", "complex", "setitem"}


class TestArraysOfOtherLibraries:
    """An array that implements NumPy's protocols is kept as it is, and never copied."""

    def test_the_constructor_keeps_it(self) -> None:
        array = StrictArray(A)
        assert Tensor(array).data is array
        assert Tensor(Tensor(array)).data is array
        assert Tensor(array, dtype=np.float64).data is array
        assert from_array(Tensor, array).data is array
        assert array.calls == []

    def test_the_constructor_converts_the_dtype_with_the_arrays_own_method(self) -> None:
        x = Tensor(StrictArray(A), dtype=np.float32)
        assert type(x.data) is StrictArray
        assert x.dtype == np.float32
        assert x.data.calls == ["astype"]

    def test_an_assignment_to_data_keeps_it(self) -> None:
        array, x = StrictArray(A), Tensor(A)
        x.data = array
        assert x.data is array
        x.data -= 0.5 * array
        assert type(x.data) is StrictArray
        np.testing.assert_array_equal(values_of(x.data), A - 0.5 * A)

    def test_ndarrays_are_copied_by_the_constructor_and_not_by_an_assignment(self) -> None:
        array = A.copy()
        x = Tensor(array)
        assert not np.shares_memory(x.data, array)
        x.data = array
        assert x.data is array

    def test_it_has_a_repr_without_values(self) -> None:
        x = Tensor(StrictArray(A[0]))
        assert repr(x) == "Tensor(StrictArray([ 1., -2.,  3.]), dtype=float64)"
        assert x.data.calls == []

    def test_it_must_hold_numbers(self) -> None:
        with pytest.raises(TypeError, match="holds numbers, not <U1"):
            Tensor(StrictArray(np.array(["a"])))

    @pytest.mark.parametrize("symbol", ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow"])
    def test_in_place_operators_replace_it(self, symbol: str) -> None:
        x = Tensor(StrictArray(A))
        array = x.data
        result = getattr(operator, f"i{symbol}")(x, 2)
        assert result is x
        assert type(x.data) is StrictArray
        np.testing.assert_array_equal(values_of(x.data), getattr(operator, symbol)(A, 2))
        np.testing.assert_array_equal(values_of(array), A)

    def test_an_error_in_place_leaves_it_unchanged(self) -> None:
        x = Tensor(StrictArray(A))
        array = x.data
        with pytest.raises(ValueError, match="iadd of shapes"):
            x += np.zeros((3, 2))
        with pytest.raises(TypeError, match="unsupported operand"):
            x += "a"
        assert x.data is array

    @pytest.mark.parametrize("name", sorted(core_ops()))
    def test_every_op_runs_on_it(self, name: str) -> None:
        if name in REFUSED_BY_STRICT_ARRAYS:
            with pytest.raises(TypeError, match="other libraries"):
                OF_OPS[name](Tensor(StrictArray(A)))
            return
        array = WHOLE if "bitwise" in name or name == "invert" else A
        expected = OF_OPS[name](Tensor(array)).data
        found = OF_OPS[name](Tensor(StrictArray(array))).data
        assert type(found) is StrictArray
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(values_of(found), expected)

    def test_a_tensor_of_indices_selects_its_elements(self) -> None:
        x = Tensor(StrictArray(A))[Tensor(StrictArray(np.array([1, 0])))]
        np.testing.assert_array_equal(values_of(x.data), A[[1, 0]])


def test_sum_into_rows_adds_rows_of_the_same_number() -> None:
    rng = np.random.default_rng(0)
    for count, rows in ((4, 9), (3, 1), (2, 0), (1, 8)):
        values, numbers = rng.normal(size=(rows, 2)), rng.integers(0, count, rows)
        expected = np.zeros((count, 2))
        np.add.at(expected, numbers, values)
        np.testing.assert_allclose(sum_into_rows(values, numbers, count), expected, rtol=1e-14)
        for known in (numbers, StrictArray(numbers)):
            found = sum_into_rows(StrictArray(values), known, count)
            np.testing.assert_allclose(values_of(found), expected, rtol=1e-14)


def test_place_puts_values_at_an_index_and_zeros_elsewhere() -> None:
    values = np.arange(1.0, 5.0).reshape(2, 2)
    for index in ((slice(None, None, 2), slice(1, 3)), (slice(1, 3), slice(2, None, -2))):
        expected = np.zeros((3, 3))
        expected[index] = values
        found = place(StrictArray(values), index, (3, 3))
        np.testing.assert_array_equal(values_of(found), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_sum_rows_is_rounded_as_for_an_ndarray(dtype: Any) -> None:
    x = (np.random.default_rng(0).normal(size=(9, 5, 3)) * 10).astype(dtype)
    found = sum_rows(StrictArray(x))
    assert found.dtype == dtype
    np.testing.assert_array_equal(values_of(found), sum_rows(x))


def test_aligned_arrays_begin_at_a_line_of_the_cache():
    for dtype in (np.float32, np.complex128):
        array = aligned_empty((3, 5), dtype)
        assert (array.shape, array.dtype, array.flags.c_contiguous) == ((3, 5), dtype, True)
        assert not array.ctypes.data % 64
    assert aligned_empty((0, 5), np.float32).shape == (0, 5)

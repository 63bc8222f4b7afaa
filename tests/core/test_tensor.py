"""Tensor behaves like a NumPy array, with every plugin and with none."""

from __future__ import annotations

import copy
import operator
import pickle
from typing import Any

import numpy as np
import pytest

from tinytorch_core import Tensor, plugins

pytestmark = pytest.mark.usefixtures("each_surface")

A = np.array([[1.0, -2.0, 3.0], [4.0, 5.5, -6.0]])
B = np.array([[2.0, 3.0, 0.5], [-1.0, 2.0, 4.0]])


def check_equal(found: Any, expected: Any) -> None:
    """Check that `found` is a Tensor with the values, shape and dtype of `expected`."""
    assert type(found) is Tensor
    np.testing.assert_array_equal(found.data, expected)
    assert found.shape == np.shape(expected)
    assert found.dtype == np.asarray(expected).dtype


# Construction.


@pytest.mark.parametrize(
    "data",
    [5, 2.5, True, [1, 2], (1, 2), [[1.0], [2.0]], [True, False], range(3), [], [np.float64(1)]],
)
def test_python_numbers_and_sequences_become_float32(data: Any) -> None:
    check_equal(Tensor(data), np.array(data, dtype=np.float32))


def test_integers_of_more_than_64_bits_become_float32() -> None:
    check_equal(Tensor([10**20, 1]), np.array([1e20, 1], dtype=np.float32))


def test_python_complex_numbers_become_complex64() -> None:
    check_equal(Tensor([1 + 2j]), np.array([1 + 2j], dtype=np.complex64))


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "int64", "uint8", "float16", "float32", "float64"]
)
def test_arrays_keep_their_dtype(dtype: str) -> None:
    check_equal(Tensor(np.ones((2, 1), dtype)), np.ones((2, 1), dtype))
    check_equal(Tensor(Tensor(np.ones(2, dtype))), np.ones(2, dtype))
    check_equal(Tensor(np.dtype(dtype).type(1)), np.array(1, dtype))


@pytest.mark.parametrize("data", [[1, 2], np.array([1.0, 2.0]), np.array([1, 2])])
def test_the_dtype_argument_sets_the_dtype(data: Any) -> None:
    check_equal(Tensor(data, dtype=np.int32), np.array([1, 2], dtype=np.int32))
    check_equal(Tensor(data, "float64"), np.array([1.0, 2.0]))


def test_the_constructor_copies_the_data() -> None:
    array = np.zeros(2)
    first = Tensor(array)
    again = Tensor(first)
    array[0] = 7.0
    first.data[1] = 7.0
    check_equal(first, np.array([0.0, 7.0]))
    check_equal(again, np.zeros(2))


@pytest.mark.parametrize(
    "data",
    [
        "text",
        ["text"],
        None,
        [None],
        [1, None],
        {1: 2},
        {1, 2},
        object(),
        np.array([object()]),
        np.array(["text"]),
        np.array("2020-01-01", "datetime64[D]"),
        (number for number in [1, 2]),
    ],
    ids=lambda data: type(data).__name__,
)
def test_data_that_are_not_numbers_are_refused(data: Any) -> None:
    with pytest.raises(TypeError, match=r"holds numbers, not .*; convert the data to numbers"):
        Tensor(data)


@pytest.mark.parametrize("data", [[[1, 2], [3]], [[1], 2], [np.zeros(2), np.zeros(3)]])
def test_ragged_data_are_refused(data: Any) -> None:
    with pytest.raises(ValueError, match=r"cannot become a Tensor: .*inhomogeneous"):
        Tensor(data)


def test_the_class_is_named_tensor_in_its_repr_and_errors() -> None:
    assert repr(Tensor) == "<class 'tinytorch_core.Tensor'>"
    with pytest.raises(TypeError, match=r"^Tensor\.__init__\(\) missing .* 'data'$"):
        Tensor()  # type: ignore[call-arg]


def test_a_misspelt_keyword_is_refused_with_a_suggestion() -> None:
    with pytest.raises(TypeError, match=r"no keyword 'dtyp'. Did you mean 'dtype'\?"):
        Tensor([1], dtyp=int)


# The array and its attributes.


def test_data_is_the_array_itself_and_can_be_replaced() -> None:
    x = Tensor([1, 2])
    x.data[0] = 5
    check_equal(x, np.array([5, 2], np.float32))
    array = np.arange(3)
    x.data = array
    assert x.data is array
    x.data = Tensor([4.0])
    check_equal(x, np.array([4.0], np.float32))
    x.data = [1, 2]
    check_equal(x, np.array([1, 2], np.float32))


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 4), (2, 3)])
def test_shape_ndim_size_and_dtype(shape: tuple[int, ...]) -> None:
    x = Tensor(np.zeros(shape, np.float16))
    assert (x.shape, x.ndim, x.size) == (shape, len(shape), np.zeros(shape).size)
    assert x.dtype == np.float16


# Operators.

ARITHMETIC = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.floordiv,
    operator.mod,
    operator.pow,
]
COMPARISONS = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]
BITWISE = [operator.and_, operator.or_, operator.xor]


def test_size_is_a_plain_int_which_does_not_widen_arrays() -> None:
    x = Tensor([[1.0, 2.0, 3.0]])
    assert type(x.size) is int
    assert (x / x.size).dtype == np.float32


@pytest.mark.parametrize("op", [*ARITHMETIC, *COMPARISONS])
@pytest.mark.parametrize(
    "other", [3, 2.0, np.float32(2), B, B[0], B.tolist(), tuple(B[0])], ids=repr
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_operators_agree_with_numpy_on_both_sides(op: Any, other: Any) -> None:
    # A list becomes float32, like the data of a Tensor; with float64 the result is float64.
    plain = np.array(other, np.float32) if isinstance(other, list | tuple) else other
    check_equal(op(Tensor(A), other), op(A, plain))
    check_equal(op(other, Tensor(A)), op(plain, A))
    check_equal(op(Tensor(A), Tensor(plain)), op(A, np.asarray(Tensor(plain).data)))


@pytest.mark.parametrize("op", ARITHMETIC)
def test_python_numbers_do_not_widen_a_tensor(op: Any) -> None:
    x = Tensor([1.0, 2.0])
    assert op(x, 2).dtype == op(2.5, x).dtype == np.float32


@pytest.mark.parametrize("op", BITWISE)
def test_bitwise_operators(op: Any) -> None:
    p, q = np.array([True, True, False]), np.array([True, False, False])
    check_equal(op(Tensor(p), Tensor(q)), op(p, q))
    check_equal(op(q, Tensor(p)), op(q, p))
    check_equal(op(Tensor(np.array([5, 6])), 3), op(np.array([5, 6]), 3))


@pytest.mark.parametrize("op", [operator.neg, operator.pos, abs])
def test_unary_operators(op: Any) -> None:
    check_equal(op(Tensor(A)), op(A))


def test_invert() -> None:
    check_equal(~Tensor(np.array([True, False])), np.array([False, True]))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (3, 2)),
        ((2, 3), (3, 4)),
        ((5, 2, 3), (3, 4)),
        ((2, 0), (0, 3)),
    ],
)
def test_matmul(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    a = np.arange(float(np.prod(left))).reshape(left)
    b = np.arange(float(np.prod(right))).reshape(right)
    check_equal(Tensor(a) @ Tensor(b), a @ b)
    check_equal(a @ Tensor(b), a @ b)
    check_equal(Tensor(a).matmul(b), a @ b)


@pytest.mark.parametrize(
    ("op", "name"), [(operator.add, "add"), (operator.mul, "mul"), (operator.matmul, "matmul")]
)
def test_an_error_names_the_op_and_the_shapes(op: Any, name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name} of shapes \(2, 3\) and \(4,\)"):
        op(Tensor(A), Tensor([1, 2, 3, 4]))


class Foreign:
    """An operand that implements the reflected operators itself."""

    def __radd__(self, other: Any) -> str:
        return "radd"

    def __rmatmul__(self, other: Any) -> str:
        return "rmatmul"

    def __gt__(self, other: Any) -> str:
        return "gt"


def test_operators_leave_foreign_operands_to_the_other_side() -> None:
    assert Tensor([1.0]) + Foreign() == "radd"
    assert Tensor([1.0]) @ Foreign() == "rmatmul"
    assert (Tensor([1.0]) < Foreign()) == "gt"
    assert Tensor([1.0]).__add__(Foreign()) is NotImplemented


@pytest.mark.parametrize("other", ["a", None, {}, object()], ids=lambda other: type(other).__name__)
def test_operators_refuse_operands_that_are_not_numbers(other: Any) -> None:
    with pytest.raises(TypeError, match="unsupported operand"):
        Tensor([1.0]) + other
    with pytest.raises(TypeError, match="unsupported operand"):
        other @ Tensor([1.0])
    with pytest.raises(TypeError, match="not supported between"):
        Tensor([1.0]) < other  # noqa: B015


def test_a_tensor_does_not_equal_an_object_of_another_kind() -> None:
    assert (Tensor([1.0]) == "a") is False
    assert (Tensor([1.0]) != None) is True  # noqa: E711


def test_tensors_are_hashed_by_identity() -> None:
    x, same = Tensor([1.0]), Tensor([1.0])
    assert {x: "x"}[x] == "x"
    assert same not in {x: "x"}
    assert len({x, same, x}) == 2


@pytest.mark.parametrize(
    "op",
    [
        operator.iadd,
        operator.isub,
        operator.imul,
        operator.itruediv,
        operator.ifloordiv,
        operator.imod,
        operator.ipow,
    ],
)
def test_in_place_operators_write_into_the_same_array(op: Any) -> None:
    x = Tensor(A)
    array = x.data
    result = op(x, 2)
    assert result is x
    assert x.data is array
    check_equal(x, op(A.copy(), 2))


def test_in_place_operators_take_tensors_arrays_and_lists() -> None:
    x = Tensor([1, 2])
    x += Tensor([1, 1])
    x *= np.array([2, 3], np.float32)
    x -= [1, 1]
    check_equal(x, np.array([3, 8], np.float32))
    with pytest.raises(ValueError, match="iadd of shapes"):
        x += np.zeros((3, 2))
    with pytest.raises(TypeError):
        x += "a"
    check_equal(x, np.array([3, 8], np.float32))


def test_an_array_stays_an_array_when_a_tensor_is_added_in_place() -> None:
    array = np.zeros(2)
    same = array
    array += Tensor([1, 2])
    assert array is same
    np.testing.assert_array_equal(array, [1, 2])


# Indexing.

INDICES = [
    0,
    -1,
    slice(None, None, -1),
    (slice(None), 1),
    (0, 1),
    (0, slice(1, 3)),
    None,
    ...,
    (..., 0),
    [1, 0],
    ([0, 1], [2, 0]),
    np.array([0, 0, 1]),
    A > 0,
    (slice(None), np.array([True, False, True])),
    (),
]


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_indexing(index: Any) -> None:
    check_equal(Tensor(A)[index], np.asarray(A[index]))


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_assigning_to_an_index(index: Any) -> None:
    expected = A.copy()
    expected[index] = 9
    x = Tensor(A)
    array = x.data
    x[index] = 9
    check_equal(x, expected)
    assert x.data is array


def test_tensors_are_indices_and_values() -> None:
    x = Tensor(A)
    rows, mask = Tensor(np.array([1, 0])), Tensor(A) > 0
    check_equal(x[rows], A[[1, 0]])
    check_equal(x[mask], A[A > 0])
    check_equal(x[rows, Tensor(np.array([0, 1]))], A[[1, 0], [0, 1]])
    x[rows] = Tensor(B)
    check_equal(x, B[[1, 0]])
    x[0] = [7, 8, 9]
    check_equal(x[0], np.array([7.0, 8.0, 9.0]))
    one, two = Tensor(np.array(1)), Tensor(np.array(2))
    check_equal(Tensor(A)[0, one:two], A[0, 1:2])


@pytest.mark.parametrize("within", [lambda mask: mask, lambda mask: (mask,)], ids=["", "tuple"])
def test_an_empty_mask_selects_no_elements(within: Any) -> None:
    array, mask = np.zeros((0, 3)), np.zeros((0, 3), bool)
    x = Tensor(array)
    check_equal(x[within(Tensor(mask))], array[mask])
    x[within(Tensor(mask))] = np.zeros(0)  # whole numbers would select the shape (0, 3, 3)
    check_equal(x, array)


def test_an_index_out_of_bounds_is_an_index_error() -> None:
    with pytest.raises(IndexError, match="out of bounds"):
        Tensor(A)[2]
    with pytest.raises(IndexError, match="too many indices"):
        Tensor(1.0)[0]


# Conversion to Python numbers and sequences.


def test_len_iteration_and_membership() -> None:
    x = Tensor(A)
    assert len(x) == 2
    for row, expected in zip(x, A, strict=True):
        check_equal(row, expected)
    first, _ = x
    check_equal(first, A[0])
    assert 5.5 in x
    assert 7 not in x
    assert Tensor(4.0) in x
    assert x.tolist() == A.tolist()
    assert list(Tensor([])) == []


def test_a_0d_tensor_has_no_length_and_cannot_be_iterated() -> None:
    with pytest.raises(TypeError, match=r"not a sequence; item\(\)"):
        len(Tensor(1.0))
    with pytest.raises(TypeError, match=r"not a sequence; item\(\)"):
        iter(Tensor(1.0))


@pytest.mark.parametrize("data", [2.5, [2.5], [[2.5]]])
def test_a_tensor_of_one_element_converts_to_python_numbers(data: Any) -> None:
    x = Tensor(data)
    assert (bool(x), int(x), float(x), complex(x), x.item()) == (True, 2, 2.5, 2.5, 2.5)
    assert type(x.item()) is float
    assert f"{x:.2f}" == "2.50"


@pytest.mark.parametrize("data", [[1.0, 2.0], []])
@pytest.mark.parametrize("convert", [bool, int, float, Tensor.item])
def test_a_tensor_of_several_elements_does_not_convert_to_a_number(data: Any, convert: Any) -> None:
    with pytest.raises(ValueError, match=rf"tensor of shape \({len(data)},\)"):
        convert(Tensor(data))


def test_a_0d_integer_tensor_can_index_a_list() -> None:
    assert ["a", "b"][Tensor(np.array(1))] == "b"
    assert list(range(Tensor(np.array(2)))) == [0, 1]
    for x in (Tensor(1.0), Tensor(np.array([1]))):
        with pytest.raises(TypeError, match="only a 0-d integer tensor"):
            ["a", "b"][x]


# Methods.


@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "var", "std", "prod"])
@pytest.mark.parametrize("axis", [None, 0, -1, 1, (0, 1), (0, 2), (-1,), ()], ids=str)
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions(name: str, axis: Any, keepdims: bool) -> None:
    a = np.linspace(-1, 2, 24).reshape(2, 3, 4)
    expected = np.asarray(getattr(a, name)(axis=axis, keepdims=keepdims))
    check_equal(getattr(Tensor(a), name)(axis, keepdims), expected)
    check_equal(getattr(Tensor(a), name)(axis=axis, keepdims=keepdims), expected)


@pytest.mark.parametrize("name", ["argmax", "argmin"])
@pytest.mark.parametrize("axis", [None, 0, -1])
def test_argmax_and_argmin(name: str, axis: int | None) -> None:
    check_equal(getattr(Tensor(A), name)(axis), np.asarray(getattr(A, name)(axis)))
    check_equal(
        getattr(Tensor(A), name)(axis, keepdims=True), getattr(A, name)(axis, keepdims=True)
    )


@pytest.mark.parametrize("name", ["var", "std"])
def test_ddof(name: str) -> None:
    check_equal(getattr(Tensor(A), name)(axis=1, ddof=1), getattr(A, name)(axis=1, ddof=1))


@pytest.mark.parametrize("name", ["sum", "mean", "max", "var", "prod"])
def test_reductions_of_float32_stay_float32(name: str) -> None:
    assert getattr(Tensor([1.0, 2.0]), name)().dtype == np.float32


def test_an_axis_out_of_bounds_is_an_error() -> None:
    with pytest.raises(np.exceptions.AxisError, match="axis 2 is out of bounds"):
        Tensor(A).sum(axis=2)


@pytest.mark.parametrize("name", ["exp", "log", "sqrt", "tanh", "abs"])
def test_elementwise_methods(name: str) -> None:
    a = np.abs(A) if name in ("log", "sqrt") else A
    check_equal(getattr(Tensor(a), name)(), getattr(np, name)(a))
    check_equal(getattr(Tensor(2.0), name)(), getattr(np, name)(np.array(2, np.float32)))


@pytest.mark.parametrize(
    "bounds", [(-1, 2), (None, 2), (-1, None), (B - 2, B), (None, None)], ids=str
)
def test_clip(bounds: tuple[Any, Any]) -> None:
    check_equal(Tensor(A).clip(*bounds), np.clip(A, *bounds))
    check_equal(Tensor(A).clip(min=bounds[0], max=bounds[1]), np.clip(A, *bounds))
    tensors = [b if b is None else Tensor(np.asarray(b, float)) for b in bounds]
    check_equal(Tensor(A).clip(*tensors), np.clip(A, *bounds))


def test_clip_with_one_bound() -> None:
    check_equal(Tensor(A).clip(2), np.clip(A, 2, None))
    check_equal(Tensor(A).clip(max=2), np.clip(A, None, 2))


@pytest.mark.parametrize("shape", [(6,), (3, 2), (-1,), (1, -1, 2)])
def test_reshape_takes_numbers_or_one_tuple(shape: tuple[int, ...]) -> None:
    check_equal(Tensor(A).reshape(*shape), A.reshape(shape))
    check_equal(Tensor(A).reshape(shape), A.reshape(shape))
    check_equal(Tensor(A).reshape(list(shape)), A.reshape(shape))


def test_reshape_to_and_from_0d() -> None:
    check_equal(Tensor([3.0]).reshape(()), np.array(3, np.float32))
    check_equal(Tensor([3.0]).reshape(), np.array(3, np.float32))
    check_equal(Tensor(3.0).reshape(1, 1), np.array([[3]], np.float32))
    with pytest.raises(ValueError, match="cannot reshape"):
        Tensor(A).reshape(4)


def test_permute_transpose_T_and_mT() -> None:
    a = np.arange(24.0).reshape(2, 3, 4)
    x = Tensor(a)
    check_equal(x.permute(2, 0, 1), a.transpose(2, 0, 1))
    check_equal(x.permute((2, 0, 1)), a.transpose(2, 0, 1))
    check_equal(x.permute(-1, 0, 1), a.transpose(2, 0, 1))
    check_equal(x.transpose(0, 2), a.swapaxes(0, 2))
    check_equal(x.transpose(), a.swapaxes(1, 2))
    check_equal(x.transpose(2, 0, 1), a.transpose(2, 0, 1))
    check_equal(x.transpose((2, 0, 1)), a.transpose(2, 0, 1))
    b = a.reshape(2, 3, 2, 2)
    check_equal(Tensor(b).transpose(0, 2, 1, 3), b.transpose(0, 2, 1, 3))
    check_equal(x.T, a.T)
    check_equal(x.mT, a.swapaxes(1, 2))
    check_equal(Tensor([1.0, 2.0]).T, np.array([1, 2], np.float32))
    with pytest.raises(
        ValueError, match=r"mT needs at least two axes, and the tensor has shape \(3,\)"
    ):
        x[0, :, 0].mT  # noqa: B018


def test_astype_copy_and_numpy() -> None:
    x = Tensor(A)
    check_equal(x.astype(np.int32), A.astype(np.int32))
    check_equal(x.astype("float32"), A.astype(np.float32))
    assert x.numpy() is x.data
    duplicate = x.copy()
    duplicate[0] = 0
    check_equal(x, A)


@pytest.mark.parametrize("name", ["sum", "exp", "clip", "reshape", "permute", "astype", "argmax"])
def test_methods_have_names_and_docstrings(name: str) -> None:
    method = getattr(Tensor, name)
    assert method.__name__ == name
    assert len(method.__doc__) > 10


def test_an_unknown_attribute_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'Tensor' object has no attribute 'nope'"):
        Tensor([1.0]).nope  # noqa: B018


# Copies.


class Named(Tensor):
    """A subclass with a constructor argument and an attribute."""

    unit = "m"

    def __init__(self, data: Any, name: str = "", **keywords: Any) -> None:
        super().__init__(data, **keywords)
        self.name = name


COPIES = [
    copy.deepcopy,
    *(lambda x, p=p: pickle.loads(pickle.dumps(x, p)) for p in range(pickle.HIGHEST_PROTOCOL + 1)),
]


@pytest.mark.parametrize("duplicate", COPIES)
@pytest.mark.parametrize(
    "data", [2.0, [], A, np.array([1, 2]), np.array(True), np.arange(6).reshape(2, 3).T]
)
def test_a_copy_has_equal_data_in_another_array(duplicate: Any, data: Any) -> None:
    x = Tensor(data)
    copied = duplicate(x)
    check_equal(copied, x.data)
    assert not np.shares_memory(copied.data, x.data)


@pytest.mark.parametrize("duplicate", COPIES)
def test_copies_of_a_subclass_keep_its_class_and_attributes(duplicate: Any) -> None:
    x = Named([1.0, 2.0], name="length")
    x.parts = [Tensor([3.0])]
    copied = duplicate(x)
    assert type(copied) is Named
    assert (copied.name, copied.unit) == ("length", "m")
    assert copied.parts is not x.parts
    check_equal(copied.parts[0], np.array([3], np.float32))
    np.testing.assert_array_equal(copied.data, x.data)


def test_a_shallow_copy_shares_the_array() -> None:
    x = Named([1.0], name="length")
    copied = copy.copy(x)
    assert copied is not x
    assert copied.data is x.data
    assert copied.name == "length"


@pytest.mark.parametrize("duplicate", [copy.copy, *COPIES])
def test_state_of_a_disabled_plugin_is_not_copied(duplicate: Any) -> None:
    with plugins.only("autograd"):
        x = Tensor([2.0], requires_grad=True)
        (x * x).backward()
    with plugins.only():
        copied = duplicate(x)
    assert not vars(copied)
    assert repr(copied) == "Tensor([2.])"


def test_deepcopy_copies_a_shared_tensor_once() -> None:
    x = Tensor([1.0])
    first, second = copy.deepcopy([x, x])
    assert first is second


def test_a_subclass_has_the_operators() -> None:
    x = Named([1.0, 2.0], name="length")
    np.testing.assert_array_equal((x * 2 + x).data, [3.0, 6.0])
    assert isinstance(np.exp(x), Tensor)
    assert repr(x) == "Named([1., 2.])"


# The repr.


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (1.5, "Tensor(1.5)"),
        ([1, 2, 3], "Tensor([1., 2., 3.])"),
        ([[1, 2], [3, 4]], "Tensor([[1., 2.],\n        [3., 4.]])"),
        ([], "Tensor([], shape=(0,))"),
        (np.zeros((2, 0)), "Tensor([], shape=(2, 0), dtype=float64)"),
        (np.array([0.5, -1]), "Tensor([ 0.5, -1. ], dtype=float64)"),
        (np.array(3), "Tensor(3, dtype=int64)"),
        (np.array([True, False]), "Tensor([ True, False], dtype=bool)"),
        ([1e-8, 1], "Tensor([1.e-08, 1.e+00])"),
        ([float("nan"), float("inf")], "Tensor([nan, inf])"),
        ([1j], "Tensor([0.+1.j], dtype=complex64)"),
        (
            np.arange(2000),
            "Tensor([   0,    1,    2, ..., 1997, 1998, 1999], dtype=int64)",
        ),
    ],
    ids=lambda value: value.replace("\n", " ") if isinstance(value, str) else "",
)
def test_repr_and_str(data: Any, text: str) -> None:
    assert repr(Tensor(data)) == str(Tensor(data)) == text


@pytest.mark.parametrize("data", [1.5, [1, 2], [[0.25], [4]], [1e-8, 1e8]])
def test_eval_of_the_repr_gives_an_equal_tensor(data: Any) -> None:
    check_equal(eval(repr(Tensor(data))), Tensor(data).data)


def test_notebooks_show_the_repr_with_shape_and_dtype() -> None:
    shown = Tensor([[1.0, 2.0]])._repr_html_()
    assert shown == (
        '<pre style="font-family: monospace; margin: 0; padding: 0">Tensor([[1., 2.]])</pre>'
        "<small>shape (1, 2), float32</small>"
    )

    class Node(Tensor):
        def __repr__(self) -> str:
            return "<b>"  # text, not markup

    assert ">&lt;b&gt;</pre>" in Node([1.0])._repr_html_()


def test_notebooks_show_a_few_thousand_characters_of_an_array_with_many_axes() -> None:
    shown = Tensor(np.zeros((9,) * 5))._repr_html_()
    assert " ...</pre><small>shape (9, 9, 9, 9, 9), float64</small>" in shown
    assert len(shown) < 5000


def test_a_large_repr_stays_short() -> None:
    assert len(repr(Tensor(np.zeros((100, 100, 100))))) < 3000

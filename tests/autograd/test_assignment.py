"""`x[index] = value` of tracked tensors: recorded if nothing else sees the array."""

import gc

import numpy as np
import pytest

from tinytorch_core import Tensor, plugins
from tinytorch_core.extend import from_array

from tinytorch_autograd import InPlaceError, func, gradcheck, no_grad
from tinytorch_devkit import StrictArray

X = np.random.default_rng(0).normal(size=(4, 3))
INDICES = {
    "number": 1,
    "slice": (slice(None, None, 2), 1),
    "ellipsis": (..., slice(0, 1)),
    "new axis": (None, 2),
    "mask": X > 0,
    "mask of rows": X[:, 0] > 0,
    "repeated numbers": ([0, 2, 0], slice(None)),
    "all": ...,
    "tensor": Tensor(np.array([3, 1])),
    "nothing": slice(0, 0),
}


def selected(index):
    return X[index.data if isinstance(index, Tensor) else index]


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
@pytest.mark.parametrize("scalar", [False, True])
def test_values_and_derivatives(index, scalar):
    value = np.asarray(0.3) if scalar else selected(index) + 0.5

    def assigned(x, value):
        y = x * x
        y[index] = value
        return np.sin(y)

    expected = X * X
    expected[index.data if isinstance(index, Tensor) else index] = value
    np.testing.assert_array_equal(assigned(Tensor(X), Tensor(value)).data, np.sin(expected))
    tensors = Tensor(X, requires_grad=True), Tensor(value, requires_grad=True)
    np.testing.assert_array_equal(assigned(*tensors).data, np.sin(expected))
    assert gradcheck(assigned, tensors)
    slopes = func.grad(lambda x, v: (assigned(x, v) ** 2).sum(), argnums=(0, 1))
    assert gradcheck(slopes, tensors)


def test_of_the_same_element_the_last_value_counts():
    value = Tensor([1.0, 2.0], requires_grad=True)
    x = Tensor([0.0, 0.0])
    x[[1, 1]] = value
    x.sum().backward()
    assert (x.tolist(), value.grad.tolist()) == ([0, 2], [0, 1])


def test_a_value_of_more_axes_and_another_dtype():
    value = Tensor(np.ones((1, 1, 3)), requires_grad=True)
    x = Tensor(np.zeros((2, 3), np.float32))
    x[0] = value
    assert (x.dtype, x.tolist()) == (np.float32, [[1, 1, 1], [0, 0, 0]])
    x.sum().backward()
    assert (value.grad.shape, value.grad.dtype) == ((1, 1, 3), np.float64)


def test_an_array_that_an_op_has_saved_keeps_its_values():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = np.exp(x)  # saves its result
    y[0] = 5.0
    y.sum().backward()
    np.testing.assert_allclose(x.grad, [0, np.exp(2)], rtol=1e-6)


def test_a_view_that_an_op_has_saved_keeps_its_values():
    x = Tensor(X, requires_grad=True)

    def scaled(x):
        y = x * 2
        y[:, 1:] *= x[:, 1:]  # saves a view of y
        return y

    assert gradcheck(scaled, (x,))
    np.testing.assert_array_equal(scaled(x).data[:, 1:], 2 * X[:, 1:] ** 2)


def test_a_view_of_memory_that_nothing_else_sees():
    x = Tensor(X, requires_grad=True)

    def first(x):
        y = (x * 2).mT[1:]
        y[0] = x[0, 0]
        return y

    assert gradcheck(first, (x,))


def test_where_the_other_value_is_not_finite():
    x = Tensor([0.0, 2.0], requires_grad=True)
    with np.errstate(divide="ignore"):
        y = np.log(x)
    y[0] = 0.0
    y.sum().backward()
    assert (y.tolist()[0], x.grad[1]) == (0, 0.5)


def test_a_value_that_numpy_refuses_raises_the_same_and_changes_nothing():
    y = Tensor(X, requires_grad=True) * 2
    before = y.tolist(), y.grad_fn
    for value, error in ((1j, "not 'complex'"), ([1, 2, 3, 4, 5], r"from shape \(5,\) into")):
        with pytest.raises((TypeError, ValueError), match=error):
            y[0] = value
    assert (y.tolist(), y.grad_fn) == before


SHARED = {
    "a view": lambda x: (lambda y: (y[1:], y))(x * 2),
    "a view of an array": lambda x: (lambda a: (from_array(Tensor, a[1:]), a))(np.zeros(3)),
    "one of two views": lambda x: (lambda y: (y[1:], y[:2]))(x * 2),
    "a tensor with a view": lambda x: (lambda y: (y, y[1:]))(x * 2),
    "a tensor whose array the program has": lambda x: (lambda y: (y, y.data))(x * 2),
    "a tensor with a detached one": lambda x: (lambda y: (y, y.detach()))(x * 2),
    "a view of memory of another library": lambda x: (
        lambda memory: (from_array(Tensor, np.frombuffer(memory)[1:]), memory)
    )(bytearray(32)),
    "an array of another library": lambda x: (Tensor(StrictArray(X[0])), None),
}


@pytest.mark.parametrize("shared", SHARED.values(), ids=SHARED)
def test_an_array_that_something_else_sees_is_refused_and_unchanged(shared):
    x = Tensor(X[0], requires_grad=True)
    y, _other = shared(x)
    before = repr(y)
    with pytest.raises(InPlaceError, match=r"shape \(\d,\) .* may share its array"):
        y[0] = x[0]
    assert repr(y) == before


def test_a_leaf_and_whole_numbers_are_refused():
    x = Tensor(X[0], requires_grad=True)
    for y, reason in (
        (x, "is a leaf"),
        (Tensor(np.zeros(3, np.int64)), "int64, which has no"),
    ):
        before = repr(y)
        with pytest.raises(InPlaceError, match=f"setitem would write .* because .*{reason}"):
            y[0] = x[0]
        assert repr(y) == before


@pytest.mark.parametrize("view", [lambda y: y[1:], lambda y: y.mT, lambda y: y[...]])
def test_a_view_that_an_op_has_saved_and_the_program_has_is_refused(view):
    x = Tensor(X, requires_grad=True)
    y = x * 2
    seen = view(y)
    product = seen * seen.copy()
    with pytest.raises(InPlaceError):
        y[0] = product[0, 0]
    assert seen.requires_grad


def test_a_gradient_that_is_retained_is_refused():
    y = Tensor(X, requires_grad=True) * 2
    y.retain_grad()
    with pytest.raises(InPlaceError, match="retains its gradient"):
        y[0] = 1.0


def test_an_argument_of_a_transform_is_refused():
    def slope(x):  # the inner argument is tracked by the outer transform
        return func.grad(assigned)(x).sum()

    def assigned(x):
        x[0] = x[1] * 2
        return (x * x).sum()

    with pytest.raises(InPlaceError, match="argument that a transform"):
        func.grad(slope)(X)
    x = Tensor(X, requires_grad=True)
    with pytest.raises(InPlaceError, match="argument that a transform"):
        func.vjp(assigned, x * 1)


def test_without_recording_the_array_itself_is_written():
    y = Tensor(X, requires_grad=True) * 2
    array = y.data
    with no_grad():
        y[0] = 1.0
    assert (array[0] == 1).all()
    with plugins.disable("autograd"):
        y[1] = 1.0
    assert (array[1] == 1).all()


def test_the_graph_is_freed_without_the_garbage_collector():
    gc.disable()
    try:
        x = Tensor(X, requires_grad=True)
        y = x * 2
        y[0] = x[1]
        before = len(gc.get_objects())
        for _ in range(20):
            y = x * 2
            y[0] = x[1]
        assert len(gc.get_objects()) - before < 20
    finally:
        gc.enable()

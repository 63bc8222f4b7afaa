"""custom_gradient and stop_gradient use the derivative that the user defines."""

import gc
import warnings
import weakref

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_autograd import custom_gradient, func, grad, gradcheck, gradgradcheck, stop_gradient

from .checks import tracked


@custom_gradient
def cube_times_ten(x):
    """A derivative that differs from the true one, so that tests can recognize it."""
    return x**3, lambda grad: grad * 30 * x**2


@custom_gradient
def product(x, y):
    return x * y, lambda grad: (grad * y, grad * x)


@custom_gradient
def log1pexp(x):
    e = np.exp(x)
    return np.log(1 + e), lambda grad: grad * (1 - 1 / (1 + e))


def test_the_given_derivative_is_used():
    x = tracked([1, 2])
    y = cube_times_ten(x)
    assert y.tolist() == [1.0, 8.0]
    assert repr(y.grad_fn) == "<CubeTimesTenBackward output 0>"
    y.sum().backward()
    assert x.grad.tolist() == [30.0, 120.0]


def test_higher_derivatives_differentiate_the_given_one():
    x = tracked([1, 2])
    slope = grad(cube_times_ten(x).sum(), x, create_graph=True)
    curvature = grad(slope.sum(), x, create_graph=True)
    assert curvature.tolist() == [60.0, 120.0]
    assert grad(curvature.sum(), x).tolist() == [60.0, 60.0]


@pytest.mark.parametrize("f", [product, lambda x, y: log1pexp(x) * product(x, y)])
def test_right_derivatives_pass_the_checks(f):
    point = (np.array([0.5, -1.0]), np.array([2.0, 3.0]))
    assert gradcheck(f, point)
    assert gradgradcheck(f, point)


def test_a_custom_gradient_can_avoid_an_overflow():
    x = Tensor(np.array([800.0]), requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        log1pexp(x).backward()
    assert x.grad.tolist() == [1.0]


def test_arrays_and_numbers_are_passed_to_the_function():
    assert cube_times_ten(np.array([2.0])).tolist() == [8.0]
    assert isinstance(cube_times_ten(np.array([2.0])), np.ndarray)
    assert cube_times_ten(2.0) == 8.0
    assert (cube_times_ten.__name__, cube_times_ten.__doc__[:12]) == (
        "cube_times_ten",
        "A derivative",
    )


def test_untracked_arguments_have_no_gradient():
    x, y = tracked([2]), Tensor(np.array([5.0]))
    product(x, y).backward()
    assert x.grad.tolist() == [5.0]
    assert y.grad is None
    product(3.0, x).backward()
    assert x.grad.tolist() == [8.0]


def test_captured_tensors_are_constants():
    w = tracked([3])

    @custom_gradient
    def f(x):
        return x * w, lambda grad: grad * 5

    assert not f(Tensor(np.array([2.0]))).requires_grad
    x = tracked([2])
    f(x).backward()
    assert (x.grad.tolist(), w.grad) == ([5.0], None)


def test_containers_several_outputs_and_keywords():
    @custom_gradient
    def f(p, x, *, scale):
        def pull(grads):
            return {"w": [grads["a"] * 100]}, grads["b"][0] * scale

        return {"a": p["w"][0] * x, "b": (x * scale,)}, pull

    w, x = tracked([2, 3]), tracked([5, 7])
    out = f({"w": [w]}, x, scale=4.0)
    (out["a"].sum() + out["b"][0].sum()).backward()
    assert w.grad.tolist() == [100.0, 100.0]
    assert x.grad.tolist() == [4.0, 4.0]
    w.zero_grad()
    x.zero_grad()
    f({"w": [w]}, x, scale=4.0)["a"].sum().backward()  # the other output has a gradient of zeros
    assert (w.grad.tolist(), x.grad.tolist()) == ([100.0] * 2, [0.0] * 2)


def test_none_is_a_gradient_of_zero():
    @custom_gradient
    def f(x, y):
        return x * y, lambda grad: (grad * 7, None)

    x, y = tracked([2]), tracked([3])
    assert [g.tolist() for g in grad(f(x, y), [x, y])] == [[7.0], [0.0]]
    f(x, y).backward()
    assert (x.grad.tolist(), y.grad.tolist()) == ([7.0], [0.0])


def test_float32_stays_float32_and_a_gradient_may_be_an_array():
    @custom_gradient
    def f(x):
        return x * 2, lambda grad: np.float64(3.0) * grad.data

    x = Tensor([1.0], requires_grad=True)
    f(x).backward()
    assert (x.grad.tolist(), x.grad.dtype) == ([3.0], np.float32)


def test_transforms_use_the_given_derivative():
    x = np.array([1.0, 2.0])
    assert func.jacobian(cube_times_ten)(x).tolist() == [[30.0, 0.0], [0.0, 120.0]]
    assert func.jvp(cube_times_ten, (x,), (np.ones(2),))[1].tolist() == [30.0, 120.0]
    assert func.hvp(lambda x: cube_times_ten(x).sum())(x, np.ones(2)).tolist() == [60.0, 120.0]


@pytest.mark.parametrize(
    ("f", "error", "words"),
    [
        (lambda x, y: x * y, TypeError, ["its value and a function"]),
        (lambda x, y: (x.data, lambda grad: None), TypeError, ["tensors", "ndarray"]),
        (lambda x, y: (x * y, lambda grad: grad), ValueError, ["1 gradients", "2 positional"]),
        (lambda x, y: (x * y, lambda grad: (grad[:1], grad)), ValueError, [r"\(1,\)", r"\(2,\)"]),
        (lambda x, y: (x * y, lambda grad: ([grad], grad)), ValueError, [r"\[·\]", "structure"]),
    ],
)
def test_an_invalid_function_raises(f, error, words):
    def wrong(x, y):
        return f(x, y)

    x, y = tracked([1, 2]), tracked([3, 4])
    with pytest.raises(error) as caught:
        custom_gradient(wrong)(x, y).sum().backward()
    for word in ["wrong", *words]:
        caught.match(word)
    assert (x.grad, y.grad) == (None, None)


def test_dropping_the_result_frees_everything():
    gc.disable()
    try:
        x = tracked(np.ones(3))
        y = log1pexp(x * 2)
        parts = [weakref.ref(o) for o in (y, y.grad_fn, y.data)]
        del y
        assert [p for p in parts if p() is not None] == []
    finally:
        gc.enable()


class TestStopGradient:
    def test_is_a_constant_to_every_transform(self):
        f = lambda x: (x * stop_gradient(x) ** 2).sum()  # noqa: E731
        x = np.array([1.0, 3.0])
        assert func.grad(f)(x).tolist() == [1.0, 9.0]
        assert func.hessian(f)(x).tolist() == [[0, 0], [0, 0]]
        assert func.jvp(f, (x,), (x,))[1].item() == 28.0

    def test_containers_and_other_values(self):
        x, a = tracked([1.0]), np.ones(2)
        found = stop_gradient({"x": [x, None], "a": (a, "word")})
        assert not found["x"][0].requires_grad
        assert found["x"][0].data is x.data
        assert found["a"][0] is a
        assert found["a"][1] == "word"
        assert x.requires_grad

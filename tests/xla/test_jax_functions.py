"""Functions of JAX as ops of Tensors."""

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_autograd import func, gradcheck, gradgradcheck, no_grad

pytestmark = pytest.mark.peers("jax")
X = np.array([[0.5, -1.0], [2.0, 0.3], [1.0, 1.0]])


@pytest.fixture
def from_jax():
    from tinytorch_xla import from_jax

    return from_jax


@pytest.fixture
def jnp():
    import jax.numpy

    return jax.numpy


def test_derivatives_of_every_order_equal_those_of_ours(from_jax, jnp):
    theirs = from_jax(lambda x: (jnp.sin(x) * x**2).sum())
    ours = lambda x: (np.sin(x) * x**2).sum()  # noqa: E731
    third = lambda f: func.jacobian(func.hessian(f))  # noqa: E731
    for transform in (func.grad, func.hessian, third):
        np.testing.assert_allclose(transform(theirs)(X[0]), transform(ours)(X[0]), rtol=1e-12)


def test_gradients_pass_through_in_a_graph_of_ours(from_jax, jnp):
    for dtype in (np.float32, np.float64):
        x = Tensor(X.astype(dtype), requires_grad=True)
        y = np.exp(from_jax(jnp.tanh)(x * 2))
        y.sum().backward()
        assert y.dtype == x.grad.dtype == dtype
        expected = 2 * np.exp(np.tanh(2 * X)) / np.cosh(2 * X) ** 2
        np.testing.assert_allclose(x.grad, expected, rtol=1e-5, atol=1e-5)


def test_gradcheck_accepts_several_inputs_and_results(from_jax, jnp):
    import jax

    @jax.jit
    def f(x, y, *, scale):
        return {"product": x @ y, "both": (jnp.max(x * scale["by"], 0), jnp.argmax(x, 0))}

    def floats(x, y):
        found = from_jax(f)(x, y, scale={"by": np.array(3.0)})
        assert found["both"][1].dtype == np.int64
        return found["product"], found["both"][0]

    y = np.array([[1.0, 2.0], [3.0, -1.0]])
    assert gradcheck(floats, (X, y))
    assert gradgradcheck(floats, (X, y))


def test_complex_numbers_have_the_gradients_of_ours(from_jax, jnp):
    z = np.array([1 + 2j, -0.5 + 1j])
    found = func.grad(from_jax(lambda z: jnp.abs(z * z * jnp.conj(z) + z).sum()))(z)
    expected = func.grad(lambda z: np.abs(z * z * np.conj(z) + z).sum())(z)
    np.testing.assert_allclose(found, expected)
    middle = func.grad(lambda z: np.abs(from_jax(lambda z: z * z * 1j)(z) + z).sum())(z)
    np.testing.assert_allclose(middle, func.grad(lambda z: np.abs(z * z * 1j + z).sum())(z))


def test_nothing_is_recorded_without_tracked_inputs(from_jax, jnp):
    x = Tensor(X, requires_grad=True)
    assert not from_jax(jnp.exp)(X).requires_grad
    with no_grad():
        assert not from_jax(jnp.exp)(x).requires_grad
    assert isinstance(from_jax(jnp.exp)(X).data, np.ndarray)


def test_arrays_on_a_device_stay_there_and_compiled_functions_may_use_it(from_jax, jnp):
    from tinytorch_xla import Array, device_put, jit

    x = device_put(Tensor(X[0], requires_grad=True))
    y = from_jax(jnp.exp)(x)
    y.sum().backward()
    assert isinstance(y.data, Array)
    np.testing.assert_allclose(np.asarray(x.grad), np.exp(X[0]))
    slope = jit(func.grad(lambda x: (from_jax(jnp.sin)(x) * x).sum()))
    np.testing.assert_allclose(
        np.asarray(slope(X[0])), np.cos(X[0]) * X[0] + np.sin(X[0]), rtol=1e-12
    )


def test_only_functions_are_taken(from_jax):
    with pytest.raises(TypeError, match="takes a function, not 3"):
        from_jax(3)

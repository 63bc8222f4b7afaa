"""Tensors together with SciPy, PyTorch, JAX, Dask and CuPy."""

import operator
import warnings
from importlib.metadata import version

import numpy as np
import pytest

from tinytorch_core import Tensor, from_dlpack, plugins
from tinytorch_core.extend import unwrap

from tinytorch_activations import gelu
from tinytorch_autograd import AutogradError, InPlaceError, func, grad, no_grad
from tinytorch_layers import BatchNorm1d, Conv2d, Flatten, Linear, Sequential
from tinytorch_layers.functional import conv2d
from tinytorch_losses import CrossEntropyLoss, binary_cross_entropy_with_logits, cross_entropy
from tinytorch_training import SGD, Adagrad, Adam, Lion, RMSprop, Trainer, clip_grad_norm

# Older versions count the parameters of a callback of Fortran, and our functions take `*args`.
NEW_SCIPY = pytest.mark.skipif(
    tuple(map(int, version("scipy").split(".")[:2])) < (1, 17), reason="SciPy 1.17 is needed"
)


class TestDLPack:
    def test_numpy_shares_the_memory_both_ways(self):
        x = Tensor(np.arange(3.0))
        a = np.from_dlpack(x)
        x.data[0] = 7
        assert a.tolist() == [7.0, 1.0, 2.0]
        b = np.zeros(2, np.float32)
        y = from_dlpack(b)
        b[1] = 5
        assert (y.tolist(), y.dtype) == ([0.0, 5.0], np.float32)
        assert from_dlpack(x).data is not None
        assert np.shares_memory(from_dlpack(x).data, x.data)

    def test_works_without_plugins(self):
        with plugins.only():
            assert np.from_dlpack(Tensor([1.0])).tolist() == [1.0]
            assert from_dlpack(np.ones(2)).tolist() == [1.0, 1.0]

    def test_a_tracked_tensor_is_refused_until_it_is_detached(self):
        x = Tensor([1.0, 2.0], requires_grad=True)
        for tracked in (x, x * 2):
            with pytest.raises(RuntimeError, match=r"requires grad.*detach\(\)"):
                np.from_dlpack(tracked)
            with pytest.raises(RuntimeError, match=r"requires grad.*detach\(\)"):
                from_dlpack(tracked)
        assert np.from_dlpack(x.detach()).tolist() == [1.0, 2.0]

    @pytest.mark.parametrize("value", [[1.0], 3.0, None])
    def test_objects_without_dlpack_are_refused(self, value):
        with pytest.raises(TypeError, match=type(value).__name__):
            from_dlpack(value)

    @pytest.mark.peers
    def test_pytorch_shares_the_memory_and_refuses_tracked_tensors(self, torch):
        x = Tensor(np.arange(6.0).reshape(2, 3))
        theirs = torch.from_dlpack(x)
        theirs[0, 0] = 9
        assert x.data[0, 0] == 9
        assert theirs.dtype == torch.float64
        ours = from_dlpack(torch.arange(3, dtype=torch.float32))
        assert (ours.tolist(), ours.dtype) == ([0, 1, 2], np.float32)
        with pytest.raises(RuntimeError, match="requires grad"):
            torch.from_dlpack(Tensor([1.0], requires_grad=True))
        with pytest.raises(BufferError):
            from_dlpack(torch.ones(2, requires_grad=True))

    @pytest.mark.peers
    def test_gradients_equal_those_of_pytorch(self, torch):
        x = Tensor(np.array([0.5, 1.5]), requires_grad=True)
        theirs = torch.from_dlpack(x.detach()).clone().requires_grad_()
        (theirs.sin() * theirs).sum().backward()
        (np.sin(x) * x).sum().backward()
        np.testing.assert_allclose(x.grad, from_dlpack(theirs.grad).data)

    @pytest.mark.peers("jax")
    def test_jax_arrays_are_exchanged_both_ways(self):
        import jax.numpy as jnp

        assert jnp.from_dlpack(Tensor([1.0, 2.0])).tolist() == [1.0, 2.0]
        assert from_dlpack(jnp.ones(2)).tolist() == [1.0, 1.0]
        assert Tensor(jnp.arange(3.0, dtype="float32")).dtype == np.float32


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


class TestSciPy:
    optimize = pytest.importorskip("scipy.optimize")

    @pytest.mark.parametrize(
        "method", ["BFGS", "L-BFGS-B", "CG", "SLSQP", "TNC", "Newton-CG", "trust-constr"]
    )
    @pytest.mark.parametrize("with_value", [False, True])
    def test_minimize_takes_our_gradients(self, method, with_value):
        found = self.optimize.minimize(
            func.value_and_grad(rosenbrock) if with_value else rosenbrock,
            np.array([0.8, 1.0, 0.8]),
            method=method,
            jac=True if with_value else func.grad(rosenbrock),
            options={"maxfun" if method == "TNC" else "maxiter": 1000},
        )
        assert type(found.x) is np.ndarray
        np.testing.assert_allclose(found.x, 1, atol=1e-2)

    @pytest.mark.parametrize("method", ["Newton-CG", "trust-ncg", "trust-krylov"])
    def test_minimize_takes_our_products_with_the_hessian(self, method):
        found = self.optimize.minimize(
            rosenbrock,
            np.array([-1.2, 1.0, 0.8]),
            method=method,
            jac=func.grad(rosenbrock),
            hessp=func.hvp(rosenbrock),
        )
        np.testing.assert_allclose(found.x, 1, atol=1e-3)

    @pytest.mark.parametrize("method", ["Newton-CG", "dogleg", "trust-exact", "trust-constr"])
    def test_minimize_takes_our_hessian(self, method):
        found = self.optimize.minimize(
            lambda x: np.sum(np.cosh(x - 1)),  # convex, as dogleg needs
            np.array([0.2, 1.5]),
            method=method,
            jac=func.grad(lambda x: np.sum(np.cosh(x - 1))),
            hess=func.hessian(lambda x: np.sum(np.cosh(x - 1))),
        )
        assert type(found.x) is np.ndarray
        np.testing.assert_allclose(found.x, 1, atol=1e-4)

    def test_constraints_take_our_jacobians(self):
        circle = lambda x: np.sum(x**2)  # noqa: E731
        found = self.optimize.minimize(
            np.sum,
            np.array([1.0, 0.5]),
            method="SLSQP",
            jac=func.grad(np.sum),
            constraints={"type": "eq", "fun": lambda x: circle(x) - 1, "jac": func.grad(circle)},
        )
        np.testing.assert_allclose(found.x, -np.sqrt(0.5), atol=1e-5)

    @pytest.mark.parametrize("method", ["trf", "dogbox", "lm"])
    def test_least_squares_takes_our_jacobian(self, method):
        t = np.linspace(0, 2, 20)
        data = 2 * np.exp(-1.5 * t)
        residuals = lambda p: p[0] * np.exp(-p[1] * t) - data  # noqa: E731
        jac = func.jacobian(residuals)
        found = self.optimize.least_squares(residuals, np.ones(2), jac=jac, method=method)
        np.testing.assert_allclose(found.x, [2, 1.5], rtol=1e-6)
        fitted, _ = self.optimize.curve_fit(
            lambda t, a, b: a * np.exp(-b * t), t, data, jac=lambda t, *p: jac(np.array(p))
        )
        np.testing.assert_allclose(fitted, [2, 1.5], rtol=1e-6)

    @pytest.mark.parametrize("method", ["hybr", "lm"])
    def test_root_takes_our_jacobian(self, method):
        def equations(x):
            return np.stack([x[0] ** 2 + x[1] - 3, x[0] - np.exp(-x[1])])

        found = self.optimize.root(
            equations, np.array([1.5, 0.5]), jac=func.jacobian(equations), method=method
        )
        np.testing.assert_allclose(equations(found.x), 0, atol=1e-8)

    def test_root_scalar_takes_our_derivatives(self):
        f = lambda x: x**3 - 2  # noqa: E731
        slope = func.grad(f)
        found = self.optimize.root_scalar(
            f, x0=np.float64(1.0), fprime=slope, fprime2=func.grad(slope), method="halley"
        )
        assert found.root == pytest.approx(2 ** (1 / 3), rel=1e-12)

    @pytest.mark.parametrize("method", ["Radau", "BDF", pytest.param("LSODA", marks=NEW_SCIPY)])
    def test_solve_ivp_takes_the_jacobian_of_a_stiff_equation(self, method):
        """Van der Pol's equation, with few evaluations because the Jacobian is exact."""
        integrate = pytest.importorskip("scipy.integrate")

        def right_hand_side(t, y):
            return np.stack([y[1], 100 * (1 - y[0] ** 2) * y[1] - y[0]])

        found, without = (
            integrate.solve_ivp(
                right_hand_side,
                (0, 10),
                np.array([2.0, 0.0]),
                method=method,
                **({} if jac is None else {"jac": jac}),
                rtol=1e-6,
                atol=1e-8,
            )
            for jac in (func.jacobian(right_hand_side, argnums=1), None)
        )
        assert found.success
        np.testing.assert_allclose(found.y[:, -1], without.y[:, -1], rtol=1e-4)

    def test_a_gradient_of_a_model_with_tracked_parameters_is_refused(self):
        layer = Linear(2, 1, dtype=np.float64)
        x = np.array([1.0, 2.0])
        cost = lambda x: np.sum(layer(x) ** 2)  # noqa: E731
        with pytest.raises(AutogradError, match=r"detach\(\)"):
            self.optimize.minimize(cost, x, jac=func.grad(cost), method="BFGS")
        with no_grad():
            self.optimize.minimize(cost, x, jac=func.grad(cost), method="BFGS")

    def test_derivatives_equal_those_of_scipy(self):
        x, p = np.array([-1.2, 1.0, 0.8]), np.array([1.0, -2.0, 0.5])
        np.testing.assert_allclose(func.grad(rosenbrock)(x), self.optimize.rosen_der(x), rtol=1e-12)
        np.testing.assert_allclose(
            func.hvp(rosenbrock)(x, p), self.optimize.rosen_hess_prod(x, p), rtol=1e-12
        )
        np.testing.assert_allclose(
            func.hessian(rosenbrock)(x), self.optimize.rosen_hess(x), rtol=1e-12
        )


def forbidden(*args, **kwargs):
    raise AssertionError("Dask computed a result before it was needed")


DASK = {
    "a layer": lambda x, w: np.tanh(x @ w).sum(),
    "means and powers": lambda x, w: ((np.exp(x) * 2 + 1).mean() - x**3).sum(),
    "slices": lambda x, w: (x[1:] * x[:-1]).sum(),
    "a maximum": lambda x, w: (x.max(axis=0) * w[0, 0]).sum(),
    "a choice": lambda x, w: np.where(x > 0, x, 0.1 * x).sum(),
    "broadcasting": lambda x, w: ((x + w.sum(axis=0)) ** 2).sum(),
    "joining and shapes": lambda x, w: (np.concatenate([x, x * 2]).reshape(-1) * 3).sum(),
    "a logarithm of a sum": lambda x, w: np.log(np.exp(x @ w.T).sum(axis=1)).sum(),
    "a loss": lambda x, w: binary_cross_entropy_with_logits(gelu(x @ w), np.eye(6, 4)),
    "class numbers": lambda x, w: cross_entropy(x @ w, np.arange(6) % 4),
    "weights of lazy class numbers": lambda x, w: cross_entropy(
        x @ w, unwrap(x).argmax(axis=1), weight=np.array([0.1, 0.2, 0.3, 0.4])
    ),
    "a convolution": lambda x, w: (
        conv2d(x.reshape(1, 1, 6, 4), w[:2, :3].reshape(1, 1, 2, 3), stride=(2, 1), padding=1) ** 2
    ).sum(),
    "a root": lambda x, w: np.sqrt(x * x + 1).sum() + x.var(axis=0).sum(),
}


@pytest.mark.peers("dask.array")
@pytest.mark.parametrize("name", DASK)
def test_dask_arrays_stay_lazy_in_the_forward_and_the_backward_pass(name):
    import dask
    import dask.array as da

    random = np.random.default_rng(0)
    arrays = [random.normal(size=(6, 4)), random.normal(size=(4, 4))]
    f = DASK[name]
    with dask.config.set(scheduler=forbidden):
        lazy = [Tensor(da.from_array(a, chunks=2), requires_grad=True) for a in arrays]
        y = f(*lazy)
        y.backward()
        gradients = grad(f(*lazy), lazy, create_graph=True, allow_unused=True)
    ready = [Tensor(a, requires_grad=True) for a in arrays]
    f(*ready).backward()
    for ours, other, gradient in zip(lazy, ready, gradients, strict=True):
        assert (ours.grad is None) == (other.grad is None) == (gradient is None)
        if ours.grad is not None:
            assert isinstance(ours.grad, da.Array)
            np.testing.assert_allclose(ours.grad.compute(), other.grad)
            np.testing.assert_allclose(gradient.data.compute(), other.grad)


@pytest.mark.peers("dask.array")
def test_a_training_step_of_dask_arrays_is_lazy():
    import dask
    import dask.array as da

    random = np.random.default_rng(0)
    array, weight = random.normal(size=(6, 4)), random.normal(size=(4, 4))
    found = []
    for kind in (np.array, da.from_array):
        with dask.config.set(scheduler=forbidden):
            w = Tensor(kind(weight), requires_grad=True)
            optimizer, norm = Adam([w], lr=0.1), BatchNorm1d(4, dtype=np.float64)
            output = norm(Tensor(kind(array)) @ w)
            binary_cross_entropy_with_logits(output, np.eye(6, 4)).backward()
            clip_grad_norm([w], max_norm=0.1)
            optimizer.step()
        found.append(w.data)
    assert isinstance(found[1], da.Array)
    np.testing.assert_allclose(found[1].compute(), found[0])


@pytest.mark.peers("dask.array")
def test_the_repr_of_a_dask_array_computes_nothing():
    import dask
    import dask.array as da

    with dask.config.set(scheduler=forbidden):
        x = Tensor(da.ones((4, 6), chunks=2), requires_grad=True)
        shown = repr(x), str(x), x._repr_html_()
    for text in shown:
        assert "shape=(4, 6)" in text
        assert "requires_grad=True" in text


@pytest.mark.peers("dask.array")
@pytest.mark.parametrize("optimizer", [SGD, Adam, RMSprop, Adagrad, Lion])
def test_ordinary_parameters_are_trained_with_dask_arrays(optimizer, tmp_path):
    import dask
    import dask.array as da

    array = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    reads = tmp_path / "reads"

    class Rows:
        shape, dtype, ndim = array.shape, array.dtype, array.ndim

        def __getitem__(self, index):
            # A file, because Dask reads from a copy of this object.
            with reads.open("a") as file:
                file.write("1")
            return array[index]

    found = []
    with dask.config.set(scheduler="synchronous"):
        for x in (array, da.from_array(Rows(), chunks=(3, 4))):
            layer = Linear(4, 2, generator=0)
            step = optimizer(layer.parameters(), lr=0.1)
            reads.write_text("")
            for _ in range(2):
                step.zero_grad()
                (layer(Tensor(x)) ** 2).mean().backward()
                step.step()
            found.append([layer.weight.data, layer.bias.data])
    # Two steps, each of which reads the two chunks once for both parameters.
    assert len(reads.read_text()) == 4
    for ours, other in zip(*found, strict=True):
        assert type(other) is np.ndarray
        np.testing.assert_allclose(ours, other, rtol=1e-5)


@pytest.mark.peers("dask.array")
def test_a_trainer_takes_dask_arrays():
    import dask.array as da

    x, classes = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32), np.arange(6) % 2
    losses = []
    for kind in (np.array, da.from_array):
        layer = Linear(4, 2, generator=0)
        parts = layer, CrossEntropyLoss(), Adam(layer.parameters(), lr=0.1)
        batches = [(Tensor(kind(x)), Tensor(kind(classes)))]
        losses.append(Trainer(*parts, max_grad_norm=0.1).fit(batches, 3)["loss"])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)


@pytest.mark.peers("dask.array")
def test_a_convolutional_network_is_trained_with_dask_arrays():
    import dask
    import dask.array as da

    random = np.random.default_rng(0)
    images, classes = random.normal(size=(6, 1, 5, 5)).astype(np.float32), np.arange(6) % 3
    found = []
    for kind in (np.array, lambda a: da.from_array(a, chunks=(2, *a.shape[1:]))):
        layers = Conv2d(1, 2, 3, generator=0), np.tanh, Flatten(), Linear(18, 3, generator=1)
        model = Sequential(*layers)
        optimizer = Adam(model.parameters(), lr=0.1)
        with dask.config.set(scheduler=forbidden):
            loss = cross_entropy(model(Tensor(kind(images))), kind(classes))
            loss.backward()
        optimizer.step()
        found.append([p.data for p in model.parameters()])
    for ours, other in zip(*found, strict=True):
        np.testing.assert_allclose(ours, other, atol=1e-5)


def cupy_or_skip():
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    try:
        available = cupy.cuda.runtime.getDeviceCount() > 0
    except cupy.cuda.runtime.CUDARuntimeError:
        available = False
    if not available:
        pytest.skip("no GPU is available")
    return cupy


def test_cupy_arrays_stay_on_the_gpu():
    cupy = cupy_or_skip()
    arrays = [np.linspace(-1, 1, 6).reshape(2, 3), np.ones((3, 2))]
    ready = [Tensor(a, requires_grad=True) for a in arrays]
    np.tanh(ready[0] @ ready[1]).sum().backward()
    there = [Tensor(cupy.asarray(a), requires_grad=True) for a in arrays]
    np.tanh(there[0] @ there[1]).sum().backward()
    for ours, other in zip(there, ready, strict=True):
        assert isinstance(ours.grad, cupy.ndarray)
        np.testing.assert_allclose(cupy.asnumpy(ours.grad), other.grad)
    with no_grad():
        assert isinstance(from_dlpack(cupy.ones(2)).data, cupy.ndarray)


MASKED = np.ma.array([[1.0, 2.0], [3.0, 4.0]], mask=[[0, 1], [0, 0]])
COMBINATIONS = {
    "m * x": operator.mul,
    "m + x": operator.add,
    "m - x": operator.sub,
    "m / x": operator.truediv,
    "m // x": operator.floordiv,
    "m % x": operator.mod,
    "m ** x": operator.pow,
    "m @ x": operator.matmul,
    "m < x": operator.lt,
    "m == x": operator.eq,
    "m *= x": operator.imul,
    "divmod": divmod,
    "np.multiply": np.multiply,
    "np.hypot": np.hypot,
    "np.dot": np.dot,
    "np.where": lambda m, x: np.where([True, False], m, x),
    "np.concatenate": lambda m, x: np.concatenate([m, x]),
}


class TestMaskedArraysAndMatrices:
    """Their operators are not those of arrays, so they do not combine with Tensors."""

    @pytest.fixture(params=["masked", "matrix"])
    def special(self, request):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PendingDeprecationWarning)
            return MASKED.copy() if request.param == "masked" else np.matrix([[1.0, 2], [3, 4]])

    @pytest.mark.parametrize("name", COMBINATIONS)
    @pytest.mark.parametrize("swapped", [False, True])
    def test_an_operation_with_a_tracked_tensor_is_an_error(self, special, name, swapped):
        x = Tensor(np.ones((2, 2)), requires_grad=True)
        with pytest.raises((TypeError, InPlaceError)):
            COMBINATIONS[name](*((x, special) if swapped else (special, x)))

    @pytest.mark.parametrize("function", [np.ma.multiply, np.ma.add, np.ma.hypot])
    def test_a_function_of_masked_arrays_of_a_tracked_tensor_is_an_error(self, function):
        x = Tensor(np.ones((2, 2)), requires_grad=True)
        for operands in ((MASKED, x), (x, MASKED), (x, x)):
            with pytest.raises(TypeError, match=r"masked array .* would have no gradient"):
                function(*operands)
        with pytest.raises(TypeError, match=r"masked array .* would have no gradient"):
            np.ma.exp(x)

    def test_the_error_names_the_kind_and_the_remedy(self, special):
        kind = type(special).__name__
        with plugins.only():
            x = Tensor(np.ones((2, 2)))
            for call in (lambda: x * special, lambda: Tensor(special), lambda: np.add(special, x)):
                with pytest.raises(TypeError, match=rf"{kind}.*np\.asarray.*x\.filled"):
                    call()
            x.data[:] = 3
            with pytest.raises(TypeError, match=kind):
                x += special
            assert x.tolist() == [[3, 3], [3, 3]]

    def test_masked_arrays_of_untracked_tensors_can_be_made(self):
        x = Tensor(np.array([1.0, np.nan]))
        assert np.ma.masked_invalid(x).mask.tolist() == [False, True]
        assert np.ma.ravel(x).shape == (2,)
        assert (Tensor(MASKED.filled(0)) * x[0]).tolist() == [[1, 0], [3, 4]]


def test_scikit_learn_takes_tensors_without_gradients():
    linear_model = pytest.importorskip("sklearn.linear_model")
    x, y = Tensor(np.eye(3)), Tensor(np.arange(3.0))
    assert linear_model.LinearRegression().fit(x, y).predict(x).shape == (3,)
    with pytest.raises(AutogradError, match=r"detach\(\)"):
        linear_model.LinearRegression().fit(Tensor(np.eye(3), requires_grad=True), y)

"""Tensors together with SciPy, PyTorch, JAX, Dask and CuPy."""

import operator
import warnings

import numpy as np
import pytest

from tinytorch_core import Tensor, from_dlpack, plugins
from tinytorch_core.extend import unwrap

from tinytorch_activations import gelu
from tinytorch_autograd import InPlaceError, func, grad, no_grad
from tinytorch_layers import BatchNorm1d, Conv2d, Flatten, Linear, Sequential
from tinytorch_layers.functional import conv2d
from tinytorch_losses import CrossEntropyLoss, binary_cross_entropy_with_logits, cross_entropy
from tinytorch_training import SGD, Adagrad, Adam, Lion, RMSprop, Trainer, clip_grad_norm


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

    @pytest.mark.parametrize("method", ["BFGS", "L-BFGS-B", "CG", "SLSQP"])
    def test_minimize_takes_our_gradients(self, method):
        found = self.optimize.minimize(
            rosenbrock,
            np.array([-1.2, 1.0, 0.8]),
            method=method,
            jac=lambda x: func.grad(rosenbrock)(x).data,
            options={"maxiter": 1000},
        )
        np.testing.assert_allclose(found.x, 1, atol=1e-2)

    @pytest.mark.parametrize("method", ["Newton-CG", "trust-ncg", "trust-krylov"])
    def test_minimize_takes_our_products_with_the_hessian(self, method):
        found = self.optimize.minimize(
            rosenbrock,
            np.array([-1.2, 1.0, 0.8]),
            method=method,
            jac=lambda x: func.grad(rosenbrock)(x).data,
            hessp=lambda x, p: func.hvp(rosenbrock)(x, p).data,
        )
        np.testing.assert_allclose(found.x, 1, atol=1e-3)

    def test_derivatives_equal_those_of_scipy(self):
        x, p = np.array([-1.2, 1.0, 0.8]), np.array([1.0, -2.0, 0.5])
        np.testing.assert_allclose(
            func.grad(rosenbrock)(x).data, self.optimize.rosen_der(x), rtol=1e-12
        )
        np.testing.assert_allclose(
            func.hvp(rosenbrock)(x, p).data, self.optimize.rosen_hess_prod(x, p), rtol=1e-12
        )
        np.testing.assert_allclose(
            func.hessian(rosenbrock)(x).data, self.optimize.rosen_hess(x), rtol=1e-12
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

"""Every function of the array API standard with float results is differentiable."""

import numpy as np
import pytest

from tinytorch_core import Tensor

from tests.core.array_api_calls import ARRAYS, DIFFERENTIABLE, calls, evaluate
from tinytorch_autograd import func

xp = Tensor(0.0).__array_namespace__()


def used(call):
    """Return the names of the arrays with a derivative in a call, outside of conditions."""
    names = compile(call.replace("where(x>0,", "where(0,"), call, "eval").co_names
    return [name for name in names if name in ARRAYS and ARRAYS[name].dtype.kind in "fc"]


@pytest.mark.parametrize("call", calls(DIFFERENTIABLE))
def test_derivatives_are_those_of_differences(call):
    assert used(call)
    for name in used(call):
        check(call, name)


def check(call, name):
    """Compare a derivative in a random direction with a difference of values."""
    x, random = ARRAYS[name], np.random.default_rng(1)
    shape = evaluate(call, xp, ARRAYS).shape
    weights = random.normal(size=shape) + 1j * random.normal(size=shape)

    def loss(x):
        result = evaluate(call, xp, {**tensors, name: x})
        return (np.real(result) * weights.real + np.imag(result) * weights.imag).sum()

    tensors = {other: Tensor(array) for other, array in ARRAYS.items()}
    direction = random.normal(size=x.shape)
    if x.dtype.kind == "c":
        direction = direction + 1j * random.normal(size=x.shape)
    ahead, behind = (loss(Tensor(x + step * direction)).item() for step in (1e-6, -1e-6))
    slope = func.grad(loss)(x)
    assert slope.dtype == x.dtype
    found = np.sum(slope.real * direction.real + slope.imag * direction.imag)
    np.testing.assert_allclose(found, (ahead - behind) / 2e-6, rtol=1e-6, atol=1e-8)


def test_asarray_keeps_the_graph():
    x = Tensor(np.array([1.0, 2.0]), requires_grad=True)
    assert xp.asarray(x) is x
    for converted in (
        xp.asarray(x, copy=True),
        xp.asarray(x, dtype=xp.float32),
        xp.astype(x, xp.float64),
        xp.asarray([x[0], x[1]]),
        xp.asarray([[x[0]], [3.0], [x[1]]]),
        xp.full((2, 2), x[0]),
        xp.full_like(x, x[0]),
        xp.linspace(x[0], x[1], 3),
        xp.arange(x[0], 3.0),
        x.to_device("cpu"),
    ):
        (slope,) = func.vjp(lambda v: v, converted)[1](xp.ones_like(converted))
        assert converted.requires_grad
        assert slope.shape == converted.shape
    y = xp.asarray([[x[0]], [3.0], [x[1]]])
    y.backward(np.array([[1.0], [10.0], [100.0]]))
    assert x.grad.tolist() == [1, 100]


@pytest.mark.parametrize(
    "call",
    ["sort(x,descending=True)", "clip(x)", "diff(x,append=y)", "fft.rfftn(x,s=(3,4))"],
)
def test_derivatives_of_options_that_numpy_lacks(call):
    check(call, "x")

"""The gradients of NumPy functions agree with those of `jax.numpy`."""

import warnings
from operator import attrgetter

import numpy as np
import pytest

from tinytorch_autograd.debug.numerical import gradients, random_weights

from .cases import DESCRIBED

pytestmark = pytest.mark.peers("jax")

# Functions that are compared with PyTorch are not compared again. These take seconds in JAX, are
# defined differently, or are not differentiable; the cases of `nan...` call np.where.
LEFT_OUT = {"corrcoef", "cumprod", "insert", "linspace", "partition", "unwrap", "where", "cov"}
LEFT_OUT |= {"unique", "unique_values", "union1d", "choose", "sort", "bincount", "resize"}
COMPARED = {
    d.name: d
    for d in reversed(DESCRIBED)
    if d.jax and not d.torch and d.shapes and d.name not in LEFT_OUT and "nan" not in d.name
}


@pytest.fixture(scope="module")
def jax():
    import jax

    with jax.enable_x64(True):
        yield jax


@pytest.mark.parametrize("described", COMPARED.values(), ids=list(COMPARED))
def test_gradient_agrees_with_jax(jax, described):
    case = next(iter(described.cases()))
    parameters = described.parameters[0]
    theirs = attrgetter(described.name)(jax.numpy)
    weight, _ = random_weights(case.function, case.arrays, 0)

    def arrays(parameters):  # JAX refuses lists
        return {k: np.array(v) if isinstance(v, list) else v for k, v in parameters.items()}

    def total(*inputs):
        out = described.call(theirs, *inputs, **arrays(parameters))
        if isinstance(out, list | tuple):
            floats = [o.ravel() for o in out if jax.numpy.issubdtype(o.dtype, float)]
            out = jax.numpy.concatenate(floats)
        return (weight * out**2).sum()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # JAX warns about dtypes and deprecations
        expected = jax.grad(total, tuple(range(len(case.arrays))))(*case.arrays)
    found = gradients(case.function, case.arrays, weight)
    for f, e in zip(found, expected, strict=True):
        np.testing.assert_allclose(f, np.asarray(e), rtol=1e-9, atol=1e-9)

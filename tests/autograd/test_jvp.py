"""jvp of every function with a rule agrees with finite differences."""

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_autograd import func, gradcheck, gradgradcheck
from tinytorch_autograd.debug.numerical import central_difference

from .cases import by_function

CALLS = by_function(lambda described: [*described.cases(), *described.complex_cases()])


def random_like(array, random):
    real = random.uniform(-1, 1, array.shape)
    return real + 1j * random.uniform(-1, 1, array.shape) if array.dtype.kind == "c" else real


@pytest.mark.parametrize("name", CALLS)
def test_jvp_agrees_with_finite_differences(name):
    random = np.random.default_rng(0)
    for case in CALLS[name]:
        directions = [random_like(a, random) for a in case.arrays]
        value, found = func.jvp(case.function, case.arrays, directions)

        def at(t, case=case, directions=directions):
            arrays = [a + t * v for a, v in zip(case.arrays, directions, strict=True)]
            return case.function(*map(Tensor, arrays)).data

        np.testing.assert_allclose(value.data, at(0), rtol=1e-12, atol=1e-12)
        expected = central_difference(at)
        scale = max(1.0, np.abs(np.append(expected, value.data)).max(initial=0))
        np.testing.assert_allclose(
            found.data, expected, rtol=0, atol=1e-8 * scale, err_msg=case.name
        )


Z = np.array([0.5 + 1.0j, -1.0 + 0.25j])


@pytest.mark.parametrize(
    "f", [lambda z: z * z, lambda z: np.exp(z) * np.conjugate(z), lambda z: np.real(z) ** 2]
)
def test_complex_functions_pass_the_checks(f):
    assert gradcheck(f, Z)
    assert gradgradcheck(f, Z)


def test_gradients_of_complex_numbers_follow_pytorch():
    """The gradient of |z|**2 is 2 z, as in PyTorch."""
    gradient = func.grad(lambda z: np.sum(np.real(z * np.conjugate(z))))(Z)
    np.testing.assert_allclose(gradient.data, 2 * Z)
    assert func.jacobian(np.abs)(Z).shape == (2, 2)
    with pytest.raises(TypeError, match=r"np\.real"):
        func.jacobian(lambda z: z * z)(Z)

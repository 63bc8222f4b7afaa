"""The composed activations on arrays of other libraries; the kit checks those that are ops."""

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_activations import PReLU, glu
from tinytorch_autograd import grad
from tinytorch_devkit import StrictArray, values_of

from .cases import COMPOSED, POINTS

FUNCTIONS = {str(case): case for case in COMPOSED} | {
    "glu": glu,
    "prelu": PReLU(4, dtype=np.float64),
}


def derivatives(function, array):
    """Return the values, and the first and second derivatives of the sum of their squares."""
    x = Tensor(array, requires_grad=True)
    y = function(x)
    first = grad((y * y).sum(), x, create_graph=True)
    return [y, first, grad((first * first).sum(), x)]


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_composed_activations_agree_with_ndarrays(function):
    expected = derivatives(function, POINTS)
    for found, other in zip(derivatives(function, StrictArray(POINTS)), expected, strict=True):
        assert type(found.data) is StrictArray
        np.testing.assert_allclose(values_of(found.data), other.data, rtol=1e-12, atol=1e-12)

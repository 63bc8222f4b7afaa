"""Fixtures: PyTorch, limited to one thread, and a check of derivatives."""

import pytest

from tinytorch_autograd import func, gradcheck


@pytest.fixture(scope="session")
def torch():
    import torch

    torch.set_num_threads(1)
    return torch


@pytest.fixture(scope="session")
def check_derivatives():
    """Return a function that compares first and second derivatives with differences in float64."""

    def check(function, *inputs, rtol=1e-6):
        def loss(*inputs):
            return (abs(function(*inputs)) ** 2).sum()

        gradcheck(function, inputs, eps=1e-5, rtol=rtol, atol=1e-8)
        gradients = func.grad(loss, argnums=range(len(inputs)))
        gradcheck(gradients, inputs, eps=1e-5, rtol=rtol, atol=1e-8)

    return check

"""Tensor: numbers are float32, and methods are those of the course."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from .checks import close

pytestmark = pytest.mark.usefixtures("course")


@pytest.mark.parametrize(
    "data", [3, [1, 2], np.arange(3), np.ones(2), np.array([True]), np.float64(2), [[0.5]]]
)
def test_every_tensor_is_float32(data: Any) -> None:
    from tinytorch.core.tensor import Tensor

    x = Tensor(data)
    close(x, data)
    assert isinstance(x, Tensor)
    assert not x.requires_grad
    assert x.grad is None


def test_arithmetic_stays_in_float32() -> None:
    from tinytorch import Tensor

    x = Tensor([[1, 2], [3, 4]], True)
    for y in (x + np.ones(2), x * np.float64(2), np.arange(2) - x, x @ np.eye(2), x / 2, 2**x):
        assert y.dtype == np.float32
        assert isinstance(y, Tensor)
        assert y._grad_fn is not None


def test_methods_of_a_tensor() -> None:
    from tinytorch import Tensor

    x = Tensor(np.arange(6).reshape(1, 2, 3), requires_grad=True)
    close(x.numpy(), [[[0, 1, 2], [3, 4, 5]]])
    assert float(x.sum()) == int(x.sum()) == 15
    assert x.transpose().shape == (1, 3, 2)
    assert x.transpose(0, 2).shape == (3, 2, 1)
    assert x.reshape(3, -1).shape == (3, 2)
    close(Tensor([1, 2]).transpose(), [1, 2])
    close(x.sum(axis=2), [[3, 12]])
    close(x.mean(), 2.5)
    close(x.max(axis=1, keepdims=True), [[[3, 4, 5]]])
    close(Tensor([[1, 2]]).matmul(Tensor([[3], [4]])), [[11]])
    with pytest.raises(ValueError, match="shapes"):
        Tensor([[1, 2]]).matmul(Tensor([[1, 2]]))


def test_augmented_assignment_makes_a_new_tensor() -> None:
    from tinytorch import Tensor

    x = y = Tensor([1.0], requires_grad=True)
    y += 1
    y *= 3
    y.backward()
    close(x, [1])
    close(y, [6])
    close(x.grad, [3])


def test_data_that_are_not_numbers() -> None:
    from tinytorch import Tensor

    with pytest.raises(ValueError, match="cannot become a Tensor"):
        Tensor([[1, 2], [3]])
    for data in (["a"], object()):
        with pytest.raises(TypeError, match="a Tensor holds numbers"):
            Tensor(data)
    with pytest.raises(TypeError, match="holds real numbers, not complex64"):
        Tensor(1j)

"""Gradients that contain NaN or infinity are found, and large ones are not taken for them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_training.finite import all_finite

LARGE = {np.float16: 6e4, np.float32: 3e38, np.float64: 1e308}


def with_gradients(*gradients) -> list[Tensor]:
    tensors = [Tensor(np.zeros_like(g), requires_grad=True) for g in gradients]
    for t, grad in zip(tensors, gradients, strict=True):
        t.grad = grad
    return tensors


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", LARGE)
def test_gradients_are_finite_unless_an_element_is_not(dtype, order: str) -> None:
    grad = np.full((4, 3), LARGE[dtype], dtype, order=order)
    parameters = [*with_gradients(np.ones(2, dtype), grad), Tensor([1.0], requires_grad=True)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert all_finite(parameters)
        for wrong in (np.nan, np.inf, -np.inf):
            grad[2, 1] = wrong
            assert not all_finite(parameters)
            assert not all_finite(with_gradients(grad[::2, ::-1], np.ones(2)))
            assert not all_finite(with_gradients(grad[2, 1, ...]))


def test_infinities_of_both_signs_do_not_cancel() -> None:
    assert not all_finite(with_gradients(np.array([np.inf, -np.inf])))

"""Losses of arrays of other libraries, alone and next to ndarrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_devkit import StrictArray, values_of
from tinytorch_losses import binary_cross_entropy, cross_entropy, nll_loss

X = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
T = np.array([0, 2, -100, 1])
KINDS = [(StrictArray, StrictArray), (StrictArray, np.array), (np.array, StrictArray)]


def loss_and_gradient(loss: Any, input: Any, target: Any, **options: Any) -> tuple[Any, Any]:
    x = Tensor(input, requires_grad=True)
    out = loss(x, Tensor(target), **options)
    out.backward(np.ones(out.shape, np.float32))
    return values_of(out.data), values_of(x.grad)


@pytest.mark.parametrize("kinds", KINDS, ids=["both", "input", "target"])
@pytest.mark.parametrize("dtype", [np.int64, np.float32])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weight", [None, np.array([1.0, 2.0, 0.5], np.float32)])
@pytest.mark.parametrize("loss", [cross_entropy, nll_loss])
def test_class_numbers(loss: Any, weight: Any, reduction: str, dtype: Any, kinds: Any) -> None:
    target = T.astype(dtype)
    options = {"reduction": reduction, "weight": weight}
    expected = loss_and_gradient(loss, X, target, **options)
    found = loss_and_gradient(loss, kinds[0](X), kinds[1](target), **options)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


def test_cross_entropy_is_rounded_as_for_ndarrays() -> None:
    target = np.array([0, 2, 1, 1])
    expected = loss_and_gradient(cross_entropy, X, target)
    found = loss_and_gradient(cross_entropy, StrictArray(X), StrictArray(target))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_all_targets_ignored(reduction: str) -> None:
    target = np.full(4, -100)
    expected = loss_and_gradient(cross_entropy, X, target, reduction=reduction)
    found = loss_and_gradient(
        cross_entropy, StrictArray(X), StrictArray(target), reduction=reduction
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_values_that_may_not_be_known_yet_are_not_checked() -> None:
    probabilities = np.array([0.5, 1.5])
    with pytest.raises(ValueError, match="from 0 to 1"):
        binary_cross_entropy(probabilities, np.ones(2))
    assert binary_cross_entropy(StrictArray(probabilities), StrictArray(np.ones(2))).shape == ()

"""Gradients that contain NaN or infinity are found, and large ones are not taken for them.

A run that meets them stops with an error.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_layers import Linear, Sequential
from tinytorch_losses import CrossEntropyLoss
from tinytorch_training import (
    SGD,
    DataLoader,
    NonFiniteError,
    TensorDataset,
    Trainer,
)
from tinytorch_training.finite import all_finite

from .runs import DATA, X, Y, linear_model, loader

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


def test_nan_loss_stops_the_run_and_names_the_arrays() -> None:
    data = X.copy()
    data[20, 1] = np.nan
    model = Sequential(Linear(3, 4, dtype=np.float64), Linear(4, 2, dtype=np.float64))
    run = Trainer(model, CrossEntropyLoss(), SGD(model.parameters(), lr=0.1))
    expected = (
        r"the loss is nan at step 8, in epoch 2\. Not finite among the gradients: "
        r"0\.weight \(12 of 12\), 0\.bias \(4 of 4\), 1\.weight \(8 of 8\), 1\.bias \(2 of 2\)\. "
        r"Not finite among the parameters: none\. Not finite among the data in the batch: "
        r"item 0 \(1 of 24\)\. The parameters are those after step 7\."
    )
    run.fit(DataLoader(DATA, 8), 1)
    before = model.state_dict()
    with pytest.raises(NonFiniteError, match=expected):
        run.fit(DataLoader(TensorDataset(data, Y, dtype=np.float64), 8), 2)
    after = model.state_dict()
    assert all(np.isfinite(a).all() for a in after.values())
    assert any((after[name] != before[name]).any() for name in after)


def test_infinite_gradient_of_a_finite_loss_stops_the_run() -> None:
    model = linear_model()
    run = Trainer(model, lambda output, y: (output * 0).sum().sqrt(), SGD(model.parameters()))
    before = model.state_dict()
    with np.errstate(all="ignore"), pytest.raises(NonFiniteError, match="gradient is not finite"):
        run.fit(loader(), 1)
    np.testing.assert_equal(model.state_dict(), before)


def test_text_in_a_batch_does_not_hide_a_nan_loss() -> None:
    model = linear_model()
    run = Trainer(model, lambda output, names: output.sum() * np.nan, SGD(model.parameters()))
    batches = [(X[:8], np.array(["name"] * 8))]
    with pytest.raises(NonFiniteError, match=r"data in the batch: none"):
        run.fit(batches, 1)

"""Losses are called or used by forward, also with values at the border."""

from __future__ import annotations

import numpy as np
import pytest

from .checks import close

pytestmark = pytest.mark.usefixtures("course")


def test_losses() -> None:
    from tinytorch import BinaryCrossEntropyLoss, CrossEntropyLoss, MSELoss, Tensor
    from tinytorch.core.losses import log_softmax

    close(MSELoss()(Tensor([1, 2]), Tensor([1, 4])), 2)
    close(MSELoss().forward(Tensor([[1], [2]]), Tensor([1, 2])), 0.5)  # broadcasts
    close(BinaryCrossEntropyLoss()(Tensor([0.5, 0.5]), Tensor([0, 1])), np.log(2))
    assert 15 < BinaryCrossEntropyLoss()(Tensor([0, 2]), Tensor([1, 0])).item() < 17
    logits = Tensor([[1e4, 0], [0, 1e4]])
    close(CrossEntropyLoss()(logits, Tensor([0, 1])), 0)
    close(CrossEntropyLoss().forward(logits, Tensor([1, 0])), 1e4)
    close(log_softmax(logits), [[0, -1e4], [-1e4, 0]])
    assert MSELoss().backward() is None

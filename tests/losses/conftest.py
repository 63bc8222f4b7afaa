"""The leaves of a case, for the tests of gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tinytorch_core import Tensor

from .cases import Case


@pytest.fixture
def leaves() -> Any:
    """Return a function that returns the leaf Tensors of a case and their loss."""
    pytest.importorskip("tinytorch_autograd", reason="tinytorch-autograd is not installed")

    def compute(case: Case, x: np.ndarray, y: np.ndarray) -> tuple[list[Tensor], Tensor]:
        inputs = [Tensor(x, requires_grad=True)]
        if case.target_is_differentiable:
            inputs.append(Tensor(y, requires_grad=True))
        return inputs, case.function(
            *inputs, *([] if case.target_is_differentiable else [y]), **case.options
        )

    return compute

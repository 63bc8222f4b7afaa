"""Activations compute the right values."""

from __future__ import annotations

import numpy as np
import pytest

from .checks import close

pytestmark = pytest.mark.usefixtures("course")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Sigmoid", [0.2689414, 0.5, 0.7310586]),
        ("ReLU", [0, 0, 1]),
        ("Tanh", [-0.7615942, 0, 0.7615942]),
        ("GELU", [-0.1586553, 0, 0.8413447]),
        ("Softmax", [0.0900306, 0.2447285, 0.6652409]),
    ],
)
def test_an_activation(name: str, expected: list[float]) -> None:
    import tinytorch

    activation = getattr(tinytorch, name)()
    x = tinytorch.Tensor([-1, 0, 1], requires_grad=True)
    close(activation(x), expected)
    close(activation.forward(x), expected)
    assert activation.parameters() == []
    assert activation.backward(np.ones(3)) is None
    assert activation(x)._grad_fn is not None
    assert repr(activation) == f"{name}()"


def test_softmax_along_an_axis() -> None:
    from tinytorch.core.activations import Softmax

    close(Softmax()(np.zeros((2, 4)), dim=0), np.full((2, 4), 0.5))

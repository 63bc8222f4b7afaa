"""Layers for images."""

from __future__ import annotations

import numpy as np
import pytest

from .checks import close

pytestmark = pytest.mark.usefixtures("course")


def test_image_layers_have_the_right_shapes() -> None:
    from tinytorch.core.spatial import AvgPool2d, Conv2d, MaxPool2d, SimpleCNN

    x = np.random.randn(2, 3, 8, 8)
    assert Conv2d(3, 4, 3)(x).shape == (2, 4, 6, 6)
    assert Conv2d(3, 4, (3, 1), stride=2, padding=1, bias=False)(x).shape == (2, 4, 4, 5)
    assert len(Conv2d(3, 4, 3, bias=False).parameters()) == 1
    with pytest.raises(ValueError, match=r"or two for height and width, not \(3, 3, 3\)"):
        Conv2d(3, 4, (3, 3, 3))
    assert MaxPool2d(2)(x).shape == (2, 3, 4, 4)
    assert MaxPool2d(3, stride=1, padding=1).forward(x).shape == (2, 3, 8, 8)
    close(AvgPool2d(8)(x)[..., 0, 0], x.mean(axis=(2, 3)))
    cnn = SimpleCNN(num_classes=10)
    assert cnn(np.random.randn(2, 3, 32, 32)).shape == (2, 2048)
    assert len(cnn.parameters()) == 4
    close(cnn.relu([-1, 1]), [0, 1])


def test_nodes_of_image_layers() -> None:
    from tinytorch import Conv2d, Conv2dBackward, MaxPool2d, MaxPool2dBackward, Tensor

    x = Tensor(np.random.randn(1, 2, 6, 6), requires_grad=True)
    conv, pool = Conv2d(2, 3, 3, padding=1), MaxPool2d(2)
    grad = np.random.randn(1, 3, 6, 6).astype(np.float32)
    y = conv(x)
    assert isinstance(y._grad_fn, Conv2dBackward)
    by_hand = Conv2dBackward(x, conv.weight, conv.bias, 1, 1, (3, 3), (1, 2, 8, 8)).apply(grad)
    without = Conv2dBackward(x, conv.weight, None, 1, 1, (3, 3), (1, 2, 8, 8)).apply(grad)
    y.backward(grad)
    for found, tensor in zip(by_hand, [x, conv.weight, conv.bias], strict=True):
        close(found, tensor.grad)
    assert len(without) == 2
    x.zero_grad()
    y = pool(x)
    assert isinstance(y._grad_fn, MaxPool2dBackward)
    by_hand = MaxPool2dBackward(x, (1, 2, 3, 3), (2, 2), 2, 0).apply(np.ones(y.shape))
    y.sum().backward()
    close(by_hand[0], x.grad)


def test_batch_norm_in_both_modes() -> None:
    from tinytorch import BatchNorm2d

    x = np.random.randn(8, 3, 4, 4) * 2 + 5
    layer = BatchNorm2d(3)
    assert layer.train() is layer
    for _ in range(100):
        y = layer(x)
    close(y.data.mean(axis=(0, 2, 3)), np.zeros(3))
    close(layer.running_mean, x.mean(axis=(0, 2, 3)), 1e-3)
    close(layer.running_var, x.var(axis=(0, 2, 3)), 1e-3)
    assert layer.eval() is layer
    close(layer(x[:1]), y.data[:1], 1e-2)
    assert [p.shape for p in layer.parameters()] == [(3,), (3,)]
    with pytest.raises(ValueError, match=r"expects images of shape \(N, 3, H, W\)"):
        layer(x[:, :2])

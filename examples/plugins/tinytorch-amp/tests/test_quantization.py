"""Quantization: values, straight-through gradients and exact integer products."""

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_amp import integers, quantize, quantized_matmul
from tinytorch_autograd import func, grad

rng = np.random.default_rng(0)
X = rng.standard_normal((6, 5)).astype(np.float32)
Y = rng.standard_normal((5, 3)).astype(np.float32)


@pytest.mark.parametrize("bits", range(2, 17))
def test_the_values_are_multiples_of_the_scale_and_the_largest_is_exact(bits):
    found = quantize(X.astype(np.float64), bits)
    scale = np.abs(X).max() / (2 ** (bits - 1) - 1)
    np.testing.assert_allclose(found / scale, np.round(found / scale), atol=1e-9)
    assert len(np.unique(found)) <= 2**bits
    assert np.abs(found - X).max() <= scale / 2 * (1 + 1e-6)
    np.testing.assert_allclose(np.abs(found).max(), np.abs(X).max())


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtypes_and_zeros(dtype):
    assert quantize(X.astype(dtype)).dtype == dtype
    assert quantize(np.zeros((2, 0), dtype)).shape == (2, 0)
    np.testing.assert_array_equal(quantize(np.zeros(3, dtype)), 0)
    x = Tensor(X.astype(dtype), requires_grad=True)
    x.quantize(bits=4).sum().backward()
    assert x.grad.dtype == dtype


def test_the_gradient_is_one_inside_the_range_and_zero_outside():
    # With 4 bits and the scale 0.5, the range is -4 to 3.5.
    x = Tensor([-4.3, -4.2, -4.0, 0.0, 0.3, 3.5, 3.7, 3.8], requires_grad=True)
    y = x.quantize(bits=4, scale=0.5)
    assert y.tolist() == [-4.0, -4.0, -4.0, 0.0, 0.5, 3.5, 3.5, 3.5]
    (y * np.arange(1.0, 9.0)).sum().backward()
    assert x.grad.tolist() == [0.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 0.0]


def test_unsigned_integers_and_a_zero_point():
    x = Tensor([-1.0, -0.5, 0.0, 1.0, 2.0], requires_grad=True)
    y = quantize(x, bits=2, scale=0.5, zero_point=1, signed=False)
    assert y.tolist() == [-0.5, -0.5, 0.0, 1.0, 1.0]
    y.sum().backward()
    assert x.grad.tolist() == [0.0, 1.0, 1.0, 1.0, 0.0]


def test_scales_for_each_channel():
    x = np.array([[1.0, 2.0], [10.0, 20.0]])
    for axis, largest in ((0, [[2.0], [20.0]]), (1, [[10.0, 20.0]])):
        codes, scale = integers(x, 8, axis)
        np.testing.assert_allclose(scale, np.array(largest) / 127)
        np.testing.assert_allclose(quantize(x, 8, axis=axis), codes * scale)
        given = quantize(x, 8, scale=scale.ravel(), axis=axis - 2)
        np.testing.assert_array_equal(given, quantize(x, 8, axis=axis))


def test_the_straight_through_gradient_reaches_higher_orders():
    f = lambda x: (quantize(x, bits=4, scale=0.5) ** 3).sum()  # noqa: E731
    x = np.array([-9.0, 0.3, 1.1])
    q = quantize(x, bits=4, scale=0.5)
    inside = [0, 1, 1]
    np.testing.assert_array_equal(func.grad(f)(x), 3 * q**2 * inside)
    np.testing.assert_array_equal(func.hessian(f)(x), np.diag(6 * q * inside))


@pytest.mark.parametrize("bits", [2, 4, 8, 16])
@pytest.mark.parametrize(
    "shapes",
    [
        ((6, 5), (5, 3)),
        ((5,), (5, 3)),
        ((6, 5), (5,)),
        ((5,), (5,)),
        ((2, 6, 5), (5, 3)),
        ((2, 6, 5), (2, 5, 3)),
    ],
)
def test_the_product_is_that_of_the_quantized_inputs(shapes, bits):
    x, y = (rng.standard_normal(s) for s in shapes)
    axis = None if y.ndim == 1 else -1
    found = quantized_matmul(x, y, bits)
    np.testing.assert_allclose(found, quantize(x, bits) @ quantize(y, bits, axis=axis), atol=1e-12)
    tracked = [Tensor(a, requires_grad=True) for a in (x, y)]
    weights = rng.standard_normal(found.shape)
    found = grad((quantized_matmul(*tracked, bits) * weights).sum(), tracked)
    straight = quantize(tracked[0], bits) @ quantize(tracked[1], bits, axis=axis)
    expected = grad((straight * weights).sum(), tracked)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a.data, b.data, atol=1e-12)


@pytest.mark.parametrize("count", [1000, 5000])
def test_the_product_of_the_integers_is_exact(count):
    x = np.full((1, count), 1.0, np.float32)
    x[0, 0] = 1 / 127  # the integers are 127 and 1
    y = np.full((count, 1), 1.0, np.float32)
    exact = (127 * (count - 1) + 1) * 127
    assert quantized_matmul(x, y).item() == np.float32(exact * np.float32(1 / 127) ** 2)


def test_integers_are_small():
    codes, scale = integers(X)
    assert (codes.dtype, codes.shape, scale.shape) == (np.int8, X.shape, ())
    assert integers(X, 16)[0].dtype == np.int16
    np.testing.assert_allclose(codes * scale, quantize(X), rtol=1e-6)


def test_training_with_quantized_weights_learns():
    w = Tensor(np.zeros((5, 3), np.float32), requires_grad=True)
    target = X @ Y
    losses = []
    for _ in range(200):
        loss = ((quantized_matmul(X, w, 4) - target) ** 2).mean()
        losses.append(loss.item())
        w.grad = None
        loss.backward()
        w.data -= 0.2 * w.grad
    assert losses[-1] < 0.05 * losses[0]


@pytest.mark.peers
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("zero_point", [0, 3, -5])
def test_quantize_agrees_with_pytorch_bit_for_bit(torch, bits, zero_point):
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    data = (rng.standard_normal(1000) * 3).astype(np.float32)
    data[:5] = [0.05, 0.15, 0.25, -0.05, -0.15]  # ties
    x, tx = Tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    y = quantize(x, bits, scale=0.1, zero_point=zero_point)
    ty = torch.fake_quantize_per_tensor_affine(tx, 0.1, zero_point, low, high)
    np.testing.assert_array_equal(y.data, ty.detach().numpy())
    weights = rng.standard_normal(1000).astype(np.float32)
    (y * weights).sum().backward()
    (ty * torch.tensor(weights)).sum().backward()
    np.testing.assert_array_equal(x.grad, tx.grad.numpy())


@pytest.mark.peers
def test_channels_agree_with_pytorch_bit_for_bit(torch):
    data = rng.standard_normal((4, 3, 5)).astype(np.float32)
    scale, zero = np.array([0.01, 0.1, 0.5], np.float32), np.array([0, -3, 7], np.int32)
    x, tx = Tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    y = quantize(x, 8, scale=scale, zero_point=zero, axis=1)
    options = torch.tensor(scale), torch.tensor(zero), 1, -128, 127
    ty = torch.fake_quantize_per_channel_affine(tx, *options)
    np.testing.assert_array_equal(y.data, ty.detach().numpy())
    y.sum().backward()
    ty.sum().backward()
    np.testing.assert_array_equal(x.grad, tx.grad.numpy())

"""autocast: the dtypes, values and gradients of ops in its block."""

import threading

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_activations import softmax
from tinytorch_amp import autocast, half_matmul, is_autocast_enabled
from tinytorch_autograd import checkpoint, grad
from tinytorch_layers import Conv2d, Linear
from tinytorch_losses import cross_entropy

HALF, SINGLE, DOUBLE = np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64)
rng = np.random.default_rng(0)


def tensor(*shape, dtype=SINGLE, **keywords):
    return Tensor(rng.standard_normal(shape).astype(dtype), **keywords)


X, W = tensor(4, 3), tensor(3, 5)

DTYPES = {
    "matmul": (lambda: X @ W, HALF),
    "np.matmul": (lambda: np.matmul(X, W), HALF),
    "matmul with an array": (lambda: X @ W.data, HALF),
    "array with matmul": (lambda: X.data @ W, HALF),
    "matmul of halves": (lambda: (X @ W) @ W.T, HALF),
    "matmul in float64": (lambda: X.astype(DOUBLE) @ W, DOUBLE),
    "matmul of integers": (lambda: X @ np.ones((3, 2), np.int64), DOUBLE),
    "Linear": (lambda: Linear(3, 5)(X), HALF),
    "Linear without bias": (lambda: Linear(3, 5, bias=False)(X), HALF),
    "Conv2d": (lambda: Conv2d(1, 2, 3)(tensor(1, 1, 5, 5)), HALF),
    "exp": (lambda: np.exp(X @ W), SINGLE),
    "sum": (lambda: (X @ W).sum(), SINGLE),
    "cumsum": (lambda: (X @ W).cumsum(0), SINGLE),
    "softmax": (lambda: softmax(X @ W), SINGLE),
    "cross_entropy": (lambda: cross_entropy(X @ W, Tensor([0, 1, 2, 3])), SINGLE),
    "relu": (lambda: (X @ W).relu(), HALF),
    "half + half": (lambda: X @ W + X @ W, HALF),
    "half + single": (lambda: X @ W + X[:, :1], SINGLE),
    "exp in float64": (lambda: np.exp(X.astype(DOUBLE)), DOUBLE),
}


@pytest.mark.parametrize(("call", "dtype"), DTYPES.values(), ids=DTYPES)
def test_the_results_have_these_dtypes(call, dtype):
    with autocast():
        assert call().dtype == dtype
    assert not is_autocast_enabled()


def test_outside_of_the_block_ops_are_unchanged():
    with autocast():
        pass
    np.testing.assert_array_equal((X @ W).data, X.data @ W.data)


def test_products_are_added_in_float32_and_rounded_once():
    with autocast():
        found = X @ W
        ones = Tensor(np.ones((1, 4096), np.float32))
        assert (ones @ ones.T).item() == 4096  # sums in float16 stop at 2048
    rounded = [a.data.astype(HALF).astype(SINGLE) for a in (X, W)]
    np.testing.assert_array_equal(found.data, (rounded[0] @ rounded[1]).astype(HALF))


def test_convolutions_too():
    conv = Conv2d(3, 2, 3)
    image = tensor(2, 3, 6, 6)
    with autocast():
        found = conv(image)
    for p in conv.parameters():
        p.data = p.data.astype(HALF).astype(SINGLE)
    expected = conv(Tensor(image.data.astype(HALF).astype(SINGLE)))
    np.testing.assert_array_equal(found.data, expected.data.astype(HALF))


def test_gradients_are_rounded_in_the_same_way():
    x, w = (Tensor(a, requires_grad=True) for a in (X, W))
    with autocast():
        y = x @ w
    seed = rng.standard_normal(y.shape).astype(HALF)
    y.backward(seed)
    x16, w16, g = x.data.astype(HALF).astype(SINGLE), w.data.astype(HALF).astype(SINGLE), seed
    g = g.astype(SINGLE)
    np.testing.assert_array_equal(x.grad, (g @ w16.T).astype(HALF).astype(SINGLE))
    np.testing.assert_array_equal(w.grad, (x16.T @ g).astype(HALF).astype(SINGLE))
    assert x.grad.dtype == w.grad.dtype == SINGLE


def test_the_graph_holds_halves():
    x, w = (Tensor(a, requires_grad=True) for a in (X, W))
    with autocast():
        saved = [a for a in (x @ w).grad_fn.saved_tensors if isinstance(a, np.ndarray)]
    assert [a.dtype for a in saved] == [HALF, HALF]


def test_small_gradients_vanish_and_large_ones_become_infinite_without_a_warning():
    for factor, expected in ((1e-9, 0.0), (1e9, np.inf)):
        w = Tensor(np.ones((1, 1), np.float32), requires_grad=True)
        with autocast():
            loss = (Tensor([[1.0]]) @ w).sum() * factor
        loss.backward()
        assert w.grad.item() == expected
        assert w.grad.dtype == SINGLE


@pytest.mark.parametrize("shapes", [((2, 3), (3, 4)), ((3,), (3, 2)), ((2, 3), (3,)), ((3,), (3,))])
def test_second_derivatives(shapes):
    x, y = (Tensor(tensor(*s) * 0.3, requires_grad=True) for s in shapes)

    def second(product):
        slope = grad((product(x, y) ** 3).sum(), x, create_graph=True)
        return grad((slope * slope).sum(), y).data

    np.testing.assert_allclose(second(half_matmul), second(np.matmul), rtol=1e-5)
    with autocast():
        found = second(lambda x, y: x @ y)
    np.testing.assert_allclose(found, second(np.matmul), rtol=0.02, atol=2e-3)


def test_a_checkpoint_runs_again_in_the_same_mode():
    w = Tensor(W, requires_grad=True)
    with autocast():
        y = checkpoint(lambda w: X @ w, w)
    assert y.dtype == HALF
    y.sum().backward()
    assert w.grad.dtype == SINGLE


def test_blocks_can_be_nested_and_turned_off():
    cast = autocast()
    with cast:
        with cast, autocast(enabled=False):
            assert (X @ W).dtype == SINGLE
        assert is_autocast_enabled()
        with pytest.raises(ZeroDivisionError), autocast(enabled=False):
            raise ZeroDivisionError
        assert is_autocast_enabled()
    assert not is_autocast_enabled()


def test_it_decorates_functions():
    @autocast()
    def product(x):
        """The product."""
        return x @ W

    assert product(X).dtype == HALF
    assert product.__doc__ == "The product."


def test_a_block_affects_its_thread_only():
    seen = []
    with autocast():
        thread = threading.Thread(target=lambda: seen.append((X @ W).dtype))
        thread.start()
        thread.join()
    assert seen == [SINGLE]


@pytest.mark.parametrize("wrong", ["text", None])
def test_wrong_operands_raise_the_error_of_the_op(wrong):
    with autocast(), pytest.raises(TypeError):
        X @ wrong


@pytest.mark.peers
def test_values_and_gradients_agree_with_pytorch(torch):
    x, w = (Tensor(a, requires_grad=True) for a in (X, W))
    tx, tw = (torch.tensor(a.data, requires_grad=True) for a in (X, W))
    with autocast():
        y = (x @ w).relu()
        loss = (y * y).sum()
    with torch.autocast("cpu", dtype=torch.float16):
        ty = (tx @ tw).relu()
        (ty * ty).float().sum().backward()
    loss.backward()
    assert str(ty.dtype) == "torch.float16"
    np.testing.assert_allclose(y.data, ty.detach().numpy(), rtol=2e-3)
    np.testing.assert_allclose(x.grad, tx.grad.numpy(), rtol=4e-3, atol=1e-2)
    np.testing.assert_allclose(w.grad, tw.grad.numpy(), rtol=4e-3, atol=1e-2)

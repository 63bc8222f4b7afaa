"""The derivatives of the losses, orders 1 to 3, compared with differences and PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from tinytorch_core import Tensor

import tinytorch_losses as losses

from .cases import every_case

autograd = pytest.importorskip("tinytorch_autograd", reason="tinytorch-autograd is not installed")

STEP = 1e-5


def directions(order, shapes):
    """Return a fixed random direction for each shape."""
    rng = np.random.default_rng(order)
    return [rng.normal(size=shape) for shape in shapes]


def directional_derivative(order, inputs, out, grad, convert):
    """Return the loss differentiated `order` times along fixed directions, or None if constant."""
    (v,) = directions(0, [tuple(out.shape)])
    number = (out * convert(v)).sum()
    for k in range(1, order + 1):
        if not number.requires_grad:
            return None
        found = grad(number, inputs)
        along = directions(k, [tuple(x.shape) for x in inputs])
        parts = [(g * convert(v)).sum() for g, v in zip(found, along, strict=True) if g is not None]
        if not parts:
            return None
        number = sum(parts[1:], parts[0])
    return number


def differentiate(number, inputs):
    return autograd.grad(number, inputs, create_graph=True, allow_unused=True)


@pytest.mark.parametrize("order", [1, 2, 3])
@every_case
def test_gradients_agree_with_differences(case, leaves, order):
    x, y = case.arrays()

    def lower(x, y):
        return directional_derivative(order - 1, *leaves(case, x, y), differentiate, lambda v: v)

    inputs, out = leaves(case, x, y)
    exact = directional_derivative(order, inputs, out, differentiate, lambda v: v)
    along = directions(order, [i.shape for i in inputs])
    dx, dy = STEP * along[0], STEP * along[1] if case.target_is_differentiable else 0
    up, down = lower(x + dx, y + dy), lower(x - dx, y - dy)
    numeric = 0.0 if up is None else (up.item() - down.item()) / (2 * STEP)
    # A derivative that does not depend on the inputs is None: the next one is 0.
    found = 0.0 if exact is None else exact.item()
    np.testing.assert_allclose(found, numeric, rtol=1e-6, atol=1e-6)


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore:reduction:UserWarning")
@pytest.mark.parametrize("order", [1, 2])
@every_case
def test_gradients_agree_with_pytorch(case, leaves, torch, order):
    x, y = case.arrays()
    options = {
        k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in case.options.items()
    }
    theirs = [torch.tensor(x, requires_grad=True)]
    if case.target_is_differentiable:
        theirs.append(torch.tensor(y, requires_grad=True))
    rest = [] if case.target_is_differentiable else [torch.tensor(y)]
    out = getattr(torch.nn.functional, case.loss)(*theirs, *rest, **options)
    expected = directional_derivative(
        order,
        theirs,
        out,
        lambda n, i: torch.autograd.grad(n, i, create_graph=True, allow_unused=True),
        torch.tensor,
    )
    found = directional_derivative(order, *leaves(case, x, y), differentiate, lambda v: v)
    np.testing.assert_allclose(
        0.0 if found is None else found.item(),
        0.0 if expected is None else expected.item(),
        # PyTorch adds 1e-12 to the divisor of this one's second derivative.
        rtol=1e-9 if case.loss == "binary_cross_entropy" else 1e-11,
        atol=1e-12,
    )


@every_case
def test_backward_agrees_with_grad_and_create_graph(case, leaves):
    x, y = case.arrays()
    inputs, out = leaves(case, x, y)
    recorded = differentiate(out.sum(), inputs)
    inputs, out = leaves(case, x, y)
    node = out.grad_fn
    assert type(node).__name__ == "".join(p.capitalize() for p in case.loss.split("_")) + "Backward"
    assert all(isinstance(edge, autograd.AccumulateGrad) for edge in node.next_functions if edge)
    out.sum().backward(retain_graph=True)
    out.sum().backward()
    for leaf, gradient in zip(inputs, recorded, strict=True):
        np.testing.assert_allclose(leaf.grad, 2 * gradient.data, rtol=1e-12, atol=1e-15)


@every_case
def test_float32_inputs_have_float32_gradients(case, leaves):
    x, y = case.arrays()
    x32 = x.astype(np.float32)
    inputs, out = leaves(case, x32, y.astype(np.float32) if case.target_is_differentiable else y)
    gradients = out.grad_fn.apply(np.ones_like(out.data))
    assert {g.dtype for g in gradients if g is not None} == {np.dtype(np.float32)}
    for g in differentiate(out.sum(), inputs):
        assert g.dtype == np.float32


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss", "kl_div"])
def test_gradients_have_the_dtype_of_their_input(name):
    x = Tensor([0.5, 0.25], requires_grad=True)
    y = Tensor(np.array([0.25, 0.75]), requires_grad=True)
    loss = getattr(losses, name)(x, y)
    loss.backward()
    assert (loss.dtype, x.grad.dtype, y.grad.dtype) == (np.float32, np.float32, np.float64)


def test_gradients_of_large_logits():
    x = Tensor(np.array([[1000.0, -1000.0], [1000.0, -1000.0]]), requires_grad=True)
    losses.cross_entropy(x, [0, 1], reduction="sum").backward()
    assert x.grad.tolist() == [[0, 0], [1, -1]]
    z = Tensor(np.array([1000.0, 1000.0, -1000.0, -1000.0]), requires_grad=True)
    losses.binary_cross_entropy_with_logits(z, [1, 0, 1, 0], reduction="sum").backward()
    assert z.grad.tolist() == [0, 1, -1, 0]


def test_second_derivatives_of_large_logits_are_finite():
    for loss, target in (
        (losses.cross_entropy, 0),
        (losses.binary_cross_entropy_with_logits, [1, 0]),
    ):
        x = Tensor(np.array([1000.0, -1000.0]), requires_grad=True)
        first = autograd.grad(loss(x, target), x, create_graph=True)
        assert np.all(autograd.grad(first.sum(), x).data == 0)


def test_bce_with_logits_has_the_right_second_derivative_at_zero():
    x = Tensor(np.array([0.0]), requires_grad=True)
    slope = autograd.grad(losses.binary_cross_entropy_with_logits(x, [1]), x, create_graph=True)
    assert slope.tolist() == [-0.5]
    assert autograd.grad(slope, x).tolist() == [0.25]


def test_bce_at_zero_and_one_has_finite_gradients():
    p = Tensor(np.array([0.0, 1.0, 0.0]), requires_grad=True)
    y = Tensor(np.array([1.0, 0.0, 0.0]), requires_grad=True)
    losses.binary_cross_entropy(p, y, reduction="sum").backward()
    np.testing.assert_allclose(p.grad, [-1e12, 1e12, 0])
    np.testing.assert_array_equal(y.grad, [100, -100, 100])


def test_kl_div_of_zero_probability_has_a_finite_gradient():
    t = Tensor(np.array([0.0, 0.5]), requires_grad=True)
    losses.kl_div(np.array([-1.0, -2.0]), t, reduction="sum").backward()
    np.testing.assert_allclose(t.grad, [1.0, np.log(0.5) + 1 + 2])


@pytest.mark.parametrize("name", ["nll_loss", "cross_entropy"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_gradient_of_ignored_predictions_is_zero(name, reduction):
    x = Tensor(np.random.default_rng(0).normal(size=(3, 4)), requires_grad=True)
    out = getattr(losses, name)(x, [-1, -1, -1], ignore_index=-1, reduction=reduction)
    out.backward(np.ones(out.shape))
    np.testing.assert_array_equal(x.grad, np.zeros((3, 4)))


def test_l1_has_gradient_zero_where_the_error_is_zero():
    x = Tensor([1.0, 2.0], requires_grad=True)
    losses.l1_loss(x, [1.0, 1.0], reduction="sum").backward()
    assert x.grad.tolist() == [0, 1]


@pytest.mark.parametrize("dim", [0, -1])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_derivatives_of_log_softmax(dim, order):
    x = np.random.default_rng(0).normal(size=(3, 4))

    def value(x, order):
        leaf = Tensor(x, requires_grad=True)
        out = losses.log_softmax(leaf, dim)
        return directional_derivative(order, [leaf], out, differentiate, lambda v: v).item()

    (v,) = directions(order, [x.shape])
    numeric = (value(x + STEP * v, order - 1) - value(x - STEP * v, order - 1)) / (2 * STEP)
    np.testing.assert_allclose(value(x, order), numeric, rtol=1e-6, atol=1e-7)


def test_a_node_constructed_directly_computes_gradients():
    x = np.random.default_rng(0).normal(size=(3, 4))
    y = np.eye(4)[[0, 1, 3]]
    node = autograd.CrossEntropyBackward(x, y)
    leaf = Tensor(x, requires_grad=True)
    losses.cross_entropy(leaf, y).backward()
    np.testing.assert_allclose(node.apply(np.ones(()))[0], leaf.grad, rtol=1e-13)


def test_dropping_a_loss_frees_its_graph():
    import gc
    import weakref

    x = Tensor(np.zeros((2, 3)), requires_grad=True)
    gc.disable()
    try:
        node = weakref.ref(losses.cross_entropy(x * 1, [0, 1]).grad_fn)
        assert node() is None
    finally:
        gc.enable()

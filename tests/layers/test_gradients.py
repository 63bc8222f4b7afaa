"""Second and third derivatives of every layer, checked numerically, and special points.

The conformance kit checks the first and second derivatives of the ops themselves.
"""

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_autograd import AccumulateGrad, grad
from tinytorch_autograd.debug.numerical import check_derivative
from tinytorch_layers import BatchNorm2d, Conv2d, Dropout, Embedding, MaxPool2d
from tinytorch_layers import functional as F

from .cases import CASES, Case, find, mixed

# Finite differences are wrong at ties of a maximum, and ignore that padding_idx has no gradient.
SMOOTH = [case for case in CASES if not case.ties and "padding_idx" not in case.call]


def function_and_arrays(case: Case):
    """Return the layer as a function of its parameters and, if floating, its input first."""
    layer = case.layer()
    names = [name for name, _ in layer.named_parameters()]
    arrays = [p.data for _, p in layer.named_parameters()]

    def function(*tensors):
        given = list(tensors)
        x = given.pop(0) if case.floating else case.x()
        for name, tensor in zip(names, given, strict=True):
            owner, last = find(layer, name)
            vars(owner)[last] = tensor  # Module refuses to replace a Parameter by a Tensor
        return layer(x)

    return function, [case.x(), *arrays] if case.floating else arrays


@pytest.mark.parametrize("case", SMOOTH, ids=lambda c: c.id)
def test_second_derivative_agrees_with_numerical_differentiation(case):
    check_derivative(*function_and_arrays(case), 2)


# These layers are composed with exp before and a cube after them, so that the higher derivatives
# even of a linear layer are not 0 and use the rules of its adjoints.
COMPOSED = [
    Case("Linear(4, 3)", (2, 3, 4)),
    Case("Conv2d(2, 4, 3, stride=2, padding=1, groups=2)", (2, 2, 4, 5)),
    Case("Conv2d(2, 3, 2, dilation=2, padding='same')", (2, 2, 4, 5)),
    Case("MaxPool2d(2)", (2, 2, 4, 5)),
    Case("MaxPool2d(3, stride=2, padding=1)", (2, 2, 4, 5)),
    Case("AvgPool2d(3, stride=2, padding=1)", (2, 2, 4, 5)),
    Case("LayerNorm(4)", (3, 4)),
    Case("BatchNorm2d(3)", (2, 3, 2, 2)),
    Case("BatchNorm2d(3)", (2, 3, 2, 2), training=False),
    Case("Embedding(5, 3)", (2, 4), rows=5),
    Case("Flatten()", (2, 3, 2)),
    Case("ConvTranspose1d(2, 2, 3, stride=2, output_padding=1)", (2, 3)),
    Case("Conv1d(2, 2, 3, padding=1, padding_mode='reflect')", (2, 2, 3)),
    Case("MaxPool2d(2, ceil_mode=True)", (1, 3, 3)),
    Case("AvgPool1d(3, 2, 1, ceil_mode=True, count_include_pad=False)", (2, 4)),
    Case("AdaptiveAvgPool1d(2)", (2, 3)),
    Case("AdaptiveMaxPool1d(2)", (2, 3)),
    Case("ReplicationPad1d((2, 1))", (2, 3)),
    Case("CircularPad1d((2, 1))", (2, 3)),
    Case("Upsample(5)", (1, 1, 3)),
    Case("Upsample((3, 3), mode='bicubic')", (1, 1, 2, 2)),
    Case("Fold((2, 3), 2)", (4, 2)),
]


@pytest.mark.parametrize("order", [2, 3])
@pytest.mark.parametrize("case", COMPOSED, ids=lambda c: c.id)
def test_derivative_of_composition_agrees_with_numerical_differentiation(case, order):
    function, arrays = function_and_arrays(case)
    check_derivative(lambda x, *rest: function(np.exp(x / 2), *rest) ** 3, arrays, order)


@pytest.mark.parametrize("order", [2, 3])
def test_derivative_of_dropout_agrees_with_numerical_differentiation(order):
    mask = mixed((3, 4)) > -1
    check_derivative(lambda x: F.dropout(x, mask, 0.25) ** 3, [mixed((3, 4))], order)


def test_first_of_equal_maxima_gets_the_gradient():
    x = Tensor(np.zeros((1, 1, 2, 4)), requires_grad=True)
    MaxPool2d(2)(x).backward(np.array([[[[1.0, 2.0]]]]))
    assert x.grad.tolist() == [[[[1, 0, 2, 0], [0, 0, 0, 0]]]]


def test_embedding_adds_gradients_of_repeated_indices_except_padding():
    layer = Embedding(4, 1, padding_idx=0, dtype=np.float64)
    layer([3, 0, 1, 3]).backward(np.array([[1.0], [2.0], [3.0], [4.0]]))
    assert layer.weight.grad.tolist() == [[0], [3], [0], [5]]


def test_second_derivative_of_the_padding_row_is_zero():
    weight = Tensor(mixed((3, 1)), requires_grad=True)
    factor = Tensor(mixed((4, 1)), requires_grad=True)
    out = F.embedding([0, 1, 2, 1], weight, padding_idx=1) * factor
    slope = grad(out.sum(), weight, create_graph=True)
    assert slope.tolist() == [[factor.data[0, 0]], [0], [factor.data[2, 0]]]
    assert grad(slope.sum(), factor).tolist() == [[1], [0], [1], [0]]


def test_layer_with_frozen_parameters_computes_the_gradient_of_its_input():
    layer = Conv2d(1, 1, 2).requires_grad_(False)
    x = Tensor(np.ones((1, 1, 3, 3), np.float32), requires_grad=True)
    layer(x).sum().backward()
    assert layer.weight.grad is None
    weight = layer.weight.data[0, 0]
    np.testing.assert_allclose(x.grad[0, 0, 0, 0], weight[0, 0], rtol=1e-6)
    np.testing.assert_allclose(x.grad[0, 0, 1, 1], weight.sum(), rtol=1e-5)


@pytest.mark.parametrize(
    ("layer", "shape", "name"),
    [
        (lambda L: L.Linear(4, 2), (3, 4), "LinearBackward"),
        (lambda L: L.Conv2d(1, 2, 2), (1, 1, 3, 3), "Conv2dBackward"),
        (lambda L: L.MaxPool2d(2), (1, 1, 4, 4), "MaxPool2dBackward"),
        (lambda L: L.AvgPool2d(2), (1, 1, 4, 4), "AvgPool2dBackward"),
        (lambda L: L.LayerNorm(4), (3, 4), "LayerNormBackward"),
        (lambda L: L.BatchNorm1d(4), (3, 4), "BatchNormBackward"),
        (lambda L: L.Dropout(0.5), (3, 4), "DropoutBackward"),
    ],
)
def test_layer_records_a_single_node(layer, shape, name):
    import tinytorch_layers

    x = Tensor(mixed(shape).astype(np.float32), requires_grad=True)
    node = layer(tinytorch_layers)(x).grad_fn
    assert type(node).__name__ == name
    assert all(isinstance(edge, AccumulateGrad) for edge in node.next_functions)


def test_mixed_second_derivative_by_input_and_parameter():
    layer = Conv2d(1, 1, 1, bias=False, dtype=np.float64)
    layer.weight.data[...] = 3.0
    x = Tensor(np.full((1, 1, 1, 1), 2.0), requires_grad=True)
    slope = grad((layer(x) ** 3).sum(), x, create_graph=True)  # 3 w³ x²
    assert slope.item() == 3 * 27 * 4
    by_x, by_weight = grad(slope.sum(), [x, layer.weight])
    assert (by_x.item(), by_weight.item()) == (6 * 27 * 2, 9 * 9 * 4)


def test_gradients_do_not_share_memory_with_the_incoming_gradient():
    layer = BatchNorm2d(2, dtype=np.float64)
    x = Tensor(mixed((2, 2, 2, 2)), requires_grad=True)
    start = np.ones((2, 2, 2, 2))
    (Dropout(0)(layer(x)) + 0).backward(start)
    x.grad += 1
    layer.bias.grad += 1
    np.testing.assert_array_equal(start, 1)


@pytest.mark.parametrize(
    ("option", "call"),
    [
        ("eps", lambda x, option: F.layer_norm(x, x.shape[1:], eps=option)),
        ("eps", lambda x, option: F.batch_norm(x, eps=option)),
        ("mask", lambda x, option: F.dropout(x, option * np.ones((3, 2)), 0.5)),
    ],
)
def test_a_tensor_as_an_option_is_a_constant_that_must_not_require_grad(option, call):
    values = np.array([[1.0, 4.0], [2.0, 2.0], [-1.0, 0.5]])
    x, y = (Tensor(values, requires_grad=True) for _ in range(2))
    weights = np.array([[1.0, 2.0], [-1.0, 0.5], [3.0, 1.0]])
    (call(x, 0.1) * weights).sum().backward()
    (call(y, Tensor(np.array(0.1))) * weights).sum().backward()
    np.testing.assert_allclose(y.grad, x.grad, rtol=1e-12)
    assert np.abs(x.grad).max() > 0.1
    with pytest.raises(RuntimeError, match=rf"takes {option} as a constant"):
        call(x, Tensor(np.array(0.1), requires_grad=True))

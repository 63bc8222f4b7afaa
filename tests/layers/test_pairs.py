"""Layers of two inputs: values, derivatives, agreement with PyTorch, and errors."""

import math

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_autograd import grad
from tinytorch_autograd.debug.numerical import check_derivative, gradients
from tinytorch_devkit import StrictArray, values_of
from tinytorch_layers import Bilinear, CosineSimilarity, PairwiseDistance, load_torch_state
from tinytorch_layers import functional as F

RNG = np.random.default_rng(0)
X1, X2 = RNG.normal(size=(2, 3, 4)), RNG.normal(size=(2, 3, 4))
X3, WEIGHT, BIAS = RNG.normal(size=(2, 3, 5)), RNG.normal(size=(2, 4, 5)), RNG.normal(size=2)

SHORT = [X1, X2]

# The function, with the names and arguments of PyTorch, and its inputs.
CALLS = {
    "bilinear": (lambda F, *a: F.bilinear(*a), [X1, X3, WEIGHT, BIAS]),
    "bilinear, one sample": (lambda F, *a: F.bilinear(*a), [X1[0, 0], X3[0, 0], WEIGHT]),
    "bilinear, no samples": (lambda F, *a: F.bilinear(*a), [X1[:0], X3[:0], WEIGHT, BIAS]),
    "cosine": (lambda F, *a: F.cosine_similarity(*a), [X1, X2]),
    "cosine along the last axis": (lambda F, *a: F.cosine_similarity(*a, dim=-1), [X1, X2[0, 0]]),
    "cosine along a broadcast axis": (
        lambda F, *a: F.cosine_similarity(*a, dim=-2),
        [X1, X2[:, :1]],
    ),
    "cosine along the first axis": (
        lambda F, *a: F.cosine_similarity(*a, dim=0),
        [X1, X2[0]],
    ),
    "cosine of short vectors": (lambda F, *a: F.cosine_similarity(*a, eps=2.0), SHORT),
    "distance": (lambda F, *a: F.pairwise_distance(*a), [X1, X2]),
    "distance of order 1": (lambda F, *a: F.pairwise_distance(*a, p=1.0, keepdim=True), [X1, X2]),
    "distance of order 3": (lambda F, *a: F.pairwise_distance(*a, p=3.0, eps=0.1), [X1, X2]),
    "largest difference": (lambda F, *a: F.pairwise_distance(*a, p=math.inf), [X1, X2]),
}
every_call = pytest.mark.parametrize(("call", "arrays"), CALLS.values(), ids=CALLS)


@pytest.mark.parametrize("order", [1, 2, 3])
@every_call
def test_derivatives_agree_with_numerical_differentiation(call, arrays, order):
    check_derivative(lambda *given: call(F, *given) ** 2, arrays, order)


@pytest.mark.peers
@every_call
def test_agrees_with_pytorch(torch, call, arrays):
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    other = call(torch.nn.functional, *theirs)
    found = call(F, *arrays)
    np.testing.assert_allclose(found, other.detach().numpy(), rtol=1e-10)
    if arrays is SHORT:
        return  # PyTorch's gradient then is not the derivative
    weight = np.cos(np.arange(found.size)).reshape(found.shape)
    other.backward(torch.tensor(weight))
    for one, tensor in zip(gradients(lambda *a: call(F, *a), arrays, weight), theirs, strict=True):
        np.testing.assert_allclose(one, tensor.grad.numpy(), rtol=1e-10, atol=1e-12)


@every_call
def test_arrays_of_other_libraries(call, arrays):
    def derivatives(kind):
        tensors = [Tensor(kind(a), requires_grad=True) for a in arrays]
        out = call(F, *tensors)
        first = grad((out**3).sum(), tensors[0], create_graph=True)
        return [out.data, first.data, grad((first**2).sum(), tensors[1]).data]

    for found, expected in zip(derivatives(StrictArray), derivatives(np.asarray), strict=True):
        assert type(found) is StrictArray
        np.testing.assert_allclose(values_of(found), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_vectors_broadcast_along_their_axis_too(axis):
    short = X2.take([0], axis=axis)
    expected = F.cosine_similarity(X1, np.repeat(short, X1.shape[axis], axis), axis)
    np.testing.assert_allclose(F.cosine_similarity(X1, short, axis), expected)


@every_call
def test_float32_stays_float32(call, arrays):
    narrow = [a.astype(np.float32) for a in arrays]
    out = call(F, *narrow)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, call(F, *arrays), rtol=1e-3, atol=1e-4)
    found = gradients(lambda *a: call(F, *a), narrow, np.ones(out.shape, np.float32))
    assert {array.dtype for array in found} == {np.dtype(np.float32)}


def test_bilinear_is_the_sum_over_both_inputs():
    expected = np.einsum("...i,kij,...j->...k", X1, WEIGHT, X3) + BIAS
    layer = Bilinear(4, 5, 2, dtype=np.float64, generator=0)
    assert np.abs(layer.weight.data).max() <= 0.5
    load_torch_state(layer, {"weight": WEIGHT, "bias": BIAS})
    np.testing.assert_allclose(layer(X1, X3).data, expected, rtol=1e-12)
    assert Bilinear(4, 5, 2, bias=False).bias is None


def test_layers_compute_the_functions_with_their_options():
    found = CosineSimilarity(dim=-1, eps=2.0)(X1, X2)
    np.testing.assert_array_equal(found, F.cosine_similarity(X1, X2, -1, 2.0))
    found = PairwiseDistance(3, eps=0.1, keepdim=True)(X1, X2)
    np.testing.assert_array_equal(found, F.pairwise_distance(X1, X2, 3, 0.1, True))


def test_the_gradients_at_zero_are_finite():
    zeros = np.zeros((2, 3))
    for function in (F.cosine_similarity, F.pairwise_distance):
        for found in gradients(function, [zeros, zeros], np.ones(2)):
            assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.bilinear(X1, X2, WEIGHT), ValueError, r"weight of shape \(2, 4, 5\) cannot use"),
        (lambda: F.bilinear(X1, X3[:1], WEIGHT), ValueError, r"\(2, 3, 4\) and \(1, 3, 5\)"),
        (lambda: F.bilinear(X1, [1.0], WEIGHT), TypeError, "expects a Tensor or an array, not lis"),
        (lambda: F.bilinear(X1 > 0, X3, WEIGHT), TypeError, "floating-point numbers, not bool"),
        (lambda: F.cosine_similarity(X1, X2, 3), ValueError, "axis 3 is out of bounds"),
        (lambda: F.cosine_similarity(X1, X2[:, :2]), ValueError, "cannot be broadcast"),
        (lambda: F.pairwise_distance(X1, X3), ValueError, "could not be broadcast"),
        (lambda: Bilinear(0, 1, 1), ValueError, "in1_features of Bilinear must be positive"),
        (lambda: Bilinear(1, "1", 1), TypeError, "in2_features of Bilinear must be an integer"),
        (lambda: Bilinear(1, 1, 1, bias=0), TypeError, "bias of Bilinear must be True or False"),
        (lambda: CosineSimilarity(0.5), TypeError, "dim of CosineSimilarity must be an integer"),
        (lambda: CosineSimilarity(eps=0), ValueError, r"eps of CosineSimilarity must be in \(0"),
        (lambda: PairwiseDistance("2"), TypeError, "p of PairwiseDistance must be a number"),
        (lambda: PairwiseDistance(np.nan), ValueError, "p of PairwiseDistance must be in"),
        (lambda: PairwiseDistance(eps=math.inf), ValueError, "eps of PairwiseDistance must be in"),
        (lambda: PairwiseDistance(keepdim=1), TypeError, "keepdim of PairwiseDistance must be"),
    ],
)
def test_wrong_arguments_raise(call, error, message):
    with pytest.raises(error, match=message):
        call()

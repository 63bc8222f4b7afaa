"""Bags of embeddings: values, gradients, padding, offsets and errors."""

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_autograd import grad
from tinytorch_autograd.debug.numerical import check_derivative
from tinytorch_devkit import StrictArray, values_of
from tinytorch_layers import EmbeddingBag, load_torch_state, torch_state
from tinytorch_layers import functional as F

TABLE = np.random.default_rng(0).permutation(np.linspace(-2, 2.25, 18)).reshape(6, 3)
FLAT = np.array([3, 1, 5, 1, 0, 2, 2])
MATRIX = np.array([[3, 1, 5], [1, 1, 1], [0, 2, 2]])

# Indices and options; the second bag is empty, or contains padding only.
CALLS = {
    "matrix": (MATRIX, {}),
    "matrix with padding": (MATRIX, {"padding_idx": 1}),
    "no bags": (MATRIX[:0], {}),
    "offsets": (FLAT, {"offsets": np.array([0, 3, 3, 5])}),
    "offsets and padding": (FLAT, {"offsets": np.array([0, 3, 4]), "padding_idx": -5}),
    "last offset": (FLAT, {"offsets": np.array([0, 3, 3, 7]), "include_last_offset": True}),
}
# PyTorch includes what comes after the last bag in some modes, and crashes without bags.
UNLIKE_TORCH = {
    "after the last": (FLAT, {"offsets": np.array([0, 3, 3, 5]), "include_last_offset": True}),
    "offsets, no bags": (FLAT, {"offsets": np.array([], int)}),
}
ALL_CALLS = CALLS | UNLIKE_TORCH
every_call = pytest.mark.parametrize(("indices", "options"), ALL_CALLS.values(), ids=ALL_CALLS)
every_mode = pytest.mark.parametrize("mode", ["sum", "mean", "max"])


def expected(
    indices, mode, factors=None, offsets=None, include_last_offset=False, padding_idx=None
):
    """Return the reduced bags, computed one at a time."""
    if offsets is None:
        starts = np.arange(len(indices)) * indices.shape[1]
        ends = starts + indices.shape[1]
    else:
        starts, ends = offsets, [*offsets[1:], *([] if include_last_offset else [len(indices)])]
    flat = indices.ravel()
    factors = np.ones(flat.shape) if factors is None else factors.ravel()
    padding = None if padding_idx is None else padding_idx % len(TABLE)
    rows = [
        [TABLE[flat[i]] * factors[i] for i in range(start, end) if flat[i] != padding]
        for start, end in zip(starts, ends, strict=False)
    ]
    return np.reshape([getattr(np, mode)(bag or [[0] * 3], axis=0) for bag in rows], (-1, 3))


@every_mode
@every_call
def test_each_bag_is_reduced(indices, options, mode):
    found = F.embedding_bag(indices, TABLE, mode=mode, **options)
    np.testing.assert_allclose(found, expected(indices, mode, **options), rtol=1e-12)
    narrow = F.embedding_bag(indices, TABLE.astype(np.float32), mode=mode, **options)
    assert narrow.dtype == np.float32


@every_call
def test_rows_are_multiplied_by_the_weights_of_samples(indices, options):
    factors = np.cos(np.arange(indices.size)).reshape(indices.shape)
    found = F.embedding_bag(indices, TABLE, mode="sum", per_sample_weights=factors, **options)
    np.testing.assert_allclose(found, expected(indices, "sum", factors, **options), rtol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3])
@every_mode
@every_call
def test_derivatives_agree_with_numerical_differentiation(indices, options, mode, order):
    # The rule gives the row for padding no gradient, unlike the derivative of other modes.
    check_derivative(
        lambda table: F.embedding_bag(indices, table, mode=mode, **options) ** 3, [TABLE], order
    )


@pytest.mark.parametrize("order", [1, 2])
@every_call
def test_derivatives_of_the_weights_of_samples(indices, options, order):
    factors = np.cos(np.arange(indices.size)).reshape(indices.shape)

    def function(table, factors):
        out = F.embedding_bag(indices, table, mode="sum", per_sample_weights=factors, **options)
        return out**3

    check_derivative(function, [TABLE, factors], order)


@pytest.mark.peers
@every_mode
@pytest.mark.parametrize(("indices", "options"), CALLS.values(), ids=CALLS)
def test_agrees_with_pytorch(torch, indices, options, mode):
    table = torch.tensor(TABLE, requires_grad=True)
    theirs = {n: torch.tensor(v) if n == "offsets" else v for n, v in options.items()}
    other = torch.nn.functional.embedding_bag(torch.tensor(indices), table, mode=mode, **theirs)
    ours = Tensor(TABLE, requires_grad=True)
    out = F.embedding_bag(indices, ours, mode=mode, **options)
    np.testing.assert_allclose(out.data, other.detach().numpy(), rtol=1e-12)
    other.backward(torch.cos(other.detach()))
    out.backward(np.cos(out.data))
    np.testing.assert_allclose(ours.grad, table.grad.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("strict_indices", [False, True])
@every_mode
@every_call
def test_arrays_of_other_libraries(indices, options, mode, strict_indices):
    def derivatives(kind, kind_of_indices):
        table = Tensor(kind(TABLE), requires_grad=True)
        given = {n: kind_of_indices(v) if n == "offsets" else v for n, v in options.items()}
        out = F.embedding_bag(kind_of_indices(indices), table, mode=mode, **given)
        first = grad((out**3).sum(), table, create_graph=True)
        return [out.data, first.data, grad((first**2).sum(), table).data]

    found = derivatives(StrictArray, StrictArray if strict_indices else np.asarray)
    for one, other in zip(found, derivatives(np.asarray, np.asarray), strict=True):
        assert type(one) is StrictArray
        np.testing.assert_allclose(values_of(one), other, rtol=1e-12, atol=1e-12)


@every_mode
def test_the_layer_has_the_weights_of_pytorch_and_trains_all_rows_but_padding(mode):
    layer = EmbeddingBag(6, 3, mode=mode, padding_idx=1, generator=0)
    assert layer.weight.data[1].tolist() == [0, 0, 0]
    load_torch_state(layer, {"weight": TABLE.astype(np.float32)})
    assert set(torch_state(layer)) == {"weight"}
    out = layer(FLAT, [0, 3])
    assert out.dtype == np.float32
    np.testing.assert_allclose(
        out.data, expected(FLAT, mode, offsets=[0, 3], padding_idx=1), rtol=1e-5
    )
    out.sum().backward()
    assert not layer.weight.grad[1].any()
    assert layer.weight.grad[3].any()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: bag([[6]]), IndexError, r"embedding_bag: index\[0, 0\] is 6, out of range"),
        (lambda: bag([[0.5]]), ValueError, "must be whole numbers"),
        (lambda: bag(["a"], [0]), TypeError, "expects whole numbers as indices"),
        (lambda: bag([1, 2]), ValueError, r"indices of shape \(2,\) without offsets"),
        (lambda: bag([[1]], [0]), ValueError, r"one axis each, got shapes \(1, 1\) and \(1,\)"),
        (lambda: bag([1, 2], [1]), ValueError, r"offsets .* must begin with 0.*but are \[1\]"),
        (lambda: bag([1, 2], [0, 3]), ValueError, r"number of indices, 2, but are \[0 3\]"),
        (lambda: bag([1, 2], [0, 2, 1]), ValueError, "must not decrease"),
        (lambda: bag([1, 2], [0, 0.5]), ValueError, "offsets of embedding_bag: .* whole numbers"),
        (lambda: bag([1], ["a"]), TypeError, "the offsets of embedding_bag expects whole numbers"),
        (lambda: bag([[1]], mode="min"), ValueError, "must be 'sum', 'mean' or 'max', not 'min'"),
        (
            lambda: bag([[1]], per_sample_weights=np.ones((1, 1))),
            ValueError,
            "per_sample_weights of embedding_bag require mode='sum', not 'mean'",
        ),
        (
            lambda: bag([[1]], mode="sum", per_sample_weights=np.ones(1)),
            ValueError,
            r"shape of the indices, \(1, 1\), not \(1,\)",
        ),
        (lambda: bag([[1]], padding_idx=6), IndexError, "padding_idx of embedding_bag is 6, which"),
        (lambda: bag([[1]], padding_idx=1.5), TypeError, "padding_idx .* must be an integer"),
        (lambda: bag([1], [0, 1], include_last_offset=1), TypeError, "must be True or False"),
        (lambda: F.embedding_bag([[0]], np.ones((2, 2), int)), TypeError, "floating-point numbers"),
        (lambda: EmbeddingBag(5, 3)([[7]]), IndexError, r"EmbeddingBag\(5, 3\): index\[0, 0\]"),
        (lambda: EmbeddingBag(0, 3), ValueError, "num_embeddings of EmbeddingBag must be positive"),
        (lambda: EmbeddingBag(5, "3"), TypeError, "embedding_dim of EmbeddingBag must be an int"),
        (lambda: EmbeddingBag(5, 3, mode=None), ValueError, "mode of EmbeddingBag must be 'sum'"),
        (lambda: EmbeddingBag(5, 3, padding_idx=5), IndexError, "padding_idx of EmbeddingBag is 5"),
        (lambda: EmbeddingBag(5, 3, include_last_offset=0), TypeError, "include_last_offset of"),
    ],
)
def test_wrong_arguments_raise(call, error, message):
    with pytest.raises(error, match=message):
        call()


def bag(indices, *arguments, **options):
    return F.embedding_bag(indices, TABLE, *arguments, **options)

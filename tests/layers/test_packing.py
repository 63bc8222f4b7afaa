"""Packed and padded sequences."""

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_devkit import StrictArray, values_of
from tinytorch_layers import (
    pack_padded_sequence,
    pack_sequence,
    pad_packed_sequence,
    pad_sequence,
    unpack_sequence,
    unpad_sequence,
)

from .cases import mixed

LENGTHS = [2, 4, 1, 4]


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("kind", [np.asarray, Tensor, StrictArray])
def test_padding_restores_what_was_packed(kind, batch_first):
    x = mixed((4, 4, 3))
    packed = pack_padded_sequence(kind(x), LENGTHS, batch_first, enforce_sorted=False)
    assert packed.batch_sizes.tolist() == [4, 3, 2, 2]
    assert packed.sorted_indices.tolist() == [1, 3, 0, 2]
    padded, lengths = pad_packed_sequence(packed, batch_first, padding_value=9.0, total_length=5)
    assert type(padded) is type(kind(x))
    assert lengths.tolist() == LENGTHS
    found = values_of(padded.data if kind is Tensor else padded)
    found = found if batch_first else found.swapaxes(0, 1)
    for i, length in enumerate(LENGTHS):
        np.testing.assert_array_equal(
            found[i, :length], (x[i] if batch_first else x[:, i])[:length]
        )
        assert (found[i, length:] == 9).all()


def test_rows_lie_one_step_after_another():
    packed = pack_sequence([np.array([1, 2, 3]), np.array([4, 5]), np.array([6])])
    assert packed.data.tolist() == [1, 4, 6, 2, 5, 3]
    assert packed.batch_sizes.tolist() == [3, 2, 1]
    assert packed.sorted_indices is None
    assert [x.tolist() for x in unpack_sequence(packed)] == [[1, 2, 3], [4, 5], [6]]


def test_gradients_reach_the_rows_but_not_the_padding():
    x = Tensor(mixed((3, 2)), requires_grad=True)
    padded, _ = pad_packed_sequence(pack_padded_sequence(x, [3, 1]))
    (padded * padded).sum().backward()
    np.testing.assert_array_equal(x.grad, 2 * x.data * [[1, 1], [1, 0], [1, 0]])


def test_sequences_are_padded_on_either_side():
    given = [np.ones((1, 2)), Tensor(np.full((3, 2), 2.0), requires_grad=True)]
    right, left = pad_sequence(given), pad_sequence(given, True, -1.0, "left")
    assert right.data[:, 0, 0].tolist() == [1, 0, 0]
    assert left.data[0, :, 0].tolist() == [-1, -1, 1]
    left.sum().backward()
    assert given[1].grad.tolist() == [[1, 1]] * 3
    assert [x.shape for x in unpad_sequence(right, [1, 3])] == [(1, 2), (3, 2)]


@pytest.mark.peers
@pytest.mark.parametrize("batch_first", [False, True])
def test_packing_agrees_with_pytorch(torch, batch_first):
    names = torch.nn.utils.rnn
    x, lengths = mixed((4, 4, 2)), [3, 1, 4, 2]
    found = pack_padded_sequence(x, lengths, batch_first, enforce_sorted=False)
    expected = names.pack_padded_sequence(
        torch.from_numpy(x), torch.tensor(lengths), batch_first, enforce_sorted=False
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other.numpy())


X = np.zeros((4, 2, 3))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: pack_padded_sequence(X, [2, 4]),
            ValueError,
            r"longest sequences first, got the lengths \[2, 4\]",
        ),
        (lambda: pack_padded_sequence(X, [4]), ValueError, "expects 2 lengths"),
        (lambda: pack_padded_sequence(X, [4, 0]), ValueError, r"from 1 to 4.*not \[4, 0\]"),
        (lambda: pack_padded_sequence(X, [5, 1]), ValueError, "from 1 to 4"),
        (lambda: pack_padded_sequence(X, [4.0, 1.0]), TypeError, "integers as lengths"),
        (lambda: pack_padded_sequence(X[0, 0], [4]), ValueError, "at least two axes"),
        (lambda: pack_padded_sequence("text", [4]), TypeError, "expects a Tensor or an array"),
        (lambda: pack_padded_sequence(X, [4, 4], 1), TypeError, "batch_first of pack_padded"),
        (lambda: pad_packed_sequence(X), TypeError, "a PackedSequence, not ndarray"),
        (lambda: unpack_sequence(X), TypeError, "a PackedSequence, not ndarray"),
        (
            lambda: pad_packed_sequence(pack_padded_sequence(X, [4, 1]), total_length=3),
            ValueError,
            "total_length of pad_packed_sequence must be at least 4",
        ),
        (lambda: pad_packed_sequence(pack_padded_sequence(X, [4, 1]), 1), TypeError, "batch_first"),
        (lambda: pad_sequence([]), ValueError, "shapes that differ in the first axis only"),
        (lambda: pad_sequence([X, X[:, 0]]), ValueError, "first axis only"),
        (lambda: pad_sequence([[1, 2]]), TypeError, "expects a Tensor or an array"),
        (lambda: pad_sequence([X], padding_side="top"), ValueError, "'right' or 'left', not 'top'"),
        (lambda: pad_sequence([X], 1), TypeError, "batch_first of pad_sequence"),
        (lambda: pack_sequence([X[:1], X]), ValueError, "longest sequences first"),
        (lambda: unpad_sequence(X, [5, 1]), ValueError, "from 1 to 4"),
        (lambda: unpad_sequence("text", [5, 1]), TypeError, "expects a Tensor or an array"),
    ],
)
def test_errors_name_the_function_and_the_value(call, error, message):
    with pytest.raises(error, match=message):
        call()

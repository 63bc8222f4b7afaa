"""Sequences of different lengths in one array: padded, or packed without padding.

In a `PackedSequence`, the rows of all sequences lie one step after another: the first row of each
sequence, then the second of each, and so on, with the longest sequence first. So each step of a
recurrent layer uses neighbouring rows, and no time is spent on padding. The names and arguments are
those of torch.nn.utils.rnn.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tinytorch_core.extend import to_array

from tinytorch_layers.arguments import input_shape
from tinytorch_modules.arguments import flag

Array = Any
Integers = np.ndarray[Any, Any]


class PackedSequence(NamedTuple):
    """Sequences of different lengths, packed by `pack_padded_sequence` or `pack_sequence`.

    Attributes:
        data: a Tensor or array of shape (rows, ...).
        batch_sizes: an array of the number of rows of each step. It does not increase.
        sorted_indices: for each packed sequence its position in the batch, or None if the batch
            was sorted.
        unsorted_indices: for each sequence of the batch its position among the packed ones, or
            None.
    """

    data: Array
    batch_sizes: Integers
    sorted_indices: Integers | None = None
    unsorted_indices: Integers | None = None


def pack_padded_sequence(
    input: Array, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack padded sequences.

    Args:
        input: a Tensor or array of shape (L, N, ...), or (N, L, ...) if `batch_first`.
        lengths: the length of each sequence, from 1 to L.
        batch_first: whether the batch is the first axis.
        enforce_sorted: whether a shorter sequence before a longer one is an error. If False, the
            sequences are sorted, and `pad_packed_sequence` restores their order.

    Raises:
        TypeError: `input` is not a Tensor or an array, a length is not an integer, or an option is
            not a bool.
        ValueError: the number of lengths is wrong, a length is out of range, or the sequences are
            not sorted although `enforce_sorted` is True.

    >>> x = np.array([[1, 4], [2, 5], [3, 0]])  # the sequences 1 2 3 and 4 5
    >>> packed = pack_padded_sequence(x, [3, 2])
    >>> packed.data, packed.batch_sizes
    (array([1, 4, 2, 5, 3]), array([2, 2, 1]))
    """
    name = "pack_padded_sequence"
    shape = input_shape(name, input, floating=False)
    first = flag(name, "batch_first", batch_first)
    if len(shape) < 2:
        raise ValueError(f"{name} expects an input with at least two axes, got shape {shape}")
    longest, count = shape[1::-1] if first else shape[:2]
    checked = _checked_lengths(name, lengths, longest, count)
    order = inverse = None
    if flag(name, "enforce_sorted", enforce_sorted):
        if (np.diff(checked) > 0).any():
            raise ValueError(
                f"{name} expects the longest sequences first, got the lengths {checked.tolist()}; "
                "sort the sequences, or pass enforce_sorted=False"
            )
    else:
        order = np.argsort(-checked, kind="stable")
        inverse = np.argsort(order, kind="stable")
    sizes = (checked[:, None] > np.arange(checked.max(initial=0))).sum(axis=0)
    times = np.repeat(np.arange(len(sizes)), sizes)
    which = np.arange(len(times)) - np.repeat(_starts(sizes), sizes)
    which = which if order is None else order[which]
    data = input[which, times] if first else input[times, which]
    return PackedSequence(data, sizes, order, inverse)


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Array, Integers]:
    """Pad packed sequences; the inverse of `pack_padded_sequence`.

    Args:
        sequence: a PackedSequence.
        batch_first: whether the batch is the first axis of the result.
        padding_value: the value after the end of each sequence.
        total_length: the length of the result; that of the longest sequence by default.

    Returns:
        A Tensor or array of shape (L, N, ...), or (N, L, ...) if `batch_first`, and an array of the
        lengths.

    Raises:
        TypeError: `sequence` is not a PackedSequence, or `batch_first` is not a bool.
        ValueError: `total_length` is below the length of the longest sequence.

    >>> x = np.array([[1, 4], [2, 5], [3, 0]])
    >>> pad_packed_sequence(pack_padded_sequence(x, [3, 2]), batch_first=True, padding_value=9)
    (array([[1, 2, 3],
           [4, 5, 9]]), array([3, 2]))
    """
    name = "pad_packed_sequence"
    if not isinstance(sequence, PackedSequence):
        raise TypeError(f"{name} expects a PackedSequence, not {type(sequence).__name__}")
    first = flag(name, "batch_first", batch_first)
    sizes = np.asarray(sequence.batch_sizes)
    length = len(sizes) if total_length is None else operator.index(total_length)
    if length < len(sizes):
        raise ValueError(
            f"total_length of {name} must be at least {len(sizes)}, the length of the longest "
            f"sequence, not {length}"
        )
    positions = np.arange(sizes[0] if len(sizes) else 0)
    lengths = (sizes > positions[:, None]).sum(axis=1)
    if sequence.unsorted_indices is not None:
        positions = np.asarray(sequence.unsorted_indices)
        lengths = lengths[positions]
    present = np.arange(length)[:, None] < lengths
    starts = np.concatenate([_starts(sizes), np.zeros(length - len(sizes), int)])
    index = np.where(present, starts[:, None] + positions, 0)
    if first:
        present, index = present.T, index.T
    present = present.reshape(present.shape + (1,) * (sequence.data.ndim - 1))
    return np.where(present, sequence.data[index], padding_value), lengths


def pad_sequence(
    sequences: Sequence[Array],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Array:
    """Stack sequences of different lengths, padded to the length of the longest.

    Args:
        sequences: Tensors or arrays of shape (length, ...).
        batch_first: whether the batch is the first axis of the result.
        padding_value: the value of the padding.
        padding_side: "right" or "left".

    Returns:
        A Tensor or array of shape (L, N, ...), or (N, L, ...) if `batch_first`.

    Raises:
        TypeError: `batch_first` is not a bool, or a sequence is not a Tensor or an array.
        ValueError: the list of sequences is empty, their shapes do not match, or `padding_side` is
            unknown.

    >>> pad_sequence([np.array([1, 2, 3]), np.array([4])], batch_first=True)
    array([[1, 2, 3],
           [4, 0, 0]])
    """
    name = "pad_sequence"
    first = flag(name, "batch_first", batch_first)
    shapes = [input_shape(name, x, floating=False) for x in sequences]
    if padding_side not in ("right", "left"):
        raise ValueError(f"padding_side of {name} must be 'right' or 'left', not {padding_side!r}")
    if not shapes or not all(shape and shape[1:] == shapes[0][1:] for shape in shapes):
        raise ValueError(
            f"{name} expects sequences of shapes that differ in the first axis only, got {shapes}"
        )
    longest = max(shape[0] for shape in shapes)
    padded = []
    for x, shape in zip(sequences, shapes, strict=True):
        missing = longest - shape[0]
        around = (missing, 0) if padding_side == "left" else (0, missing)
        widths = [around] + [(0, 0)] * (len(shape) - 1)
        padded.append(np.pad(x, widths, constant_values=padding_value) if missing else x)
    return np.stack(padded, axis=0 if first else 1)


def pack_sequence(sequences: Sequence[Array], enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences of different lengths; see `pack_padded_sequence`.

    Args:
        sequences: Tensors or arrays of shape (length, ...), not empty.
        enforce_sorted: see `pack_padded_sequence`.

    Raises:
        TypeError, ValueError: as in `pad_sequence` and `pack_padded_sequence`.

    >>> pack_sequence([np.array([1, 2, 3]), np.array([4])]).data
    array([1, 4, 2, 3])
    """
    padded = pad_sequence(sequences)
    return pack_padded_sequence(padded, [len(x) for x in sequences], enforce_sorted=enforce_sorted)


def unpad_sequence(padded_sequences: Array, lengths: Any, batch_first: bool = False) -> list[Array]:
    """Return the sequences without their padding; the inverse of `pad_sequence`.

    Args:
        padded_sequences: a Tensor or array of shape (L, N, ...), or (N, L, ...) if `batch_first`.
        lengths: the length of each sequence.
        batch_first: whether the batch is the first axis.

    Raises:
        TypeError, ValueError: as in `pack_padded_sequence`.
    """
    name = "unpad_sequence"
    shape = input_shape(name, padded_sequences, floating=False)
    first = flag(name, "batch_first", batch_first)
    longest, count = shape[1::-1] if first else shape[:2]
    checked = _checked_lengths(name, lengths, longest, count).tolist()
    return [
        padded_sequences[i, :length] if first else padded_sequences[:length, i]
        for i, length in enumerate(checked)
    ]


def unpack_sequence(packed_sequences: PackedSequence) -> list[Array]:
    """Return the packed sequences as a list; the inverse of `pack_sequence`.

    Raises:
        TypeError: `packed_sequences` is not a PackedSequence.
    """
    return unpad_sequence(*pad_packed_sequence(packed_sequences))


def _checked_lengths(name: str, lengths: Any, longest: int, count: int) -> Integers:
    found: Integers = to_array(lengths)
    if found.dtype.kind not in "iu" and found.size:
        raise TypeError(f"{name} expects integers as lengths, not {lengths!r:.60}")
    if found.shape != (count,):
        raise ValueError(
            f"{name} expects {count} lengths, one for each sequence, got shape {found.shape}"
        )
    if ((found < 1) | (found > longest)).any():
        raise ValueError(
            f"lengths of {name} must be from 1 to {longest}, the length of the padded sequences, "
            f"not {found.tolist()}"
        )
    return found.astype(np.intp)


def _starts(sizes: Integers) -> Integers:
    """Return the index of the first row of each step."""
    starts: Integers = np.cumsum(sizes) - sizes
    return starts

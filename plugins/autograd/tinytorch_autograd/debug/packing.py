"""Arrays packed into one vector of real numbers. A complex number is packed as two real ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def pack(arrays: Iterable[Array]) -> Array:
    """Return the numbers of all arrays as one vector of float64."""
    return np.concatenate([np.zeros(0), *map(_real_numbers, arrays)])


def _real_numbers(array: Array) -> Array:
    vector = array.reshape(-1)
    if array.dtype.kind != "c":
        return vector
    return np.stack([vector.real, vector.imag], -1).reshape(-1)


def unpack(vector: Array, like: Sequence[Array]) -> list[Array]:
    """Return the arrays packed in `vector`; `like` gives their shapes and dtypes."""
    arrays = []
    for array in like:
        size = array.size * (1 + (array.dtype.kind == "c"))
        part, vector = vector[:size], vector[size:]
        numbers = part[::2] + 1j * part[1::2] if array.dtype.kind == "c" else part
        arrays.append(numbers.astype(array.dtype).reshape(array.shape))
    return arrays


def labels(names: Sequence[str], arrays: Sequence[Array]) -> list[str]:
    """Return a label for each number of the packed vector.

    >>> labels(["x", "z"], [np.zeros((1, 2)), np.zeros((), complex)])
    ['x[0, 0]', 'x[0, 1]', 'z.real', 'z.imag']
    """
    labels = []
    for name, array in zip(names, arrays, strict=True):
        for index in np.ndindex(array.shape):
            element = f"{name}[{', '.join(map(str, index))}]" if index else name
            parts = (".real", ".imag") if array.dtype.kind == "c" else ("",)
            labels += [element + part for part in parts]
    return labels

"""Arrays as tensors of PyTorch and back, on the same memory where possible; nested containers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import from_array, unwrap

from tinytorch_torch.engine import torch


def as_torch(value: Any, device: Any = None) -> Any:
    """Return a Tensor or an array as a tensor of PyTorch, and anything else unchanged.

    Args:
        value: the value. An ndarray on the CPU shares its memory with the result, unless it is
            read-only or has negative strides.
        device: the device of PyTorch to copy it to, or None.

    Raises:
        TypeError: PyTorch lacks the dtype.
    """
    array = unwrap(value)
    if isinstance(array, np.generic):
        array = np.asarray(array)
    if isinstance(array, np.ndarray):
        if not array.flags.writeable or any(s < 0 for s in array.strides):
            array = array.copy()
        try:
            array = torch.from_numpy(array)
        except TypeError as error:
            raise TypeError(
                f"PyTorch has no tensors of {array.dtype}; convert it first, for example with "
                "x.astype(np.float32)"
            ) from error
    elif hasattr(array, "__dlpack__") and not isinstance(array, torch.Tensor):
        array = torch.from_dlpack(array)  # such as CuPy's
    elif not isinstance(array, torch.Tensor):
        return value
    return array if device is None else array.to(device)


def as_tensor(value: Any) -> Any:
    """Return a tensor of PyTorch as a Tensor, and anything else unchanged.

    Raises:
        TypeError: NumPy lacks the dtype.
    """
    if not isinstance(value, torch.Tensor):
        return value
    value = value.detach().cpu().resolve_conj().resolve_neg()
    try:
        return from_array(Tensor, value.numpy())
    except TypeError as error:
        raise TypeError(
            f"NumPy has no arrays of {value.dtype}; return another dtype from the function of "
            "PyTorch, for example y.float()"
        ) from error


def leaves(tree: Any) -> list[Any]:
    """Return the values in nested tuples, lists and dicts, in order."""
    return list(_leaves(tree))


def _leaves(tree: Any) -> Iterator[Any]:
    if isinstance(tree, dict):
        tree = tuple(tree.values())
    if isinstance(tree, tuple | list):
        for item in tree:
            yield from _leaves(item)
    else:
        yield tree


def mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    """Return nested containers with a function applied to each value."""
    if isinstance(tree, dict):
        return {key: mapped(function, item) for key, item in tree.items()}
    if isinstance(tree, tuple | list):
        items = [mapped(function, item) for item in tree]
        if hasattr(tree, "_make"):
            return tree._make(items)
        return tuple(items) if isinstance(tree, tuple) else items
    return function(tree)


def filled(tree: Any, values: Any) -> Any:
    """Return nested containers with other values, given in the order of `leaves`."""
    rest = iter(values)
    return mapped(lambda _: next(rest), tree)

"""Arguments that may be tensors, arrays, lists or numbers, and what is known of their values."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_autograd.tree import leaves

# A tuple, because creating a union in each call takes longer than the check.
_ARRAYS = (np.ndarray, np.generic)


def as_array(x: Any, dtype: Any = None) -> Any:
    """Return an array or Tensor as it is, and anything else as an array; in `dtype` if given.

    Lists and tuples that contain Tensors are stacked.
    """
    if isinstance(x, list | tuple) and any(isinstance(v, Tensor) for v in leaves(x)):
        x = np.stack([as_array(v) for v in x])
    if not hasattr(x, "dtype"):
        return np.asarray(x, dtype)
    return x if dtype is None else np.astype(x, np.dtype(dtype))


def no_scalar(x: Any) -> Any:
    """Return a NumPy scalar as an array, and anything else as it is."""
    return np.asarray(x) if isinstance(x, np.generic) else x


def has_values(x: Any) -> bool:
    """Return whether the values of an array or a number can be read.

    Arrays of other libraries may be recorded, or computed later, so a rule must not depend on
    their values. For arrays with values it may take a shortcut, or raise an error.
    """
    return isinstance(x, _ARRAYS) or not hasattr(x, "__array_ufunc__")


def nowhere(mask: Any) -> bool:
    """Return whether a mask is known to be false everywhere, which an empty one always is."""
    if isinstance(mask, _ARRAYS):
        return not mask.any()
    return not (mask if isinstance(mask, bool) else mask.size)


def somewhere(mask: Any) -> bool:
    """Return whether a mask is known to be true somewhere."""
    return bool(mask.any()) if isinstance(mask, _ARRAYS) else mask is True

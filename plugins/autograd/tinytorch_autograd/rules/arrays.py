"""as_array, the conversion of arguments that may be tensors, arrays, lists or numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_autograd.tree import leaves


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
    """Return a NumPy scalar or an integer as an array, and anything else as it is."""
    return x if hasattr(x, "dtype") and not isinstance(x, np.generic) else np.asarray(x)

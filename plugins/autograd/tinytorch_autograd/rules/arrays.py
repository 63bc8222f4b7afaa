"""as_array, the conversion of arguments that may be tensors, arrays, lists or numbers."""

from __future__ import annotations

from typing import Any

import numpy as np


def as_array(x: Any, dtype: Any = None) -> Any:
    """Return an array or Tensor as it is, and anything else as an array; in `dtype` if given."""
    if not hasattr(x, "dtype"):
        return np.asarray(x, dtype)
    return x if dtype is None else np.astype(x, np.dtype(dtype))

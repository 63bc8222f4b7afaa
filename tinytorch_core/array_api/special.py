"""The ufuncs of scipy.special, which SciPy looks up here for its functions of Tensors.

With SCIPY_ARRAY_API=1, SciPy would otherwise convert Tensors to arrays. A ufunc runs as an op.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np


def __getattr__(name: str) -> Any:
    # SciPy itself looks up the function, so it is installed.
    found = getattr(importlib.import_module("scipy.special"), name, None)
    ufunc = getattr(found, "__wrapped__", found)  # SciPy's function that selects a namespace
    if not isinstance(ufunc, np.ufunc):
        raise AttributeError(f"scipy.special has no ufunc {name!r}")
    return ufunc

"""Functions that give an array as it is: conversions and copies."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_autograd.rules.family import Family
from tinytorch_autograd.rules.ufuncs import converted

Array = Any

family = Family()


@family.composed(np.asarray, np.asanyarray, np.asarray_chkfinite)
def asarray(a: Array, dtype: Any = None, order: Any = None) -> Array:
    """The tensor itself, converted if that is wanted."""
    return a if dtype is None else converted(a, dtype)


@family.composed(np.copy)
def copy(a: Array, order: str = "K", subok: bool = False) -> Array:
    """The same elements in memory of their own."""
    return a.copy()

"""SciPy's own functions run the ops of this package when they are called with a Tensor.

`ops.add(..., numpy=scipy.special.erf)` would do the same, but it would import scipy.special at the
start of every program, which takes twice as long as importing NumPy. A program that calls a
function of scipy.special has already imported it.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import scipy

from tinytorch_core import Op

from tinytorch_special.family import FUNCTIONS, Special, is_complex


def redirected(op: Op, call: Callable[..., Any]) -> Callable[..., Any] | None:
    """Return a wrapper for `call` that runs this package's function instead of SciPy's.

    Calls with keyword arguments go to `call`, and so do those with complex numbers if this
    package's function does not take them. Returns None if `op` does not run a function of
    scipy.special.
    """
    special = _counterpart(op.forward)
    return None if special is None else _redirected(special, call)


def _redirected(special: Special, call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    def run(*args: Any, **kwargs: Any) -> Any:
        real_only = not special.complex_too
        if kwargs or (real_only and any(is_complex(value) for value in args)):
            return call(*args, **kwargs)
        return special.function(*args)

    return run


def _counterpart(function: Any) -> Special | None:
    if not isinstance(function, np.ufunc) or "scipy.special" not in sys.modules:
        return None
    return _by_ufunc().get(function)


@functools.cache
def _by_ufunc() -> Mapping[np.ufunc, Special]:
    pairs = ((_ufunc(getattr(scipy.special, name, None)), s) for name, s in FUNCTIONS.items())
    return {ufunc: special for ufunc, special in pairs if isinstance(ufunc, np.ufunc)}


def _ufunc(function: Any) -> Any:
    # With SCIPY_ARRAY_API=1, a function that selects a namespace wraps the ufunc.
    return getattr(function, "__wrapped__", function)

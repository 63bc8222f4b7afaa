"""SciPy's own functions, called with a Tensor, run the ops of this package.

`ops.add(..., numpy=scipy.special.erf)` would say the same, and would import scipy.special at the
start of every program, which takes as long as importing NumPy twice. Whoever calls a function of
SciPy's has imported it, so they are looked up when the first one arrives.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import scipy

from tinytorch_special.family import FUNCTIONS, is_complex


def answering(call: Callable[..., Any]) -> Callable[..., Any]:
    """`call`, the op through which a Tensor runs any NumPy function that no other op answers."""

    @functools.wraps(call)
    def answer(function: Any, args: Any, kwargs: Any) -> Any:
        ours = _ours(function)
        if ours is None or kwargs or any(is_complex(value) for value in args):
            return call(function, args, kwargs)
        return ours(*args)

    return answer


def _ours(function: Any) -> Callable[..., Any] | None:
    if not isinstance(function, np.ufunc) or "scipy.special" not in sys.modules:
        return None
    return _by_ufunc().get(function)


@functools.cache
def _by_ufunc() -> Mapping[np.ufunc, Callable[..., Any]]:
    scipys = {getattr(scipy.special, name): special for name, special in FUNCTIONS.items()}
    return {f: s.function for f, s in scipys.items() if isinstance(f, np.ufunc)}

"""How gradients of complex numbers are carried.

What users see follows PyTorch: the gradient of a real loss L with respect to z = a + ib is
dL/da + i dL/db, the direction in which L rises fastest. Inside a walk its conjugate is carried,
G = dL/da - i dL/db, because then a holomorphic function f has the rule of calculus, `grad * f'(x)`,
and rules for real numbers serve complex ones as they are. The engine conjugates where gradients
enter and leave a walk, and for hooks; real numbers pay nothing.

A function w = f(z) that is not holomorphic has the rule G f_z + conj(G f_z*), with Wirtinger's
derivatives f_z = (df/da - i df/db) / 2 and f_z* = (df/da + i df/db) / 2: for from dL = Re(G dw) and
dw = f_z dz + f_z* dz* follows dL = Re((G f_z + conj(G f_z*)) dz).

A real tensor that meets complex ones may be handed a complex G, of which only the real part counts.
It is taken at the end. Rules of real functions of complex numbers, such as abs, take it first:
`real_part(grad)`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np


def conj(x: Any) -> Any:
    """The conjugate of an array or Tensor; itself if it is real, or None."""
    dtype = getattr(x, "dtype", None)
    return x if dtype is None or dtype.kind != "c" else np.conjugate(x)


def real_part(x: Any) -> Any:
    """The real part of an array or Tensor; itself if it is real."""
    return np.real(x) if x.dtype.kind == "c" else x


def adjoint(x: Any) -> Any:
    """The conjugate transpose of a matrix, or of each of several."""
    return conj(x).mT


def hermitian_part(x: Any) -> Any:
    """The mean of x and its conjugate transpose."""
    return (x + adjoint(x)) / 2


def as_seen(rule: Callable[..., Any]) -> Callable[..., Any]:
    """A rule that is written for gradients as users see them, dL = Re tr(g^H dX).

    The literature on matrices has its formulas so. The gradient, or gradients, must come first.
    """

    @functools.wraps(rule)
    def carried(grad: Any, *others: Any) -> Any:
        seen = tuple(map(conj, grad)) if isinstance(grad, tuple) else conj(grad)
        return conj(rule(seen, *others))

    return carried


def cast(x: Any, dtype: np.dtype[Any]) -> Any:
    """An array or Tensor in another dtype, its real part if that is real."""
    return (x if dtype.kind == "c" else real_part(x)).astype(dtype)

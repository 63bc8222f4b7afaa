"""The convention for gradients of complex numbers.

Users see PyTorch's convention: the gradient of a real loss L with respect to z = a + ib is
dL/da + i dL/db, the direction of steepest ascent. Rules see its conjugate, G = dL/da - i dL/db.
In terms of G, a holomorphic function f has the rule of calculus, `grad * f'(x)`, and a rule written
for real numbers also holds for complex ones. The engine conjugates gradients where they enter and
leave the backward pass, and for hooks. Real gradients cost nothing extra.

A function w = f(z) that is not holomorphic has the rule G f_z + conj(G f_z*), with the Wirtinger
derivatives f_z = (df/da - i df/db) / 2 and f_z* = (df/da + i df/db) / 2. This follows from
dL = Re(G dw) and dw = f_z dz + f_z* dz*, which give dL = Re((G f_z + conj(G f_z*)) dz).

The gradient of a real tensor is the real part of G. The engine takes it before it calls the rule of
an op whose output is real, so the rule gets a real gradient. Only ops that save none of their
inputs, such as add and reshape, are unknown to have a real output. Their gradients are linear, and
the next op, or the end of the backward pass, takes the real part. A rule need not take the real
part of what it returns for a real input.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np


def is_complex(x: Any) -> bool:
    """Return whether an array, a Tensor or a number is complex."""
    dtype = getattr(x, "dtype", None)
    return isinstance(x, complex) if dtype is None else dtype.kind == "c"


def conj(x: Any) -> Any:
    """Return the conjugate of an array or Tensor, or `x` itself if it is real or None."""
    dtype = getattr(x, "dtype", None)
    return x if dtype is None or dtype.kind != "c" else np.conjugate(x)


def real_part(x: Any) -> Any:
    """Return the real part of an array or Tensor, or `x` itself if it is real."""
    return np.real(x) if x.dtype.kind == "c" else x


def adjoint(x: Any) -> Any:
    """Return the conjugate transpose of a matrix, or of each matrix in a stack."""
    return conj(x).mT


def hermitian_part(x: Any) -> Any:
    """Return the mean of x and its conjugate transpose."""
    return (x + adjoint(x)) / 2


def in_user_convention(rule: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a rule that is written for gradients g as users see them, dL = Re tr(g^H dX).

    The literature on matrices uses this convention. The first argument of the rule must be the
    gradient, or the tuple of gradients.
    """

    @functools.wraps(rule)
    def wrapped(grad: Any, *others: Any) -> Any:
        seen = tuple(map(conj, grad)) if isinstance(grad, tuple) else conj(grad)
        return conj(rule(seen, *others))

    return wrapped


def cast(x: Any, dtype: np.dtype[Any]) -> Any:
    """Return an array or Tensor in another dtype, or its real part if that dtype is real."""
    return (x if dtype.kind == "c" else real_part(x)).astype(dtype)

"""Convolution, with the names and arguments of scipy.signal."""

from __future__ import annotations

import numpy as np
import scipy

from tinytorch_core.extend import kernel

from tinytorch_special.family import Array, rule, special


@special("in1 in2", module="signal", complex_too=True)
@kernel("in1", "in2")
def convolve(in1: Array, in2: Array, mode: str = "full", method: str = "auto") -> Array:
    """The convolution of two arrays with the same number of axes.

    The derivative is the correlation of the gradient with the other array.

    Args:
        in1, in2: the arrays.
        mode: the part that is returned: "full"; "same", the center of the full convolution, of
            the shape of `in1`; or "valid", the elements that do not depend on padding. For
            "valid", one array must be at least as long as the other along every axis.
        method: "direct", "fft", or "auto" for the faster of the two.

    Raises:
        ValueError: the numbers of axes differ, the shapes do not fit, or an option is unknown.
    """
    return scipy.signal.convolve(in1, in2, mode=mode, method=method)


def _by_other(grad: Array, one: tuple[int, ...], other: Array, first: bool, mode: str) -> Array:
    """Return the gradient of the array of shape `one`; `first` if it is in1.

    Each mode is a part of the full convolution, whose gradient is zero outside of that part.
    """
    sizes = list(zip(one, other.shape, strict=True))
    margins = []
    for (n, m), kept in zip(sizes, grad.shape, strict=True):
        before = {"full": 0, "same": ((m if first else n) - 1) // 2, "valid": min(n, m) - 1}[mode]
        margins.append((before, n + m - 1 - kept - before))
    return convolve(np.pad(grad, margins), np.flip(other), mode="valid")


rule(
    convolve,
    lambda grad, in1_shape, in2, mode: _by_other(grad, in1_shape, in2, True, mode),
    lambda grad, in1, in2_shape, mode: _by_other(grad, in2_shape, in1, False, mode),
)

"""The Fourier transforms of the array API standard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from tinytorch_core.array_api.conversion import asarray

Array = Any
Function = TypeVar("Function", bound=Callable[..., Any])

__all__ = [
    "fft",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "ifft",
    "ifftn",
    "ifftshift",
    "ihfft",
    "irfft",
    "irfftn",
    "rfft",
    "rfftfreq",
    "rfftn",
]


def _along_axis(function: Any, what: str) -> Callable[..., Array]:
    """Return NumPy's transform along one axis; `what` is its description."""

    def transform(
        x: Array, /, *, n: int | None = None, axis: int = -1, norm: Any = "backward"
    ) -> Array:
        return function(asarray(x), n=n, axis=axis, norm=norm)

    return _named(transform, function.__name__, f"{what} along an axis")


def _along_axes(function: Any, what: str) -> Callable[..., Array]:
    """Return NumPy's transform along several axes; `what` is its description."""

    def transform(x: Array, /, *, s: Any = None, axes: Any = None, norm: Any = "backward") -> Array:
        # NumPy deprecates lengths without axes.
        axes = range(-len(s), 0) if axes is None and s is not None else axes
        return function(asarray(x), s=s, axes=axes, norm=norm)

    return _named(transform, function.__name__, f"{what} along several axes, by default all")


def _named(function: Function, name: str, what: str) -> Function:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Return the {what}."
    return function


fft = _along_axis(np.fft.fft, "Fourier transform")
hfft = _along_axis(np.fft.hfft, "real Fourier transform of the half of a Hermitian signal")
ifft = _along_axis(np.fft.ifft, "inverse Fourier transform")
ihfft = _along_axis(np.fft.ihfft, "inverse of `hfft`")
irfft = _along_axis(np.fft.irfft, "inverse of `rfft`")
rfft = _along_axis(np.fft.rfft, "half of the Fourier transform of a real signal")

fftn = _along_axes(np.fft.fftn, "Fourier transform")
ifftn = _along_axes(np.fft.ifftn, "inverse Fourier transform")
irfftn = _along_axes(np.fft.irfftn, "inverse of `rfftn`")
rfftn = _along_axes(np.fft.rfftn, "half of the Fourier transform of a real signal")


def fftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Array:
    """Return the frequencies of the elements of `fft`, of samples at a distance `d`."""
    return asarray(np.fft.fftfreq(n, d), dtype=dtype, device=device)


def fftshift(x: Array, /, *, axes: Any = None) -> Array:
    """Return the elements with the frequency 0 moved to the middle."""
    return np.fft.fftshift(asarray(x), axes)


def ifftshift(x: Array, /, *, axes: Any = None) -> Array:
    """Return the elements with the frequency 0 moved to the start."""
    return np.fft.ifftshift(asarray(x), axes)


def rfftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Array:
    """Return the frequencies of the elements of `rfft`, of samples at a distance `d`."""
    return asarray(np.fft.rfftfreq(n, d), dtype=dtype, device=device)

"""The discrete Fourier transforms.

The matrix of the transform is symmetric, so the rule is the transform itself, with gradients in
the convention of `tinytorch_autograd.complex_numbers`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinytorch_autograd.complex_numbers import real_part
from tinytorch_autograd.rules.axes import normalize_axes, shape_along, whole_axes_before
from tinytorch_autograd.rules.family import Family

Array = Any
Axes = Sequence[int] | None
Norm = Any  # None, "backward", "ortho" or "forward"
Shape = tuple[int, ...]

family = Family()


def resize(x: Array, length: int, axis: int) -> Array:
    """Return x with `length` elements along an axis: cut off, or followed by zeros."""
    missing = length - x.shape[axis]
    if missing <= 0:
        return x[(*whole_axes_before(axis, x.ndim), slice(length))]
    shape = list(x.shape)
    shape[axis] = missing
    return np.concatenate([x, np.zeros(shape, dtype=x.dtype)], axis=axis)


def fft_rule(grad: Array, a_shape: Shape, axis: int, norm: Norm) -> Array:
    """fft(grad), cut off or followed by zeros to the length of the input."""
    return resize(np.fft.fft(grad, None, axis, norm), a_shape[axis], axis)


def ifft_rule(grad: Array, a_shape: Shape, axis: int, norm: Norm) -> Array:
    """ifft(grad), cut off or followed by zeros to the length of the input."""
    return resize(np.fft.ifft(grad, None, axis, norm), a_shape[axis], axis)


def rfft_rule(grad: Array, a_shape: Shape, n: int | None, axis: int, norm: Norm) -> Array:
    """Re fft(grad), with zeros after grad for the half of the fft that rfft leaves out."""
    full = resize(grad, a_shape[axis] if n is None else n, axis)
    return real_part(fft_rule(full, a_shape, axis, norm))


def irfft_rule(grad: Array, a_shape: Shape, axis: int, norm: Norm) -> Array:
    """The first half of ifft(grad), times the `half_weights`."""
    length = grad.shape[axis]
    half = resize(np.fft.ifft(real_part(grad), None, axis, norm), length // 2 + 1, axis)
    weights = half_weights(length, real_part(half).dtype)
    weights = weights.reshape(shape_along(axis, half.ndim, -1))
    return resize(half * weights, a_shape[axis], axis)


def half_weights(length: int, dtype: Any) -> Array:
    """Return how often each element of a half spectrum occurs in the full one, 1 or 2 times."""
    weights = np.full(length // 2 + 1, 2, dtype=dtype)
    weights[0] = 1
    if length % 2 == 0:
        weights[-1] = 1
    return weights


def transform(name: str, rule: Callable[..., Array], forward: Callable[..., Array]) -> None:
    """Make a transform along one axis an op."""

    def along_axis(a: Array, n: int | None = None, axis: int = -1, norm: Norm = None) -> Array:
        return forward(a, n, axis, norm)

    family.function(name, forward, rule, forward=along_axis)


transform("fft", fft_rule, np.fft.fft)
transform("ifft", ifft_rule, np.fft.ifft)
transform("rfft", rfft_rule, np.fft.rfft)
transform("irfft", irfft_rule, np.fft.irfft)

# hfft is an inverse transform, and ihfft a forward one, with the normalization of the opposite
# direction.
_OPPOSITE: dict[str | None, Norm] = {
    None: "forward",
    "backward": "forward",
    "ortho": "ortho",
    "forward": "backward",
}


@family.composed(np.fft.hfft)
def hfft(a: Array, n: int | None = None, axis: int = -1, norm: Norm = None) -> Array:
    """Return irfft of the conjugate."""
    return np.fft.irfft(np.conjugate(a), n, axis, _OPPOSITE.get(norm, norm))


@family.composed(np.fft.ihfft)
def ihfft(a: Array, n: int | None = None, axis: int = -1, norm: Norm = None) -> Array:
    """Return the conjugate of rfft."""
    return np.conjugate(np.fft.rfft(a, n, axis, _OPPOSITE.get(norm, norm)))


def over_axes(
    several: Callable[..., Array],
    default: Axes,
    on_last: Callable[..., Array],
    on_others: Callable[..., Array],
    last_first: bool = True,
) -> None:
    """Compose a transform over several axes of one along the last axis and one along the others.

    If `axes` is None, it means as many of the last axes as `s` has lengths, or all axes.
    """

    @family.composed(several)
    def transformed(a: Array, s: Any = None, axes: Axes = default, norm: Norm = None) -> Array:
        if axes is None:
            axes = range(-(a.ndim if s is None else len(s)), 0)
        given = [-1] * len(axes) if s is None else s
        if len(given) != len(axes) or not axes:
            return NotImplemented
        steps = [
            (on_others, a.shape[axis] if n == -1 else n, axis)
            for n, axis in zip(given, axes, strict=True)
        ]
        _, n, axis = steps.pop()
        n = None if s is None and on_last is np.fft.irfft else n
        steps.insert(0 if last_first else len(steps), (on_last, n, axis))
        for transform, n, axis in steps:
            a = transform(a, n, axis, norm)
        return a

    others = f" and `{on_others.__name__}` along the others" if on_others is not on_last else ""
    last = "the last axis" if others else "each axis"
    transformed.__doc__ = f"Return `{on_last.__name__}` along {last}{others}."


_LAST_TWO = (-2, -1)
over_axes(np.fft.fftn, None, np.fft.fft, np.fft.fft)
over_axes(np.fft.fft2, _LAST_TWO, np.fft.fft, np.fft.fft)
over_axes(np.fft.ifftn, None, np.fft.ifft, np.fft.ifft)
over_axes(np.fft.ifft2, _LAST_TWO, np.fft.ifft, np.fft.ifft)
over_axes(np.fft.rfftn, None, np.fft.rfft, np.fft.fft)
over_axes(np.fft.rfft2, _LAST_TWO, np.fft.rfft, np.fft.fft)
over_axes(np.fft.irfftn, None, np.fft.irfft, np.fft.ifft, last_first=False)
over_axes(np.fft.irfft2, _LAST_TWO, np.fft.irfft, np.fft.ifft, last_first=False)


@family.composed(np.fft.fftshift)
def fftshift(x: Array, axes: Any = None) -> Array:
    """Return x rolled by half of the length of each axis."""
    axes = normalize_axes(axes, x.ndim, allow_duplicate=True)
    return np.roll(x, tuple(x.shape[axis] // 2 for axis in axes), axes)


@family.composed(np.fft.ifftshift)
def ifftshift(x: Array, axes: Any = None) -> Array:
    """Return x rolled back by half of the length of each axis."""
    axes = normalize_axes(axes, x.ndim, allow_duplicate=True)
    return np.roll(x, tuple(-(x.shape[axis] // 2) for axis in axes), axes)

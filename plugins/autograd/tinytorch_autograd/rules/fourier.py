"""The discrete Fourier transforms.

The matrix of the transform is symmetric, so that gradients, carried as
`tinytorch_autograd.complex_numbers` tells, are transformed by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinytorch_autograd.complex_numbers import real_part
from tinytorch_autograd.rules.family import Family

Array = Any
Axes = Sequence[int] | None
Norm = Any  # None, "backward", "ortho" or "forward"
Shape = tuple[int, ...]

family = Family()


def fitted(x: Array, length: int, axis: int) -> Array:
    """The first `length` elements along an axis, with zeros after them where there are fewer."""
    missing = length - x.shape[axis]
    before = (slice(None),) * (axis % x.ndim)
    if missing <= 0:
        return x[(*before, slice(length))]
    shape = list(x.shape)
    shape[axis] = missing
    return np.concatenate([x, np.zeros(shape, dtype=x.dtype)], axis=axis)


def fft_rule(grad: Array, a_shape: Shape, axis: int, norm: Norm) -> Array:
    """The transform of the gradient, cut or filled up as the input was."""
    return fitted(np.fft.fft(grad, None, axis, norm), a_shape[axis], axis)


def ifft_rule(grad: Array, a_shape: Shape, axis: int, norm: Norm) -> Array:
    """The inverse transform of the gradient, cut or filled up as the input was."""
    return fitted(np.fft.ifft(grad, None, axis, norm), a_shape[axis], axis)


def rfft_rule(grad: Array, a_shape: Shape, n: int | None, axis: int, norm: Norm) -> Array:
    """The output is the first half of an fft, whose second half has the gradient 0."""
    whole = fitted(grad, a_shape[axis] if n is None else n, axis)
    return real_part(fft_rule(whole, a_shape, axis, norm))


def irfft_rule(grad: Array, a_shape: Shape, axis: int, norm: Norm) -> Array:
    """out = the real part of the ifft of the input with twice its inner elements."""
    length = grad.shape[axis]
    half = fitted(np.fft.ifft(real_part(grad), None, axis, norm), length // 2 + 1, axis)
    weights = np.full(length // 2 + 1, 2, dtype=real_part(half).dtype)
    weights[0] = 1
    if length % 2 == 0:
        weights[-1] = 1
    along = (-1,) + (1,) * (half.ndim - axis % half.ndim - 1)
    return fitted(half * weights.reshape(along), a_shape[axis], axis)


def transform(name: str, rule: Callable[..., Array], forward: Callable[..., Array]) -> None:
    """A transform along one axis as an op."""

    def along_axis(a: Array, n: int | None = None, axis: int = -1, norm: Norm = None) -> Array:
        return forward(a, n, axis, norm)

    family.function(name, forward, rule, forward=along_axis)


transform("fft", fft_rule, np.fft.fft)
transform("ifft", ifft_rule, np.fft.ifft)
transform("rfft", rfft_rule, np.fft.rfft)
transform("irfft", irfft_rule, np.fft.irfft)

# A Hermitian input is transformed by the other direction, with the other normalization.
_OTHER: dict[str | None, Norm] = {
    None: "forward",
    "backward": "forward",
    "ortho": "ortho",
    "forward": "backward",
}


@family.composed(np.fft.hfft)
def hfft(a: Array, n: int | None = None, axis: int = -1, norm: Norm = None) -> Array:
    """irfft of the conjugate."""
    return np.fft.irfft(np.conjugate(a), n, axis, _OTHER.get(norm, norm))


@family.composed(np.fft.ihfft)
def ihfft(a: Array, n: int | None = None, axis: int = -1, norm: Norm = None) -> Array:
    """The conjugate of rfft."""
    return np.conjugate(np.fft.rfft(a, n, axis, _OTHER.get(norm, norm)))


def over_axes(
    several: Callable[..., Array],
    default: Axes,
    on_last: Callable[..., Array],
    on_others: Callable[..., Array],
    last_first: bool = True,
) -> None:
    """A transform over several axes as one along each: along the last another than the others.

    Without `axes` these are the last, as many as `s` has, or all.
    """

    @family.composed(several)
    def transformed(a: Array, s: Any = None, axes: Axes = default, norm: Norm = None) -> Array:
        if axes is None:
            axes = range(-(a.ndim if s is None else len(s)), 0)
        lengths = [None] * len(axes) if s is None else [None if n == -1 else n for n in s]
        if len(lengths) != len(axes) or not axes:
            return NotImplemented
        steps = [(on_others, n, axis) for n, axis in zip(lengths, axes, strict=True)]
        _, n, axis = steps.pop()
        steps.insert(0 if last_first else len(steps), (on_last, n, axis))
        for transform, n, axis in steps:
            a = transform(a, n, axis, norm)
        return a

    transformed.__doc__ = f"`{on_others.__name__}` along the axes, `{on_last.__name__}` the last."
    if on_last is on_others:
        transformed.__doc__ = f"`{on_last.__name__}` along each axis."


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
    """Each axis rolled by half of its length."""
    axes = chosen_axes(x, axes)
    return np.roll(x, tuple(x.shape[axis] // 2 for axis in axes), axes)


@family.composed(np.fft.ifftshift)
def ifftshift(x: Array, axes: Any = None) -> Array:
    """Each axis rolled back by half of its length."""
    axes = chosen_axes(x, axes)
    return np.roll(x, tuple(-(x.shape[axis] // 2) for axis in axes), axes)


def chosen_axes(x: Array, axes: Any) -> tuple[int, ...]:
    """The axes as a tuple, all of them for None."""
    if axes is None:
        return tuple(range(x.ndim))
    return (int(axes),) if isinstance(axes, int | np.integer) else tuple(axes)

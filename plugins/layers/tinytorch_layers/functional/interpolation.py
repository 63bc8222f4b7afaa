"""Resizing of images and sequences, one axis after another.

Along an axis, each new element is a copy of an old one, or a weighted sum of old ones: the axis is
indexed, or multiplied by a matrix. So the derivatives are those of indexing and matrix products.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from tinytorch_core.extend import AnyArray

from tinytorch_layers.arguments import input_shape
from tinytorch_layers.functional.adaptive_pooling import adaptive_avg_pool, transformed
from tinytorch_modules.arguments import flag, integer, number

Array = Any
Shape = tuple[int, ...]

# The numbers of axes that each mode resizes.
_MODES = {
    "nearest": (1, 2),
    "nearest-exact": (1, 2),
    "linear": (1,),
    "bilinear": (2,),
    "bicubic": (2,),
    "area": (1, 2),
}
_WEIGHTED = ("linear", "bilinear", "bicubic")


def interpolate(
    x: AnyArray,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
) -> AnyArray:
    """Return images or sequences resized to a given size or by a factor.

    Args:
        x: a Tensor or array of shape (N, C, L) or (N, C, H, W); floating, except for the modes that
            copy.
        size: the new size, an integer, or two for height and width; or None.
        scale_factor: the factor of the size, if `size` is None: a number, or two. The new size is
            rounded down.
        mode: "nearest" copies the pixel at the rounded down position, "nearest-exact" the nearest
            one; "linear" (for sequences), "bilinear" and "bicubic" (for images) weight the two or
            four nearest pixels in each direction, with matrix products, in which a NaN or an
            infinity spreads over its row and column; "area" is `adaptive_avg_pool2d`.
        align_corners: for the modes with weights, whether the centres of the pixels in the corners
            keep their positions, instead of the outer borders of the images.
        recompute_scale_factor: whether positions are computed with the quotient of the sizes
            instead of `scale_factor`. They differ if the new size was rounded.

    Returns:
        A Tensor or array of shape (N, C, l) or (N, C, h, w). PyTorch's argument `antialias` is not
        supported.

    Raises:
        ValueError: not exactly one of `size` and `scale_factor` is given, the mode is unknown or
            not for this number of axes, or another argument is out of range or not for this mode.
        TypeError: an argument has the wrong type.

    >>> x = np.array([[[1.0, 2.0, 4.0]]])
    >>> interpolate(x, scale_factor=2)
    array([[[1., 1., 2., 2., 4., 4.]]])
    >>> interpolate(x, size=5, mode="linear", align_corners=True)
    array([[[1. , 1.5, 2. , 3. , 4. ]]])
    """
    check_options("interpolate", size, scale_factor, mode, align_corners, recompute_scale_factor)
    return resized(
        "interpolate",
        x,
        size,
        scale_factor,
        mode,
        bool(align_corners),
        bool(recompute_scale_factor),
    )


def check_options(
    owner: str, size: Any, scale_factor: Any, mode: Any, align_corners: Any, recompute: Any
) -> None:
    """Raise ValueError or TypeError if the options of `interpolate` contradict each other."""
    if mode not in _MODES:
        known = ", ".join(map(repr, _MODES))
        raise ValueError(f"mode of {owner} must be one of {known}, not {mode!r:.60}")
    if (size is None) == (scale_factor is None):
        raise ValueError(
            f"{owner} needs either size or scale_factor, not {size!r:.60} and {scale_factor!r:.60}"
        )
    if size is not None:
        for length in _listed(size):
            integer(owner, "size", length)
    else:
        for factor in _listed(scale_factor):
            number(owner, "scale_factor", factor, 0, math.inf, ends="()")
    if align_corners is not None:
        flag(owner, "align_corners", align_corners)
        if mode not in _WEIGHTED:
            raise ValueError(f"align_corners of {owner} is not for the mode {mode!r}")
    if recompute is not None and flag(owner, "recompute_scale_factor", recompute) and size:
        raise ValueError(f"recompute_scale_factor of {owner} is for scale_factor, not for size")


def resized(
    owner: object,
    x: Array,
    size: Any,
    scale_factor: Any,
    mode: str,
    align_corners: bool,
    recompute: bool,
) -> Array:
    """Return x resized, after checking its shape and the sizes."""
    shape = input_shape(owner, x, floating=not mode.startswith("nearest"))
    axes = len(shape) - 2
    if axes not in _MODES[mode] or 0 in shape[2:]:
        expected = {1: "(N, C, L)", 2: "(N, C, H, W)"}
        raise ValueError(
            f"{owner} in mode {mode!r} expects an input of shape "
            f"{' or '.join(expected[n] for n in _MODES[mode])} that is not empty, got {shape}"
        )
    new, factors = _new_size(owner, shape[2:], size, scale_factor)
    if mode == "area":
        return adaptive_avg_pool(owner, x, new, axes)
    # The last axis first, because the input is contiguous in memory more often than a result.
    for axis in range(-1, -1 - axes, -1):
        length, count, factor = shape[axis], new[axis], factors[axis]
        step = length / count if factor is None or recompute else 1 / factor
        # As in PyTorch, the other modes ignore a scale factor that leaves the size as it is.
        if count != length or (step != 1 and mode in ("bicubic", "nearest-exact")):
            x = _resize_axis(x, axis, count, step, mode, align_corners)
    return x


def _listed(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def _new_size(
    owner: object, lengths: Shape, size: Any, scale_factor: Any
) -> tuple[Shape, tuple[float | None, ...]]:
    """Return the new length of each axis, and the factor if it was given."""
    axes = len(lengths)
    given = _listed(scale_factor if size is None else size)
    given = given * axes if len(given) == 1 else given
    if len(given) != axes:
        name = "scale_factor" if size is None else "size"
        raise ValueError(f"{name} of {owner} must be one number or {axes}, not {given}")
    if size is not None:
        return given, (None,) * axes
    factors = tuple(map(float, given))
    new = tuple(math.floor(n * f) for n, f in zip(lengths, factors, strict=True))
    if 0 in new:
        raise ValueError(
            f"scale_factor of {owner} is too small for an input of size "
            f"{' x '.join(map(str, lengths))}: no pixels would be left"
        )
    return new, factors


def _resize_axis(
    x: Array, axis: int, count: int, step: float, mode: str, align_corners: bool
) -> Array:
    """Return x with `count` elements along one of its last two axes, -1 or -2."""
    length = x.shape[axis]
    if not mode.startswith("nearest"):
        return transformed(x, _weights(length, count, step, mode == "bicubic", align_corners), axis)
    # As in PyTorch for images, "nearest" ignores a scale factor that doubles the size. For
    # sequences, PyTorch does so in the gradient only.
    exact = mode == "nearest-exact"
    is_whole = step == length / count or (count == 2 * length and not exact)
    if count % length == 0 and is_whole:
        return _repeat(x, len(x.shape) + axis, count // length)
    index = _nearest(length, count, step, exact)
    return x[..., index] if axis == -1 else x[..., index, :]


def _repeat(x: Array, axis: int, times: int) -> Array:
    """Return x with each element along an axis repeated.

    Its derivative is a sum of slices. For two copies, this takes a seventh of the time of a sum
    over a short axis.
    """
    before, after = x.shape[:axis], x.shape[axis + 1 :]
    return np.stack([x] * times, axis=axis + 1).reshape((*before, x.shape[axis] * times, *after))


@lru_cache(maxsize=16)
def _nearest(length: int, count: int, step: float, exact: bool) -> Array:
    """Return the index of the element to copy, for each new element."""
    positions = (np.arange(count) + (0.5 if exact else 0)) * step
    # Rounded to float32 first, as PyTorch does.
    return np.minimum(np.floor(positions.astype(np.float32)).astype(int), length - 1)


@lru_cache(maxsize=16)
def _weights(length: int, count: int, step: float, cubic: bool, align_corners: bool) -> Array:
    """Return the matrix that maps an axis to its interpolated elements."""
    numbers = np.arange(count)
    if align_corners:
        positions = numbers * ((length - 1) / (count - 1) if count > 1 else 0)
    else:
        positions = (numbers + 0.5) * step - 0.5
    positions = positions if cubic else np.clip(positions, 0, length - 1)
    first = np.floor(positions).astype(int)
    fraction = positions - first
    if cubic:
        weights = {k: _cubic(np.abs(fraction - k)) for k in (-1, 0, 1, 2)}
    else:
        weights = {0: 1 - fraction, 1: fraction}
    matrix = np.zeros((count, length))
    for offset, weight in weights.items():
        np.add.at(matrix, (numbers, np.clip(first + offset, 0, length - 1)), weight)
    return matrix


def _cubic(distance: Array) -> Array:
    """Return Keys' cubic convolution kernel with a = −3/4, as in PyTorch.

    Keys, "Cubic convolution interpolation for digital image processing", 1981.
    """
    a, d = -0.75, distance
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, far)

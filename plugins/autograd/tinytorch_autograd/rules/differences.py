"""Differences, numerical gradients, integrals and interpolation."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_autograd.rules.arithmetic import somewhere
from tinytorch_autograd.rules.arrays import as_array
from tinytorch_autograd.rules.axes import normalize_axes, shape_along, whole_axes_before
from tinytorch_autograd.rules.family import Family

Array = Any

family = Family()


def slice_along(x: Array, axis: int, start: int | None, stop: int | None) -> Array:
    """Return the slice of `x` from `start` to `stop` along one axis."""
    return x[(*whole_axes_before(axis, len(x.shape)), slice(start, stop))]


@family.composed(np.diff)
def diff(
    a: Array,
    n: int = 1,
    axis: int = -1,
    prepend: Any = np._NoValue,
    append: Any = np._NoValue,
) -> Array:
    """Return x_(i+1) - x_i, applied n times."""
    if n == 0:
        return a  # NumPy ignores `prepend` and `append` too
    if n < 0 or prepend is None or append is None:
        return NotImplemented  # NumPy raises its own error
    a = _with_ends(as_array(a), axis, prepend, append)
    for _ in range(n):
        a = slice_along(a, axis, 1, None) - slice_along(a, axis, None, -1)
    return a


def _with_ends(a: Array, axis: int, first: Any, last: Any) -> Array:
    shape = list(a.shape)
    shape[axis] = 1
    parts = [as_array(part) for part in (first, a, last) if part is not np._NoValue]
    parts = [part if part.shape else np.broadcast_to(part, shape) for part in parts]
    return np.concatenate(parts, axis=axis) if len(parts) > 1 else a


@family.composed(np.ediff1d)
def ediff1d(ary: Array, to_end: Any = None, to_begin: Any = None) -> Array:
    """Return x_(i+1) - x_i of the flattened elements, between `to_begin` and `to_end`."""
    flat = as_array(ary).reshape(-1)
    steps = flat[1:] - flat[:-1]
    ends = [as_array(e).reshape(-1) if e is not None else None for e in (to_begin, to_end)]
    if not all(e is None or np.can_cast(e.dtype, flat.dtype, "same_kind") for e in ends):
        return NotImplemented  # NumPy raises its own error
    ends = [e if e is None else np.astype(e, steps.dtype) for e in ends]
    parts = [part for part in (ends[0], steps, ends[1]) if part is not None]
    return np.concatenate(parts) if len(parts) > 1 else steps


@family.composed(np.trapezoid)
def trapezoid(y: Array, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Array:
    """Return Σ (x_(i+1) - x_i) (y_(i+1) + y_i) / 2."""
    y = as_array(y)
    if x is not None:
        x = as_array(x)
        if len(x.shape) == 1:
            x = x.reshape(shape_along(axis, len(y.shape), -1))
            dx = slice_along(x, axis, 1, None) - slice_along(x, axis, None, -1)
        else:
            dx = diff(x, axis=axis)
    means = (slice_along(y, axis, 1, None) + slice_along(y, axis, None, -1)) / 2
    return np.sum(dx * means, axis=axis)


@family.composed(np.interp)
def interp(
    x: Array, xp: Array, fp: Array, left: Any = None, right: Any = None, period: Any = None
) -> Array:
    """Return f_i + (x - x_i) (f_(i+1) - f_i) / (x_(i+1) - x_i) for x between x_i and x_(i+1).

    At x_i the derivative is the one to its right; outside of all x_i it is 0.
    """
    if np.ndim(xp) != 1 or np.shape(xp) != np.shape(fp) or somewhere(unwrap(period) == 0):
        return NotImplemented  # NumPy raises its own error
    x, xp, fp = (as_array(as_array(v), np.result_type(as_array(v), float)) for v in (x, xp, fp))
    if period is not None:
        period = abs(period)
        x, xp = np.remainder(x, period), np.remainder(xp, period)
        order = np.argsort(unwrap(xp))
        xp, fp, left, right = xp[order], fp[order], None, None
        xp = np.concatenate([xp[-1:] - period, xp, xp[:1] + period])
        fp = np.concatenate([fp[-1:], fp, fp[:1]])
    values, points = unwrap(x), unwrap(xp)
    left, right = (fp[0] if left is None else left), (fp[-1] if right is None else right)
    if len(points) == 1:
        between = np.broadcast_to(fp[0], values.shape)
    else:
        i = np.clip(np.searchsorted(points, values, "right") - 1, 0, len(points) - 2)
        inside = np.where((values >= points[0]) & (values <= points[-1]), x, _pick(xp, i))
        (x0, x1), (y0, y1) = ((_pick(p, i), _pick(p, i + 1)) for p in (xp, fp))
        between = y0 + (inside - x0) * ((y1 - y0) / (x1 - x0))
    return np.where(values < points[0], left, np.where(values > points[-1], right, between))


def _pick(x: Array, indices: Array) -> Array:
    """Return the elements of a vector at indices of any shape."""
    # Unlike indexing, this NumPy function accepts indices of another library for an ndarray.
    return np.take_along_axis(x, indices.reshape(-1), 0).reshape(indices.shape)


@family.composed(np.gradient)
def gradient(f: Array, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Return central differences, and one-sided ones of order `edge_order` at the ends."""
    if edge_order not in (1, 2) or (varargs and not f.shape):
        return NotImplemented  # NumPy raises its own error
    axes = normalize_axes(axis, len(f.shape))
    spacings = [as_array(v) for v in (varargs if len(varargs) else (1.0,))]
    if len(spacings) == 1 and not spacings[0].shape:
        spacings = spacings * len(axes)
    if any(h.shape and h.shape != (f.shape[a],) for h, a in zip(spacings, axes, strict=False)):
        return NotImplemented
    if len(spacings) != len(axes) or any(len(f.shape) and f.shape[a] <= edge_order for a in axes):
        return NotImplemented  # NumPy raises its own error
    results = [_along(f, h, a, edge_order) for h, a in zip(spacings, axes, strict=True)]
    return results[0] if len(results) == 1 else tuple(results)


def _along(f: Array, h: Array, axis: int, edge_order: int) -> Array:
    f = np.moveaxis(f, axis, -1)
    steps = h[1:] - h[:-1] if h.shape else h * np.ones(f.shape[-1] - 1)
    steps = np.astype(steps, f.dtype)
    a, b = steps[:-1], steps[1:]
    rise = (f[..., 1:] - f[..., :-1]) / steps
    if h.shape:
        inner = (rise[..., :-1] * b + rise[..., 1:] * a) / (a + b)
    else:
        inner = (f[..., 2:] - f[..., :-2]) / (2 * steps[1:])
    first, last = rise[..., :1], rise[..., -1:]
    if edge_order == 2:
        first = first + (first - rise[..., 1:2]) * (a[0] / (a[0] + b[0]))
        last = last + (last - rise[..., -2:-1]) * (b[-1] / (a[-1] + b[-1]))
    return np.moveaxis(np.concatenate([first, inner, last], axis=-1), -1, axis)

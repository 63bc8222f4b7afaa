"""Max pooling over windows side by side, the common case, which XLA does not compute fast.

The pixels at one position of all windows are a slice with steps. Comparing slices takes a third of
the time of XLA's windows, and stacking them a fifth of the time of its scatter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tinytorch_xla.engine import jnp

# With more pixels in a window, the program becomes long.
_MOST_PIXELS = 16


def is_simple(windows: Any, image: Any) -> bool:
    """Return whether the windows are side by side and cover the images, without padding."""
    high, wide = windows.kernel
    return (
        windows.stride == windows.kernel
        and windows.dilation == (1, 1)
        and not any(windows.padding)
        and high * wide <= _MOST_PIXELS
        and image[0] % high == image[1] % wide == 0
    )


def maxima(x: Any, windows: Any) -> Any:
    """Return the maximum of each window."""
    first, *others = _pixels(x, windows)
    for pixels in others:
        first = jnp.maximum(first, pixels)
    return first


def unpool(values: Any, x: Any, largest: Any, windows: Any) -> Any:
    """Return images with the value of each window at the position of its maximum."""
    high, wide = windows.kernel
    found = [jnp.where(mask, values, 0) for mask in _first_maxima(x, largest, windows)]
    rows = [jnp.stack(found[i : i + wide], axis=4) for i in range(0, high * wide, wide)]
    return jnp.stack(rows, axis=3).reshape(x.shape)


def select(values: Any, x: Any, largest: Any, windows: Any) -> Any:
    """Return, for each window, the value at the position of its maximum."""
    found: Any = jnp.zeros(largest.shape, values.dtype)
    pixels = _pixels(values, windows)
    for part, mask in zip(pixels, _first_maxima(x, largest, windows), strict=True):
        found = jnp.where(mask, part, found)
    return found


def _pixels(x: Any, windows: Any) -> Iterator[Any]:
    """Yield the pixels at each position of the windows."""
    high, wide = windows.kernel
    for i in range(high):
        for j in range(wide):
            yield x[:, :, i::high, j::wide]


def _first_maxima(x: Any, largest: Any, windows: Any) -> Iterator[Any]:
    """Yield, for each position, in which windows it has the first maximum, or the first NaN."""
    remaining: Any = True
    for pixels in _pixels(x, windows):
        is_first = ((pixels == largest) | jnp.isnan(pixels)) & remaining
        remaining = remaining & ~is_first
        yield is_first

"""Matrix products in tiles, each small enough that OpenBLAS need not copy its operands.

With kernels for AVX-512 and up to a million multiplications, OpenBLAS multiplies matrices where
they are. Larger ones it copies into its own layout first, which takes up to a quarter of the time
if a side has only a few hundred elements.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from tinytorch_core.extend import aligned_empty

Array = np.ndarray[Any, Any]

# The largest number of multiplications for which OpenBLAS makes no copy.
_SMALL_PRODUCT = 1_000_000
# The columns of a tile, as many as fill the registers; and the fewest rows for which it is fast.
_WIDTHS = (64, 32)
_FEWEST_ROWS = 8


def tiles_of(matrix: Array, rows: int) -> Array:
    """Return the columns of a matrix in tiles, for `multiply_tiles`.

    Args:
        matrix: the matrix, or several of one shape: (..., K, columns).
        rows: how many rows the other matrix will have.

    Returns:
        An array of shape (..., columns / width, K, width).
    """
    depth, columns = matrix.shape[-2:]
    width = next((w for w in _WIDTHS if not columns % w and _height(rows, depth, w)), columns)
    tiles = matrix.reshape((*matrix.shape[:-1], columns // max(width, 1), width)).swapaxes(-2, -3)
    copy = aligned_empty(tiles.shape, tiles.dtype)
    copy[...] = tiles
    return copy


def multiply_tiles(x: Array, tiles: Array, out: Array) -> None:
    """Write the product of `x` and of each matrix in tiles into `out`.

    Args:
        x: an array of shape (rows, K).
        tiles: what `tiles_of` returned.
        out: an array of shape (..., rows, columns).

    >>> x, y, out = np.ones((2, 3)), np.ones((3, 1)), np.empty((2, 1))
    >>> multiply_tiles(x, tiles_of(y, 2), out)
    >>> out
    array([[3.],
           [3.]])
    """
    rows, depth = x.shape
    blocks, _, width = tiles.shape[-3:]
    height = _height(rows, depth, width) or max(rows, 1)
    count = rows // height
    # All rows are multiplied by one tile, then by the next.
    target = out.reshape((*out.shape[:-2], count, height, blocks, width))
    target = target.swapaxes(-2, -3).swapaxes(-3, -4)
    np.matmul(x.reshape((count, height, depth)), tiles[..., None, :, :], out=target)


@functools.lru_cache(maxsize=256)
def _height(rows: int, depth: int, width: int) -> int:
    """Return the number of rows of a tile, a divisor of `rows`; 0 if it would be too small."""
    most = _SMALL_PRODUCT // max(depth * width, 1)
    for count in range(1, max(rows // _FEWEST_ROWS, 1) + 1):
        if not rows % count and rows // count <= most:
            return rows // count
    return 0

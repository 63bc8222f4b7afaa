"""Matrix products in tiles: they agree with ordinary products for all shapes and layouts."""

import numpy as np
import pytest

from tinytorch_core import tiles
from tinytorch_core.extend import aligned_empty, matmul, multiply_tiles, tiles_of


def numbers(*shape):
    return np.random.default_rng(0).standard_normal(shape)


@pytest.mark.parametrize("rows", [0, 1, 7, 48, 61])
@pytest.mark.parametrize("columns", [1, 20, 64, 96])
@pytest.mark.parametrize("parts", [(), (3,)], ids=str)
def test_tiles_multiply_as_the_matrix_does(rows, columns, parts):
    x, y = numbers(rows, 700), numbers(*parts, 700, columns)
    out = np.empty((*parts, rows, columns))
    multiply_tiles(x, tiles_of(y, rows), out)
    np.testing.assert_allclose(out, x @ y, atol=1e-11)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_products_in_tiles_are_those_of_numpy(dtype, transposed, monkeypatch):
    asked = []
    monkeypatch.setattr(tiles, "_are_fast", lambda: asked.append(True) or True)
    x, y = numbers(4, 128, 130).astype(dtype), numbers(130, 128).astype(dtype)
    if transposed:
        y = np.ascontiguousarray(y.T).T
    found = matmul(x, y)
    assert asked  # the product is large enough
    assert found.dtype == dtype
    np.testing.assert_allclose(found, x @ y, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("variables", "count"),
    [
        ({"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "4"}, 1),
        ({"OMP_NUM_THREADS": "4"}, 4),
    ],
)
def test_the_threads_are_those_of_the_first_variable(variables, count, monkeypatch):
    for name in ("OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    assert tiles._threads() >= 1
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert tiles._threads() == count


def test_aligned_arrays_begin_at_a_line_of_the_cache():
    for dtype in (np.float32, np.complex128):
        array = aligned_empty((3, 5), dtype)
        assert (array.shape, array.dtype, array.flags.c_contiguous) == ((3, 5), dtype, True)
        assert not array.ctypes.data % 64
    assert aligned_empty((0, 5), np.float32).shape == (0, 5)

"""Matrix products in tiles: they agree with ordinary products for all shapes."""

import numpy as np
import pytest

from tinytorch_layers.functional.tiled_products import multiply_tiles, tiles_of


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

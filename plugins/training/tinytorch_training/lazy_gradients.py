"""Computing the gradients that Dask has only planned."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tinytorch_core import Tensor


def compute_gradients(parameters: Iterable[Tensor]) -> None:
    """Compute the gradients that are arrays of Dask, of parameters that are ndarrays.

    If the data are arrays of Dask, so are the gradients, until their values are needed. Dask
    computes them together: it reads each chunk of the data once.

    Args:
        parameters: the parameters. Other gradients, and those of arrays of Dask, stay as they are.
    """
    lazy = [p for p in parameters if hasattr(p.grad, "__dask_graph__") and _is_ndarray(p)]
    if lazy:
        import dask

        for parameter, grad in zip(lazy, dask.compute(*[p.grad for p in lazy]), strict=True):
            parameter.grad = grad


def _is_ndarray(parameter: Tensor) -> bool:
    return isinstance(parameter.data, np.ndarray)

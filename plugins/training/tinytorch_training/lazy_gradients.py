"""Computing the gradients that Dask has only planned."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinytorch_core import Tensor


def compute_gradients(parameters: Iterable[Tensor]) -> None:
    """Compute the gradients that are arrays of Dask, of parameters that are ndarrays.

    If the data are arrays of Dask, so are the gradients, until their values are needed. Dask
    computes them together: it reads each chunk of the data once.

    Args:
        parameters: the parameters. Other gradients, and those of arrays of Dask, stay as they are.
    """
    lazy = [p for p in parameters if is_lazy(p.grad) and isinstance(p.data, np.ndarray)]
    if lazy:
        import dask

        for parameter, grad in zip(lazy, dask.compute(*[p.grad for p in lazy]), strict=True):
            parameter.grad = grad


def is_lazy(grad: Any) -> bool:
    """Return whether a gradient is an array of Dask, which is computed when it is needed."""
    return hasattr(grad, "__dask_graph__")

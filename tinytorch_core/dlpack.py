"""DLPack: sharing memory with arrays of other libraries, without a copy."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from tinytorch_core.tensor import Tensor, TensorBase

# The number of CUDA devices in DLPack.
_CUDA = 2


def from_dlpack(array: Any) -> Tensor:
    """Return a Tensor on the memory of another library's array.

    Writing into one changes the other. `torch.from_dlpack(tensor)` and the like go the other
    way. An array on a GPU becomes a Tensor of a CuPy array, and needs CuPy.

    Args:
        array: an object with `__dlpack__` and `__dlpack_device__`, of numbers that NumPy knows.

    Raises:
        TypeError: `array` speaks no DLPack, or holds something other than numbers.
        BufferError: its library does not hand the memory out, as PyTorch for what it tracks.

    >>> import numpy as np
    >>> a = np.zeros(2)
    >>> x = from_dlpack(a)
    >>> a[0] = 5
    >>> x
    Tensor([5., 0.], dtype=float64)
    """
    if not (hasattr(array, "__dlpack__") and hasattr(array, "__dlpack_device__")):
        raise TypeError(
            f"from_dlpack takes an array that speaks DLPack, not {type(array).__name__}; "
            "Tensor(data) takes anything else, and copies it"
        )
    if isinstance(array, TensorBase):
        array = array._calls["numpy"](array)
    on_gpu = array.__dlpack_device__()[0] == _CUDA
    library: Any = importlib.import_module("cupy") if on_gpu else np
    data = library.from_dlpack(array)
    if data.dtype.kind not in "biufc":
        raise TypeError(f"a Tensor holds numbers, not {data.dtype}")
    return Tensor._from_array(data)

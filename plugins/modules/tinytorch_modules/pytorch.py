"""Loading the weights of PyTorch models, and giving a model's weights to PyTorch.

The names are the same in both. The weight of Linear is transposed: PyTorch's has shape (out, in).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinytorch_core.extend import to_array

from tinytorch_modules.module import Module
from tinytorch_modules.state import IncompatibleKeys, TorchState, is_of_torch, load_arrays

# NumPy's codes for the dtypes of safetensors.
_DTYPES = {
    "BOOL": "?",
    "C64": "<c8",
    **{f"F{8 * size}": f"<f{size}" for size in (2, 4, 8)},
    **{f"I{8 * size}": f"<i{size}" for size in (1, 2, 4, 8)},
    **{f"U{8 * size}": f"<u{size}" for size in (1, 2, 4, 8)},
}

Array = Any
File = str | os.PathLike[str]


def load_torch_state(
    model: Module, state: Mapping[str, Any] | File, strict: bool = True
) -> IncompatibleKeys:
    """Copy the weights of a PyTorch model into a model with the same names.

    The parameters keep their dtypes. bfloat16 is converted to float32 first.

    Args:
        model: the model, whose weights are changed.
        state: what `state_dict()` of the PyTorch model returned, also with arrays as values; or a
            file that contains it, written by `torch.save` or in the safetensors format. Reading
            such files requires torch and safetensors, respectively. No code in the file is run.
        strict: whether a missing or unexpected name is an error, as in `Module.load_state_dict`.
            States of old models may lack `num_batches_tracked`, as in PyTorch.

    Returns:
        `missing_keys` and `unexpected_keys`; both are empty if strict.

    Raises:
        TypeError: `state` contains other values than arrays, for example because it is a whole
            training checkpoint.
        ValueError: a name, shape or dtype does not match, a parameter with several names has
            different values, or `save_checkpoint` wrote the file. Nothing has been changed.
        ImportError: the library that reads the file is not installed.

    >>> from tinytorch_layers import Linear
    >>> layer = Linear(3, 2)
    >>> load_torch_state(layer, {"weight": np.ones((2, 3)), "bias": np.zeros(2)})
    IncompatibleKeys(missing_keys=[], unexpected_keys=[])
    >>> layer.weight.shape
    (3, 2)
    """
    own, names = _arrays(model)
    given: dict[str, Array] = {}
    for name, value in _mapping(state).items():
        first, array = names.get(name, name), _as_array(name, value)
        if first in given and not np.array_equal(given[first], array, equal_nan=True):
            raise ValueError(
                f"cannot load this state into {type(model).__name__}; nothing was changed: "
                f"{first} and {name} are the same array in the model, but differ in the state"
            )
        given[first] = array
    for name, array in own.items():
        if name.rpartition(".")[2] == "num_batches_tracked":
            given.setdefault(name, array)
    return load_arrays(type(model).__name__, own, given, strict)


def torch_state(model: Module) -> dict[str, np.ndarray[Any, Any]]:
    """Return copies of all parameters and buffers, with the names and shapes of PyTorch.

    In PyTorch, load it with `load_state_dict({k: torch.from_numpy(v) for k, v in state.items()})`,
    or from the file that `safetensors.numpy.save_file(state, file, {"format": "pt"})` writes.
    `load_torch_state` loads it too, but `Module.load_state_dict` raises an error. A parameter with
    several names occurs under each of them.

    >>> from tinytorch_layers import Linear
    >>> {name: array.shape for name, array in torch_state(Linear(3, 2)).items()}
    {'weight': (2, 3), 'bias': (2,)}
    """
    own, names = _arrays(model)
    return TorchState({name: own[first].copy("C") for name, first in names.items()})


def _arrays(model: Module) -> tuple[dict[str, Array], dict[str, str]]:
    """Return the arrays of a model as PyTorch would shape them, and the first name of each name.

    The arrays are views, not copies. A parameter has several names if several attributes hold it.
    """
    own: dict[str, Array] = {}
    names: dict[str, str] = {}
    first_names: dict[int, str] = {}
    for name, value, transposed in model._under_all_names():
        first = names[name] = first_names.setdefault(id(value), name)
        array = to_array(value)
        own.setdefault(first, array.T if transposed else array)
    return own, names


def _mapping(state: Mapping[str, Any] | File) -> Mapping[str, Any]:
    if isinstance(state, str | os.PathLike):
        state = _read(state)
    if not isinstance(state, Mapping):
        raise TypeError(
            "load_torch_state() expects a file, or a dict as state_dict() of a PyTorch model "
            f"returns it, not {type(state).__name__}"
        )
    return state


def _as_array(name: str, value: Any) -> Array:
    if is_of_torch(value):
        value = value.detach().cpu()
        try:
            value = value.numpy()
        except TypeError:  # NumPy does not have bfloat16
            value = value.float().numpy()
    elif not hasattr(value, "dtype"):
        raise TypeError(
            f"{name!r} of this state is of type {type(value).__name__}, not an array. If it is a "
            "training checkpoint, pass the part that contains the weights, such as "
            "torch.load(file)['state_dict']"
        )
    return to_array(value)


def _read(file: File) -> Any:
    """Return the content of a file in the safetensors format, or written by torch.save."""
    with open(file, "rb") as opened:
        start = opened.read(9)
    # The header of a safetensors file is JSON, after its length.
    if start[8:] == b"{":
        return _read_safetensors(file)
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            f"reading {file} requires torch, which is not installed: install it, or convert the "
            "file to the safetensors format"
        ) from error
    return torch.load(file, map_location="cpu", weights_only=True)


def _read_safetensors(file: File) -> dict[str, Array]:
    try:
        import safetensors
    except ImportError as error:
        raise ImportError(
            f"reading {file} requires safetensors, which is not installed: pip install safetensors"
        ) from error

    with safetensors.safe_open(file, framework="numpy") as opened:
        metadata = opened.metadata() or {}
    if metadata.get("format", "").startswith("tinytorch"):
        raise ValueError(
            f"{file} was not written by PyTorch but by save_checkpoint; use load_checkpoint() and "
            "load_state_dict()"
        )
    with open(file, "rb") as opened:
        found: Any = safetensors.deserialize(opened.read())  # type: ignore[no-untyped-call]
    return {name: _from_bytes(name, **entry) for name, entry in found}


def _from_bytes(name: str, dtype: str, shape: list[int], data: bytes) -> Array:
    """Return an array from the description of a tensor in a safetensors file."""
    if dtype == "BF16":  # the upper half of a float32
        halves = np.frombuffer(data, "<u2").astype("<u4")
        return (halves << 16).view("<f4").reshape(shape)
    if dtype not in _DTYPES:
        raise TypeError(f"{name} has dtype {dtype}, which NumPy does not support")
    return np.frombuffer(data, _DTYPES[dtype]).reshape(shape)

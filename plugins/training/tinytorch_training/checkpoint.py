"""Checkpoints: nested dicts and lists of arrays and numbers, written atomically to one file.

The file has the safetensors format, which many languages can read and which contains no code. The
arrays are its tensors; everything else is JSON in its header.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tinytorch_core import Tensor

FORMAT = "tinytorch-training checkpoint"
VERSION = "1"

# The dtypes that both safetensors and NumPy support.
_DTYPES = {
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "complex64"),
}

# In the JSON, {_TENSOR: name} represents the array stored as the tensor `name`.
_TENSOR = "$tensor"


class CheckpointError(ValueError):
    """A file is not a checkpoint, is damaged, or belongs to a different run."""


def save_checkpoint(path: str | os.PathLike[str], state: Mapping[str, Any]) -> None:
    """Write a state to a file atomically: the file always holds the old or the new state.

    Args:
        path: the file, conventionally `*.safetensors`. An existing file is replaced.
        state: nested dicts with string keys, lists and tuples of arrays, tensors, numbers,
            strings, bools and None. Tuples are loaded as lists, tensors as arrays.

    Raises:
        TypeError: `state` contains another type, or a dtype that safetensors does not support.
        OSError: the file cannot be written. An existing file is unchanged.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = Path(folder.name, "run.safetensors")
    >>> save_checkpoint(file, {"weight": np.ones(2), "epoch": 3})
    >>> load_checkpoint(file)
    {'weight': array([1., 1.]), 'epoch': 3}
    >>> folder.cleanup()
    """
    # json, safetensors and hashlib are imported in functions, so that start-up does not load them.
    import json

    import safetensors.numpy

    tensors: dict[str, np.ndarray[Any, Any]] = {}
    text = json.dumps(_encoded(state, (), tensors))
    metadata = {"format": FORMAT, "version": VERSION, "state": text}
    metadata["sha256"] = _digest(text, tensors)
    _replace(Path(path), safetensors.numpy.save(tensors, metadata))


def load_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the state that `save_checkpoint` wrote to a file.

    Raises:
        FileNotFoundError: the file does not exist.
        CheckpointError: the file is not a checkpoint, or is damaged.
    """
    import json

    import safetensors

    path = Path(path)
    with path.open("rb"):  # raises the usual OSError if the file cannot be read
        pass
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path} is not a checkpoint, or is damaged: cannot read it as safetensors ({error})"
        ) from error
    _check(path, metadata, tensors)
    state: dict[str, Any] = _decoded(json.loads(metadata["state"]), tensors)
    return state


def _encoded(value: Any, keys: tuple[str, ...], tensors: dict[str, Any]) -> Any:
    """Return `value` for JSON, and add its arrays to `tensors`, named after their `keys`."""
    if isinstance(value, Mapping):
        return {_key(k, keys): _encoded(v, (*keys, k), tensors) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_encoded(v, (*keys, str(i)), tensors) for i, v in enumerate(value)]
    if isinstance(value, Tensor):
        value = value.data
    if isinstance(value, np.ndarray):
        return {_TENSOR: _add(value, ".".join(keys), tensors)}
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(
        f"cannot save {'.'.join(keys) or 'the state'} of type {type(value).__name__}; "
        "a checkpoint can hold arrays, numbers, strings, bools, None, lists and dicts"
    )


def _key(key: Any, keys: tuple[str, ...]) -> str:
    if not isinstance(key, str) or key == _TENSOR:
        raise TypeError(
            f"cannot save the key {key!r} in {'.'.join(keys) or 'the state'}; keys must be "
            f"strings other than {_TENSOR!r}"
        )
    return key


def _add(array: np.ndarray[Any, Any], name: str, tensors: dict[str, Any]) -> str:
    if array.dtype.name not in _DTYPES:
        raise TypeError(
            f"cannot save {name} of dtype {array.dtype}; safetensors supports "
            f"{', '.join(sorted(_DTYPES))}"
        )
    while name in tensors:  # {"a.b": ..., "a": {"b": ...}} has two arrays named "a.b"
        name += "'"
    tensors[name] = np.asarray(array, order="C")
    return name


def _decoded(value: Any, tensors: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        if value.keys() == {_TENSOR}:
            return tensors[value[_TENSOR]]
        return {k: _decoded(v, tensors) for k, v in value.items()}
    return [_decoded(v, tensors) for v in value] if isinstance(value, list) else value


def _digest(text: str, tensors: Mapping[str, np.ndarray[Any, Any]]) -> str:
    """Return a SHA-256 digest of the JSON and the tensors; safetensors has no checksum."""
    import hashlib

    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"\0{name}\0{array.dtype.name}\0{array.shape}\0".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _check(path: Path, metadata: Mapping[str, str], tensors: Mapping[str, Any]) -> None:
    if metadata.get("format") != FORMAT:
        names = ", ".join(sorted(tensors)[:5]) or "none"
        raise CheckpointError(
            f"{path} is a safetensors file, but was not written by save_checkpoint; its "
            f"tensors: {names}. Load it with safetensors.numpy.load_file"
        )
    if metadata.get("version") != VERSION:
        raise CheckpointError(
            f"{path} has version {metadata.get('version')} of the format, but this release of "
            f"tinytorch-training reads version {VERSION}; install the release that wrote it"
        )
    if metadata.get("sha256") != _digest(metadata.get("state", ""), tensors):
        raise CheckpointError(
            f"{path} is damaged: its checksum does not match its content; use an older "
            "checkpoint, or start again"
        )


def _replace(path: Path, content: bytes) -> None:
    """Write a file atomically: after an interruption, `path` holds the old or new content."""
    new = path.with_name(f"{path.name}.tmp")
    try:
        with new.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Flush the renaming to disk too. Windows cannot open folders, so do nothing there."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

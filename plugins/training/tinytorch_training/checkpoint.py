"""Checkpoints: arrays, and all else that a run must remember, in one file that is never half.

The file is in the safetensors format, which any language reads and which holds no code: the arrays
are its tensors, and the rest is JSON in its header.
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

# What safetensors and NumPy both have.
_DTYPES = {
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "complex64"),
}

# Stands in the JSON for an array, with its name among the tensors.
_TENSOR = "$tensor"


class CheckpointError(ValueError):
    """A file is no checkpoint, is damaged, or belongs to something else."""


def save_checkpoint(path: str | os.PathLike[str], state: Mapping[str, Any]) -> None:
    """Writes a state to a file, at once: whoever reads it finds the old one or the new one, whole.

    Args:
        path: the file, by custom `*.safetensors`. One that is there is replaced.
        state: dicts with strings as keys, lists and tuples, which come back as lists, of arrays,
            tensors, numbers, strings, True, False and None.

    Raises:
        TypeError: something else is in `state`, or an array is of a dtype that safetensors lacks.
        OSError: the file cannot be written. One that was there stays as it was.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = Path(folder.name, "run.safetensors")
    >>> save_checkpoint(file, {"weight": np.ones(2), "epoch": 3})
    >>> load_checkpoint(file)
    {'weight': array([1., 1.]), 'epoch': 3}
    >>> folder.cleanup()
    """
    # Here and below, so that they cost a program nothing at its start.
    import json

    import safetensors.numpy

    tensors: dict[str, np.ndarray[Any, Any]] = {}
    text = json.dumps(_encoded(state, (), tensors))
    metadata = {"format": FORMAT, "version": VERSION, "state": text}
    metadata["sha256"] = _digest(text, tensors)
    _replace(Path(path), safetensors.numpy.save(tensors, metadata))


def load_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The state that `save_checkpoint` wrote to a file.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it is something else than a checkpoint, or damaged.
    """
    import json

    import safetensors

    path = Path(path)
    with path.open("rb"):  # an error of the system's own, if it cannot be read
        pass
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path} is no checkpoint, or is damaged: it cannot be read as safetensors ({error})"
        ) from error
    _check(path, metadata, tensors)
    state: dict[str, Any] = _decoded(json.loads(metadata["state"]), tensors)
    return state


def _encoded(value: Any, at: tuple[str, ...], tensors: dict[str, Any]) -> Any:
    """`value` as JSON has it; its arrays go into `tensors`, named by where they stand."""
    if isinstance(value, Mapping):
        return {_key(k, at): _encoded(v, (*at, k), tensors) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_encoded(v, (*at, str(i)), tensors) for i, v in enumerate(value)]
    if isinstance(value, Tensor):
        value = value.data
    if isinstance(value, np.ndarray):
        return {_TENSOR: _add(value, ".".join(at), tensors)}
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(
        f"a checkpoint holds arrays, numbers, strings, lists and dicts; "
        f"{'.'.join(at) or 'this'} is of {type(value).__name__}"
    )


def _key(key: Any, at: tuple[str, ...]) -> str:
    if not isinstance(key, str) or key == _TENSOR:
        raise TypeError(f"{key!r}, in {'.'.join(at) or 'the state'}, cannot be a key: use a string")
    return key


def _add(array: np.ndarray[Any, Any], name: str, tensors: dict[str, Any]) -> str:
    if array.dtype.name not in _DTYPES:
        raise TypeError(f"safetensors has no {array.dtype}, which {name} is of")
    while name in tensors:  # "a.b" beside {"a": {"b": ...}}
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
    """A sum over all that is in the file, which safetensors itself does not have."""
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
            f"{path} is a file of safetensors, but was not written by save_checkpoint; its "
            f"tensors: {names}. safetensors.numpy.load_file reads them"
        )
    if metadata.get("version") != VERSION:
        raise CheckpointError(
            f"{path} has version {metadata.get('version')} of the format, and this "
            f"tinytorch-training reads version {VERSION}; install the one that wrote it"
        )
    if metadata.get("sha256") != _digest(metadata.get("state", ""), tensors):
        raise CheckpointError(
            f"{path} is damaged: its content is not what was written; take an older one, or begin "
            "anew"
        )


def _replace(path: Path, content: bytes) -> None:
    """Puts a file of this content at `path`, whatever may interrupt it."""
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
    """Has the new name itself written to disk, where the system can open folders (not Windows)."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

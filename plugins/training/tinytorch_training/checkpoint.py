"""Checkpoints: nested dicts and lists of arrays and numbers, written atomically to one file.

The file has the safetensors format, which many languages can read and which contains no code. The
arrays are its tensors; everything else is JSON in its header.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from tinytorch_core import Tensor

FORMAT = "tinytorch-training checkpoint"
VERSION = "2"  # version 1 has a SHA-256 digest of all bytes, which takes longer than writing them

# Tensors are read and added to the checksum in pieces that fit into the processor's cache. The
# checksum contains the sums of the columns of a piece, a matrix of words of 8 bytes. The number of
# columns is prime, so that exchanging aligned sectors or pages changes the sums.
_COLUMNS = 1021
_WORD = np.dtype("<u8")
_ROW = _COLUMNS * _WORD.itemsize
_PIECE = 64 * _ROW

# The names that safetensors has for dtypes of NumPy.
_DTYPES = {
    "bool": "BOOL",
    "complex64": "C64",
    **{f"float{bits}": f"F{bits}" for bits in (16, 32, 64)},
    **{f"int{bits}": f"I{bits}" for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": f"U{bits}" for bits in (8, 16, 32, 64)},
}

# In the JSON, {_TENSOR: name} represents the array stored as the tensor `name`.
_TENSOR = "$tensor"

# The key of the metadata in the header of a safetensors file, next to those of the tensors.
_METADATA = "__metadata__"


class CheckpointError(ValueError):
    """A file is not a checkpoint, is damaged, or belongs to a different run."""


def save_checkpoint(path: str | os.PathLike[str], state: Mapping[str, Any]) -> None:
    """Write a state to a file atomically: the file always holds the old or the new state.

    This is true after a power failure too, because the new state is flushed to the disk before it
    replaces the old one. Several processes may save to the same file; the last one determines its
    content.

    Args:
        path: the file, conventionally `*.safetensors`. An existing file is replaced and keeps its
            permissions. A symbolic link is followed.
        state: nested dicts with string keys, lists and tuples of arrays, tensors, numbers,
            strings, bools and None. Tuples are loaded as lists, tensors as arrays, and arrays in
            little-endian byte order.

    Raises:
        TypeError: `state` contains another type, such as a masked array, or a dtype that
            safetensors does not support.
        ValueError: `state` is nested too deeply, or contains itself.
        OSError: the file cannot be written, or is not a regular file. An existing file is
            unchanged.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = Path(folder.name, "run.safetensors")
    >>> save_checkpoint(file, {"weight": np.ones(2), "epoch": 3})
    >>> load_checkpoint(file)
    {'weight': array([1., 1.]), 'epoch': 3}
    >>> folder.cleanup()
    """
    # Modules that only checkpoints need are imported in functions, so that start-up is faster.
    import json

    from tinytorch_training.atomic_write import replacing

    if not isinstance(state, Mapping):
        raise TypeError(
            f"save_checkpoint() expects a dict, such as {{'weights': ...}}, not "
            f"{type(state).__name__}"
        )
    tensors: dict[str, np.ndarray[Any, Any]] = {}
    try:
        text = json.dumps(_encoded(state, (), tensors))
    except RecursionError:
        raise ValueError(
            "cannot save this state: it is nested too deeply, or contains itself"
        ) from None
    metadata = {"format": FORMAT, "version": VERSION, "state": text, "checksum": "0" * 64}
    # The largest dtypes come first, so that all tensors are aligned.
    tensors = dict(sorted(tensors.items(), key=lambda item: -item[1].itemsize))
    with replacing(path) as file:
        file.write(_header(metadata, tensors))

        def write(name: str, position: int, piece: np.ndarray[Any, Any]) -> None:
            file.write(piece.data)

        metadata["checksum"] = _digest(text, tensors, _add_sums, write)
        file.seek(0)
        file.write(_header(metadata, tensors))


def load_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the state that `save_checkpoint` wrote to a file.

    Raises:
        FileNotFoundError: the file does not exist.
        CheckpointError: the file is not a checkpoint, or is damaged.
    """
    path = Path(path)
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise CheckpointError(f"{path} is not a checkpoint: it is not a regular file")
    with path.open("rb") as file:
        try:
            metadata, entries = _read_header(file)
        except _INVALID as error:
            raise _bad_header(path, error) from error
        key, add, order = _checksum(path, metadata, entries)
        try:
            tensors, positions = _layout(file, entries)
        except _INVALID as error:
            raise _bad_header(path, error) from error

        tensors = {name: tensors[name] for name in order(tensors)}

        def read(tensor: str, position: int, piece: np.ndarray[Any, Any]) -> None:
            file.seek(positions[tensor] + position)
            file.readinto(piece.data)

        if metadata.get(key) != _digest(metadata.get("state", ""), tensors, add, read):
            raise CheckpointError(
                f"{path} is damaged: its checksum does not match its content; use an older "
                "checkpoint, or start again"
            )
    return _loaded_state(path, metadata, tensors)


# The errors of code that reads invalid JSON, or valid JSON of a different structure.
_INVALID = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def _bad_header(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"{path} is not a checkpoint, or is damaged: its header is invalid "
        f"({type(error).__name__}: {error})"
    )


def _loaded_state(
    path: Path, metadata: Mapping[str, str], tensors: Mapping[str, Any]
) -> dict[str, Any]:
    import json

    try:
        state = _decoded(json.loads(metadata["state"]), tensors)
        if isinstance(state, dict):
            return state
        problem = f"it is of type {type(state).__name__} instead of a dict"
    except KeyError as error:
        problem = f"it names {error}, which the file does not contain"
    except _INVALID as error:
        problem = f"{type(error).__name__}: {error}"
    raise CheckpointError(
        f"{path} was not written by save_checkpoint: the state in its metadata is invalid "
        f"({problem})"
    )


def _encoded(value: Any, keys: tuple[str, ...], tensors: dict[str, Any]) -> Any:
    """Return `value` for JSON, and add its arrays to `tensors`, named after their `keys`."""
    if isinstance(value, Mapping):
        return {_key(k, keys): _encoded(v, (*keys, k), tensors) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_encoded(v, (*keys, str(i)), tensors) for i, v in enumerate(value)]
    if isinstance(value, Tensor):
        value = value.data
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"cannot save {'.'.join(keys)}, a masked array: a file of tensors has no masks; save "
            "value.filled(...), and np.ma.getmaskarray(value) under another key"
        )
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
    # Half of a surrogate pair cannot be encoded in UTF-8, so safetensors could not read the file.
    if not isinstance(key, str) or key == _TENSOR or re.search("[\ud800-\udfff]", key):
        raise TypeError(
            f"cannot save the key {key!r} in {'.'.join(keys) or 'the state'}; keys must be "
            f"strings other than {_TENSOR!r}, of valid Unicode"
        )
    return key


def _add(array: np.ndarray[Any, Any], name: str, tensors: dict[str, Any]) -> str:
    if array.dtype.name not in _DTYPES:
        raise TypeError(
            f"cannot save {name} of dtype {array.dtype}; safetensors supports "
            f"{', '.join(sorted(_DTYPES))}"
        )
    # {"a.b": ..., "a": {"b": ...}} has two arrays named "a.b".
    while name in tensors or name == _METADATA:
        name += "'"
    tensors[name] = array
    return name


def _decoded(value: Any, tensors: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        if value.keys() == {_TENSOR}:
            return tensors[value[_TENSOR]]
        return {k: _decoded(v, tensors) for k, v in value.items()}
    return [_decoded(v, tensors) for v in value] if isinstance(value, list) else value


def _header(metadata: Mapping[str, str], tensors: Mapping[str, np.ndarray[Any, Any]]) -> bytes:
    """Return the first bytes of a safetensors file: the length of the JSON, and the JSON."""
    import json

    entries: dict[str, Any] = {_METADATA: metadata}
    end = 0
    for name, array in tensors.items():
        start, end = end, end + array.nbytes
        dtype = _DTYPES[array.dtype.name]
        entries[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": [start, end]}
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _read_header(file: IO[bytes]) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the metadata in the header of a safetensors file, and its entries for tensors."""
    import json

    length = int.from_bytes(file.read(8), "little")
    if length > _size(file):
        raise ValueError("it ends after the end of the file")
    entries = json.loads(file.read(length))
    metadata = entries.pop(_METADATA, {})
    if not all(isinstance(value, str) for value in metadata.values()):
        raise TypeError("its metadata are not strings")
    return metadata, entries


def _layout(
    file: IO[bytes], entries: Mapping[str, Any]
) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, int]]:
    """Return the tensors that a header describes, not yet read, and their positions in the file.

    Args:
        file: the file, positioned at the end of the header.
        entries: the entries of the header for tensors.
    """
    dtypes = {name: np.dtype(dtype).newbyteorder("<") for dtype, name in _DTYPES.items()}
    tensors, positions = {}, {}
    first = end = file.tell()
    for name, entry in sorted(entries.items(), key=lambda item: item[1]["data_offsets"]):
        dtype, shape = dtypes[entry["dtype"]], entry["shape"]
        start, end = end, end + math.prod(shape) * dtype.itemsize
        if entry["data_offsets"] != [start - first, end - first] or end > _size(file):
            raise ValueError(f"the size of {name} is wrong")
        tensors[name], positions[name] = np.empty(shape, dtype), start
    if end != _size(file):
        raise ValueError("the file is longer than its tensors")
    return tensors, positions


def _size(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_size


def _bytes(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the bytes of an array as in the file; they are not copied if they are in order."""
    ordered = np.asarray(array, array.dtype.newbyteorder("<"), order="C")
    return ordered.reshape(-1).view(np.uint8)


def _digest(
    text: str,
    tensors: Mapping[str, np.ndarray[Any, Any]],
    add: Callable[[Any, Any], None],
    transfer: Callable[[str, int, Any], None],
) -> str:
    """Return a digest of the JSON and the tensors; safetensors has no checksum.

    Args:
        text: the JSON.
        tensors: the tensors by name, in the order in which they are added.
        add: adds a piece of a tensor to the SHA-256 digest.
        transfer: reads or writes a piece while it is in the processor's cache. It is called first,
            with the name of the tensor, the position in it, and the bytes.
    """
    import hashlib

    digest = hashlib.sha256(text.encode())

    # A function, so that the bytes of a tensor are freed before those of the next are copied.
    def add_tensor(name: str, array: np.ndarray[Any, Any]) -> None:
        digest.update(f"\0{name}\0{array.dtype.name}\0{array.shape}\0".encode())
        content = _bytes(array)
        for position in range(0, content.size, _PIECE):
            piece = content[position : position + _PIECE]
            transfer(name, position, piece)
            add(digest, piece)

    for name, array in tensors.items():
        add_tensor(name, array)
    return digest.hexdigest()


def _add_all(digest: Any, piece: np.ndarray[Any, Any]) -> None:
    digest.update(piece)


def _add_sums(digest: Any, piece: np.ndarray[Any, Any]) -> None:
    """Add sums of the words of a piece, which takes much less time than to add all bytes.

    Every change to a single word changes a sum. The checksum detects accidents, not forgery.
    """
    end = piece.size // _ROW * _ROW
    words = piece[:end].view(_WORD).reshape(-1, _COLUMNS)
    digest.update(words.sum(axis=0, dtype=_WORD))
    digest.update(piece[end:])


# For each version of the format, the key of the checksum in the metadata, the function that adds a
# piece to it, and the order of the tensors: by name, or that of the file.
_CHECKSUMS: dict[str, tuple[str, Callable[[Any, Any], None], Callable[[Iterable[str]], list[str]]]]
_CHECKSUMS = {"1": ("sha256", _add_all, sorted), VERSION: ("checksum", _add_sums, list)}


def _checksum(
    path: Path, metadata: Mapping[str, str], tensors: Mapping[str, Any]
) -> tuple[str, Callable[[Any, Any], None], Callable[[Iterable[str]], list[str]]]:
    """Return the entry of `_CHECKSUMS` for a checkpoint.

    Raises:
        CheckpointError: the file is not a checkpoint, or a later release wrote it.
    """
    if metadata.get("format") != FORMAT:
        names = ", ".join(sorted(tensors)[:5]) or "none"
        raise CheckpointError(
            f"{path} is a safetensors file, but was not written by save_checkpoint; its "
            f"tensors: {names}. Load the weights of a PyTorch model with load_torch_state() of "
            "tinytorch-layers, and other files with safetensors.numpy.load_file()"
        )
    version = metadata.get("version", "none")
    if version not in _CHECKSUMS:
        raise CheckpointError(
            f"{path} has version {version} of the format, but this release of tinytorch-training "
            f"reads versions {' and '.join(_CHECKSUMS)}; install the release that wrote it"
        )
    return _CHECKSUMS[version]

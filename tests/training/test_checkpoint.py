"""Checkpoint files: saving and loading, atomic replacement, and detection of bad files."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import re
import stat
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from tinytorch_core import Tensor

from tinytorch_training import (
    CheckpointError,
    atomic_write,
    checkpoint,
    load_checkpoint,
    save_checkpoint,
)

STATE = {
    "weights": {"0.bias": np.array([1.5, -0.0]), "0.weight": np.ones((2, 3), np.float32)},
    "number": np.array(3.0),
    "empty": np.zeros((0, 2)),
    "columns": np.arange(6.0).reshape(2, 3).T,
    "reversed": np.arange(4)[::-1],
    "flags": np.array([True, False]),
    "big": 2**127 + 1,
    "pi": 0.1 + 0.2,
    "list": [1, None, {"deep": np.arange(3, dtype=np.uint64)}],
    "text": "ä\n",
}


def test_state_is_loaded_bit_for_bit(tmp_path) -> None:
    file = tmp_path / "run.safetensors"
    save_checkpoint(file, STATE)
    found = load_checkpoint(file)
    assert list(found) == list(STATE)
    np.testing.assert_equal(found, STATE)
    assert np.signbit(found["weights"]["0.bias"][1])
    assert found["number"].shape == ()
    assert found["weights"]["0.weight"].dtype == np.float32
    assert os.listdir(tmp_path) == ["run.safetensors"]


def test_tensors_are_loaded_as_arrays_and_numpy_scalars_as_numbers(tmp_path) -> None:
    save_checkpoint(tmp_path / "c", {"t": Tensor([1.0, 2.0]), "i": np.int64(3), "tuple": (1, 2)})
    found = load_checkpoint(tmp_path / "c")
    assert (found["t"].tolist(), found["i"], found["tuple"]) == ([1.0, 2.0], 3, [1, 2])


def test_safetensors_can_read_the_file(tmp_path) -> None:
    save_checkpoint(tmp_path / "c", {"model": {"0.weight": np.ones(2)}, "epoch": 3})
    assert safetensors.numpy.load_file(tmp_path / "c")["model.0.weight"].tolist() == [1, 1]
    with safetensors.safe_open(tmp_path / "c", "numpy") as file:
        assert json.loads(file.metadata()["state"])["epoch"] == 3


@pytest.mark.parametrize("dtype", [">f8", ">f4", ">i2", ">u8", ">c8", "<f8", "|b1"])
def test_arrays_of_any_byte_order_are_saved(tmp_path, dtype) -> None:
    array = np.arange(6).reshape(2, 3).astype(dtype)
    save_checkpoint(tmp_path / "c", {"a": array, "columns": array.T})
    found = load_checkpoint(tmp_path / "c")
    np.testing.assert_equal(found, {"a": array, "columns": array.T})
    assert found["a"].dtype == array.dtype.newbyteorder("<")
    np.testing.assert_array_equal(safetensors.numpy.load_file(tmp_path / "c")["a"], array)


# More than one piece, and a size that is not a multiple of a row or a word.
LARGE = np.random.default_rng(0).integers(0, 256, 3_000_001, np.uint8)


def test_large_arrays_are_saved_next_to_small_ones(tmp_path) -> None:
    state = {
        "odd": LARGE[:3],
        "large": LARGE,
        "floats": LARGE[1:].view(np.float64),
        "half": np.ones(1, np.float16),
    }
    save_checkpoint(tmp_path / "c", state)
    np.testing.assert_equal(load_checkpoint(tmp_path / "c"), state)
    read = safetensors.numpy.load_file(tmp_path / "c")
    np.testing.assert_equal({name: read[name] for name in state}, state)


def test_bytes_are_held_once(tmp_path) -> None:
    state = {str(i): np.ones(2**20) for i in range(8)}
    columns = {str(i): np.ones((2**10, 2**10)).T for i in range(8)}
    size = 8 * 2**23
    tracemalloc.start()
    try:
        save_checkpoint(tmp_path / "c", state)
        assert tracemalloc.get_traced_memory()[1] < size / 8
        save_checkpoint(tmp_path / "c", columns)  # each of which is copied to be contiguous
        assert tracemalloc.get_traced_memory()[1] < size / 4
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        loaded = load_checkpoint(tmp_path / "c")
        assert tracemalloc.get_traced_memory()[1] - before < size * 1.125
    finally:
        tracemalloc.stop()
    assert loaded.keys() == state.keys()


def test_colliding_tensor_names_are_distinguished(tmp_path) -> None:
    state = {"a.b": np.ones(1), "a": {"b": np.zeros(1)}}
    save_checkpoint(tmp_path / "c", state)
    np.testing.assert_equal(load_checkpoint(tmp_path / "c"), state)


@pytest.mark.parametrize("key", ["__metadata__", "", "a\0b", "ä.", "'"])
def test_unusual_keys_are_saved(tmp_path, key) -> None:
    save_checkpoint(tmp_path / "c", {key: np.ones(2)})
    assert load_checkpoint(tmp_path / "c")[key].tolist() == [1, 1]
    assert len(safetensors.numpy.load_file(tmp_path / "c")) == 1


def cyclic() -> dict:
    state: dict = {"list": []}
    state["list"].append(state)
    return state


def test_state_that_contains_itself_raises(tmp_path) -> None:
    with pytest.raises(ValueError, match="nested too deeply, or contains itself"):
        save_checkpoint(tmp_path / "c", cyclic())
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"a": np.ma.array([1.0, 2.0], mask=[0, 1])}, "cannot save a, a masked array: .*filled"),
        ({"a": [np.ma.masked]}, "cannot save a.0, a masked array"),
        ({"\ud800": 1}, r"cannot save the key '\\ud800'"),
        (np.ones(2), r"save_checkpoint\(\) expects a dict, .*, not ndarray"),
        ({"a": {"b": object()}}, "cannot save a.b of type object"),
        ({1: 2}, "cannot save the key 1 in the state"),
        ({"a": np.array(["x"])}, "cannot save a of dtype <U1"),
        ({"a": np.ones(1, complex)}, "cannot save a of dtype complex128"),
        ({"a": np.zeros(1, "datetime64[s]")}, "cannot save a of dtype datetime64"),
    ],
)
def test_unsupported_values_raise_and_the_old_file_stays(tmp_path, state, message) -> None:
    save_checkpoint(tmp_path / "c", {"old": 1})
    with pytest.raises(TypeError, match=message):
        save_checkpoint(tmp_path / "c", state)
    assert load_checkpoint(tmp_path / "c") == {"old": 1}


def test_full_disk_leaves_the_old_file(tmp_path, monkeypatch) -> None:
    def full(descriptor):
        raise OSError(28, "No space left on device")

    save_checkpoint(tmp_path / "c", {"old": 1})
    monkeypatch.setattr(checkpoint.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(tmp_path / "c", {"new": 1})
    assert load_checkpoint(tmp_path / "c") == {"old": 1}
    assert os.listdir(tmp_path) == ["c"]


KILLED_WRITER = """
import os, sys
import numpy as np
from tinytorch_training import save_checkpoint
os.fsync = lambda descriptor: os._exit(9)
save_checkpoint(sys.argv[1], {"new": np.ones(1000)})
"""


@pytest.mark.skipif(os.name != "posix", reason="no locks show on Windows that nobody writes it")
def test_temporary_file_of_a_killed_writer_is_removed(tmp_path) -> None:
    save_checkpoint(tmp_path / "c", {"old": 1})
    killed = subprocess.run([sys.executable, "-c", KILLED_WRITER, tmp_path / "c"])
    assert killed.returncode == 9
    assert len(os.listdir(tmp_path)) == 2
    assert load_checkpoint(tmp_path / "c") == {"old": 1}
    save_checkpoint(tmp_path / "c", {"new": 1})
    assert os.listdir(tmp_path) == ["c"]


def test_writers_do_not_disturb_each_other(tmp_path) -> None:
    def save(i: int) -> None:
        save_checkpoint(tmp_path / "c", {"a": np.full(1000, i)})

    with ThreadPoolExecutor(8) as threads:
        assert len(list(threads.map(save, range(100)))) == 100
    assert len(set(load_checkpoint(tmp_path / "c")["a"])) == 1
    assert os.listdir(tmp_path) == ["c"]


@pytest.mark.parametrize("refused", [3, 10**9])
def test_on_windows_a_writer_waits_for_readers(tmp_path, monkeypatch, refused) -> None:
    """Windows refuses to replace a file that another program has open."""
    save_checkpoint(tmp_path / "c", {"old": 1})
    replace, refusals = os.replace, iter(range(refused))

    def replaced(source, target) -> None:
        if next(refusals, None) is not None:
            raise PermissionError(13, "Access is denied", str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", replaced)
    monkeypatch.setattr(atomic_write, "_LOCKS", False)
    monkeypatch.setattr(atomic_write, "_PATIENCE", 0.1)
    if refused == 3:
        save_checkpoint(tmp_path / "c", {"new": 1})
    else:
        with pytest.raises(PermissionError, match="Access is denied"):
            save_checkpoint(tmp_path / "c", {"new": 1})
    assert load_checkpoint(tmp_path / "c") == ({"new": 1} if refused == 3 else {"old": 1})
    assert os.listdir(tmp_path) == ["c"]


def test_file_of_a_running_writer_is_not_removed(tmp_path, monkeypatch) -> None:
    fsync = os.fsync

    def save_meanwhile(descriptor: int) -> None:
        monkeypatch.setattr(os, "fsync", fsync)
        save_checkpoint(tmp_path / "c", {"other": 1})
        assert len(os.listdir(tmp_path)) == 2

    monkeypatch.setattr(os, "fsync", save_meanwhile)
    save_checkpoint(tmp_path / "c", {"last": 1})
    assert load_checkpoint(tmp_path / "c") == {"last": 1}
    assert os.listdir(tmp_path) == ["c"]


@pytest.mark.skipif(os.name != "posix", reason="folders cannot be flushed on Windows")
def test_new_state_is_flushed_to_the_disk_before_it_replaces_the_old_one(
    tmp_path, monkeypatch
) -> None:
    """A power failure would otherwise leave an empty file on some file systems."""
    events = []
    fsync, replace = os.fsync, os.replace

    def flushed(descriptor: int) -> None:
        events.append(("flush", os.fstat(descriptor).st_ino, os.fstat(descriptor).st_size))
        fsync(descriptor)

    def replaced(source, target) -> None:
        events.append(("replace", os.stat(source).st_ino, os.stat(source).st_size))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(os, "replace", replaced)
    file = tmp_path / "run"
    save_checkpoint(file, STATE)
    written = (file.stat().st_ino, file.stat().st_size)
    assert events[:2] == [("flush", *written), ("replace", *written)]
    assert [event[:2] for event in events[2:]] == [("flush", tmp_path.stat().st_ino)]


@pytest.mark.parametrize("exists", [True, False])
def test_symbolic_link_is_followed(tmp_path, exists) -> None:
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "run", tmp_path / "link"
    if exists:
        save_checkpoint(target, {"old": 1})
    link.symlink_to(Path("folder", "run"))
    save_checkpoint(link, {"new": 1})
    assert link.is_symlink()
    assert load_checkpoint(target) == load_checkpoint(link) == {"new": 1}


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_permissions_are_kept(tmp_path) -> None:
    file = tmp_path / "c"
    save_checkpoint(file, {"old": 1})
    (tmp_path / "usual").write_text("")
    assert file.stat().st_mode == (tmp_path / "usual").stat().st_mode
    for mode in (0o600, 0o640, 0o666):
        file.chmod(mode)
        save_checkpoint(file, {"new": 1})
        assert stat.S_IMODE(file.stat().st_mode) == mode


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_other_kinds_of_files_are_not_replaced(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "folder", "link"):
        before = (tmp_path / name).stat()
        with pytest.raises(OSError, match=r"is not a regular file: .* choose a different path"):
            save_checkpoint(tmp_path / name, {"new": 1})
        assert os.path.samestat((tmp_path / name).stat(), before)
    for file in (tmp_path / "pipe", tmp_path / "link", os.devnull):
        with pytest.raises(CheckpointError, match="is not a regular file"):
            load_checkpoint(file)


def test_change_of_any_byte_is_detected(tmp_path) -> None:
    file = tmp_path / "run.safetensors"
    save_checkpoint(file, {"weights": np.arange(4.0), "epoch": 3, "lr": [0.5]})
    good = file.read_bytes()
    for i in range(len(good)):
        file.write_bytes(good[:i] + bytes([good[i] ^ 4]) + good[i + 1 :])
        with pytest.raises(CheckpointError, match=r"run\.safetensors"):
            load_checkpoint(file)


def test_truncation_at_any_byte_is_detected(tmp_path) -> None:
    file = tmp_path / "run.safetensors"
    save_checkpoint(file, {"weights": np.arange(4.0), "epoch": 3})
    good = file.read_bytes()
    for size in range(len(good)):
        file.write_bytes(good[:size])
        with pytest.raises(CheckpointError, match="damaged"):
            load_checkpoint(file)


def test_changes_of_a_large_tensor_are_detected(tmp_path) -> None:
    file = tmp_path / "run.safetensors"
    save_checkpoint(file, {"large": LARGE})
    good = file.read_bytes()
    header = len(good) - LARGE.size

    def check(content: bytes) -> None:
        file.write_bytes(content)
        with pytest.raises(CheckpointError, match="does not match its content"):
            load_checkpoint(file)

    for i in range(header, len(good), 99_991):
        check(good[:i] + bytes([good[i] ^ 1]) + good[i + 1 :])
    for size in (8, 512, 4096):
        for i, j in ((0, 1), (2, 66), (3, 300)):
            first, second = (slice(header + k * size, header + (k + 1) * size) for k in (i, j))
            swapped = bytearray(good)
            swapped[first], swapped[second] = good[second], good[first]
            check(bytes(swapped))
    check(good[: header + 8192] + bytes(4096) + good[header + 12288 :])


def test_checkpoint_of_version_1_is_loaded(tmp_path) -> None:
    tensors = {"b": LARGE, "a": np.arange(3.0)}
    text = '{"b": {"$tensor": "b"}, "a": {"$tensor": "a"}, "epoch": 3}'
    digest = hashlib.sha256(text.encode())
    for name, dtype in (("a", "float64"), ("b", "uint8")):
        digest.update(f"\0{name}\0{dtype}\0{tensors[name].shape}\0".encode())
        digest.update(tensors[name].tobytes())
    metadata = {"format": checkpoint.FORMAT, "version": "1", "state": text}

    def save(sha256: str) -> None:
        metadata["sha256"] = sha256
        safetensors.numpy.save_file(tensors, tmp_path / "c", metadata)

    save(digest.hexdigest())
    np.testing.assert_equal(load_checkpoint(tmp_path / "c"), {**tensors, "epoch": 3})
    save("0" * 64)
    with pytest.raises(CheckpointError, match="damaged"):
        load_checkpoint(tmp_path / "c")


def with_state(text: str) -> bytes:
    """Return a file with a valid checksum and the given JSON."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    metadata = {"format": checkpoint.FORMAT, "version": "2", "state": text, "checksum": digest}
    return safetensors.numpy.save({}, metadata)


def with_entry(**entry) -> bytes:
    """Return a file of one tensor of 8 bytes, with a given entry in the header."""
    metadata = {"format": checkpoint.FORMAT, "version": "2", "state": "{}", "checksum": ""}
    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | entry
    text = json.dumps({"__metadata__": metadata, "a": entry}).encode()
    return len(text).to_bytes(8, "little") + text + bytes(8)


NOT_CHECKPOINTS = {
    "no JSON": (with_state("{"), "the state in its metadata is invalid .JSONDecodeError"),
    "deep JSON": (with_state("[" * 10**5 + "]" * 10**5), "state .* is invalid .RecursionError"),
    "a list": (with_state("[1]"), "is of type list instead of a dict"),
    "a missing tensor": (with_state('{"a": {"$tensor": "b"}}'), "names 'b', which the file does"),
    "no tensor name": (with_state('{"a": {"$tensor": []}}'), "state .* is invalid .TypeError"),
    "deep header": (
        (10**6).to_bytes(8, "little") + b"[" * 10**6,
        "its header is invalid .RecursionError",
    ),
    "header of text": ((3).to_bytes(8, "little") + b'"a"', "its header is invalid"),
    "header without end": (b"\xff" * 8 + b"{}", "its header is invalid .* after the end"),
    "metadata of numbers": (
        (23).to_bytes(8, "little") + b'{"__metadata__":{"a":1}}'[:23],
        "its header is invalid",
    ),
    "wrong size": (with_entry(shape=[3]), "its header is invalid .* the size of a is wrong"),
    "huge size": (
        with_entry(shape=[2**60], data_offsets=[0, 2**62]),
        "its header is invalid .* the size of a is wrong",
    ),
    "negative shape": (with_entry(shape=[-1, -2]), "its header is invalid"),
    "shape of text": (with_entry(shape="ab"), "its header is invalid"),
    "unknown dtype": (with_entry(dtype="F4"), "its header is invalid .*F4"),
    "unused bytes": (with_entry(shape=[1], data_offsets=[0, 4]), "longer than its tensors"),
}


@pytest.mark.parametrize("case", NOT_CHECKPOINTS)
def test_odd_contents_raise_checkpoint_error(tmp_path, case) -> None:
    content, message = NOT_CHECKPOINTS[case]
    (tmp_path / "odd").write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(tmp_path / "odd")


FOREIGN = {
    "text": (b"epoch = 3\n", "not a checkpoint, or is damaged"),
    "pickle": (pickle.dumps({"a": 1}), "not a checkpoint, or is damaged"),
    "empty": (b"", "not a checkpoint, or is damaged"),
    "another safetensors": (
        safetensors.numpy.save({"w": np.ones(2)}),
        "was not written by save_checkpoint; its tensors: w",
    ),
    "a later version": (
        safetensors.numpy.save({}, {"format": checkpoint.FORMAT, "version": "3"}),
        "version 3 of the format.*reads versions 1 and 2",
    ),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_other_files_are_rejected(tmp_path, case) -> None:
    content, message = FOREIGN[case]
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(tmp_path / "other")


def test_missing_file_raises_file_not_found_error(tmp_path) -> None:
    with pytest.raises(FileNotFoundError):
        load_checkpoint(tmp_path / "missing")


def damaged(good: bytes, rng: np.random.Generator) -> bytes:
    """Return a file with one kind of damage: bits, bytes, a cut, a copy, or appended bytes."""
    content = bytearray(good)
    start, length = int(rng.integers(len(good))), int(rng.integers(1, 600))
    kind = rng.integers(6)
    if kind == 0:
        content[start] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        content[start : start + length] = rng.bytes(length)
    elif kind == 2:
        del content[start:]
    elif kind == 3:
        del content[start : start + length]
    elif kind == 4:
        content[start : start + length] = bytes(length)
    else:
        content += rng.bytes(length)
    return bytes(content)


def test_400_damaged_checkpoints_load_correctly_or_raise_a_clear_error(tmp_path) -> None:
    file = tmp_path / "run.safetensors"
    save_checkpoint(file, STATE | {"more": np.arange(2000.0)})
    good, expected = file.read_bytes(), load_checkpoint(file)
    rng = np.random.default_rng(0)
    rejected = []
    for _ in range(400):
        file.write_bytes(damaged(good, rng))
        try:
            found = load_checkpoint(file)
        except CheckpointError as error:
            rejected.append(str(error))
        else:
            np.testing.assert_equal(found, expected)
    assert len(rejected) > 350
    for message in rejected:
        assert re.search(r"run\.safetensors (is damaged|is not a checkpoint, or|was not )", message)

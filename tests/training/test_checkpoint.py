"""Checkpoint files: saving and loading, atomic replacement, and detection of bad files."""

from __future__ import annotations

import json
import os
import pickle

import numpy as np
import pytest
import safetensors.numpy

from tinytorch_core import Tensor

from tinytorch_training import CheckpointError, checkpoint, load_checkpoint, save_checkpoint

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


def test_colliding_tensor_names_are_distinguished(tmp_path) -> None:
    state = {"a.b": np.ones(1), "a": {"b": np.zeros(1)}}
    save_checkpoint(tmp_path / "c", state)
    np.testing.assert_equal(load_checkpoint(tmp_path / "c"), state)


@pytest.mark.parametrize(
    ("state", "message"),
    [
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


def test_temporary_file_of_a_killed_writer_is_replaced(tmp_path) -> None:
    (tmp_path / "c.tmp").write_bytes(b"half")
    save_checkpoint(tmp_path / "c", {"new": 1})
    assert load_checkpoint(tmp_path / "c") == {"new": 1}
    assert os.listdir(tmp_path) == ["c"]


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


FOREIGN = {
    "text": (b"epoch = 3\n", "not a checkpoint, or is damaged"),
    "pickle": (pickle.dumps({"a": 1}), "not a checkpoint, or is damaged"),
    "empty": (b"", "not a checkpoint, or is damaged"),
    "another safetensors": (
        safetensors.numpy.save({"w": np.ones(2)}),
        "was not written by save_checkpoint; its tensors: w",
    ),
    "a later version": (
        safetensors.numpy.save({}, {"format": checkpoint.FORMAT, "version": "2"}),
        "version 2 of the format.*reads version 1",
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

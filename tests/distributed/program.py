"""A program for several processes: `program.py ENGINE TASK FILE`.

Each rank writes its result to FILE and its number. The ranks of gloo meet at the URL MEETING.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import signal
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.distributed import runs
from tinytorch_distributed import gloo, mpi, shard
from tinytorch_training import Callback


class At(Callback):
    """Calls a function at a step, after creating a file that shows when."""

    def __init__(self, step, function, file) -> None:
        self.step, self.function, self.file = step, function, Path(file)

    def on_step_end(self, trainer, batches) -> None:
        if trainer.step == self.step:
            self.file.touch()
            self.function()


def die():
    """End as if the kernel had killed this process because memory ran out."""
    os.kill(os.getpid(), signal.SIGKILL)


def fail():
    """End with an exception."""
    raise ValueError("bad data on this rank")


def stop():
    """Stop answering, without ending."""
    os.kill(os.getpid(), signal.SIGSTOP)


def addresses():
    """Return where this process listens for TCP, in hexadecimal, and its network interfaces."""
    own = [os.readlink(f"/proc/self/fd/{number}") for number in open_files()]
    lines = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path("/proc/net", table).read_text().splitlines()[1:]
    ]
    listening = [line for line in lines if line[3] == "0A" and f"socket:[{line[9]}]" in own]
    found = {line[1].partition(":")[0] for line in listening}
    return found, [name for _, name in socket.if_nameindex()]


def open_files():
    """Return the numbers of the open files."""
    numbers = os.listdir("/proc/self/fd")
    # Without that of the folder, which is closed.
    return [number for number in numbers if os.path.exists(f"/proc/self/fd/{number}")]


def connect(engine: str):
    timeout = 3 if "stop" in sys.argv else 60
    if engine == "mpi":
        return mpi(timeout=timeout)
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    return gloo(os.environ["MEETING"], rank, size, timeout=timeout)


def main(engine: str, task: str, file: str) -> None:
    # Show where a rank hangs, instead of only ending it.
    faulthandler.dump_traceback_later(120, exit=True)
    comm = connect(engine)
    if task == "train":
        found = runs.train(comm)
    elif task == "continue":
        found = runs.train(comm, checkpoint=file, resume=True)
    elif task == "addresses":
        comm.barrier()
        found = addresses()
    else:
        run = runs.trainer(comm)
        if comm.rank == comm.size - 1:
            end = {"die": die, "fail": fail, "stop": stop}[task]
            run.callbacks.append(At(20, end, f"{file}.ended"))
        run.fit(shard(runs.data(), comm), 9, shard(runs.validation(), comm), checkpoint=file)
        found = runs.result(run)
    Path(f"{file}{comm.rank}").write_bytes(pickle.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])

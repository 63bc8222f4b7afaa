"""A program for several processes: `program.py ENGINE TASK FILE`.

Each rank writes its result to FILE and its number.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.distributed import runs
from tinytorch_distributed import gloo, mpi, shard
from tinytorch_training import Callback


class At(Callback):
    """Calls a function at a step."""

    def __init__(self, step, function) -> None:
        self.step, self.function = step, function

    def on_step_end(self, trainer, batches) -> None:
        if trainer.step == self.step:
            self.function()


def stop():
    """Stop answering, without ending."""
    time.sleep(35)


def die():
    """End as if the kernel had killed this process because memory ran out."""
    os.kill(os.getpid(), signal.SIGKILL)


def fail():
    """End with an exception."""
    raise ValueError("bad data on this rank")


def main(engine: str, task: str, file: str) -> None:
    # Show where a rank hangs, instead of only ending it.
    faulthandler.dump_traceback_later(40, exit=True)
    comm = {"mpi": mpi, "gloo": gloo}[engine](timeout=3 if task == "stop" else 20)
    if task == "train":
        found = runs.train(comm)
    elif task == "gather":
        found = comm.all_gather({"rank": comm.rank})
    else:
        run = runs.trainer(comm)
        if comm.rank == comm.size - 1:
            run.callbacks.append(At(20, {"die": die, "fail": fail, "stop": stop}[task]))
        run.fit(shard(runs.data(), comm), 50, checkpoint=file)
        found = runs.result(run)
    Path(f"{file}{comm.rank}").write_bytes(pickle.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])

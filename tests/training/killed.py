"""Interrupt training at random calls, and compare the results with an uninterrupted run.

    python tests/training/killed.py 50 FOLDER

Each interruption kills a process; the next process continues from the checkpoint. Whenever a run is
complete, it is compared with the uninterrupted one, and another run begins. Callbacks write logs,
change gradients and have state, and worker processes and a thread load the batches.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np

from tinytorch_layers import BatchNorm1d, Dropout, Linear, Sequential
from tinytorch_losses import MSELoss
from tinytorch_training import (
    Adam,
    Callback,
    CosineAnnealingLR,
    CSVLogger,
    DataLoader,
    EarlyStopping,
    JSONLogger,
    ModelCheckpoint,
    TensorDataset,
    Timing,
    Trainer,
    load_checkpoint,
    save_checkpoint,
)

EPOCHS = 12
CAN_FORK = "fork" in multiprocessing.get_all_start_methods()
X = np.random.default_rng(0).normal(size=(30, 4))


class Noise(Callback):
    """Adds noise to the gradients, and counts the steps."""

    def __init__(self) -> None:
        self.steps = 0

    def on_after_backward(self, trainer: Trainer) -> None:
        rng = np.random.default_rng(self.steps)
        for p in trainer.model.parameters():
            p.grad = p.grad + 1e-3 * rng.normal(size=p.shape)

    def on_step_end(self, trainer: Trainer, batches: object) -> None:
        self.steps += 1

    def state_dict(self) -> dict:
        return {"steps": self.steps}

    def load_state_dict(self, state_dict: dict) -> None:
        self.steps = state_dict["steps"]


def train(file: Path, resume: bool, workers: bool) -> Trainer:
    """Train, or continue training, with every part that has state."""
    model = Sequential(
        Linear(4, 8, dtype=np.float64, generator=1),
        BatchNorm1d(8, dtype=np.float64),
        np.tanh,
        Dropout(0.2, generator=2),
        Linear(8, 1, dtype=np.float64, generator=3),
    )
    optimizer = Adam(model.parameters(), lr=0.02)
    run = Trainer(
        model,
        MSELoss(),
        optimizer,
        scheduler=CosineAnnealingLR(optimizer, 40),
        scheduler_interval="step",
        accumulate=2,
        max_grad_norm=1.0,
        early_stopping=EarlyStopping(patience=EPOCHS),
        callbacks=[
            Noise(),
            Timing(),
            CSVLogger(file.with_suffix(".csv")),
            JSONLogger(file.with_suffix(".jsonl")),
            ModelCheckpoint(file.with_suffix(".best")),
        ],
    )
    data = TensorDataset(X, X[:, :1], dtype=np.float64)
    ahead, thread = {}, {}
    if workers:
        thread = {"prefetch": 2}
        # Other ways to start workers take longer than a run.
        ahead = {"num_workers": 2, "multiprocessing_context": "fork"} if CAN_FORK else thread
    loader = DataLoader(data, 4, shuffle=True, generator=4, **ahead)
    held_out = DataLoader(data, 8, shuffle=True, generator=5, **thread)
    run.fit(loader, EPOCHS, held_out, checkpoint=file, checkpoint_every=1, resume=resume)
    return run


def outcome(file: Path, resume: bool, workers: bool) -> dict:
    """Return all results of a run."""
    run = train(file, resume, workers)
    logs = [np.frombuffer(file.with_suffix(s).read_bytes(), np.uint8) for s in (".csv", ".jsonl")]
    return {
        "logs": logs,
        "best": load_checkpoint(file.with_suffix(".best")),
        "noise": run.callbacks[0].steps,
        "weights": run.model.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "history": run.history,
        "steps": run.step,
    }


# The exit status of a process that ended itself in the middle of a run.
KILLED = 9


def run_until_call(file: Path, done: Path, calls: int) -> None:
    """Continue the run, and exit without cleaning up at the call with the number ``calls``."""
    counter = itertools.count()
    process = os.getpid()

    def kill(*_: object) -> None:
        # A worker is a fork, which counts, too.
        if next(counter) == calls and os.getpid() == process:
            os._exit(KILLED)

    sys.setprofile(kill)
    save_checkpoint(done, outcome(file, resume=True, workers=True))
    # The run is complete: do not count the functions that Python calls at exit.
    sys.setprofile(None)


def main(kills: int, folder: Path) -> None:
    """Kill ``kills`` processes, and compare every run that they complete."""
    file, done = folder / "run.safetensors", folder / "done.safetensors"
    counter = itertools.count()
    sys.setprofile(lambda *_: next(counter))
    # Without workers: they must not change the result.
    result = outcome(folder / "uninterrupted.run", resume=False, workers=False)
    save_checkpoint(folder / "uninterrupted.safetensors", result)
    sys.setprofile(None)
    calls = next(counter)
    expected = load_checkpoint(folder / "uninterrupted.safetensors")
    rng = random.Random(0)
    killed = runs = steps = 0
    while killed < kills or runs == 0:
        # A process makes at most a third of the calls of a run, so a run is killed a few times.
        last = rng.randrange(calls // 3) if killed < kills else -1
        # Not forked: NumPy and the progress bar may have started threads.
        process = subprocess.run(
            [sys.executable, __file__, "--until-call", file, done, str(last)],
            stderr=subprocess.PIPE,
            text=True,
        )
        if process.returncode == KILLED:
            killed += 1
            if file.exists():
                steps += load_checkpoint(file)["progress"]["step"] > 0
            continue
        assert process.returncode == 0, process.stderr
        np.testing.assert_equal(load_checkpoint(done), expected)
        runs += 1
        for left in folder.glob("run.*"):
            left.unlink()
        done.unlink()
    print(f"{killed} processes killed, {steps} of them after a step; {runs} runs as expected")


if __name__ == "__main__":
    if sys.argv[1] == "--until-call":
        run_until_call(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
    else:
        main(int(sys.argv[1]), Path(sys.argv[2]))

"""Trains in a process that is killed at random moments, and compares the end with a quiet run's.

    python tests/training/killed.py 50 FOLDER

A program of its own, so that a life costs a fork and no start of Python. It kills so many lives;
whenever a run comes to its end, it compares it and begins another.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np

from tinytorch_layers import BatchNorm1d, Dropout, Linear, Sequential
from tinytorch_losses import MSELoss
from tinytorch_training import (
    Adam,
    CosineAnnealingLR,
    DataLoader,
    EarlyStopping,
    TensorDataset,
    Trainer,
    load_checkpoint,
    save_checkpoint,
)

EPOCHS = 12
X = np.random.default_rng(0).normal(size=(30, 4))


def train(file: Path, resume: bool) -> Trainer:
    """One life of a run with everything that has a state."""
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
    )
    data = TensorDataset(X, X[:, :1])
    loader = DataLoader(data, 4, shuffle=True, generator=4)
    held_out = DataLoader(data, 8, shuffle=True, generator=5)
    run.fit(loader, EPOCHS, held_out, checkpoint=file, checkpoint_every=1, resume=resume)
    return run


def outcome(file: Path, resume: bool) -> dict:
    """All that is left of a run at its end."""
    run = train(file, resume)
    return {
        "weights": run.model.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "history": run.history,
        "steps": run.step,
    }


def live(file: Path, done: Path) -> int:
    """Starts a life in a process of its own, and returns the number of the process."""
    child = os.fork()
    if child == 0:
        try:
            save_checkpoint(done, outcome(file, resume=True))
            os._exit(0)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
    return child


def main(kills: int, folder: Path) -> None:
    """Kills so many lives, and compares every run that they make up together."""
    file, done = folder / "run.safetensors", folder / "done.safetensors"
    start = time.perf_counter()
    save_checkpoint(folder / "quiet.safetensors", outcome(folder / "quiet.run", resume=False))
    duration = time.perf_counter() - start
    expected = load_checkpoint(folder / "quiet.safetensors")
    chance = random.Random(0)
    killed = runs = steps = 0
    while killed < kills or runs == 0:
        child = live(file, done)
        if killed < kills:
            # A few kills for each run: often enough in the middle, and often enough to its end.
            time.sleep(chance.uniform(0, duration / 3))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            killed += 1
            if file.exists():
                steps += load_checkpoint(file)["progress"]["step"] > 0
            continue
        assert os.WEXITSTATUS(status) == 0, "a life ended with an error"
        np.testing.assert_equal(load_checkpoint(done), expected)
        runs += 1
        file.unlink()
        done.unlink()
    print(f"{killed} lives killed, {steps} of them after a step; {runs} runs ended as they should")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))

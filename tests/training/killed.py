"""Train in processes that end at random calls, and compare the result with an uninterrupted run's.

    python tests/training/killed.py 50 FOLDER

A program of its own, because it starts a process for every interrupted run. It interrupts so many
runs; whenever one is complete, it compares it and begins another.
"""

from __future__ import annotations

import itertools
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


# The status of a process that was ended early.
KILLED = 9


def live(file: Path, done: Path, calls: int) -> None:
    """Continue the run, and end the process abruptly at the call with that number."""
    counter = itertools.count()

    def kill(*_: object) -> None:
        if next(counter) == calls:
            os._exit(KILLED)

    sys.setprofile(kill)
    save_checkpoint(done, outcome(file, resume=True))
    # Python makes calls when it exits too; the run is complete by then.
    sys.setprofile(None)


def main(kills: int, folder: Path) -> None:
    """End so many processes early, and compare every run that they complete together."""
    file, done = folder / "run.safetensors", folder / "done.safetensors"
    counter = itertools.count()
    sys.setprofile(lambda *_: next(counter))
    save_checkpoint(folder / "quiet.safetensors", outcome(folder / "quiet.run", resume=False))
    sys.setprofile(None)
    calls = next(counter)
    expected = load_checkpoint(folder / "quiet.safetensors")
    chance = random.Random(0)
    killed = runs = steps = 0
    while killed < kills or runs == 0:
        # A few kills for each run: often enough in the middle, and often enough to its end.
        last = chance.randrange(calls // 3) if killed < kills else -1
        # Not forked: NumPy and the progress bar may have started threads.
        life = subprocess.run(
            [sys.executable, __file__, "--live", file, done, str(last)],
            stderr=subprocess.PIPE,
            text=True,
        )
        if life.returncode == KILLED:
            killed += 1
            if file.exists():
                steps += load_checkpoint(file)["progress"]["step"] > 0
            continue
        assert life.returncode == 0, life.stderr
        np.testing.assert_equal(load_checkpoint(done), expected)
        runs += 1
        file.unlink()
        done.unlink()
    print(f"{killed} lives killed, {steps} of them after a step; {runs} runs ended as they should")


if __name__ == "__main__":
    if sys.argv[1] == "--live":
        live(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
    else:
        main(int(sys.argv[1]), Path(sys.argv[2]))

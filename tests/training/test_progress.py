"""The progress bar of a run, its values in terminals of any width, and its lines without one."""

from __future__ import annotations

import io
import os
import sys

import numpy as np
import pytest

from tinytorch_layers import Linear
from tinytorch_losses import MSELoss
from tinytorch_training import (
    SGD,
    DataLoader,
    IterableDataset,
    TensorDataset,
    Trainer,
    progress,
)

from .runs import loader, trainer

X = np.linspace(-1, 1, 40, dtype=np.float32).reshape(20, 2)


@pytest.fixture
def terminal(capsys, monkeypatch):
    """Have bars shown, as on a terminal and in a notebook."""
    monkeypatch.setattr("tinytorch_training.progress._in_notebook", lambda: True)
    return capsys


def test_without_a_terminal_each_epoch_is_a_line(capsys) -> None:
    trainer(progress=True).fit(loader(), 2, loader())
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("epoch 1/2: loss 0.")
    assert second.startswith("epoch 2/2: ")
    assert ", val_accuracy 0." in second
    trainer().fit(loader(), 1, loader())
    assert capsys.readouterr().err == ""


def test_progress_bar_shows_the_epoch_and_the_values(terminal) -> None:
    capsys = terminal
    trainer(progress=True).fit(loader(), 2, loader())
    shown = capsys.readouterr().err
    assert "epoch 2/2: 100%" in shown
    assert "val_accuracy" in shown


def test_progress_bar_of_a_resumed_run_counts_the_completed_batches(tmp_path, terminal) -> None:
    capsys = terminal

    class Interrupted(Exception):
        pass

    def interrupt(output, target):
        raise Interrupted

    options = {"checkpoint": tmp_path / "run", "checkpoint_every": 1, "resume": True}
    run = trainer(early_stopping=None)
    run.fit(loader(), 1, **options)
    run.metrics = {"accuracy": lambda output, y: interrupt(output, y) if run.step == 7 else 0.0}
    with pytest.raises(Interrupted):
        run.fit(loader(), 1, **options)
    capsys.readouterr()
    # A new process repeats both calls: the first is complete, the second continues after batch 7.
    resumed = trainer(early_stopping=None, progress=True)
    batches = loader()
    resumed.fit(batches, 1, **options)
    resumed.fit(batches, 1, **options)
    shown = capsys.readouterr().err
    assert " 70%|" in shown
    assert "epoch 2/2: 100%" in shown


@pytest.mark.parametrize("progress", [None, False])
def test_progress_bar_is_hidden_outside_of_terminals(capsys, progress) -> None:
    trainer(progress=progress).fit(loader(), 2, loader())
    assert capsys.readouterr().err == ""


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return -1  # not a file


def shown(monkeypatch, columns, data):
    """Return the lines that a bar shows one after another."""
    # tqdm leaves the last column empty. It asks the terminal, in older versions the environment.
    size = os.terminal_size((columns + 1, 30))
    monkeypatch.setattr(os, "get_terminal_size", lambda *args: size)
    monkeypatch.setenv("COLUMNS", str(columns + 1))
    monkeypatch.setenv("LINES", "30")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    model = Linear(2, 1, generator=0)
    trainer = Trainer(model, MSELoss(), SGD(model.parameters(), lr=0.1))
    trainer.fit(data, 3, DataLoader(TensorDataset(X, X[:, :1]), 20))
    return terminal.getvalue().rstrip("\n").split("\r")


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_loss_is_shown_in_terminals_of_any_width(monkeypatch, columns) -> None:
    lines = shown(monkeypatch, columns, DataLoader(TensorDataset(X, X[:, :1]), 5))
    assert max(map(len, lines)) <= columns
    assert lines[-1].startswith("epoch 3/3: 100%, loss 0.")
    assert columns == 40 or "|███" in lines[-1]


def test_data_of_unknown_length_have_a_count(monkeypatch) -> None:
    class Stream(IterableDataset):
        def __iter__(self):
            return ((x, x[:1]) for x in X)

    last = shown(monkeypatch, 80, DataLoader(Stream(), 5))[-1]
    assert last.startswith("epoch 3/3: 12 batches, loss 0.")


def test_a_notebook_gets_the_values_after_the_bar(monkeypatch) -> None:
    monkeypatch.setattr(progress, "_in_notebook", lambda: True)
    last = shown(monkeypatch, 80, DataLoader(TensorDataset(X, X[:, :1]), 5))[-1]
    assert last.startswith("epoch 3/3: 100%|███")
    assert "val_loss" in last

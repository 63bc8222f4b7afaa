"""The progress bar of a run, and its lines without a terminal."""

from __future__ import annotations

import pytest

from .runs import loader, trainer


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
    assert "10/10" in shown
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
    assert "7/10 [00:00<?" in shown
    assert "epoch 2/2: 100%" in shown
    assert "10/10" in shown


@pytest.mark.parametrize("progress", [None, False])
def test_progress_bar_is_hidden_outside_of_terminals(capsys, progress) -> None:
    trainer(progress=progress).fit(loader(), 2, loader())
    assert capsys.readouterr().err == ""

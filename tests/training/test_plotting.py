"""Plots of the history."""

from __future__ import annotations

import sys

import pytest

from tinytorch_training import (
    plot_history,
)

from .runs import loader, trainer


def test_plot_history_draws_training_and_validation(tmp_path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    run = trainer()
    run.fit(loader(), 3, loader())
    figure = plot_history(run.history, tmp_path / "curves.png")
    assert [axes.get_title() for axes in figure.axes] == ["loss", "accuracy"]
    for axes, name in zip(figure.axes, ["loss", "accuracy"], strict=True):
        training, validation = axes.get_lines()
        assert training.get_ydata().tolist() == run.history[name]
        assert validation.get_ydata().tolist() == run.history[f"val_{name}"]
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_plot_history_without_matplotlib_names_the_requirement(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install .tinytorch-training\[plot\]"):
        plot_history({"loss": [1.0]})

"""The curves of a training run as a picture."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

# The learning rate has a scale of its own, and a formula says what it was.
_LEFT_OUT = ("lr",)


def plot_history(
    history: Mapping[str, Sequence[float]], file: str | os.PathLike[str] | None = None
) -> Any:
    """Draws the history of a Trainer: the loss, and each metric, over the epochs.

    Needs matplotlib: `pip install "tinytorch-training[plot]"`.

    Args:
        history: lists of numbers, one for each epoch. What begins with "val_" is drawn beside
            the number without it.
        file: where to save the picture; its ending says the format.

    Returns:
        A matplotlib Figure, which a notebook shows.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
        ValueError: there is nothing to draw.
    """
    names = [n for n in history if not n.startswith("val_") and n not in _LEFT_OUT]
    if not names or not history[names[0]]:
        raise ValueError("the history is empty: there is nothing to draw before the first epoch")
    figure = new_figure(figsize=(5.2 * len(names), 3.6), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        draw_curves(axes, history, name)
    if file is not None:
        figure.savefig(file, dpi=150)
    return figure


def draw_curves(axes: Any, history: Mapping[str, Sequence[float]], name: str) -> None:
    """Draws one number, for training and if it is there for validation, into axes."""
    for key, label in ((name, "training"), (f"val_{name}", "validation")):
        if key in history:
            epochs = range(1, len(history[key]) + 1)
            axes.plot(epochs, history[key], label=label, marker="o", markersize=2.5, linewidth=1.4)
    axes.set(title=name.replace("_", " "), xlabel="epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if f"val_{name}" in history:
        axes.legend(frameon=False)


def new_figure(**options: Any) -> Any:
    """A Figure of matplotlib's, apart from pyplot and from any window."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'drawing needs matplotlib: pip install "tinytorch-training[plot]"', name=error.name
        ) from error
    return Figure(**options)

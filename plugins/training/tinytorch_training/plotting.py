"""Plots of a training history."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from typing import Any

# The learning rate has a different scale, and its schedule is already known.
_EXCLUDED = ("lr",)


def plot_history(
    history: Mapping[str, Sequence[float]], file: str | os.PathLike[str] | None = None
) -> Any:
    """Plot the history of a Trainer: the loss and each metric over the epochs.

    Requires matplotlib: `pip install "tinytorch-training[plot]"`.

    Args:
        history: lists with one number for each epoch, by name. A name that starts with "val_" is
            plotted together with the name without this prefix.
        file: where to save the figure; the extension determines the format.

    Returns:
        A matplotlib Figure, which a notebook displays.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
        ValueError: the history is empty.
    """
    names = [
        name
        for name, values in history.items()
        if not name.startswith("val_") and name not in _EXCLUDED and not _has_lists(values)
    ]
    if not names or not history[names[0]]:
        raise ValueError("the history is empty; train for at least one epoch before plotting it")
    figure = new_figure(figsize=(5.2 * len(names), 3.6), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        draw_curves(axes, history, name)
    if file is not None:
        figure.savefig(file, dpi=150)
    return figure


def _has_lists(values: Sequence[Any]) -> bool:
    """Return whether the values of an epoch are a matrix, such as a confusion matrix."""
    return any(isinstance(value, list) for value in values)


def draw_rates(
    rates: Sequence[float],
    losses: Sequence[float],
    suggestion: float | None,
    file: str | os.PathLike[str] | None,
) -> Any:
    """Return a figure of losses over learning rates, with a mark at the suggested rate."""
    figure = new_figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(rates, losses, linewidth=1.4)
    if suggestion is not None:
        loss = losses[list(rates).index(suggestion)]
        axes.plot([suggestion], [loss], "o", label=f"suggestion: {suggestion:.2g}")
        axes.legend(frameon=False)
    axes.set(xscale="log", xlabel="learning rate", ylabel="loss")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if file is not None:
        figure.savefig(file, dpi=150)
    return figure


def draw_curves(axes: Any, history: Mapping[str, Sequence[float]], name: str) -> None:
    """Plot one value into axes, for training and, if present, for validation."""
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
    """Return a matplotlib Figure that is independent of pyplot, so that it opens no window."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'plotting requires matplotlib: pip install "tinytorch-training[plot]"', name=error.name
        ) from error

    class DisplayedFigure(Figure):
        def _repr_png_(self) -> bytes:
            """Return the image that a notebook displays, also without `%matplotlib inline`."""
            file = io.BytesIO()
            self.savefig(file, format="png", dpi=100)
            return file.getvalue()

    return DisplayedFigure(**options)

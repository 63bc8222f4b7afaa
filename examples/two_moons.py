"""Classify two interleaved half moons, and plot the decision boundary.

    python examples/two_moons.py [FOLDER] [--epochs N]

Writes FOLDER/two_moons.png: the decision boundary after one epoch, after a sixth of the epochs,
and at the end.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import make_moons

from tinytorch_activations import Tanh, sigmoid
from tinytorch_layers import Linear, Sequential
from tinytorch_losses import BCEWithLogitsLoss
from tinytorch_training import AdamW, DataLoader, TensorDataset, Trainer

EPOCHS = 60
COLOURS = ("#2166ac", "#b2182b")


def main(folder: str | Path = ".", epochs: int = EPOCHS) -> float:
    """Train the network, write the plot, and return the accuracy."""
    points, moons = make_moons(400, noise=0.18, random_state=0)
    points, targets = points.astype(np.float32), moons[:, None].astype(np.float32)
    model = Sequential(
        Linear(2, 32, generator=0),
        Tanh(),
        Linear(32, 32, generator=1),
        Tanh(),
        Linear(32, 1, generator=2),
    )
    trainer = Trainer(
        model,
        BCEWithLogitsLoss(),
        AdamW(model.parameters(), lr=0.01),
        metrics={"accuracy": lambda logits, y: float(((logits.data > 0) == y.data).mean())},
    )
    data = DataLoader(TensorDataset(points, targets), 32, shuffle=True, generator=0)

    figure = Figure(figsize=(12, 2.9), layout="compressed")
    shown = sorted({1, max(1, epochs // 6), epochs})
    for axes, epoch in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        trainer.fit(data, epoch - trainer.epoch)
        score = trainer.evaluate(data)["accuracy"]
        drawn = draw(axes, trainer, points, moons)
        axes.set_title(f"After {epoch} epoch{'s' * (epoch > 1)}: {score:.1%} correct")
        print(f"epoch {epoch:3d}: {score:.1%} of the points classified correctly")
    figure.colorbar(
        drawn, ax=figure.axes, label="probability of the red moon", pad=0.01, ticks=[0, 0.5, 1]
    )
    picture = Path(folder) / "two_moons.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=150)
    print(f"Decision boundary: {picture}")
    return score


def draw(axes: Any, trainer: Trainer, points: np.ndarray, moons: np.ndarray) -> Any:
    """Draw the predicted probabilities, the decision boundary at 0.5, and the points."""
    x, y = np.meshgrid(np.linspace(-1.7, 2.7, 200), np.linspace(-1.2, 1.7, 140))
    grid = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)
    probability = sigmoid(trainer.predict(grid, batch_size=4096)).reshape(x.shape)
    levels = np.linspace(0, 1, 21)
    drawn = axes.contourf(x, y, probability, levels, cmap="RdBu_r", alpha=0.75)
    axes.contour(x, y, probability, [0.5], colors="black", linewidths=1.5)
    for moon, colour in enumerate(COLOURS):
        axes.scatter(
            *points[moons == moon].T, s=12, color=colour, edgecolors="white", linewidths=0.4
        )
    axes.set(xticks=[], yticks=[], aspect="equal")
    return drawn


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "folder", nargs="?", default=".", help="folder for the picture (default: .)"
    )
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="default: %(default)s")
    main(**vars(parser.parse_args()))

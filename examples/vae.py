"""Train a variational autoencoder on handwritten digits, with a latent space of two dimensions.

    python examples/vae.py [FOLDER] [--epochs N]

The encoder maps an image to a normal distribution in the plane, the decoder maps a point of the
plane to an image. Prints the bound on the likelihood of the test images, and writes FOLDER/vae.png:
test images and their reconstructions, images drawn from the model, where the test images are in the
plane, and the images that the decoder makes of it.

The classes of the digits colour the picture, and are not used for training.

Kingma & Welling, "Auto-encoding variational Bayes", 2014, arXiv:1312.6114.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from tinytorch_core import Tensor

from tinytorch_activations import Tanh, sigmoid
from tinytorch_autograd import no_grad
from tinytorch_layers import Linear, Module, Sequential
from tinytorch_losses import binary_cross_entropy_with_logits
from tinytorch_training import (
    Adam,
    CosineAnnealingLR,
    DataLoader,
    TensorDataset,
    Trainer,
)

EPOCHS = 150
SIDE = 8
SHOWN = 10  # images in a row
GRID = 15  # images along each side of the plane


class Autoencoder(Module):
    """Encodes images as distributions in the plane, and decodes points of it."""

    def __init__(self, hidden: int, generator: np.random.Generator) -> None:
        self.encoder = Sequential(
            Linear(SIDE * SIDE, hidden, generator=generator),
            Tanh(),
            Linear(hidden, hidden, generator=generator),
            Tanh(),
            Linear(hidden, 4, generator=generator),
        )
        self.decoder = Sequential(
            Linear(2, hidden, generator=generator),
            Tanh(),
            Linear(hidden, hidden, generator=generator),
            Tanh(),
            Linear(hidden, SIDE * SIDE, generator=generator),
        )
        self.generator = generator

    def encode(self, images: Any) -> tuple[Tensor, Tensor]:
        """Return the mean and the logarithm of the variance of each image, (N, 2) each."""
        found = self.encoder(images)
        return found[:, :2], found[:, 2:]

    def decode(self, points: np.ndarray) -> np.ndarray:
        """Return the images of points without recording gradients, (N, 8, 8)."""
        with no_grad():
            logits = self.decoder(Tensor(points.astype(np.float32)))
        pixels: np.ndarray = sigmoid(logits.data).reshape(-1, SIDE, SIDE)
        return pixels

    def forward(self, images: Any) -> tuple[Tensor, Tensor, Tensor]:
        """Return the logits of the pixels, and the mean and the log variance of each image.

        A point of a normal distribution is its mean plus noise times its standard deviation. The
        noise does not depend on parameters, so that gradients pass through the other two.
        """
        mean, log_variance = self.encode(images)
        noise = self.generator.standard_normal(mean.shape, np.float32)
        return self.decoder(mean + np.exp(log_variance / 2) * noise), mean, log_variance


def negative_bound(found: tuple[Tensor, Tensor, Tensor], images: Tensor) -> Tensor:
    """Return the reconstruction loss plus the divergence, in nats per image.

    The sum is an upper bound on the negative log likelihood. The divergence is that of the normal
    distribution of an image from the standard normal distribution (Kingma & Welling, appendix B).
    """
    logits, mean, log_variance = found
    pixels = binary_cross_entropy_with_logits(logits, images, reduction="sum")
    divergence = -0.5 * (1 + log_variance - mean * mean - np.exp(log_variance)).sum()
    loss: Tensor = (pixels + divergence) / len(images)
    return loss


def main(folder: str | Path = ".", epochs: int = EPOCHS) -> float:
    """Train the model, write the picture, and return the bound for the test images, in nats."""
    pixels, digits = load_digits(return_X_y=True)
    images = (pixels / 16).astype(np.float32)
    train, test, _, classes = train_test_split(
        images, digits, test_size=0.2, random_state=0, stratify=digits
    )
    rng = np.random.default_rng(0)
    model = Autoencoder(128, rng)
    optimizer = Adam(model.parameters(), lr=2e-3)
    trainer = Trainer(
        model, negative_bound, optimizer, scheduler=CosineAnnealingLR(optimizer, epochs)
    )
    data = DataLoader(TensorDataset(train, train), 32, shuffle=True, generator=0)
    start = time.perf_counter()
    trainer.fit(data, epochs)
    seconds = time.perf_counter() - start
    bound = trainer.evaluate(DataLoader(TensorDataset(test, test), len(test)))["loss"]
    print(
        f"{epochs} epochs in {seconds:.1f} s; the log likelihood of a test image is at least "
        f"{-bound:.1f} nats on average"
    )
    picture = Path(folder) / "vae.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    draw(model, test, classes, rng).savefig(picture, dpi=150)
    print(f"Reconstructions, samples and the latent plane: {picture}")
    return float(bound)


def draw(model: Autoencoder, test: np.ndarray, classes: np.ndarray, rng: Any) -> Any:
    """Draw reconstructions and samples, the images in the plane, and the images of the plane."""
    with no_grad():
        points = model.encode(Tensor(test))[0].data
    first = [int(np.flatnonzero(classes == digit)[0]) for digit in range(SHOWN)]
    rows = {
        "Test images": test[first],
        "Their reconstructions": model.decode(points[first]),
        "Images drawn from the model": model.decode(rng.standard_normal((5 * SHOWN, 2))),
    }
    # The outermost points are so far apart that all test images fit between them.
    end = np.ceil(4 * np.abs(points).max()) / 4
    steps = (np.arange(GRID) + 0.5) / GRID * 2 * end - end
    grid = np.stack(np.meshgrid(steps, steps[::-1]), axis=-1).reshape(-1, 2)

    figure: Any = Figure(figsize=(15, 4.9), layout="constrained")
    left, middle, right = figure.subfigures(1, 3, width_ratios=(1.2, 1, 1))
    columns = left.subplots(3, 1, height_ratios=(1, 1, 5))
    for axes, (title, images) in zip(columns, rows.items(), strict=True):
        axes.imshow(tiled(images, SHOWN), cmap="gray_r", vmin=0, vmax=1)
        axes.set_title(title)
        axes.axis("off")
    axes = middle.subplots()
    scatter(axes, points, classes)
    axes.set(title="Where the test images are in the plane")
    axes = right.subplots()
    axes.imshow(tiled(model.decode(grid), GRID), cmap="gray_r", extent=(-end, end, -end, end))
    axes.set(title="The images of points of the plane")
    for axes in (middle.axes[0], right.axes[0]):
        axes.set(xlim=(-end, end), ylim=(-end, end), aspect="equal")
        axes.set(xlabel="first latent variable", ylabel="second latent variable")
    return figure


def tiled(images: np.ndarray, columns: int) -> np.ndarray:
    """Return images as one image, in rows of `columns`, with a gap of two pixels."""
    pixels = np.pad(images.reshape(-1, SIDE, SIDE), ((0, 0), (1, 1), (1, 1)))
    rows = pixels.reshape(-1, columns, SIDE + 2, SIDE + 2).swapaxes(1, 2)
    return rows.reshape(-1, columns * (SIDE + 2))


def scatter(axes: Any, points: np.ndarray, classes: np.ndarray) -> None:
    """Show the images as points coloured by class, and each digit at the median of its points."""
    axes.scatter(*points.T, c=classes, cmap="tab10", s=16, linewidths=0)
    for digit in range(10):
        axes.text(
            *np.median(points[classes == digit], axis=0),
            digit,
            fontsize=14,
            weight="bold",
            ha="center",
            va="center",
            path_effects=[withStroke(linewidth=4, foreground="white")],
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "folder", nargs="?", default=".", help="folder for the picture (default: .)"
    )
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="default: %(default)s")
    main(**vars(parser.parse_args()))

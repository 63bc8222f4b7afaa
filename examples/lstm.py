"""Forecast a chaotic series, the Mackey-Glass equation, with an LSTM.

    python examples/lstm.py [FOLDER] [--epochs N]

The network learns to predict the next value of the series. Then it continues a part of the series
that it has not seen: each predicted value is its next input. Prints how long the forecast is close
to the series, and writes FOLDER/lstm.png: the loss, the forecast and the true values, and the error
of forecasts from many starting points.

Mackey & Glass, "Oscillation and chaos in physiological control systems", 1977.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tinytorch_core import Tensor

from tinytorch_autograd import no_grad
from tinytorch_layers import LSTM, Linear, Module
from tinytorch_losses import MSELoss
from tinytorch_training import (
    AdamW,
    CosineAnnealingLR,
    DataLoader,
    TensorDataset,
    Trainer,
)

EPOCHS = 40
WINDOW = 100
CONTEXT = 200
HORIZON = 300
STARTS = 32
# A forecast is close to the series while its error is below this part of the standard deviation.
CLOSE = 0.3


def mackey_glass(length: int, delay: int = 17, substeps: int = 10) -> np.ndarray:
    """Return values of dx/dt = 0.2 x(t − delay) / (1 + x(t − delay)^10) − 0.1 x(t), at whole t."""
    lag = delay * substeps
    x = np.full(lag + (length + 500) * substeps, 1.2)
    for t in range(lag, len(x)):
        past = x[t - lag]
        x[t] = x[t - 1] + (0.2 * past / (1 + past**10) - 0.1 * x[t - 1]) / substeps
    series = x[lag::substeps][-length:]
    standard: np.ndarray = (series - series.mean()) / series.std()
    return standard.astype(np.float32)


class Forecaster(Module):
    """Predicts the change to the next value from all values so far."""

    def __init__(self, hidden: int) -> None:
        self.lstm = LSTM(1, hidden, batch_first=True, generator=0)
        self.out = Linear(hidden, 1, generator=1)

    def forward(self, x: Any) -> Any:
        found, _ = self.lstm(x)
        return x + self.out(found)

    def forecast(self, context: np.ndarray, steps: int) -> np.ndarray:
        """Continue series of shape (N, length) by `steps` values each."""
        found = []
        with no_grad():
            inputs, state = Tensor(context[..., None]), None
            for _ in range(steps):
                hidden, state = self.lstm(inputs, state)
                inputs = inputs[:, -1:] + self.out(hidden[:, -1:])
                found.append(inputs.data[:, 0, 0])
        return np.stack(found, axis=1)


def windows(series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return overlapping windows of a series, and the same windows one step later."""
    views = np.lib.stride_tricks.sliding_window_view(series, WINDOW + 1)[::10]
    return views[:, :-1, None].copy(), views[:, 1:, None].copy()


def main(folder: str | Path = ".", epochs: int = EPOCHS) -> float:
    """Train the network, write the picture, and return how many steps a forecast is close."""
    length = STARTS * 20 + CONTEXT + HORIZON
    series = mackey_glass(3000 + length)
    train, test = series[:-length], series[-length:]
    model = Forecaster(64)
    optimizer = AdamW(model.parameters(), lr=0.01, weight_decay=0.0)
    trainer = Trainer(model, MSELoss(), optimizer, scheduler=CosineAnnealingLR(optimizer, epochs))
    data = DataLoader(TensorDataset(*windows(train)), 32, shuffle=True, generator=0)
    start = time.perf_counter()
    history = trainer.fit(data, epochs)
    seconds = time.perf_counter() - start

    contexts = np.stack([test[20 * i : 20 * i + CONTEXT] for i in range(STARTS)])
    futures = np.stack([test[20 * i + CONTEXT :][:HORIZON] for i in range(STARTS)])
    forecasts = model.forecast(contexts, HORIZON)
    errors = np.sqrt(((forecasts - futures) ** 2).mean(axis=0))
    close = int(np.argmax(errors > CLOSE)) if (errors > CLOSE).any() else HORIZON
    print(
        f"{epochs} epochs in {seconds:.1f} s; the error of the forecasts is below {CLOSE} standard "
        f"deviations for {close} steps"
    )
    picture = Path(folder) / "lstm.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    draw(history["loss"], contexts[0], futures[0], forecasts[0], errors).savefig(picture, dpi=150)
    print(f"Forecast: {picture}")
    return close


def draw(
    losses: list[float],
    context: np.ndarray,
    future: np.ndarray,
    forecast: np.ndarray,
    errors: np.ndarray,
) -> Any:
    """Draw the loss, one forecast with the true values, and the error of all forecasts."""
    figure: Any = Figure(figsize=(12, 5), layout="constrained")
    above, below = figure.subfigures(2, 1)
    axes = above.subplots()
    axes.plot(range(-len(context), 0), context, color="0.6", label="context")
    axes.plot(future, color="black", linewidth=1.2, label="true values")
    axes.plot(forecast, color="#b2182b", label="forecast of the LSTM")
    axes.axvline(0, color="0.6", linewidth=0.8)
    axes.set(xlabel="step", title="A forecast of the Mackey-Glass series", ylim=(-3, 3))
    axes.legend(loc="upper left", ncols=3, frameon=False)
    axes.margins(x=0)
    left, right = below.subplots(1, 2)
    left.semilogy(range(1, len(losses) + 1), losses, color="#2166ac")
    left.set(xlabel="epoch", title="Loss of the predictions of the next value")
    right.plot(range(1, len(errors) + 1), errors, color="#b2182b")
    right.axhline(
        CLOSE, color="0.3", linestyle="--", linewidth=0.8, label="forecasts are close below this"
    )
    right.legend(loc="upper left", frameon=False)
    right.set(
        xlabel="step",
        title=f"Error of {STARTS} forecasts, in standard deviations",
        ylim=(0, None),
    )
    for axes in (above.axes[0], left, right):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "folder", nargs="?", default=".", help="folder for the picture (default: .)"
    )
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="default: %(default)s")
    main(**vars(parser.parse_args()))

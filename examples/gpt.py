"""Train a small GPT, character by character, on the reference manual of Python.

    python examples/gpt.py [FOLDER] [--steps N] [--width N] [--written N]

The text is that of `help()`, which is part of Python's standard library. Prints the loss on a part
of the text that is not used for training, and writes FOLDER/gpt.png: the loss curves, and what the
model writes at several points of the training. It generates with a key-value cache, so that each
character takes one position of computation and not all of them.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tinytorch_core import Tensor

from tinytorch_autograd import no_grad
from tinytorch_layers import (
    Embedding,
    KeyValueCache,
    LayerNorm,
    Linear,
    Module,
    PositionalEncoding,
    TransformerEncoder,
    TransformerEncoderLayer,
)
from tinytorch_losses import cross_entropy
from tinytorch_training import AdamW, CosineAnnealingLR, LinearLR, SequentialLR, clip_grad_norm

STEPS = 700
LENGTH = 64  # of the text that the model sees
BATCH = 32
WIDTH = 128
START = "The "


class GPT(Module):
    """A decoder-only transformer: each position sees those before it, and predicts the next."""

    def __init__(self, characters: int, width: int, generator: Any) -> None:
        layer = TransformerEncoderLayer(
            width, 4, 4 * width, 0, "gelu", batch_first=True, norm_first=True, generator=generator
        )
        self.characters = Embedding(characters, width, generator=generator)
        self.positions = PositionalEncoding(width, LENGTH, "learned", generator=generator)
        self.blocks = TransformerEncoder(layer, 3, norm=LayerNorm(width))
        self.head = Linear(width, characters, generator=generator)

    def forward(self, text: Any, cache: KeyValueCache | None = None) -> Tensor:
        """Return the logits of the next character at each position, (N, L, characters).

        Args:
            text: the numbers of characters, (N, L).
            cache: what the model computed for the characters before them.
        """
        seen = 0 if cache is None else len(cache)
        x = self.positions(self.characters(text), seen)
        logits: Tensor = self.head(self.blocks(x, is_causal=True, cache=cache))
        return logits


def load() -> tuple[np.ndarray, list[str]]:
    """Return the text as numbers, and the character of each number.

    Characters that are rare in the text are left out.
    """
    text = "\n".join(topics[name] for name in sorted(topics))
    characters, counts = np.unique(list(text), return_counts=True)
    common = [str(c) for c, count in zip(characters, counts, strict=True) if count >= 20]
    numbers = {c: i for i, c in enumerate(common)}
    return np.array([numbers[c] for c in text if c in numbers]), common


def windows(text: np.ndarray, count: int, generator: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return `count` random pieces of the text, and the next character at each position."""
    starts = generator.integers(0, len(text) - LENGTH, count)
    pieces = text[starts[:, None] + np.arange(LENGTH + 1)]
    return pieces[:, :-1], pieces[:, 1:]


def loss_of(model: GPT, text: np.ndarray, following: np.ndarray) -> Tensor:
    logits = model(text)
    loss: Tensor = cross_entropy(logits.reshape(-1, logits.shape[-1]), following.ravel())
    return loss


def train(model: GPT, optimizer: AdamW, text: np.ndarray, following: np.ndarray) -> Tensor:
    """Make one step of training, and return the loss."""
    optimizer.zero_grad()
    loss = loss_of(model, text, following)
    loss.backward()
    clip_grad_norm(model.parameters(), 1.0)
    optimizer.step()
    return loss


def generate(model: GPT, characters: list[str], count: int, generator: Any) -> str:
    """Return START and `count` further characters, each drawn as the model predicts."""
    written = [characters.index(c) for c in START]
    cache = KeyValueCache()
    with no_grad():
        for _ in range(count):
            if len(cache) == LENGTH:  # continue from the second half of what the model sees
                cache.clear()
            new = written[-LENGTH // 2 :] if not len(cache) else written[-1:]
            logits = model(np.array([new]), cache).data[0, -1]
            # A temperature of 0.8 makes likely characters more likely.
            weights = np.exp((logits - logits.max()) / 0.8)
            chances = weights.astype(float) / weights.sum(dtype=float)
            written.append(int(generator.choice(len(chances), p=chances)))
    return "".join(characters[i] for i in written)


def main(
    folder: str | Path = ".", steps: int = STEPS, width: int = WIDTH, written: int = 400
) -> float:
    """Train the model, write the picture, and return the loss on text not used for training."""
    rng = np.random.default_rng(0)
    text, characters = load()
    split = len(text) * 9 // 10
    model = GPT(len(characters), width, rng)
    print(
        f"{len(text):,} characters, {len(characters)} different; a model of "
        f"{sum(p.size for p in model.parameters()):,} parameters"
    )
    optimizer = AdamW(model.parameters(), lr=3e-3, weight_decay=0.1)
    warm_up = max(1, steps // 10)
    scheduler = SequentialLR(
        optimizer,
        [
            LinearLR(optimizer, 0.1, total_iters=warm_up),
            CosineAnnealingLR(optimizer, max(1, steps - warm_up)),
        ],
        [warm_up],
    )
    unseen = windows(text[split:], 2 * BATCH, rng)
    shown = {round(steps * part) for part in (0, 0.1, 1)}
    losses: list[float] = []
    checks: dict[int, float] = {}
    samples: dict[int, str] = {}
    start = time.perf_counter()
    for step in range(steps + 1):
        if step in shown or step % max(1, steps // 10) == 0:
            with no_grad():
                checks[step] = loss_of(model, *unseen).item()
            print(f"step {step:4}: loss {checks[step]:.3f}")
        if step in shown:
            samples[step] = generate(model, characters, written, rng)
        if step < steps:
            losses.append(train(model, optimizer, *windows(text[:split], BATCH, rng)).item())
            scheduler.step()
    seconds = time.perf_counter() - start
    print(f"{steps} steps in {seconds:.0f} s. The model writes:\n\n{samples[steps]}\n")
    picture = Path(folder) / "gpt.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    draw(losses, checks, samples, len(characters)).savefig(picture, dpi=150)
    print(f"Loss and samples: {picture}")
    return checks[steps]


def draw(
    losses: list[float], checks: dict[int, float], samples: dict[int, str], characters: int
) -> Any:
    """Draw the loss of each step and on the other text, next to the samples."""
    figure: Any = Figure(figsize=(13, 5.2), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.35))
    axes = left.subplots()
    axes.plot(losses, color="tab:blue", alpha=0.45, label="training text")
    axes.plot(list(checks), list(checks.values()), "o-", color="tab:orange", label="other text")
    axes.axhline(math.log(characters), color="gray", ls=":", label="all characters equally likely")
    axes.set(xlabel="step", ylabel="cross-entropy of the next character", ylim=(0, None))
    axes.set_title("Loss")
    axes.legend(frameon=False)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    right.suptitle("What the model writes")
    for row, (step, sample) in zip(right.subplots(len(samples), 1), samples.items(), strict=True):
        row.axis("off")
        row.set_title(f"after {step} steps", fontsize=10, loc="left")
        row.text(0, 1, wrapped(sample), family="monospace", fontsize=8, va="top")
    return figure


def wrapped(text: str, width: int = 104, lines: int = 8) -> str:
    """Return the first lines of a text, with long lines broken, as a figure shows them."""
    broken = [
        line[i : i + width] for line in text.split("\n") for i in range(0, max(len(line), 1), width)
    ]
    # matplotlib would read a pair of dollar signs as mathematics.
    return "\n".join(broken[:lines]).replace("$", r"\$")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "folder", nargs="?", default=".", help="folder for the picture (default: .)"
    )
    parser.add_argument("--steps", type=int, default=STEPS, help="default: %(default)s")
    parser.add_argument("--width", type=int, default=WIDTH, help="default: %(default)s")
    parser.add_argument(
        "--written", type=int, default=400, help="characters to write (default: %(default)s)"
    )
    main(**vars(parser.parse_args()))

"""Training steps of a GPT, in TinyTorch and in PyTorch: the same model, written once for both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

# A text is a batch of sequences of word numbers, each with one word more than the model reads.
WORDS = 65


class Size(NamedTuple):
    """The size of a GPT and of its batches, and the activation of its feed-forward networks."""

    width: int
    heads: int
    layers: int
    length: int
    batch: int
    activation: str

    def text(self) -> np.ndarray:
        return np.random.default_rng(0).integers(0, WORDS, (self.batch, self.length + 1))


def model(nn: Any, size: Size, positions: Any, **options: Any) -> Any:
    """Return the model, built from the layers in `nn`.

    Args:
        nn: tinytorch_layers, or torch.nn.
        size: the size.
        positions: the numbers of the positions, as `nn` takes them.
        options: further options of TransformerEncoder.
    """

    class GPT(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            layer = nn.TransformerEncoderLayer(
                size.width,
                size.heads,
                4 * size.width,
                0.0,
                size.activation,
                batch_first=True,
                norm_first=True,
            )
            self.words = nn.Embedding(WORDS, size.width)
            self.positions = nn.Embedding(size.length, size.width)
            norm = nn.LayerNorm(size.width)
            self.blocks = nn.TransformerEncoder(layer, size.layers, norm, **options)
            self.head = nn.Linear(size.width, WORDS)

        def forward(self, text: Any, mask: Any) -> Any:
            x = self.words(text) + self.positions(positions)
            return self.head(self.blocks(x, mask, is_causal=True)).reshape(-1, WORDS)

    return GPT()


def _initial(size: Size) -> tuple[Any, dict[str, np.ndarray]]:
    """Return our model with fixed parameters, and these in PyTorch's layout."""
    import tinytorch_layers

    ours = model(tinytorch_layers, size, np.arange(size.length))
    rng = np.random.default_rng(1)
    state = {
        name: (rng.standard_normal(a.shape) * 0.05 + ("norm" in name)).astype(np.float32)
        for name, a in tinytorch_layers.torch_state(ours).items()
    }
    tinytorch_layers.load_torch_state(ours, state)
    return ours, state


def in_tinytorch(size: Size) -> Callable[[], Any]:
    """Return a task that makes a step of AdamW with clipping and returns the loss."""
    from tinytorch_losses import cross_entropy
    from tinytorch_training import AdamW, clip_grad_norm

    gpt, _ = _initial(size)
    optimizer = AdamW(gpt.parameters(), lr=1e-3)
    text = size.text()

    def task() -> Any:
        optimizer.zero_grad()
        loss = cross_entropy(gpt(text[:, :-1], None), text[:, 1:].ravel())
        loss.backward()
        clip_grad_norm(gpt.parameters(), 1.0)
        optimizer.step()
        return loss

    return task


def in_pytorch(size: Size) -> Callable[[], Any]:
    """Return the same task for PyTorch."""
    import torch

    positions = torch.arange(size.length)
    gpt = model(torch.nn, size, positions, enable_nested_tensor=False)
    gpt.load_state_dict({name: torch.tensor(a) for name, a in _initial(size)[1].items()})
    optimizer = torch.optim.AdamW(gpt.parameters(), lr=1e-3)
    mask = torch.nn.Transformer.generate_square_subsequent_mask(size.length)
    text = torch.tensor(size.text())

    def task() -> Any:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(gpt(text[:, :-1], mask), text[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(gpt.parameters(), 1.0)
        optimizer.step()
        return loss

    return task

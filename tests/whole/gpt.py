"""A small GPT, and PyTorch's losses when it trains the same model.

Write PyTorch's losses to gpt.json, so that the test runs without PyTorch, from the root of the
repository:

    python -m tests.whole.gpt
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).with_name("gpt.json")
DTYPES = ("float64", "float32")
STEPS, WORDS, WIDTH, HEADS, LAYERS, LENGTH, BATCH = 30, 11, 16, 2, 2, 8, 6


def gpt(nn: Any, positions: Any) -> Any:
    """Return the model: ours if `nn` is tinytorch_layers, PyTorch's if it is torch.nn.

    Args:
        nn: the module that contains the layers.
        positions: the numbers from 0 to the length of a sequence, as `nn` takes them.
    """

    class GPT(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            layer = nn.TransformerEncoderLayer(
                WIDTH, HEADS, 4 * WIDTH, 0.0, "gelu", batch_first=True, norm_first=True
            )
            self.words = nn.Embedding(WORDS, WIDTH)
            self.positions = nn.Embedding(LENGTH, WIDTH)
            self.blocks = nn.TransformerEncoder(layer, LAYERS, nn.LayerNorm(WIDTH))
            self.head = nn.Linear(WIDTH, WORDS)

        def forward(self, text: Any, mask: Any) -> Any:
            x = self.words(text) + self.positions(positions)
            return self.head(self.blocks(x, mask, is_causal=True))

    return GPT()


def state() -> dict[str, np.ndarray]:
    """Return the initial parameters, in PyTorch's layout."""
    import tinytorch_layers

    model = gpt(tinytorch_layers, np.arange(LENGTH))
    rng = np.random.default_rng(0)
    return {
        name: rng.standard_normal(array.shape) * 0.1 + ("norm" in name)
        for name, array in tinytorch_layers.torch_state(model).items()
    }


def texts() -> np.ndarray:
    """Return the texts of each step, with one word more than the model reads."""
    rng = np.random.default_rng(1)
    first = rng.integers(0, WORDS, (STEPS, BATCH, 1))
    return (first + np.arange(LENGTH + 1) * (1 + first % 3)) % WORDS


def losses(dtype: str) -> list[float]:
    """Return the losses of our steps."""
    import tinytorch_layers
    from tinytorch_losses import cross_entropy
    from tinytorch_training import AdamW, clip_grad_norm

    model = gpt(tinytorch_layers, np.arange(LENGTH)).to(dtype)
    tinytorch_layers.load_torch_state(model, state())
    optimizer = AdamW(model.parameters(), lr=3e-3)
    found = []
    for text in texts():
        optimizer.zero_grad()
        logits = model(text[:, :-1], None)
        loss = cross_entropy(logits.reshape(-1, WORDS), text[:, 1:].ravel())
        loss.backward()
        clip_grad_norm(model.parameters(), 1.0)
        optimizer.step()
        found.append(loss.item())
    return found


def losses_of_pytorch(torch: Any, dtype: str) -> list[float]:
    """Return the losses of PyTorch's steps."""
    kind = getattr(torch, dtype)
    model = gpt(torch.nn, torch.arange(LENGTH)).to(kind)
    model.load_state_dict({name: torch.tensor(a, dtype=kind) for name, a in state().items()})
    mask = torch.nn.Transformer.generate_square_subsequent_mask(LENGTH, dtype=kind)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    found = []
    for text in torch.tensor(texts()):
        optimizer.zero_grad()
        logits = model(text[:, :-1], mask)
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, WORDS), text[:, 1:].ravel())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        found.append(loss.item())
    return found


def main() -> None:
    import torch  # not at module level: pytest imports this file without PyTorch

    FILE.write_text(json.dumps({dtype: losses_of_pytorch(torch, dtype) for dtype in DTYPES}))


if __name__ == "__main__":
    main()

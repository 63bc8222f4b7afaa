"""Networks, their data and optimizers, for tests that compare compiled steps with eager ones."""

from __future__ import annotations

import numpy as np

from tinytorch_core import Tensor

from tinytorch_activations import GELU, ReLU, Tanh, softmax
from tinytorch_layers import (
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Embedding,
    LayerNorm,
    Linear,
    MaxPool2d,
    Module,
    Sequential,
)
from tinytorch_losses import cross_entropy
from tinytorch_training import (
    SGD,
    Adam,
    AdamW,
    CosineAnnealingLR,
    Lion,
    NAdam,
    RMSprop,
    clip_grad_norm,
)


class Flatten(Module):
    def forward(self, x):
        return x.reshape(x.shape[0], -1)


class Attention(Module):
    """Self-attention with two heads, written with ops."""

    def __init__(self, width):
        self.query, self.key, self.value, self.out = (
            Linear(width, width, generator=seed) for seed in range(4)
        )

    def forward(self, x):
        batch, length, width = x.shape
        query, key, value = (
            layer(x).reshape(batch, length, 2, width // 2).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        shares = softmax(query @ key.transpose(2, 3) * (2 / width) ** 0.5)
        return self.out((shares @ value).transpose(1, 2).reshape(batch, length, width))


def _images(rng):
    return Tensor(rng.standard_normal((4, 1, 28, 28)).astype(np.float32)), rng.integers(0, 10, 4)


def _vectors(rng):
    return Tensor(rng.standard_normal((8, 6)).astype(np.float32)), rng.integers(0, 3, 8)


def _numbers(rng):
    return rng.integers(0, 7, (4, 5)), rng.integers(0, 3, 4)


def _sequences(rng):
    return Tensor(rng.standard_normal((4, 5, 8)).astype(np.float32)), rng.integers(0, 3, 4)


def mlp(*between):
    """Return a network with two layers, and others between them."""
    return Sequential(Linear(6, 8, generator=0), *between, Linear(8, 3, generator=1))


def lenet():
    return Sequential(
        Conv2d(1, 6, 5, padding=2, generator=0),
        ReLU(),
        MaxPool2d(2),
        Conv2d(6, 16, 5, generator=1),
        ReLU(),
        MaxPool2d(2),
        Flatten(),
        Linear(400, 120, generator=2),
        ReLU(),
        Linear(120, 84, generator=3),
        ReLU(),
        Linear(84, 10, generator=4),
    )


def convolutions():
    return Sequential(
        Conv2d(1, 4, 3, stride=2, generator=0),
        BatchNorm2d(4),
        Tanh(),
        Conv2d(4, 4, 3, groups=2, padding="same", generator=1),
        AvgPool2d(2),
        Flatten(),
        Linear(144, 10, generator=2),
    )


# For each network a function that creates it, and one that draws a batch.
NETWORKS = {
    "mlp": (lambda: mlp(ReLU()), _vectors),
    "batch norm": (lambda: mlp(BatchNorm1d(8), ReLU()), _vectors),
    "layer norm": (lambda: mlp(LayerNorm(8), GELU()), _vectors),
    "dropout": (lambda: mlp(Dropout(0.5, generator=3), Tanh()), _vectors),
    "embedding": (
        lambda: Sequential(Embedding(7, 4, generator=0), Flatten(), Linear(20, 3, generator=1)),
        _numbers,
    ),
    "attention": (
        lambda: Sequential(Attention(8), Flatten(), Linear(40, 3, generator=9)),
        _sequences,
    ),
    "lenet": (lenet, _images),
    "convolutions": (convolutions, _images),
}

OPTIMIZERS = {
    "SGD": lambda p: SGD(p, lr=0.1),
    "momentum": lambda p: SGD(p, lr=0.1, momentum=0.9, dampening=0.1),
    "Nesterov": lambda p: SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "Adam": lambda p: Adam(p, lr=0.01),
    "AdamW": lambda p: AdamW(p, lr=0.01, amsgrad=True),
    "RMSprop": lambda p: RMSprop(p, lr=0.01, momentum=0.5, centered=True),
    "NAdam": lambda p: NAdam(p, lr=0.01),
    "Lion": lambda p: Lion(p, lr=0.001),
}


class Training:
    """A network with an optimizer and a schedule, and one step of training."""

    def __init__(self, network, optimizer, clip=False):
        self.model = network()
        self.optimizer = optimizer(self.model.parameters())
        self.schedule = CosineAnnealingLR(self.optimizer, 200)
        self.clip = clip

    def step(self, inputs, targets):
        loss = cross_entropy(self.model(inputs), targets)
        self.optimizer.zero_grad()
        loss.backward()
        if self.clip:
            clip_grad_norm(self.model.parameters(), 0.5)
        self.optimizer.step()
        return loss

    def state(self):
        """Return every array and number of the training, by name."""
        found = {name: p.data for name, p in self.model.named_parameters()}
        found |= {f"{name}.grad": p.grad for name, p in self.model.named_parameters()}
        found |= dict(self.model.named_buffers())
        for i, state in enumerate(self.optimizer.state_dict()["state"]):
            found |= {f"{i}.{key}": value for key, value in state.items()}
        return found


def assert_same_state(one, other):
    """Assert that two trainings have the same bits."""
    found, expected = one.state(), other.state()
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert np.asarray(found[name]).dtype == np.asarray(value).dtype, name
        assert np.asarray(found[name]).tobytes() == np.asarray(value).tobytes(), name

"""Networks, their data and optimizers, for tests that compare compiled steps with eager ones."""

from __future__ import annotations

import math

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
    Adagrad,
    Adam,
    AdamW,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    LambdaLR,
    LinearLR,
    Lion,
    MultiplicativeLR,
    Muon,
    NAdam,
    OneCycleLR,
    PolynomialLR,
    RAdam,
    RMSprop,
    SequentialLR,
    StepLR,
    clip_grad_norm,
    clip_grad_value,
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


def _small_images(rng):
    return Tensor(rng.standard_normal((3, 1, 8, 8)).astype(np.float32)), rng.integers(0, 3, 3)


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


def small_lenet():
    return Sequential(
        Conv2d(1, 2, 3, padding=1, generator=0),
        ReLU(),
        MaxPool2d(2),
        Conv2d(2, 3, 3, generator=1),
        ReLU(),
        MaxPool2d(2),
        Flatten(),
        Linear(3, 3, generator=2),
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


def deep():
    """Return a network with so many small parameters that optimizers update them together."""
    layers = [layer for i in range(4) for layer in (Linear(6, 6, generator=i), ReLU())]
    return Sequential(*layers, Linear(6, 3, generator=9))


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
    "deep": (deep, _vectors),
    "small lenet": (small_lenet, _small_images),
    "lenet": (lenet, _images),
    "convolutions": (convolutions, _images),
}
# Those with images of 28 x 28 pixels take the most time.
SMALL_NETWORKS = [name for name in NETWORKS if name not in ("lenet", "convolutions")]

OPTIMIZERS = {
    "SGD": lambda p: SGD(p, lr=0.1),
    "momentum": lambda p: SGD(p, lr=0.1, momentum=0.9, dampening=0.1),
    "Nesterov": lambda p: SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "Adam": lambda p: Adam(p, lr=0.01),
    "AdamW": lambda p: AdamW(p, lr=0.01, amsgrad=True),
    "RMSprop": lambda p: RMSprop(p, lr=0.01, momentum=0.5, centered=True),
}
# Compared on one network only. LBFGS calls a function several times, which is not captured.
OTHER_OPTIMIZERS = {
    "Adagrad": lambda p: Adagrad(p, lr=0.1),
    "Lion": lambda p: Lion(p, lr=0.001),
    "Muon": lambda p: Muon([x for x in p if x.ndim == 2], lr=0.01),
    "NAdam": lambda p: NAdam(p, lr=0.01),
    "RAdam": lambda p: RAdam(p, lr=0.01),
    "maximize": lambda p: SGD(p, lr=0.01, maximize=True),
}

SCHEDULES = {
    "StepLR": lambda o: StepLR(o, 7, 0.5),
    "CosineAnnealingLR": lambda o: CosineAnnealingLR(o, 200),
    "ConstantLR": lambda o: ConstantLR(o, 0.5, 7),
    "LinearLR": lambda o: LinearLR(o, total_iters=20),
    "PolynomialLR": lambda o: PolynomialLR(o, 20, 2.0),
    "LambdaLR": lambda o: LambdaLR(o, lambda t: 1 / (1 + t)),
    "MultiplicativeLR": lambda o: MultiplicativeLR(o, lambda t: 0.9),
    "OneCycleLR": lambda o: OneCycleLR(o, 0.2, total_steps=100),
    "CosineAnnealingWarmRestarts": lambda o: CosineAnnealingWarmRestarts(o, 8),
    "SequentialLR": lambda o: SequentialLR(
        o, [LinearLR(o, total_iters=10), CosineAnnealingLR(o, 40)], [10]
    ),
}

CLIPPING = {
    "none": lambda parameters: None,
    "norm": lambda parameters: clip_grad_norm(parameters, 0.5),
    "maximum norm": lambda parameters: clip_grad_norm(parameters, 0.01, math.inf),
    "value": lambda parameters: clip_grad_value(parameters, 0.02),
}


def convert(model, dtype):
    """Convert the parameters and buffers of a network to a dtype."""
    for parameter in model.parameters():
        parameter.data = parameter.data.astype(dtype)
    for name, buffer in list(model.named_buffers()):
        if buffer.dtype.kind == "f":
            model.set_buffer(name, buffer.astype(dtype))


class Training:
    """A network with an optimizer and a schedule, and one step of training."""

    def __init__(
        self,
        network,
        optimizer,
        clip="none",
        schedule="CosineAnnealingLR",
        dtype=np.float32,
        parameters=lambda model: model.parameters(),
        loss=cross_entropy,
    ):
        self.model = network()
        convert(self.model, dtype)
        self.optimizer = optimizer(parameters(self.model))
        self.schedule = SCHEDULES[schedule](self.optimizer)
        self.clip, self.loss = CLIPPING[clip], loss

    def step(self, inputs, targets):
        loss = self.loss(self.model(inputs), targets)
        self.optimizer.zero_grad()
        loss.backward()
        self.clip(self.model.parameters())
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

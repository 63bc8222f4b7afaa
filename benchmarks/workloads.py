"""The workloads: single ops, chains of ops, convolutions, training steps, second derivatives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks import by_hand, gpt
from benchmarks.frameworks import Arrays, Framework, Function, Task
from benchmarks.workload import Workload

SIZES = (10, 1_000, 1_000_000)

BELOW_PEERS = {"hips": 1.0, "mygrad": 1.0}

# (sizes of the layers, batch size, goal against the step written by hand)
NETWORKS = (
    ((2, 16, 16, 2), 32, 1.45),
    ((64, 32, 10), 64, 1.25),
    ((784, 128, 64, 10), 64, 1.05),
    ((784, 512, 512, 10), 256, 1.02),
)

# (size of the kernel, channels of the input and the output, groups, side of the images, batch size,
# goal against PyTorch)
CONVOLUTIONS = (
    (1, 16, 32, 1, 32, 32, 1.5),
    (3, 3, 16, 1, 32, 32, 1.5),
    (3, 16, 32, 1, 32, 32, 1.5),
    (3, 64, 64, 1, 32, 16, 1.5),
    (3, 16, 32, 1, 224, 2, 1.5),
    (3, 64, 64, 1, 224, 1, 1.5),
    (5, 3, 16, 1, 32, 32, 1.5),
    (5, 16, 32, 1, 32, 32, 1.5),
    (5, 64, 64, 1, 32, 16, 1.5),
    (5, 16, 32, 1, 224, 2, 1.5),
    (3, 32, 32, 4, 32, 32, 2.5),
    (3, 64, 64, 4, 224, 1, 2.5),
    (3, 32, 32, 32, 32, 32, 2.5),
    (3, 64, 64, 64, 224, 1, 2.5),
)

GPTS = (
    gpt.Size(width=64, heads=4, layers=4, length=32, batch=8, activation="gelu"),
    gpt.Size(width=128, heads=4, layers=4, length=64, batch=8, activation="relu"),
    gpt.Size(width=128, heads=4, layers=4, length=64, batch=8, activation="gelu"),
)

OPS: dict[str, tuple[Function, Callable[[int], Arrays]]] = {
    "add": (lambda F, x, y: x + y, lambda n: _normal((n,), (n,))),
    "mul": (lambda F, x, y: x * y, lambda n: _normal((n,), (n,))),
    "tanh": (lambda F, x: F.tanh(x), lambda n: _normal((n,))),
    "matmul": (lambda F, x, y: x @ y, lambda n: _normal(*[(_side(n), _side(n))] * 2)),
    "sum": (lambda F, x: x.sum(), lambda n: _normal((n,))),
    "where": (lambda F, x, y: F.where(x > y, x, y), lambda n: _normal((n,), (n,))),
    "indexing": (lambda F, x: x[1:-1], lambda n: _normal((n,))),
    "softmax": (lambda F, x: F.softmax(x), lambda n: _normal((n // 10, 10))),
}


def _normal(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def _side(size: int) -> int:
    return int(size**0.5)


def workloads() -> Iterator[Workload]:
    """Yield all workloads in the order of the table."""
    for make in (_forward, _backward):
        for size in SIZES:
            for name, (f, make_inputs) in OPS.items():
                yield make(f"{name}, {size:,} elements", f, make_inputs(size), size)
    for length in (31, 1_000):
        yield _chain(length)
    for case in CONVOLUTIONS:
        yield _convolution(*case)
    for sizes, batch, goal in NETWORKS:
        yield _training(sizes, batch, goal)
    yield _lenet()
    yield _gelu()
    yield _transformer()
    for model in GPTS:
        yield _gpt(model)
    yield _lstm()
    yield _adam()
    yield _batches()
    yield _hessian_vector()


def _forward(name: str, f: Function, inputs: Arrays, size: int) -> Workload:
    largest = 1.0 if name.startswith("softmax") else 0.55
    goals = {"pytorch": largest} if size == SIZES[0] else {}
    return Workload(
        "recorded op, forward", name, lambda F: F.forward(f, inputs), goals=goals | BELOW_PEERS
    )


def _backward(name: str, f: Function, inputs: Arrays, size: int) -> Workload:
    return Workload(
        "recorded op, forward and backward",
        name,
        lambda F: F.backward(f, inputs),
        goals=BELOW_PEERS,
    )


def _chain(length: int) -> Workload:
    def chain(F: Framework, h: Any, y: Any) -> Any:
        for _ in range((length - 1) // 3):
            h = F.tanh(h * y + y)
        return h.sum()

    inputs = _normal((10,), (10,))
    goals = {"pytorch": 0.48, "hips": 0.35, "mygrad": 0.25} if length == 31 else {}
    return Workload(
        "chains, forward and backward",
        f"{length:,} ops: tanh(h * y + y) and a sum",
        lambda F: F.backward(chain, inputs),
        goals=BELOW_PEERS | goals,
    )


def _convolution(
    kernel: int, channels: int, outputs: int, groups: int, side: int, batch: int, goal: float
) -> Workload:
    inputs = _normal(
        (batch, channels, side, side), (outputs, channels // groups, kernel, kernel), (outputs,)
    )

    def convolution(F: Framework, x: Any, weight: Any, bias: Any) -> Any:
        assert F.conv2d is not None
        return F.conv2d(x, weight, bias, padding=kernel // 2, groups=groups)

    def make(F: Framework) -> Task | None:
        return F.backward(convolution, inputs) if F.conv2d is not None else None

    grouped = f" in {groups} groups" if groups > 1 else ""
    return Workload(
        "convolutions, forward and backward",
        f"{kernel} x {kernel}, {channels} to {outputs} channels{grouped}, "
        f"{batch} images of {side} x {side}",
        make,
        goals={"pytorch": goal},
        # Sums of 100,000 terms, which each framework adds in a different order.
        tolerance=1e-3,
    )


def _training(sizes: tuple[int, ...], batch: int, goal: float | None) -> Workload:
    # With seed 0, one unit is so close to 0 that rounding decides its sign in each framework.
    rng = np.random.default_rng(1)
    x = rng.standard_normal((batch, sizes[0])).astype(np.float32)
    y = rng.integers(0, sizes[-1], batch)
    parameters = []
    for n, m in pairwise(sizes):
        parameters.append((rng.standard_normal((n, m)) * (2 / n) ** 0.5).astype(np.float32))
        parameters.append(np.zeros(m, np.float32))

    def loss(F: Framework, x: Any, y: Any, *ps: Any) -> Any:
        for w, b in zip(ps[:-2:2], ps[1:-2:2], strict=True):
            x = F.relu(x @ w + b)
        return F.cross_entropy(x @ ps[-2] + ps[-1], y)

    def make(F: Framework) -> Task:
        return F.train(loss, parameters, x, y)

    return Workload(
        "training steps",
        f"{'-'.join(map(str, sizes))}, batch {batch}",
        make,
        by_hand=lambda: by_hand.train(parameters, x, y),
        goals=BELOW_PEERS | ({"by hand": goal} if goal else {}),
    )


def _lenet(batch: int = 64) -> Workload:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, 1, 28, 28)).astype(np.float32)
    y = rng.integers(0, 10, batch)
    parameters = []
    for shape, fan_in in (
        ((6, 1, 5, 5), 25),
        ((16, 6, 5, 5), 150),
        ((400, 120), 400),
        ((120, 84), 120),
        ((84, 10), 84),
    ):
        outputs = shape[0] if len(shape) == 4 else shape[1]
        parameters.append((rng.standard_normal(shape) * (2 / fan_in) ** 0.5).astype(np.float32))
        parameters.append(np.zeros(outputs, np.float32))

    def loss(F: Framework, x: Any, y: Any, *ps: Any) -> Any:
        assert F.conv2d is not None
        assert F.max_pool2d is not None
        x = F.max_pool2d(F.relu(F.conv2d(x, ps[0], ps[1], padding=2)), 2)
        x = F.max_pool2d(F.relu(F.conv2d(x, ps[2], ps[3])), 2).reshape(batch, -1)
        x = F.relu(F.relu(x @ ps[4] + ps[5]) @ ps[6] + ps[7])
        return F.cross_entropy(x @ ps[8] + ps[9], y)

    def make(F: Framework) -> Task | None:
        return F.train(loss, parameters, x, y) if F.conv2d is not None else None

    return Workload(
        "training steps",
        f"LeNet-5 on 28 x 28, batch {batch}",
        make,
        goals={"pytorch": 1.5},
        # Sums of 50,000 terms, which each framework adds in a different order.
        tolerance=1e-3,
    )


def _gelu(size: int = 262_144) -> Workload:
    inputs = _normal((size,))
    return Workload(
        "recorded op, forward",
        f"exact GELU, {size:,} elements",
        lambda F: F.forward(lambda F, x: F.gelu(x), inputs) if F.gelu is not None else None,
        goals={"pytorch": 12},
    )


def _transformer(batch: int = 8, length: int = 64, width: int = 128, heads: int = 4) -> Workload:
    """Return a transformer block with layer norms before its two parts, without dropout."""
    parameters = _block_parameters(width)
    x = np.random.default_rng(1).standard_normal((batch, length, width)).astype(np.float32)

    def block(F: Framework, x: Any, *ps: Any) -> Any:
        return _block(F, x, ps, heads)

    def make(F: Framework) -> Task | None:
        return F.backward(block, [x, *parameters]) if F.layer_norm is not None else None

    return Workload(
        "transformers, forward and backward",
        f"block of width {width}, {heads} heads, length {length}, batch {batch}",
        make,
        goals={"pytorch": 1},
        tolerance=1e-3,
    )


def _block_parameters(width: int) -> list[np.ndarray]:
    """Return the parameters of a transformer block.

    The projections have no biases: that of the keys has the gradient 0, which differs in rounding
    errors only.
    """
    square, vector, wide = (width, width), (width,), (width, 4 * width)
    shapes = [vector, vector, *[square] * 4, vector, vector]
    shapes += [wide, wide[1:], wide[::-1], vector]
    rng = np.random.default_rng(0)
    return [(rng.standard_normal(s) / width**0.5).astype(np.float32) for s in shapes]


def _block(F: Framework, x: Any, ps: Sequence[Any], heads: int) -> Any:
    """Return the output of a transformer block with layer norms before its two parts."""
    assert F.layer_norm is not None
    assert F.gelu is not None
    batch, length, width = x.shape
    normal = F.layer_norm(x, ps[0].shape, ps[0], ps[1])
    query, key, value = (
        (normal @ weight).reshape(batch, length, heads, -1).swapaxes(1, 2) for weight in ps[2:5]
    )
    shares = F.softmax(query @ key.swapaxes(2, 3) * (heads / width) ** 0.5)
    x = x + (shares @ value).swapaxes(1, 2).reshape(batch, length, width) @ ps[5]
    normal = F.layer_norm(x, ps[6].shape, ps[6], ps[7])
    return x + F.gelu(normal @ ps[8] + ps[9]) @ ps[10] + ps[11]


def block_step(batch: int = 8, length: int = 64, width: int = 128, heads: int = 4) -> Workload:
    """Return a training step of a transformer block, for frameworks with `swapaxes`."""
    parameters = _block_parameters(width)
    x, target = _normal(*[(batch, length, width)] * 2)

    def loss(F: Framework, x: Any, y: Any, *ps: Any) -> Any:
        error = _block(F, x, ps, heads) - y
        return (error * error).mean()

    def make(F: Framework) -> Task | None:
        return F.train(loss, parameters, x, target) if F.layer_norm is not None else None

    return Workload(
        "training steps",
        f"block of width {width}, {heads} heads, length {length}, batch {batch}",
        make,
        tolerance=1e-3,
    )


def _gpt(size: gpt.Size) -> Workload:
    return Workload(
        "training steps",
        f"GPT of width {size.width}, {size.layers} layers, {size.activation}, length "
        f"{size.length}, batch {size.batch}",
        lambda F: F.gpt(size),
        goals={"pytorch": 1},
    )


def _lstm(length: int = 64, batch: int = 32, inputs: int = 64, hidden: int = 128) -> Workload:
    """Return a layer that returns the hidden states of all steps."""
    rng = np.random.default_rng(0)
    shapes = [(inputs, 4 * hidden), (hidden, 4 * hidden), (4 * hidden,), (4 * hidden,)]
    parameters = [(rng.standard_normal(s) / hidden**0.5).astype(np.float32) for s in shapes]
    x = rng.standard_normal((length, batch, inputs)).astype(np.float32)

    return Workload(
        "recurrent layers, forward and backward",
        f"LSTM of {inputs} to {hidden} features, length {length}, batch {batch}",
        lambda F: F.lstm(x, parameters),
        goals={"pytorch": 1},
        tolerance=1e-3,
    )


def _adam() -> Workload:
    shapes = [(16,)] * 1000
    parameters, gradients = _normal(*shapes), _normal(*shapes)
    return Workload(
        "optimizer steps",
        "Adam, 1,000 parameters of 16 elements",
        lambda F: F.adam(parameters, gradients),
        goals={"pytorch": 0.2},
    )


class Examples:
    """A dataset that returns one example at a time: an array and a class number."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return self.x[index], int(self.y[index])


def _batches() -> Workload:
    (x,) = _normal((1024, 784))
    data = Examples(x, np.random.default_rng(1).integers(0, 10, len(x)))
    return Workload(
        "data loading",
        "1,024 examples of 784 elements, batch 32",
        lambda F: F.batches(data, 32),
        goals={"pytorch": 1.0},
    )


def _hessian_vector() -> Workload:
    weights, x, v = _normal((100, 100), (100,), (100,))
    weights /= 10

    def f(F: Framework, x: Any) -> Any:
        h = F.tanh(x @ F.constant(weights))
        return (h * h * h).sum()

    return Workload(
        "second derivatives",
        "Hessian-vector product of a layer of 100",
        lambda F: F.hessian_vector(f, x, v),
        goals=BELOW_PEERS,
    )

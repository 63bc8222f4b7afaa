"""A program in a typical user's style, which mypy and pyright accept in strict mode.

`assert_type` states what both infer, and the test compares it with the values of a run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, assert_type

import numpy as np

from tinytorch_core import Tensor

from tinytorch_activations import GELU, ReLU, gelu, log_softmax, relu, softmax
from tinytorch_autograd import checkpoint, func, grad, no_grad
from tinytorch_layers import Conv2d, Dropout, Embedding, LayerNorm, Linear, Sequential
from tinytorch_losses import CrossEntropyLoss, cross_entropy, mse_loss
from tinytorch_modules import Module, Parameter
from tinytorch_training import Adam, CosineAnnealingLR, DataLoader, TensorDataset, Trainer, accuracy


def arithmetic(x: Tensor, array: np.ndarray[Any, Any]) -> Tensor:
    """Operators of tensors, numbers and arrays."""
    assert_type(x + 1, Tensor)
    assert_type(2.0 / x, Tensor)
    assert_type(array * x, Tensor)
    assert_type(array @ x, Tensor)
    assert_type(np.float32(3.0) - x, Tensor)
    assert_type(-x, Tensor)
    assert_type(abs(x), Tensor)
    assert_type(x > 0, Tensor)
    assert_type(x[0], Tensor)
    assert_type(x[..., None], Tensor)
    return x @ x.T


def attributes(x: Tensor) -> tuple[int, ...]:
    """Attributes and methods, including those of plugins."""
    assert_type(x.data, np.ndarray[Any, Any])
    assert_type(x.grad, np.ndarray[Any, Any] | None)
    assert_type(x.requires_grad, bool)
    assert_type(x.is_leaf, bool)
    assert_type(x.ndim, int)
    assert_type(x.detach().numpy(), np.ndarray[Any, Any])
    assert_type(x.sum(), Tensor)
    assert_type(x.mean(axis=0, keepdims=True), Tensor)
    assert_type(x.reshape(-1), Tensor)
    assert_type(x.argmax(axis=1), Tensor)
    assert_type(x.astype(np.float64), Tensor)
    assert_type(x.detach(), Tensor)
    assert_type(x.relu(), Tensor)
    assert_type(x.softmax(dim=-1), Tensor)
    assert_type(float(x.detach().sum()), float)
    assert_type(len(x), int)
    for row in x:
        assert_type(row, Tensor)
    return x.shape


def elementwise(x: Tensor) -> Tensor:
    """NumPy's ufuncs, and functions that work on each element."""
    assert_type(np.exp(x), Tensor)
    assert_type(np.tanh(x), Tensor)
    assert_type(np.maximum(x, 0), Tensor)
    assert_type(np.add(1.0, x), Tensor)
    assert_type(np.multiply.outer(x, x), Tensor)
    assert_type(np.add.reduce(x), Tensor)
    assert_type(np.modf(x), tuple[Tensor, Tensor])
    assert_type(np.where(x > 0, x, 0), Tensor)
    assert_type(np.where(np.ones(2) > 0, 1.0, x), Tensor)
    assert_type(np.clip(x, 0, 1), Tensor)
    assert_type(np.allclose(x, x), bool)
    return np.log(1 + np.exp(x))


def reductions(x: Tensor) -> Tensor:
    """NumPy's functions that reduce, rearrange and combine."""
    assert_type(np.sum(x), Tensor)
    assert_type(np.mean(x, axis=0), Tensor)
    assert_type(np.std(x, axis=0, keepdims=True), Tensor)
    assert_type(np.max(x), Tensor)
    assert_type(np.argmax(x, axis=1), Tensor)
    assert_type(np.median(x), Tensor)
    assert_type(np.cumsum(x), Tensor)
    assert_type(np.sort(x, axis=0), Tensor)
    assert_type(np.reshape(x, (-1,)), Tensor)
    assert_type(np.transpose(x), Tensor)
    assert_type(np.expand_dims(x, 0), Tensor)
    assert_type(np.concatenate([x, x]), Tensor)
    assert_type(np.stack([x, x], axis=1), Tensor)
    assert_type(np.split(x, 2), list[Tensor])
    assert_type(np.meshgrid(x, x), tuple[Tensor, ...])
    assert_type(np.pad(x, 1), Tensor)
    assert_type(np.zeros_like(x), Tensor)
    assert_type(np.shape(x), tuple[int, ...])
    return np.sqrt(np.mean(x**2))


def algebra(x: Tensor, array: np.ndarray[Any, Any]) -> Tensor:
    """NumPy's linear algebra and Fourier transforms."""
    assert_type(np.linalg.norm(x), Tensor)
    assert_type(np.linalg.norm(x, axis=1, keepdims=True), Tensor)
    assert_type(np.linalg.inv(x), Tensor)
    assert_type(np.linalg.det(x), Tensor)
    assert_type(np.linalg.solve(x, x @ x), Tensor)
    assert_type(np.linalg.eigh(x).eigenvalues, Tensor)
    values, vectors = np.linalg.eigh(x)
    assert_type(vectors, Tensor)
    assert_type(np.dot(x, x), Tensor)
    assert_type(np.dot(np.ones(2), x), Tensor)
    assert_type(np.einsum("ij,jk->ik", x, x), Tensor)
    assert_type(np.outer(x, x), Tensor)
    assert_type(np.fft.rfft(x), Tensor)
    assert_type(np.trace(x), Tensor)
    inverse: np.ndarray[Any, Any] = np.linalg.inv(array)
    assert inverse.shape == array.shape
    return values.sum()


class Net(Module):
    """A network of layers, a parameter, and functions."""

    def __init__(self, width: int, classes: int = 2) -> None:
        self.inner = Sequential(Linear(2, width), ReLU(), Dropout(0.1))
        self.norm = LayerNorm(width)
        self.outer = Linear(width, classes)
        self.scale = Parameter([1.0])

    def forward(self, x: Tensor, sharp: bool = False) -> Tensor:
        hidden = self.norm(gelu(self.inner(x)))
        assert_type(hidden, Tensor)
        assert_type(self.outer.weight, Parameter)
        assert_type(self.scale * 2, Tensor)
        return self.outer(hidden) * self.scale * (10 if sharp else 1)


def layers(net: Net, x: Tensor) -> Tensor:
    """Calls of modules and functions."""
    assert_type(net(x), Tensor)
    assert_type(net(x, sharp=True), Tensor)
    assert_type(net.inner(x), Tensor)
    assert_type(net.parameters(), Iterator[Parameter])
    assert_type(net.eval(), Net)
    assert_type(net.state_dict(), dict[str, np.ndarray[Any, Any]])
    assert_type(Conv2d(1, 2, 3)(x.reshape(1, 1, 5, 2) @ np.ones((2, 5))), Tensor)
    assert_type(Embedding(3, 2)(np.array([0, 2])), Tensor)
    assert_type(GELU()(x), Tensor)
    assert_type(relu(x), Tensor)
    assert_type(relu(x.data), np.ndarray[Any, Any])
    assert_type(softmax(x, dim=1), Tensor)
    assert_type(checkpoint(net, x), Any)
    return log_softmax(net(x), dim=-1)


def energy(x: Tensor, scale: float = 1.0) -> Tensor:
    return (x * x).sum() * scale


def with_rest(x: Tensor) -> tuple[Tensor, str]:
    return energy(x), "rest"


def fit_error(weights: dict[str, Tensor], x: Tensor) -> Tensor:
    return np.sum((weights["w"] * x + weights["b"]) ** 2)


def derivatives(x: Tensor) -> Tensor:
    """Gradients and transforms."""
    y = energy(x)
    assert_type(grad(y, x, retain_graph=True), Tensor)
    assert_type(grad(y, [x], retain_graph=True), list[Tensor])
    assert_type(grad(y, (x,), retain_graph=True), tuple[Tensor, ...])
    assert_type(y.backward(), None)
    assert_type(func.grad(energy)(x), Tensor)
    assert_type(func.grad(energy)(x, scale=2.0), Tensor)
    assert_type(func.grad(energy)(x.data), np.ndarray[Any, Any])
    assert_type(func.grad(with_rest, has_aux=True)(x), tuple[Tensor, str])
    assert_type(func.grad(func.grad(energy))(Tensor(1.0)), Tensor)
    assert_type(func.value_and_grad(energy)(x), tuple[Tensor, Tensor])
    assert_type(func.jacobian(elementwise)(x), Tensor)
    assert_type(func.hessian(energy)(x), Tensor)
    assert_type(func.hessian(energy)(x.data), np.ndarray[Any, Any])
    assert_type(func.value_and_grad(energy)(x.data)[1], np.ndarray[Any, Any])
    assert_type(func.hvp(energy)(x, x), Tensor)
    assert_type(func.jvp(energy, (x,), (x,)), tuple[Tensor, Tensor])
    assert_type(func.vjp(energy, x)[0], Tensor)
    weights = {"w": Tensor(2.0), "b": Tensor(1.0)}
    assert_type(func.grad(fit_error)(weights, x), dict[str, Tensor])
    with no_grad():
        return x * 2


def train(inputs: np.ndarray[Any, Any], targets: np.ndarray[Any, Any], epochs: int) -> list[float]:
    """A training loop, and the Trainer."""
    net = Net(8)
    optimizer = Adam(net.parameters(), lr=0.01)
    schedule = CosineAnnealingLR(optimizer, epochs)
    loss_function = CrossEntropyLoss()
    losses: list[float] = []
    for _ in range(epochs):
        for x, target in DataLoader(TensorDataset(inputs, targets), batch_size=4, shuffle=True):
            optimizer.zero_grad()
            loss = loss_function(net(x), target)
            assert_type(loss, Tensor)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        schedule.step()
    assert_type(cross_entropy(net(Tensor(inputs)), targets), Tensor)
    assert_type(mse_loss(net(Tensor(inputs)), np.zeros((len(inputs), 2))), Tensor)
    trainer = Trainer(net, loss_function, optimizer, metrics={"accuracy": accuracy})
    history = trainer.fit(DataLoader(TensorDataset(inputs, targets), batch_size=4), 1)
    assert_type(history, dict[str, list[float]])
    return [*losses, *history["loss"]]


def main() -> None:
    random = np.random.default_rng(0)
    inputs = random.normal(size=(8, 2)).astype(np.float32)
    square = np.array([[2.0, 1.0], [1.0, 3.0]])
    x = Tensor(square, requires_grad=True)
    arithmetic(x, square)
    attributes(x)
    elementwise(x)
    reductions(x)
    algebra(x, square)
    layers(Net(4).to(np.float64), Tensor(np.ones((5, 2))))
    derivatives(x)
    train(inputs, (inputs[:, 0] > 0).astype(int), epochs=2)


if __name__ == "__main__":
    main()

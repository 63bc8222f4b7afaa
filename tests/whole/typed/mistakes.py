"""Mistakes that mypy and pyright report in strict mode: each line with this comment."""

from __future__ import annotations

import numpy as np

from tinytorch_core import Tensor

from tinytorch_activations import leaky_relu, relu
from tinytorch_autograd import func, grad
from tinytorch_layers import Linear, Sequential
from tinytorch_modules import Module
from tinytorch_training import SGD

x = Tensor([1.0, 2.0], requires_grad=True)
x.gard  # error
x.bakward()  # error
x.backward(retain_grpah=True)  # error
x.requires_grad = "yes"  # error
x.softmax(dmi=1)  # error
Tensor([1.0], requires_grda=True)  # error
x.grad[0]  # error: it may be None
n: int = x.sum()  # error
array: np.ndarray = np.exp(x)  # error
number: float = np.linalg.norm(x)  # error
np.linalg.norm(x, axsi=0)  # error
np.sum(x, axis="rows")  # error
np.where(x > 0, x, 0).nonsense  # error
np.stack([x, x], axes=1)  # error
np.random.defualt_rng(0)  # error
relu(x).nonsense  # error
leaky_relu(x, negative_slope="much")  # error
leaky_relu(x, slope=0.1)  # error
grad(x.sum(), "x")  # error
grad(x.sum(), x, create_grpah=True)  # error


class Net(Module):
    def __init__(self) -> None:
        self.layer = Linear(2, "three")  # error
        self.body = Sequential(Linear(2, 2), 3)  # error

    def forward(self, x: Tensor, scale: float = 1.0) -> Tensor:
        return self.layer(x) * scale


net = Net()
net("text")  # error
net(x, scale="large")  # error
net(x, sclae=2.0)  # error
net.layr  # error
text: str = net(x)  # error
SGD(net.parameters(), lr="high")  # error


def energy(x: Tensor, scale: float = 1.0) -> Tensor:
    return (x * x).sum() * scale


def length(x: Tensor) -> int:
    return len(x)


func.grad(energy)(x, scale="large")  # error
func.grad(energy)(x, 1.0, 2.0)  # error
func.grad(energy)()  # error
func.grad(energy, argnms=0)  # error
slope: float = func.grad(energy)(x)  # error
func.hessian(energy)("x")  # error

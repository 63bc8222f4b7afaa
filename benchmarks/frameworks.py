"""The frameworks behind one interface, so that each workload is written once.

A workload is a function of a framework and arrays: `lambda F, x, y: F.where(x > 0, x, y)`.
"""

from __future__ import annotations

import importlib
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from benchmarks import gpt

Task = Callable[[], Any]
Function = Callable[..., Any]
Arrays = Sequence[np.ndarray]


def _gradients(tensors: Sequence[Any], out: Any, start: Any) -> list[Any]:
    """Run `backward` as in PyTorch and TinyTorch, and return the gradients of `tensors`."""
    for t in tensors:
        t.grad = None
    out.backward(start)
    return [t.grad for t in tensors]


def _stepping(optimizer: Any, tensors: list[Any]) -> Task:
    """Return a task that makes a step of an optimizer and returns the parameters."""

    def task() -> list[Any]:
        optimizer.step()
        return tensors

    return task


def _drawing(loader: Any) -> Task:
    """Return a task that draws all batches from a loader and returns the last."""

    def task() -> Any:
        for batch in loader:  # noqa: B007
            pass
        return batch

    return task


class Framework(ABC):
    """One framework. Its tasks return its own kind of array."""

    name: ClassVar[str]
    module: ClassVar[str]

    tanh: Function
    relu: Function
    where: Function
    softmax: Function
    cross_entropy: Function
    # None in a framework without them; workloads that need them then skip it.
    conv2d: Function | None = None
    max_pool2d: Function | None = None
    gelu: Function | None = None
    layer_norm: Function | None = None

    @classmethod
    def is_installed(cls) -> bool:
        return importlib.util.find_spec(cls.module) is not None

    def version(self) -> str:
        return str(importlib.import_module(self.module).__version__)

    def constant(self, array: np.ndarray) -> Any:
        """Return `array` as the framework's own untracked array."""
        return array

    @abstractmethod
    def forward(self, f: Function, inputs: Arrays) -> Task | None:
        """Return a task that computes `f` and records it for a backward pass."""

    @abstractmethod
    def backward(self, f: Function, inputs: Arrays) -> Task:
        """Return a task that runs the forward and backward pass, starting from `weights`."""

    @abstractmethod
    def train(self, loss: Function, parameters: Arrays, x: np.ndarray, y: np.ndarray) -> Task:
        """Return a task that makes one step of gradient descent and returns the parameters."""

    def adam(self, parameters: Arrays, gradients: Arrays) -> Task | None:
        """Return a task that makes one step of Adam and returns the parameters."""
        return None

    def gpt(self, size: gpt.Size) -> Task | None:
        """Return a task that makes a training step of a GPT and returns the loss."""
        return None

    def lstm(self, x: np.ndarray, parameters: Arrays) -> Task | None:
        """Return a task that runs a layer forward and backward.

        It returns the gradients of x and of the parameters: two weights, of shape (in, 4 · hidden),
        and two biases.
        """
        return None

    def batches(self, dataset: Any, size: int) -> Task | None:
        """Return a task that draws all batches from a dataset of examples and returns the last."""
        return None

    def hessian_vector(self, f: Function, x: np.ndarray, v: np.ndarray) -> Task | None:
        """Return a task that multiplies the Hessian of a scalar function by a vector."""
        return None


# The learning rate; large enough that a wrong gradient changes the parameters visibly.
RATE = 0.1


def weights(out: Any) -> np.ndarray:
    """Return the gradient of `out` to start from; not uniform, to reveal misplaced elements."""
    return np.resize(np.linspace(0.5, 1.5, 7, dtype=np.float32), tuple(out.shape))


class TinyTorch(Framework):
    name = "tinytorch"
    module = "tinytorch_core"

    def __init__(self) -> None:
        from tinytorch_core import Tensor

        import tinytorch_activations
        import tinytorch_autograd
        import tinytorch_layers
        import tinytorch_losses

        self.tensor = Tensor
        self.grad = tinytorch_autograd.grad
        self.where = np.where
        self.tanh = tinytorch_activations.tanh
        self.relu = tinytorch_activations.relu
        self.softmax = tinytorch_activations.softmax
        self.cross_entropy = tinytorch_losses.cross_entropy
        self.conv2d = tinytorch_layers.functional.conv2d
        self.max_pool2d = tinytorch_layers.functional.max_pool2d
        self.gelu = tinytorch_activations.gelu
        self.layer_norm = tinytorch_layers.functional.layer_norm

    def _tracked(self, arrays: Arrays) -> list[Any]:
        return [self.tensor(a, requires_grad=True) for a in arrays]

    def forward(self, f: Function, inputs: Arrays) -> Task:
        tensors = self._tracked(inputs)
        return lambda: f(self, *tensors)

    def backward(self, f: Function, inputs: Arrays) -> Task:
        tensors = self._tracked(inputs)
        start = weights(f(self, *tensors).data)
        return lambda: _gradients(tensors, f(self, *tensors), start)

    def train(self, loss: Function, parameters: Arrays, x: np.ndarray, y: np.ndarray) -> Task:
        tensors = self._tracked(parameters)
        batch = self.tensor(x)

        def task() -> Any:
            loss(self, batch, y, *tensors).backward()
            for t in tensors:
                t.data -= RATE * t.grad
                t.grad = None
            return [t.data for t in tensors]

        return task

    def adam(self, parameters: Arrays, gradients: Arrays) -> Task:
        from tinytorch_training import Adam

        tensors = self._tracked(parameters)
        for t, grad in zip(tensors, gradients, strict=True):
            t.grad = grad
        return _stepping(Adam(tensors, lr=RATE), tensors)

    def gpt(self, size: gpt.Size) -> Task:
        return gpt.in_tinytorch(size)

    def lstm(self, x: np.ndarray, parameters: Arrays) -> Task:
        from tinytorch_layers import LSTM

        layer = LSTM(x.shape[2], len(parameters[1]))
        for parameter, array in zip(layer.parameters(), parameters, strict=True):
            parameter.data = array.copy()
        tensors = [*self._tracked([x]), *layer.parameters()]
        start = weights(layer(x)[0].data)
        return lambda: _gradients(tensors, layer(tensors[0])[0], start)

    def batches(self, dataset: Any, size: int) -> Task:
        from tinytorch_training import DataLoader

        return _drawing(DataLoader(dataset, size))

    def hessian_vector(self, f: Function, x: np.ndarray, v: np.ndarray) -> Task:
        (point,), vector = self._tracked([x]), self.tensor(v)

        def task() -> Any:
            slope = self.grad(f(self, point), point, create_graph=True)
            return self.grad((slope * vector).sum(), point).data

        return task


class PyTorch(Framework):
    name = "pytorch"
    module = "torch"

    def __init__(self) -> None:
        import torch

        self.torch = torch
        self.tanh, self.where, self.relu = torch.tanh, torch.where, torch.relu
        self.softmax = lambda x: torch.softmax(x, -1)
        self.cross_entropy = torch.nn.functional.cross_entropy
        self.conv2d = torch.nn.functional.conv2d
        self.max_pool2d = torch.nn.functional.max_pool2d
        self.gelu = torch.nn.functional.gelu
        self.layer_norm = torch.nn.functional.layer_norm

    def constant(self, array: np.ndarray) -> Any:
        return self.torch.from_numpy(array)

    def _tracked(self, arrays: Arrays) -> list[Any]:
        return [self.torch.tensor(a, requires_grad=True) for a in arrays]

    def forward(self, f: Function, inputs: Arrays) -> Task:
        tensors = self._tracked(inputs)
        return lambda: f(self, *tensors)

    def backward(self, f: Function, inputs: Arrays) -> Task:
        tensors = self._tracked(inputs)
        start = self.torch.from_numpy(weights(f(self, *tensors).detach()))
        return lambda: _gradients(tensors, f(self, *tensors), start)

    def train(self, loss: Function, parameters: Arrays, x: np.ndarray, y: np.ndarray) -> Task:
        tensors = self._tracked(parameters)
        batch, targets = self.torch.tensor(x), self.torch.tensor(y)

        def task() -> Any:
            loss(self, batch, targets, *tensors).backward()
            with self.torch.no_grad():
                for t in tensors:
                    t -= RATE * t.grad
                    t.grad = None
            return tensors

        return task

    def adam(self, parameters: Arrays, gradients: Arrays) -> Task:
        tensors = self._tracked(parameters)
        for t, grad in zip(tensors, gradients, strict=True):
            t.grad = self.torch.from_numpy(grad)
        return _stepping(self.torch.optim.Adam(tensors, lr=RATE, foreach=True), tensors)

    def gpt(self, size: gpt.Size) -> Task:
        return gpt.in_pytorch(size)

    def lstm(self, x: np.ndarray, parameters: Arrays) -> Task:
        layer = self.torch.nn.LSTM(x.shape[2], len(parameters[1]))
        names = [name for name, _ in layer.named_parameters()]
        arrays = [self.torch.from_numpy(np.ascontiguousarray(array.T)) for array in parameters]
        layer.load_state_dict(dict(zip(names, arrays, strict=True)))
        tensors = [*self._tracked([x]), *layer.parameters()]
        start = self.torch.from_numpy(weights(layer(tensors[0])[0].detach()))

        def task() -> Any:
            by_x, *found = _gradients(tensors, layer(tensors[0])[0], start)
            return [by_x, *(grad.T for grad in found)]

        return task

    def batches(self, dataset: Any, size: int) -> Task:
        return _drawing(self.torch.utils.data.DataLoader(dataset, size))

    def hessian_vector(self, f: Function, x: np.ndarray, v: np.ndarray) -> Task:
        (point,), vector = self._tracked([x]), self.torch.tensor(v)
        grad = self.torch.autograd.grad

        def task() -> Any:
            (slope,) = grad(f(self, point), point, create_graph=True)
            return grad((slope * vector).sum(), point)[0]

        return task


class Jax(Framework):
    """JAX, compiled with `jax.jit`, as its documentation recommends."""

    name = "jax"
    module = "jax"

    def __init__(self) -> None:
        import jax
        import jax.numpy as jnp

        self.jax, self.np = jax, jnp
        self.tanh, self.where, self.relu = jnp.tanh, jnp.where, jax.nn.relu
        self.softmax = jax.nn.softmax

    def cross_entropy(self, logits: Any, targets: Any) -> Any:
        chosen = self.jax.nn.log_softmax(logits)[self.np.arange(len(targets)), targets]
        return -chosen.mean()

    def conv2d(self, x: Any, weight: Any, bias: Any, padding: int = 0, groups: int = 1) -> Any:
        around = [(padding, padding)] * 2
        out = self.jax.lax.conv_general_dilated(
            x, weight, (1, 1), around, feature_group_count=groups
        )
        return out + bias[:, None, None]

    def max_pool2d(self, x: Any, size: int) -> Any:
        window = (1, 1, size, size)
        largest = self.jax.lax.max
        return self.jax.lax.reduce_window(x, -np.inf, largest, window, window, "VALID")

    def forward(self, f: Function, inputs: Arrays) -> None:
        return None  # JAX traces a function once and does not record each call

    def backward(self, f: Function, inputs: Arrays) -> Task:
        arrays = [self.np.asarray(a) for a in inputs]
        every = tuple(range(len(arrays)))
        start = weights(f(self, *arrays))
        total = self.jax.grad(lambda *a: (f(self, *a) * start).sum(), argnums=every)
        compiled = self.jax.jit(total)
        return lambda: self.jax.block_until_ready(compiled(*arrays))

    def train(self, loss: Function, parameters: Arrays, x: np.ndarray, y: np.ndarray) -> Task:
        state = [self.np.asarray(p) for p in parameters]
        batch, targets = self.np.asarray(x), self.np.asarray(y)
        grads = self.jax.grad(lambda ps, x, y: loss(self, x, y, *ps))

        def advance(ps: Any, x: Any, y: Any) -> Any:
            return [p - RATE * g for p, g in zip(ps, grads(ps, x, y), strict=True)]

        step = self.jax.jit(advance)

        def task() -> Any:
            state[:] = self.jax.block_until_ready(step(state, batch, targets))
            return state

        return task

    def hessian_vector(self, f: Function, x: np.ndarray, v: np.ndarray) -> Task:
        point, vector = self.np.asarray(x), self.np.asarray(v)
        slope = self.jax.grad(lambda x: f(self, x))
        compiled = self.jax.jit(lambda x, v: self.jax.jvp(slope, (x,), (v,))[1])
        return lambda: self.jax.block_until_ready(compiled(point, vector))


class Hips(Framework):
    name = "hips"
    module = "autograd"

    def __init__(self) -> None:
        import autograd
        import autograd.numpy as anp

        self.autograd, self.np = autograd, anp
        self.tanh, self.where = anp.tanh, anp.where
        self.relu = lambda x: anp.maximum(x, 0)

    def version(self) -> str:
        from importlib.metadata import version

        return version("autograd")

    def softmax(self, x: Any) -> Any:
        e = self.np.exp(x - self.np.max(x, axis=-1, keepdims=True))
        return e / self.np.sum(e, axis=-1, keepdims=True)

    def cross_entropy(self, logits: Any, targets: Any) -> Any:
        z = logits - self.np.max(logits, axis=1, keepdims=True)
        chosen = z[self.np.arange(len(targets)), targets]
        return self.np.mean(self.np.log(self.np.sum(self.np.exp(z), axis=1)) - chosen)

    def _traced(self, f: Function, inputs: Arrays) -> Callable[[], Any]:
        trace = self.autograd.make_vjp(lambda arrays: f(self, *arrays))
        given = tuple(inputs)
        return lambda: trace(given)

    def forward(self, f: Function, inputs: Arrays) -> Task:
        traced = self._traced(f, inputs)
        return lambda: traced()[1]

    def backward(self, f: Function, inputs: Arrays) -> Task:
        traced = self._traced(f, inputs)
        start = weights(traced()[1])

        def task() -> Any:
            vjp, _ = traced()
            return vjp(start)

        return task

    def train(self, loss: Function, parameters: Arrays, x: np.ndarray, y: np.ndarray) -> Task:
        state = [p.copy() for p in parameters]
        grads = self.autograd.grad(lambda ps: loss(self, x, y, *ps))

        def task() -> Any:
            for p, g in zip(state, grads(state), strict=True):
                p -= RATE * g
            return state

        return task

    def hessian_vector(self, f: Function, x: np.ndarray, v: np.ndarray) -> Task:
        product = self.autograd.hessian_vector_product(lambda x: f(self, x))
        return lambda: product(x, v)


class MyGrad(Framework):
    name = "mygrad"
    module = "mygrad"

    def __init__(self) -> None:
        import mygrad
        import mygrad.nnet

        self.mg = mygrad
        self.tanh, self.where = mygrad.tanh, mygrad.where
        self.relu = mygrad.nnet.relu
        self.softmax = mygrad.nnet.softmax
        self.cross_entropy = mygrad.nnet.softmax_crossentropy

    def forward(self, f: Function, inputs: Arrays) -> Task:
        tensors = [self.mg.tensor(a) for a in inputs]
        return lambda: f(self, *tensors).data

    def backward(self, f: Function, inputs: Arrays) -> Task:
        tensors = [self.mg.tensor(a) for a in inputs]
        start = weights(f(self, *tensors).data)

        def task() -> Any:
            f(self, *tensors).backward(start)
            return [t.grad for t in tensors]

        return task

    def train(self, loss: Function, parameters: Arrays, x: np.ndarray, y: np.ndarray) -> Task:
        tensors = [self.mg.tensor(p) for p in parameters]

        def task() -> Any:
            loss(self, x, y, *tensors).backward()
            for t in tensors:
                t.data -= RATE * t.grad
            return [t.data for t in tensors]

        return task


FRAMEWORKS: tuple[type[Framework], ...] = (TinyTorch, PyTorch, Jax, Hips, MyGrad)

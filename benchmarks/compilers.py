"""Compilers behind the interface of the frameworks: our two backends, and those of the peers."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from benchmarks.frameworks import (
    RATE,
    Arrays,
    Framework,
    Function,
    Jax,
    PyTorch,
    Task,
    TinyTorch,
    _gradients,
    weights,
)


class Compiled(TinyTorch):
    """A step compiled by tinytorch-compile; the loss is returned, so it is not left out."""

    backend: ClassVar[str]

    @classmethod
    def is_installed(cls) -> bool:
        try:
            from tinytorch_compile import compile

            compile(lambda: None, backend=cls.backend)
        except (ImportError, ValueError):
            return False
        return True

    def _compiled(self, step: Function) -> Function:
        from tinytorch_compile import compile

        compiled: Function = compile(step, backend=self.backend, strict=True)
        return compiled

    def _functions(self) -> SimpleNamespace:
        """Return what steps use, without this class: replays check all that steps reach."""
        return SimpleNamespace(**vars(self))

    def backward(self, f: Function, inputs: Arrays) -> Task:
        tensors, functions = self._tracked(inputs), self._functions()
        start = weights(f(functions, *tensors).data)
        step = self._compiled(lambda: _gradients(tensors, f(functions, *tensors), start) and None)

        def task() -> list[Any]:
            step()
            return [t.grad for t in tensors]

        return task

    def train(self, loss: Function, parameters: Arrays, x: np.ndarray, y: np.ndarray) -> Task:
        tensors, functions = self._tracked(parameters), self._functions()
        batch = self.tensor(x)

        def step(x: Any, y: Any) -> Any:
            value = loss(functions, x, y, *tensors)
            value.backward()
            for t in tensors:
                t.data -= RATE * t.grad
                t.grad = None
            return value

        compiled = self._compiled(step)

        def task() -> Any:
            compiled(batch, y)
            return [t.data for t in tensors]

        return task


class NumpyBackend(Compiled):
    name = "numpy backend"
    backend = "numpy"


class NativeBackend(Compiled):
    name = "native backend"
    backend = "native"


class TorchCompile(PyTorch):
    """PyTorch with `torch.compile` for the loss and the update; it needs a C++ compiler."""

    name = "torch.compile"

    def _compiled(self, f: Function) -> Function:
        compiled: Function = self.torch.compile(lambda *tensors: f(self, *tensors))
        return compiled

    def backward(self, f: Function, inputs: Arrays) -> Task:
        self.torch.compiler.reset()
        compiled = self._compiled(f)
        return super().backward(lambda _, *tensors: compiled(*tensors), inputs)

    def train(self, loss: Function, parameters: Arrays, x: np.ndarray, y: np.ndarray) -> Task:
        self.torch.compiler.reset()
        tensors = self._tracked(parameters)
        batch, targets = self.torch.tensor(x), self.torch.tensor(y)
        compiled = self._compiled(loss)

        @self.torch.compile  # type: ignore[untyped-decorator]
        def update() -> None:
            with self.torch.no_grad():
                for t in tensors:
                    t -= RATE * t.grad

        def task() -> Any:
            compiled(batch, targets, *tensors).backward()
            update()
            for t in tensors:
                t.grad = None
            return tensors

        return task


class Shared:
    """A shared variable of PyTensor, read only when results are compared."""

    def __init__(self, variable: Any) -> None:
        self._variable = variable

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self._variable.get_value(), dtype)


class PyTensor(Framework):
    """PyTensor with its Numba backend; the parameters are shared variables."""

    name = "pytensor"
    module = "pytensor"
    mode = "NUMBA"

    @classmethod
    def is_installed(cls) -> bool:
        return super().is_installed() and importlib.util.find_spec("numba") is not None

    def __init__(self) -> None:
        import pytensor
        import pytensor.tensor as pt

        self.pytensor, self.np = pytensor, pt
        self.tanh, self.where = pt.tanh, pt.switch
        self.relu = lambda x: pt.maximum(x, np.float32(0))

    def softmax(self, x: Any) -> Any:
        return self.np.special.softmax(x, axis=-1)

    def cross_entropy(self, logits: Any, targets: Any) -> Any:
        z = logits - self.np.max(logits, axis=1, keepdims=True)
        chosen = z[self.np.arange(targets.shape[0]), targets]
        return self.np.mean(self.np.log(self.np.sum(self.np.exp(z), axis=1)) - chosen)

    def _symbols(self, arrays: Arrays) -> list[Any]:
        return [self.np.tensor(dtype=a.dtype, shape=a.shape) for a in arrays]

    def _function(self, inputs: list[Any], outputs: Any, **options: Any) -> Any:
        compiled = self.pytensor.function(inputs, outputs, mode=self.mode, **options)
        compiled.trust_input = True  # without checks of the arguments in each call
        return compiled

    def forward(self, f: Function, inputs: Arrays) -> None:
        return None  # PyTensor builds the graph once and does not record each call

    def backward(self, f: Function, inputs: Arrays) -> Task:
        symbols = self._symbols(inputs)
        out = f(self, *symbols)
        start = weights(np.empty(out.type.shape, np.float32))
        grads = self.pytensor.grad((out * start).sum(), symbols)
        compiled = self._function(symbols, grads)
        return lambda: compiled(*inputs)

    def train(self, loss: Function, parameters: Arrays, x: np.ndarray, y: np.ndarray) -> Task:
        shared = [self.pytensor.shared(p) for p in parameters]
        symbols = self._symbols([x, y])
        value = loss(self, *symbols, *shared)
        grads = self.pytensor.grad(value, shared)
        rate = np.float32(RATE)
        updates = [(p, p - rate * g) for p, g in zip(shared, grads, strict=True)]
        compiled = self._function(symbols, value, updates=updates)
        results = [Shared(p) for p in shared]

        def task() -> Any:
            compiled(x, y)
            return results

        return task


# Ours first: each is compared with all that follow, and with the step by hand.
OURS: tuple[type[Compiled], ...] = (NumpyBackend, NativeBackend)
COMPILERS: tuple[type[Framework], ...] = (*OURS, TinyTorch, PyTorch, TorchCompile, Jax, PyTensor)

"""Steps compiled by tinytorch-xla, next to `jax.jit` of the same mathematics and to PyTorch."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.compilers import Compiled
from benchmarks.frameworks import (
    RATE,
    Arrays,
    Framework,
    Function,
    Jax,
    PyTorch,
    Task,
    TinyTorch,
)
from benchmarks.measure import interleaved, ratio
from benchmarks.report import Row, table
from benchmarks.workload import Workload, differing
from benchmarks.workloads import block_step, workloads

GROUP = "steps compiled by XLA"
GOALS = {"jax": 1.1, "pytorch": 1.0}
# The networks for digits of 8 x 8 and of 28 x 28 pixels, and LeNet.
SELECTED = ("64-32-10, batch 64", "784-128-64-10, batch 64", "LeNet-5 on 28 x 28, batch 64")


class Xla(Compiled):
    """A training step compiled by `tinytorch_xla.jit`."""

    name = "tinytorch-xla"

    @classmethod
    def is_installed(cls) -> bool:
        return Jax.is_installed()

    def _compiled(self, step: Function) -> Function:
        from tinytorch_xla import jit

        compiled: Function = jit(step)
        return compiled

    def train(self, loss: Function, parameters: Arrays, x: np.ndarray, y: np.ndarray) -> Task:
        import jax

        from tinytorch_xla import device_put

        tensors, functions = self._tracked(parameters), self._functions()
        batch, targets = device_put(self.tensor(x)), device_put(y)

        def step(x: Any, y: Any) -> Any:
            value = loss(functions, x, y, *tensors)
            value.backward()
            for t in tensors:
                t.data = t.data - RATE * t.grad
                t.grad = None
            return value

        compiled = self._compiled(step)

        def task() -> Any:
            jax.block_until_ready(compiled(batch, targets).data.value)
            return tensors

        return task


class DonatingJax(Jax):
    """JAX with a step that returns the loss and uses the memory of the old parameters again."""

    def __init__(self) -> None:
        super().__init__()
        self.gelu = lambda x: self.jax.nn.gelu(x, approximate=False)

    def layer_norm(self, x: Any, shape: Any, weight: Any, bias: Any) -> Any:
        centered = x - x.mean(-1, keepdims=True)
        variance = (centered * centered).mean(-1, keepdims=True)
        return centered * self.jax.lax.rsqrt(variance + 1e-5) * weight + bias

    def train(self, loss: Function, parameters: Arrays, x: np.ndarray, y: np.ndarray) -> Task:
        state = [self.np.asarray(p) for p in parameters]
        batch, targets = self.np.asarray(x), self.np.asarray(y)
        slopes = self.jax.value_and_grad(lambda ps, x, y: loss(self, x, y, *ps))

        def advance(ps: Any, x: Any, y: Any) -> Any:
            value, grads = slopes(ps, x, y)
            return value, [p - RATE * g for p, g in zip(ps, grads, strict=True)]

        step = self.jax.jit(advance, donate_argnums=0)

        def task() -> Any:
            value, state[:] = step(state, batch, targets)
            self.jax.block_until_ready(value)
            return state

        return task


FRAMEWORKS: tuple[type[Framework], ...] = (Xla, TinyTorch, PyTorch, DonatingJax)


def installed() -> list[Framework]:
    """Return the frameworks of this table; none without JAX."""
    if not Xla.is_installed():
        return []
    return [kind() for kind in FRAMEWORKS if kind.is_installed()]


def selected(only: str | None) -> list[Workload]:
    """Return the workloads of this table whose name contains `only`."""
    found = [*(w for w in workloads() if w.name in SELECTED), block_step()]
    return [w for w in found if not only or only in f"{GROUP} {w.name}"]


def measured(frameworks: Sequence[Framework], only: str | None, quick: bool) -> Iterator[Row]:
    """Yield a row for each workload, whose results are compared first."""
    for work in selected(only) if frameworks else ():
        made = {f.name: work.make(f) for f in frameworks}
        tasks = {name: task for name, task in made.items() if task is not None}
        wrong = differing({name: task() for name, task in tasks.items()}, work.tolerance)
        kept = {name: task for name, task in tasks.items() if name not in wrong}
        seconds = interleaved(kept, 3 if quick else 21, 0.004 if quick else 0.03)
        ours = seconds.pop(Xla.name)
        yield Row(
            GROUP,
            f"{work.name}, XLA",
            statistics.median(ours),
            {name: ratio(ours, theirs) for name, theirs in seconds.items()},
            GOALS,
            wrong,
        )


def text(frameworks: Sequence[Framework], rows: Sequence[Row]) -> str:
    """Return the table of ratios as Markdown, with the versions of all."""
    versions = ", ".join(f"{f.name} {f.version()}" for f in frameworks)
    columns = [f.name for f in frameworks if f.name != Xla.name]
    return (
        "Our time over theirs, median [quartiles]; below 1 we are faster. "
        f"{versions}.\n\n{table(rows, columns)}"
    )

"""The summary of a model: its modules with the shapes of their outputs, parameters and memory."""

from __future__ import annotations

import contextlib
import html
import sys
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tinytorch_core import Tensor

from tinytorch_modules.module import Module

Shape = tuple[int, ...]


class SummaryRow(NamedTuple):
    """One module of a summary.

    Attributes:
        name: the dotted name; "" for the model itself.
        kind: the name of the class.
        output: the shape of the output, a tuple of shapes if there are several outputs, or None
            if the module was not called.
        parameters: the number of parameters of the module itself, without child modules.
        bytes: the size of the output.
        calls: how often the module was called.
    """

    name: str
    kind: str
    output: Any
    parameters: int
    bytes: int
    calls: int


@dataclass(frozen=True)
class Summary:
    """What `summary` returns; `print` shows it as a table, and notebooks too.

    Attributes:
        rows: one for each module.
        parameters: the number of parameters.
        trainable: how many of them require grad.
        parameter_bytes: the size of the parameters and buffers.
        output_bytes: the size of the outputs of all modules without child modules.
    """

    rows: tuple[SummaryRow, ...]
    parameters: int
    trainable: int
    parameter_bytes: int
    output_bytes: int

    def _cells(self) -> list[tuple[str, str, str, str]]:
        table = []
        depths = {"": 0}
        for row in self.rows:
            parent = _owner(row.name, depths)
            label = row.name.removeprefix(f"{parent}.")
            depths[row.name] = depths[parent] + 1 if row.name else 0
            kind = f"({label}) {row.kind}" if label else row.kind
            calls = "" if row.calls < 2 else f", {row.calls} calls"
            output = "not called" if row.output is None else f"{row.output}{calls}"
            indented = "  " * depths[row.name] + kind
            table.append((indented, output, f"{row.parameters:,}", _size(row.bytes)))
        return table

    def _totals(self) -> list[str]:
        fixed = self.parameters - self.trainable
        return [
            f"parameters: {self.parameters:,} ({self.trainable:,} trainable, {fixed:,} fixed)",
            f"memory: {_size(self.parameter_bytes)} for parameters and buffers, "
            f"{_size(self.output_bytes)} for outputs",
        ]

    def __str__(self) -> str:
        table = [("module", "output", "parameters", "memory"), *self._cells()]
        widths = [max(len(row[i]) for row in table) for i in range(4)]
        lines = [
            f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}  {d:>{widths[3]}}"
            for a, b, c, d in table
        ]
        rule = "-" * len(lines[0])
        return "\n".join([lines[0], rule, *lines[1:], rule, *self._totals()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = _html_row("th", ("module", "output", "parameters", "memory"))
        body = "".join(_html_row("td", row) for row in self._cells())
        totals = "<br>".join(map(html.escape, self._totals()))
        return f"<table>{head}{body}</table><p>{totals}</p>"


def _html_row(tag: str, cells: Sequence[str]) -> str:
    """Return a row of a table with two columns of text and two of numbers.

    `white-space: pre` keeps the indentation of the modules.
    """
    sides = ("left", "left", "right", "right")
    return "<tr>{}</tr>".format(
        "".join(
            f'<{tag} style="text-align: {side}; white-space: pre; font-family: monospace">'
            f"{html.escape(cell)}</{tag}>"
            for side, cell in zip(sides, cells, strict=True)
        )
    )


def summary(model: Module, *inputs: Any) -> Summary:
    """Return the modules of a model with their output shapes, parameters and memory.

    The model is called once, in evaluation mode and without recording; its state is unchanged.

    Args:
        model: the model.
        inputs: its arguments: tensors and arrays, or shapes, for which zeros of the dtype of the
            model's parameters are passed.

    Raises:
        TypeError: the model is not a Module, or no inputs are given.

    >>> from tinytorch_layers import Linear
    >>> from tinytorch_modules import Sequential
    >>> print(summary(Sequential(Linear(2, 3), np.tanh, Linear(3, 1)), (8, 2)))
    module        output  parameters  memory
    ----------------------------------------
    Sequential    (8, 1)           0    32 B
      (0) Linear  (8, 3)           9    96 B
      (2) Linear  (8, 1)           4    32 B
    ----------------------------------------
    parameters: 13 (13 trainable, 0 fixed)
    memory: 52 B for parameters and buffers, 128 B for outputs
    """
    if not isinstance(model, Module):
        raise TypeError(f"summary() takes a Module, not {type(model).__name__}")
    if not inputs:
        raise TypeError(
            "summary() needs the inputs of the model, or their shapes: summary(model, (32, 784))"
        )
    outputs: dict[int, list[Any]] = {}

    def note(module: Module, args: Any, output: Any) -> None:
        outputs.setdefault(id(module), []).append(output)

    with _dry_run(model), contextlib.ExitStack() as hooks:
        for module in model.modules():
            hooks.enter_context(module.register_forward_hook(note))
        model(*[_argument(model, given) for given in inputs])
    leaves = [module for module in model.modules() if not list(module.children())]
    parameters = list(model.parameters())
    return Summary(
        tuple(_rows(model, outputs)),
        sum(p.size for p in parameters),
        sum(p.size for p in parameters if getattr(p, "requires_grad", False)),
        sum(map(_bytes, (*parameters, *model.buffers()))),
        sum(_bytes(y) for leaf in leaves for y in outputs.get(id(leaf), [])),
    )


@contextlib.contextmanager
def _dry_run(model: Module) -> Iterator[None]:
    """Put the model in evaluation mode, record nothing, and restore the modes at the end."""
    modes = [(module, module.training) for module in model.modules()]
    autograd = sys.modules.get("tinytorch_autograd")
    with contextlib.nullcontext() if autograd is None else autograd.no_grad():
        model.eval()
        try:
            yield
        finally:
            for module, training in modes:
                module.training = training


def _argument(model: Module, given: Any) -> Any:
    is_shape = isinstance(given, tuple) and all(isinstance(n, int) for n in given)
    if not is_shape:
        return given
    dtype = next((p.dtype for p in model.parameters()), np.dtype(np.float32))
    return Tensor(np.zeros(given, dtype))


def _rows(model: Module, outputs: dict[int, list[Any]]) -> Iterator[SummaryRow]:
    names = dict(model.named_modules())
    own = dict.fromkeys(names, 0)
    for name, parameter in model.named_parameters():
        own[_owner(name, names)] += parameter.size
    for name, module in names.items():
        results = outputs.get(id(module), [])
        shape = _shape(results[-1]) if results else None
        size = sum(map(_bytes, results))
        kind = type(module).__name__
        yield SummaryRow(name, kind, shape, own[name], size, len(results))


def _owner(name: str, modules: Container[str]) -> str:
    """Return the name of the module that holds what has this name."""
    while name := name.rpartition(".")[0]:
        if name in modules:
            return name
    return ""


def _shape(output: Any) -> Any:
    if isinstance(output, tuple | list):
        return tuple(map(_shape, output))
    return getattr(output, "shape", type(output).__name__)


def _bytes(output: Any) -> int:
    if isinstance(output, tuple | list):
        return sum(map(_bytes, output))
    return int(output.size * output.dtype.itemsize) if hasattr(output, "dtype") else 0


def _size(count: int) -> str:
    amount = float(count)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} GB"

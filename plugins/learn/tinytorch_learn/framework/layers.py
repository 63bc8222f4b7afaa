"""Chapter 6: layers, and the op that looks up rows of a table."""

import numpy as np

from tinytorch_core import Tensor, hookimpl
from tinytorch_core.extend import op

from tinytorch_learn.framework.activations import relu, softmax


@op("embedding")
def embedding(table, numbers=None):
    """Return the rows of `table` with these numbers."""
    return table[numbers]


def embedding_rule(grad, table_shape, numbers):
    """Return for each row of the table the sum of the gradients of its copies."""
    out = np.zeros(table_shape, grad.dtype)
    np.add.at(out, numbers, grad)
    return out


class Layers:
    """A plugin with the op `embedding`."""

    @hookimpl
    def tinytorch_register_ops(self, ops):
        ops.add("embedding", embedding)

    @hookimpl(optionalhook=True)
    def tinytorch_register_backward(self, rules):
        rules.add("embedding", embedding_rule)


class Module:
    """A part of a network. Its parameters are its tracked tensors and those of its parts."""

    def parameters(self):
        """Return the parameters of this module and of the modules in it."""
        return list(_parameters(vars(self).values()))

    def __call__(self, x):
        return self.forward(x)


def _parameters(values):
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif hasattr(value, "parameters"):
            yield from value.parameters()
        elif isinstance(value, list):
            yield from _parameters(value)


def parameter(array):
    """Return a tracked float32 tensor with these initial values."""
    return Tensor(np.asarray(array, np.float32), requires_grad=True)


class Linear(Module):
    """x @ weight + bias, with initial weights that keep the size of the numbers about the same."""

    def __init__(self, inputs, outputs, generator):
        self.weight = parameter(generator.normal(size=(inputs, outputs)) / np.sqrt(inputs))
        self.bias = parameter(np.zeros(outputs))

    def forward(self, x):
        return x @ self.weight + self.bias


class Embedding(Module):
    """A table with a row of numbers for each symbol."""

    def __init__(self, symbols, width, generator):
        self.table = parameter(0.1 * generator.normal(size=(symbols, width)))

    def forward(self, numbers):
        return embedding(self.table, numbers)


class LayerNorm(Module):
    """Shifts and scales each row to mean 0 and variance 1, then by learned numbers."""

    def __init__(self, width):
        self.weight = parameter(np.ones(width))
        self.bias = parameter(np.zeros(width))

    def forward(self, x):
        x = x - x.mean(axis=-1, keepdims=True)
        variance = (x * x).mean(axis=-1, keepdims=True)
        return x / (variance + 1e-5).sqrt() * self.weight + self.bias


def attention(q, k, v):
    """Return for each position a mean of the values `v` at this and earlier positions.

    The weights are the softmax of q · k / √width: large where the query fits the key.

    Args:
        q, k, v: tensors of shape (..., length, width).
    """
    length, width = q.shape[-2:]
    later = np.triu(np.full((length, length), -1e9, np.float32), k=1)
    scores = q @ k.swapaxes(-1, -2) / width**0.5 + later
    return softmax(scores) @ v


class Attention(Module):
    """Attention in several heads, each with its own part of the width."""

    def __init__(self, width, heads, generator):
        self.heads = heads
        self.qkv = Linear(width, 3 * width, generator)
        self.out = Linear(width, width, generator)

    def forward(self, x):
        n, length, width = x.shape
        parts = self.qkv(x).reshape(n, length, 3, self.heads, width // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        heads = attention(q, k, v)
        return self.out(heads.swapaxes(1, 2).reshape(n, length, width))


class Block(Module):
    """Attention between positions, then a small network at each position; both add to x."""

    def __init__(self, width, heads, generator):
        self.norm1, self.norm2 = LayerNorm(width), LayerNorm(width)
        self.attention = Attention(width, heads, generator)
        self.up = Linear(width, 4 * width, generator)
        self.down = Linear(4 * width, width, generator)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.down(relu(self.up(self.norm2(x))))


class GPT(Module):
    """Predicts the next symbol at each position of a text."""

    def __init__(self, symbols, length, width, heads, blocks, generator):
        self.length = length
        self.symbols = Embedding(symbols, width, generator)
        self.positions = Embedding(length, width, generator)
        self.blocks = [Block(width, heads, generator) for _ in range(blocks)]
        self.norm = LayerNorm(width)
        self.head = Linear(width, symbols, generator)

    def forward(self, numbers):
        x = self.symbols(numbers) + self.positions(np.arange(numbers.shape[-1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))

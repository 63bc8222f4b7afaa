# %% [markdown]
# # 6. Layers
#
# A *layer* is a function with its own numbers, the parameters, that training changes. In this
# chapter you write the layers of a GPT and put them together.
#
# | | |
# |---|---|
# | **You learn** | how a module finds its parameters; `Linear`, `Embedding`, `LayerNorm` and attention; how a GPT is built of them |
# | **You need** | chapter 5 |
# | **Time** | 45 minutes |

# %%
import os

os.environ["TINYTORCH_PLUGINS"] = "none"

import numpy as np

from tinytorch_core import Tensor, hookimpl
from tinytorch_core.extend import op

from tinytorch_learn import check, draw_graph, plug_in
from tinytorch_learn.framework.activations import Activations, relu, softmax  # noqa: F401
from tinytorch_learn.framework.engine import Engine
from tinytorch_learn.framework.losses import Losses
from tinytorch_learn.framework.rules import RuleBook

plug_in("my-rules", RuleBook())
plug_in("my-engine", Engine())
plug_in("my-activations", Activations())
plug_in("my-losses", Losses())

# %% [markdown]
# ## A table to look things up in
#
# A network computes with numbers, and a text consists of characters. An *embedding* is a table with
# a row of numbers for each character, and these numbers are learned like all others. Looking up
# rows is an op: `table` is its input, and `numbers`, the row numbers, a parameter.


# %%
@op("embedding")
def embedding(table, numbers=None):
    """Return the rows of `table` with these numbers."""
    return table[numbers]


# %% [markdown]
# **Exercise 6.1.** Write the rule. It returns zeros of the table's shape, in which each row has the
# sum of the gradients of its copies. A row that was used three times gets three gradients.
# `np.add.at(out, numbers, grad)` adds up; `out[numbers] += grad` does not. (Writing into `out` is
# fine here: it is an array of your own. In the package this is done without writing.)


# %%
def embedding_rule(grad, table_shape, numbers):
    """Return for each row of the table the sum of the gradients of its copies."""
    raise NotImplementedError


# %%
embedding_rule = check("6.1", embedding_rule)

# %% [markdown] tags=["solution"]
# <details markdown="1">
# <summary>Solution of exercise 6.1</summary>
#
# ```python
# def embedding_rule(grad, table_shape, numbers):
#     """Return for each row of the table the sum of the gradients of its copies."""
#     out = np.zeros(table_shape, grad.dtype)
#     np.add.at(out, numbers, grad)
#     return out
# ```
#
# </details>


# %%
class Layers:
    """A plugin with the op `embedding`."""

    @hookimpl
    def tinytorch_register_ops(self, ops):
        ops.add("embedding", embedding)

    @hookimpl(optionalhook=True)
    def tinytorch_register_backward(self, rules):
        rules.add("embedding", embedding_rule)


plug_in("my-layers", Layers())

# %% [markdown]
# ## Modules
#
# A module is an object with parameters and a method `forward`. It may contain further modules. An
# optimizer needs all parameters, so a module collects them from its attributes: tensors, modules,
# and lists of them.


# %%
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


class Embedding(Module):
    """A table with a row of numbers for each symbol."""

    def __init__(self, symbols, width, generator):
        self.table = parameter(0.1 * generator.normal(size=(symbols, width)))

    def forward(self, numbers):
        return embedding(self.table, numbers)


# %% [markdown]
# ## Linear
#
# x @ weight + bias. The initial weights matter: the sum of n products of random numbers is about √n
# times as large as one of them, and after ten layers either everything has exploded or nothing is
# left. So the weights are normal random numbers divided by √inputs, which keeps the size.
#
# **Exercise 6.2.** Write the layer. Create `self.weight` of shape (inputs, outputs) and `self.bias`
# of zeros with `parameter(...)`; `generator.normal(size=...)` returns normal numbers.


# %%
class Linear(Module):
    """x @ weight + bias, with initial weights that keep the size of the numbers about the same."""

    def __init__(self, inputs, outputs, generator):
        raise NotImplementedError

    def forward(self, x):
        raise NotImplementedError


# %%
Linear = check("6.2", Linear)

# %% [markdown] tags=["solution"]
# <details markdown="1">
# <summary>Solution of exercise 6.2</summary>
#
# ```python
# class Linear(Module):
#     """x @ weight + bias, with initial weights that keep the size of the numbers about the same."""
#
#     def __init__(self, inputs, outputs, generator):
#         self.weight = parameter(generator.normal(size=(inputs, outputs)) / np.sqrt(inputs))
#         self.bias = parameter(np.zeros(outputs))
#
#     def forward(self, x):
#         return x @ self.weight + self.bias
# ```
#
# </details>

# %% [markdown]
# ## Layer normalization
#
# `LayerNorm` keeps numbers in range during training: it shifts and scales each row to mean 0 and
# variance 1. Then it multiplies by a weight and adds a bias, which are learned, so that the network
# can undo it where that is better.
#
# You need no rule for it, because it is a formula of ops that have one.
#
# **Exercise 6.3.** Write `forward`. Tensors have `mean(axis=-1, keepdims=True)` and `sqrt()`. Add
# 1e-5 to the variance, so that a row of equal numbers does not divide by zero.


# %%
class LayerNorm(Module):
    """Shifts and scales each row to mean 0 and variance 1, then by learned numbers."""

    def __init__(self, width):
        self.weight = parameter(np.ones(width))
        self.bias = parameter(np.zeros(width))

    def forward(self, x):
        raise NotImplementedError


# %%
LayerNorm = check("6.3", LayerNorm)

# %% [markdown] tags=["solution"]
# <details markdown="1">
# <summary>Solution of exercise 6.3</summary>
#
# ```python
# class LayerNorm(Module):
#     """Shifts and scales each row to mean 0 and variance 1, then by learned numbers."""
#
#     def __init__(self, width):
#         self.weight = parameter(np.ones(width))
#         self.bias = parameter(np.zeros(width))
#
#     def forward(self, x):
#         x = x - x.mean(axis=-1, keepdims=True)
#         variance = (x * x).mean(axis=-1, keepdims=True)
#         return x / (variance + 1e-5).sqrt() * self.weight + self.bias
# ```
#
# </details>

# %% [markdown]
# ## Attention
#
# At each position of a text, the network should look back at the positions that matter. Each
# position has a *query* (what am I looking for?), a *key* (what do I offer?) and a *value* (what do
# I pass on?), three rows of numbers. The score of two positions is the product of query and key.
# Softmax turns the scores of a position into shares, and the result is the mean of the values with
# these shares.
#
# Two details. Divide the scores by the root of the width, which keeps their size as in `Linear`.
# And a position must not see later ones, because the network is to predict them: add -10⁹ to their
# scores, and their share is 0. `np.triu(..., k=1)` keeps the part of a matrix above the diagonal.
#
# **Exercise 6.4.** Write attention. `k.swapaxes(-1, -2)` transposes; use float32 for the mask.


# %%
def attention(q, k, v):
    """Return for each position a mean of the values `v` at this and earlier positions.

    The weights are the softmax of q · k / √width: large where the query fits the key.

    Args:
        q, k, v: tensors of shape (..., length, width).
    """
    raise NotImplementedError


# %%
attention = check("6.4", attention)

# %% [markdown] tags=["solution"]
# <details markdown="1">
# <summary>Solution of exercise 6.4</summary>
#
# ```python
# def attention(q, k, v):
#     """Return for each position a mean of the values `v` at this and earlier positions.
#
#     The weights are the softmax of q · k / √width: large where the query fits the key.
#
#     Args:
#         q, k, v: tensors of shape (..., length, width).
#     """
#     length, width = q.shape[-2:]
#     later = np.triu(np.full((length, length), -1e9, np.float32), k=1)
#     scores = q @ k.swapaxes(-1, -2) / width**0.5 + later
#     return softmax(scores) @ v
# ```
#
# </details>

# %% [markdown]
# One attention asks one question. Several *heads* ask several, each with a part of the width. A
# linear layer computes queries, keys and values of all heads at once:


# %%
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


# %% [markdown]
# ## A GPT
#
# A block lets positions exchange information, and then computes at each position. Both results are
# *added* to x, so that the gradient has a direct way back through all blocks.


# %%
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


model = GPT(27, length=32, width=32, heads=2, blocks=1, generator=np.random.default_rng(0))
text = np.random.default_rng(1).integers(0, 27, (1, 10))
logits = model(text)
print(logits.shape, sum(p.size for p in model.parameters()), "numbers to learn")

# %% [markdown]
# Does it look into the future? Change the last symbol, and see at which positions the logits
# change:

# %%
changed = text.copy()
changed[0, -1] = (changed[0, -1] + 1) % 27
difference = np.abs(model(changed).data - logits.data).max(axis=-1)[0]
print(difference > 1e-6)

# %% [markdown]
# And does each parameter get a gradient? If not, a layer is not connected.

# %%
loss = logits.reshape(-1, 27).cross_entropy(np.zeros(10, int))
loss.backward()
print(all(p.grad is not None and np.any(p.grad) for p in model.parameters()), loss)

# %% [markdown]
# This is the graph of one layer normalization, which you wrote in three lines:

# %%
norm = LayerNorm(4)
x = Tensor([[1.0, 2.0, 3.0, 4.0]], requires_grad=True)
draw_graph(norm(x), x=x, weight=norm.weight, bias=norm.bias)

# %% [markdown]
# ## In the package
#
# | file | read |
# |---|---|
# | `plugins/modules/tinytorch_modules/module.py` | `Module`: parameters by name, state, copies, printing |
# | `plugins/layers/tinytorch_layers/functional/lookup.py` | `embedding`, and its rule `embedding_weight` |
# | `plugins/layers/tinytorch_layers/functional/normalization.py` | `layer_norm`, as one op with a rule that is faster than the formula |
# | `plugins/layers/tinytorch_layers/functional/attention.py` | `scaled_dot_product_attention` |
# | `plugins/layers/tinytorch_layers/modules/transformer_layers.py` | `TransformerEncoderLayer`, your `Block` |
#
# ## Summary
#
# - A layer is a formula with parameters. Layers are Python objects; only ops need plugins.
# - Initial values, normalization and adding to x keep numbers and gradients in range.
# - Attention is a mean with shares that the network computes.
#
# Next: [the optimizer, and a GPT](07_optimizer.py). Before:
# [activations and losses](05_activations.py).

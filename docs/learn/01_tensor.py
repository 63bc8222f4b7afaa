# %% [markdown]
# # 1. The tensor
#
# In this path you write a small framework for neural networks, piece by piece, until it trains a
# GPT. You start with a tensor that can do arithmetic and nothing else. Each chapter adds one
# plugin to it.
#
# | | |
# |---|---|
# | **You learn** | what a tensor is; how operators and broadcasting work; how a plugin adds to `Tensor`, and how it is turned off |
# | **You need** | Python: functions, classes, lists; what a matrix is |
# | **Time** | 30 minutes |
#
# Install the plain tensor and the checks of the exercises, in an empty folder if you like:
#
# ```
# python -m venv .venv
# source .venv/bin/activate        # on Windows: .venv\Scripts\activate
# pip install tinytorch-learn
# ```
#
# Then open this page as a notebook, or copy its cells into a file, one after the other, and run it
# with `python`. The first lines turn off all plugins of TinyTorch that may be installed, because
# here you write your own.

# %%
import os

os.environ["TINYTORCH_PLUGINS"] = "none"

import numpy as np

from tinytorch_core import Tensor, hookimpl, plugins

from tinytorch_learn import check, plug_in

# %% [markdown]
# ## A box of numbers
#
# A tensor is an array of numbers with a shape. The shape of a single number is `()`, that of a list
# of three numbers `(3,)`, and that of a matrix with two rows and three columns `(2, 3)`.

# %%
x = Tensor([[1, 2, 3], [4, 5, 6]])
print(x)
print(x.shape, x.ndim, x.size, x.dtype)

# %% [markdown]
# The numbers are in a NumPy array, `x.data`. Python numbers become float32, which takes 4 bytes per
# number and is precise to about 7 digits. That is enough for neural networks, and half the memory
# of Python's own float64.

# %%
print(type(x.data), x.data.nbytes, "bytes")

# %% [markdown]
# Operators work element by element, except `@`, the matrix product.

# %%
print(x + x)
print(x * x)
print(x @ Tensor([1, 0, 2]))

# %% [markdown]
# If the shapes differ, NumPy *broadcasts*: it repeats the smaller array along the missing axes and
# along axes of length 1. Here the row is added to each row of `x`, and the column to each column.

# %%
row, column = Tensor([10, 20, 30]), Tensor([[100], [200]])
print(x + row)
print(x + column)

# %% [markdown]
# Broadcasting looks like a detail. In chapter 3 you will see that it decides the shape of
# gradients.
#
# ## Your own tensor
#
# How does `x + y` work? Python calls the method `x.__add__(y)`. So a tensor is a class that holds
# an array and defines such methods.
#
# **Exercise 1.1.** Complete the class. `+` and `*` return a new `Box`. The other operand is a `Box`
# or a number.


# %%
class Box:
    """An array with two operators."""

    def __init__(self, data):
        self.data = np.array(data, dtype=np.float32)

    def __add__(self, other):
        raise NotImplementedError  # replace this line

    def __mul__(self, other):
        raise NotImplementedError  # replace this line

    def __repr__(self):
        return f"Box({self.data})"


# %% [markdown]
# `check` says whether your answer is right, and if not, what it found. Run it as often as you like.
# It returns your answer if it is right, and the solution otherwise, so the rest of the chapter
# works in both cases.

# %%
Box = check("1.1", Box)

# %%
print(Box([1, 2]) * 3 + Box([0.5, 0.5]))

# %% [markdown] tags=["solution"]
# <details markdown="1">
# <summary>Solution of exercise 1.1</summary>
#
# ```python
# class Box:
#     """An array with two operators."""
#
#     def __init__(self, data):
#         self.data = np.array(data, dtype=np.float32)
#
#     def __add__(self, other):
#         return Box(self.data + (other.data if isinstance(other, Box) else other))
#
#     def __mul__(self, other):
#         return Box(self.data * (other.data if isinstance(other, Box) else other))
#
#     def __repr__(self):
#         return f"Box({self.data})"
# ```
#
# </details>

# %% [markdown]
# ## What a plain tensor cannot do
#
# `Tensor` is a finished `Box`: it has all operators, and methods such as `sum`, `mean` and
# `reshape`. It cannot compute gradients, it has no layers, and nothing about it is specific to
# machine learning.

# %%
print(plugins.active())
print(hasattr(Tensor, "backward"))

# %% [markdown]
# Everything else comes from *plugins*. A plugin is an object with functions that have agreed names,
# the *hooks*, and are marked with `@hookimpl`. TinyTorch calls them when the plugin is turned on.
# The hook `tinytorch_extend_tensor` adds to the class `Tensor`. This plugin adds a method:


# %%
class Norms:
    """A plugin that adds the method `norm`."""

    @hookimpl
    def tinytorch_extend_tensor(self, tensor):
        tensor.add("norm", lambda x: (x * x).sum().sqrt())


plugins.register(Norms(), name="norms")
print(Tensor([3, 4]).norm())

# %% [markdown]
# The plugin can be turned off, and nothing of it remains:

# %%
with plugins.disable("norms"):
    print(hasattr(Tensor, "norm"))
print(hasattr(Tensor, "norm"))

# %% [markdown]
# This is possible because plugins do not edit `Tensor`. TinyTorch computes a class from the active
# plugins, the *surface*, and makes it the base class of `Tensor`. Without the plugin it computes
# another one.

# %%
before = Tensor.__bases__
with plugins.disable("norms"):
    print(Tensor.__bases__ == before)
print(Tensor.__bases__ == before)

# %% [markdown]
# `plugins.register` refuses a name that is in use. In a notebook you run cells more than once, so
# from now on we use `plug_in`, which first removes the plugin that had the name.
#
# **Exercise 1.2.** Complete the plugin. `x.standardize()` returns the numbers shifted to mean 0 and
# divided by their standard deviation. Tensors have the methods `mean` and `std`.


# %%
class Standard:
    """A plugin that adds the method `standardize`."""

    @hookimpl
    def tinytorch_extend_tensor(self, tensor):
        raise NotImplementedError  # tensor.add(...)


# %%
Standard = check("1.2", Standard)

# %%
plug_in("standard", Standard())
print(Tensor([10, 20, 30, 40]).standardize())

# %% [markdown] tags=["solution"]
# <details markdown="1">
# <summary>Solution of exercise 1.2</summary>
#
# ```python
# class Standard:
#     """A plugin that adds the method `standardize`."""
#
#     @hookimpl
#     def tinytorch_extend_tensor(self, tensor):
#         tensor.add("standardize", lambda x: (x - x.mean()) / x.std())
# ```
#
# </details>

# %% [markdown]
# ## Attributes and keywords
#
# A plugin can also add attributes, keywords of the constructor and words in the printed form:
#
# - `tensor.add("unit", None)`: each tensor has the attribute `unit`, with the value None until it
#   is set.
# - `tensor.add_keyword("unit", set, get, default)`: `Tensor(data, unit=...)` calls `set(x, value)`.
#   Copies and pickles keep what `get(x)` returns, unless it is the default.
# - `tensor.add_repr(describe)`: what `describe(x)` returns appears in `repr(x)`, unless it is None.
#
# In chapter 4 you will add `requires_grad` and `grad` in this way.
#
# **Exercise 1.3.** Write a plugin with which tensors have labels: `Tensor([1.0], label="weight")`
# sets `x.label`, which is None for other tensors, and the repr shows `label='weight'`.


# %%
class Labels:
    """A plugin that adds the keyword and attribute `label`, and shows the label in the repr."""

    @hookimpl
    def tinytorch_extend_tensor(self, tensor):
        raise NotImplementedError


# %%
Labels = check("1.3", Labels)

# %%
plug_in("labels", Labels())
print(Tensor([1.0, 2.0], label="weight"))
print([(status.name, status.state) for status in plugins.status() if status.on])

# %% [markdown] tags=["solution"]
# <details markdown="1">
# <summary>Solution of exercise 1.3</summary>
#
# ```python
# class Labels:
#     """A plugin that adds the keyword and attribute `label`, and shows the label in the repr."""
#
#     @hookimpl
#     def tinytorch_extend_tensor(self, tensor):
#         tensor.add("label", None)
#         tensor.add_keyword(
#             "label", lambda x, value: setattr(x, "label", value), lambda x: x.label, None
#         )
#         tensor.add_repr(lambda x: None if x.label is None else f"label={x.label!r}")
# ```
#
# </details>

# %% [markdown]
# ## In the package
#
# | file | read |
# |---|---|
# | `tinytorch_core/tensor.py` | `TensorBase`, the class that your `Box` imitates; `as_array` decides about dtypes |
# | `tinytorch_core/core_ops.py` | `core_ops` lists the operators and methods of the plain tensor |
# | `tinytorch_core/plugins.py` | `register`, `disable` and the other functions of `plugins` |
# | `tinytorch_core/surface.py` | `SurfaceBuilder` computes the base class of `Tensor` |
#
# ## Summary
#
# - A tensor is an array with a shape; operators are methods; broadcasting repeats the smaller
#   array.
# - A plugin is an object with hooks. It adds to `Tensor` without editing it, so it can be turned
#   off.
# - If you know the TinyTorch course: its `Tensor` is also this class, and its `enable_autograd` is
#   what you write in chapter 4 as a plugin.
#
# Next: [a first op](02_ops.py).

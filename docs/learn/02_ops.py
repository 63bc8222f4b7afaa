# %% [markdown]
# # 2. The first op
#
# A method is enough to compute something. An *op* is more: TinyTorch knows its name, its inputs and
# its function on arrays. Because of this, other plugins can see every op that runs, and in chapter
# 4 your engine will record them.
#
# | | |
# |---|---|
# | **You learn** | what an op is; how to write a forward function that works everywhere; how a plugin wraps all ops |
# | **You need** | chapter 1 |
# | **Time** | 30 minutes |

# %%
import os

os.environ["TINYTORCH_PLUGINS"] = "none"

import inspect

import numpy as np

from tinytorch_core import Tensor, hookimpl, plugins

from tinytorch_learn import check, plug_in

# %% [markdown]
# ## A function on arrays
#
# An op begins with its *forward function*. It takes arrays and returns an array, and knows nothing
# about tensors. The hook `tinytorch_register_ops` adds it to the table of ops.


# %%
def cube(x):
    """Return the third power of each element."""
    return x * x * x


class Cubes:
    """A plugin with the op `cube`."""

    @hookimpl
    def tinytorch_register_ops(self, ops):
        ops.add("cube", cube, method=True)


plug_in("cubes", Cubes())
print(Tensor([1, 2, 3]).cube())

# %% [markdown]
# `method=True` offers the op as a method. The method was generated: it takes the array out of the
# tensor, calls the forward function and puts the result into a new tensor. Here is its text:

# %%
Tensor([1.0]).cube()
print(inspect.getsource(Tensor.cube))

# %% [markdown]
# The operators are ops as well. The table of ops belongs to the surface:

# %%
ops = plugins.surface().ops
print(len(ops), "ops:", ", ".join(sorted(ops)[:12]), "...")
print(ops["cube"].name, ops["cube"].inputs, ops["cube"].provider)
print(ops["mul"].name, ops["mul"].inputs, ops["mul"].provider)

# %% [markdown]
# **Exercise 2.1.** The op `softplus` is log(1 + eˣ), a smooth version of "x if it is positive, else
# 0". Write its forward function. For x = 1000 the result is 1000, but e¹⁰⁰⁰ is too large for a
# float64 number, so `np.log(1 + np.exp(x))` returns infinity. `np.logaddexp` helps.


# %%
def softplus(x):
    """Return log(1 + eˣ), computed so that eˣ cannot overflow."""
    raise NotImplementedError


# %%
softplus = check("2.1", softplus)

# %%
print(softplus(np.array([-1000.0, 0.0, 1000.0])))

# %% [markdown] tags=["solution"]
# <details markdown="1">
# <summary>Solution of exercise 2.1</summary>
#
# ```python
# def softplus(x):
#     """Return log(1 + eˣ), computed so that eˣ cannot overflow."""
#     return np.logaddexp(0, x)
# ```
#
# </details>

# %% [markdown]
# ## Functional NumPy
#
# Three rules for forward functions. They cost nothing now, and much depends on them later:
#
# 1. Do not change the inputs, and do not write into arrays (`out[i] = ...`). Return new arrays.
# 2. Do not convert the inputs with `np.asarray` or `float`.
# 3. Do not branch on values (`if x > 0`). Use `np.where` or `np.maximum`.
#
# Then the same function also runs on tensors, which makes second derivatives possible, and on the
# arrays of other libraries, such as those of JAX on a GPU.
#
# ## Inputs and parameters
#
# Arguments without a default value are the *inputs* of the op. They may be tensors. Arguments with
# a default value are *parameters*: options such as `axis`.
#
# **Exercise 2.2.** Write a plugin with the op `blend(x, y, share=0.5)`, which is also a method of
# tensors. It returns (1 - share) · x + share · y, so that 0 gives x and 1 gives y.


# %%
def blend(x, y, share=0.5):
    """Return share · y + (1 - share) · x."""
    raise NotImplementedError


class Blending:
    """A plugin with the op `blend`, which is also a method."""

    @hookimpl
    def tinytorch_register_ops(self, ops):
        raise NotImplementedError


# %%
Blending = check("2.2", Blending)

# %%
plug_in("blending", Blending())
print(Tensor([0.0, 10.0]).blend(Tensor([4.0, 20.0]), share=0.25))
print(plugins.surface().ops["blend"].inputs, plugins.surface().ops["blend"].parameters)

# %% [markdown] tags=["solution"]
# <details markdown="1">
# <summary>Solution of exercise 2.2</summary>
#
# ```python
# def blend(x, y, share=0.5):
#     """Return share · y + (1 - share) · x."""
#     return x + share * (y - x)
#
#
# class Blending:
#     """A plugin with the op `blend`, which is also a method."""
#
#     @hookimpl
#     def tinytorch_register_ops(self, ops):
#         ops.add("blend", blend, method=True)
# ```
#
# </details>

# %% [markdown]
# ## Names are unique
#
# What if two plugins add an op with the same name? It would not be clear which of them runs. So the
# second plugin is refused, the error names both, and nothing changes.

# %%
try:
    plug_in("more-cubes", Cubes())
except Exception as error:
    print(error)

# %% [markdown]
# ## Wrapping every op
#
# The hook `tinytorch_wrap_op` is called once for each op when the surface is computed. It gets the
# op and its call so far, and returns a function that runs instead. This plugin prints what runs:


# %%
class Printing:
    """A plugin that prints each op with the shapes of its arguments, or the numbers."""

    @hookimpl
    def tinytorch_wrap_op(self, op, call):
        def printed(*args, **kwargs):
            print("run", op.name, [getattr(x, "shape", x) for x in args])
            return call(*args, **kwargs)

        return printed


plug_in("printing", Printing())
y = (Tensor([1, 2, 3]) * 2 + 1).sum()
plugins.unregister("printing")

# %% [markdown]
# The hook itself does not run while you compute. It returned `printed` once, and `x * 2` calls
# `printed` directly. So a plugin that wraps nothing costs nothing.
#
# **Exercise 2.3.** Write a plugin that counts how often each op runs: `counter.counts` is a
# dictionary such as `{"mul": 2, "add": 1}`.


# %%
class Counter:
    """A plugin that counts how often each op runs."""

    def __init__(self):
        self.counts = {}

    @hookimpl
    def tinytorch_wrap_op(self, op, call):
        raise NotImplementedError


# %%
Counter = check("2.3", Counter)

# %%
counter = Counter()
plug_in("counter", counter)
x = Tensor(np.random.default_rng(0).normal(size=(4, 3)))
y = ((x - x.mean()) / x.std()) @ x.T
print(counter.counts)

# %% [markdown] tags=["solution"]
# <details markdown="1">
# <summary>Solution of exercise 2.3</summary>
#
# ```python
# class Counter:
#     """A plugin that counts how often each op runs."""
#
#     def __init__(self):
#         self.counts = {}
#
#     @hookimpl
#     def tinytorch_wrap_op(self, op, call):
#         def counted(*args, **kwargs):
#             self.counts[op.name] = self.counts.get(op.name, 0) + 1
#             return call(*args, **kwargs)
#
#         return counted
# ```
#
# </details>

# %% [markdown]
# NumPy's functions are ops too. `np.exp(x)` calls the op `exp`, and a function without an op of its
# own becomes one when it is first called with a tensor:

# %%
np.linalg.norm(np.exp(x))
print(counter.counts)

# %% [markdown]
# You have now seen a computation from the outside, as a list of ops. An engine that computes
# gradients needs nothing else, except one thing: for each op, its derivative.
#
# ## In the package
#
# | file | read |
# |---|---|
# | `tinytorch_core/ops.py` | `Op` describes an op, and `OpTable` is what `tinytorch_register_ops` gets |
# | `tinytorch_core/op_call.py` | `call_text` writes the generated function that you printed |
# | `tinytorch_core/hookspecs.py` | all hooks of the core, with the description of their arguments |
# | `examples/plugins/tinytorch-profiler/tinytorch_profiler/recorder.py` | a counter that also measures times |
#
# ## Summary
#
# - An op has a name, inputs, parameters and a forward function on arrays.
# - Forward functions are functional NumPy: no writing, no conversion, no branch on values.
# - A plugin can wrap every op, and sees everything that a program computes.
#
# Next: [rules](03_rules.py). Before: [the tensor](01_tensor.py).

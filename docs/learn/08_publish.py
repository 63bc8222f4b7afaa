# %% [markdown]
# # 8. Publish your plugin
#
# So far your plugins lived in a notebook. A *package* makes them useful to others: after
# `pip install`, every program that imports `Tensor` has your op, without registering it.
#
# | | |
# |---|---|
# | **You learn** | how a package becomes a plugin; how it is found, checked and turned off; that your plugins work with the engine of others |
# | **You need** | chapters 2, 3 and 7; `pip install tinytorch-autograd tinytorch-devkit` |
# | **Time** | 40 minutes |
#
# This time you use the engine of TinyTorch. All other installed plugins are turned off, because
# your own take their places.

# %%
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from tinytorch_core import Tensor, plugins

from tinytorch_learn import check, plug_in

plugins.only("autograd")
print(plugins.active())

# %% [markdown]
# ## Your plugins, another engine
#
# `autograd` is the engine of TinyTorch. It adds a hook with the name that you used in chapter 3,
# `tinytorch_register_backward`, and your activations, losses and layers implement it. So they work
# with this engine as they did with yours. Only your rules of the plain ops and your engine are left
# out.

# %%
from tinytorch_learn.framework.activations import Activations
from tinytorch_learn.framework.layers import GPT, Layers
from tinytorch_learn.framework.losses import Losses

plug_in("my-activations", Activations())
plug_in("my-losses", Losses())
plug_in("my-layers", Layers())

random = np.random.default_rng(0)
model = GPT(27, length=16, width=16, heads=2, blocks=1, generator=random)
numbers = random.integers(0, 27, (4, 16))
loss = model(numbers).reshape(-1, 27).cross_entropy(numbers.ravel())
loss.backward()
print(loss, all(p.grad is not None for p in model.parameters()))

# %% [markdown]
# This engine records rules too, so your op now has second derivatives, for which you did nothing:

# %%
from tinytorch_autograd import grad

x = Tensor([0.0, 1.0, 2.0], requires_grad=True)
share = x.softmax()[0]
first = grad(share, x, create_graph=True)
second = grad(first[0], x)
print(first.data.round(3), second.data.round(3))

# %% [markdown]
# Plugins that agree on hooks do not have to know each other. This is why the core has no gradients,
# and why you can replace every part.
#
# ## The files of a package
#
# The new op is *hardswish*: x · min(max(x + 3, 0), 6) / 6. It looks like a smooth relu and needs no
# eˣ. A package with one module consists of two files. The first is `pyproject.toml`, which
# describes the package. The *entry point* makes it a plugin: below
# `[project.entry-points.tinytorch]`, the key is the name of the plugin and the value the module
# with the hooks.
#
# **Exercise 8.1.** Complete the text. The distribution is named `tinytorch-hardswish`, needs
# `tinytorch-core`, and its plugin `hardswish` is the module `tinytorch_hardswish`.

# %%
PYPROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "tinytorch-hardswish"
version = "0.1.0"

[tool.setuptools]
py-modules = ["tinytorch_hardswish"]
"""

# %%
PYPROJECT = check("8.1", PYPROJECT)

# %% [markdown] tags=["solution"]
# <details markdown="1">
# <summary>Solution of exercise 8.1</summary>
#
# ```python
# PYPROJECT = """
# [build-system]
# requires = ["setuptools"]
# build-backend = "setuptools.build_meta"
#
# [project]
# name = "tinytorch-hardswish"
# version = "0.1.0"
# dependencies = ["tinytorch-core"]
#
# [project.entry-points.tinytorch]
# hardswish = "tinytorch_hardswish"
#
# [tool.setuptools]
# py-modules = ["tinytorch_hardswish"]
# """
# ```
#
# </details>

# %% [markdown]
# **Exercise 8.2.** The rule. The derivative is 0 below -3, 1 above 3, and (2x + 3) / 6 between. Do
# not branch on values: a comparison such as `x >= 3` is an array of True and False, with which you
# can multiply.


# %%
def hardswish_rule(grad, x):
    """Return grad times the derivative: 0 below -3, 1 above 3, and (2x + 3) / 6 between."""
    raise NotImplementedError


# %%
hardswish_rule = check("8.2", hardswish_rule)

# %% [markdown] tags=["solution"]
# <details markdown="1">
# <summary>Solution of exercise 8.2</summary>
#
# ```python
# def hardswish_rule(grad, x):
#     """Return grad times the derivative: 0 below -3, 1 above 3, and (2x + 3) / 6 between."""
#     middle = (x > -3) & (x < 3)
#     return grad * (middle * (2 * x + 3) / 6 + (x >= 3))
# ```
#
# </details>

# %% [markdown]
# The second file is the module. In a module the hooks are plain functions. The last hook describes
# the op to the conformance kit: it computes the expected values by another formula.

# %%
MODULE = '''
"""The op hardswish, x · min(max(x + 3, 0), 6) / 6, for the TinyTorch tensor."""

import numpy as np
from tinytorch_core import hookimpl


def hardswish(x):
    """Return x · min(max(x + 3, 0), 6) / 6."""
    return x * np.clip(x + 3, 0, 6) / 6


def hardswish_rule(grad, x):
    middle = (x > -3) & (x < 3)
    return grad * (middle * (2 * x + 3) / 6 + (x >= 3))


@hookimpl
def tinytorch_register_ops(ops):
    ops.add("hardswish", hardswish, method=True)


@hookimpl(optionalhook=True)
def tinytorch_register_backward(rules):
    rules.add("hardswish", hardswish_rule)


@hookimpl
def tinytorch_describe_ops(samples):
    samples.add(
        "hardswish",
        lambda x: np.where(x < -3, 0, np.where(x > 3, x, x * (x + 3) / 6)),
    )
'''

home = Path(tempfile.mkdtemp())
project = home / "tinytorch-hardswish"
project.mkdir()
(project / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
(project / "tinytorch_hardswish.py").write_text(MODULE, encoding="utf-8")
print(sorted(file.name for file in project.iterdir()))

# %% [markdown]
# ## Install it
#
# In a terminal you would now run `pip install -e .` in the folder of the project. This page should
# not change your environment, so it installs into a folder of its own and runs all commands there,
# with two plugins turned on: the engine and yours.


# %%
def run(*command, **settings):
    """Run a Python module with the installed package in reach, and print what it prints."""
    only = {"PYTHONPATH": str(home / "installed"), "TINYTORCH_PLUGINS": "autograd,hardswish"}
    environment = os.environ | only | settings
    done = subprocess.run(
        [sys.executable, *command], cwd=home, env=environment, text=True, capture_output=True
    )
    print((done.stdout + done.stderr).strip())


run("-m", "pip", "install", "--quiet", "--no-deps", "--target", "installed", str(project))

# %% [markdown]
# `tinytorch plugins` lists it. (In a terminal: `tinytorch plugins`; the same command runs as
# `python -m tinytorch_core plugins`.)

# %%
run("-m", "tinytorch_core", "plugins")

# %% [markdown]
# A program that has never heard of the package can use the op:

# %%
PROGRAM = """
from tinytorch_core import Tensor
x = Tensor([-4.0, 0.0, 1.0, 4.0], requires_grad=True)
y = x.hardswish()
y.sum().backward()
print(y.data, x.grad)
"""
run("-c", PROGRAM)

# %% [markdown]
# ## Check it
#
# The conformance kit compares the op with your description, and with much that you did not think
# of: the rule against numerical derivatives, second derivatives, float32, empty arrays, other
# shapes, arrays of other libraries.

# %%
run("-m", "tinytorch_core", "check", "hardswish")

# %% [markdown]
# ## Turn it off
#
# Users decide. The environment variable, a line in `tinytorch.toml` or `pyproject.toml`, or a line
# of code turns the plugin off. It is then not even imported. Here the variable is `none`; with
# `no:hardswish` only your plugin would be off.

# %%
PROGRAM = "from tinytorch_core import Tensor; print(hasattr(Tensor, 'hardswish'))"
run("-c", PROGRAM, TINYTORCH_PLUGINS="none")

# %% [markdown]
# ## Give it to others
#
# `python -m build` creates the files, and `twine upload dist/*` puts them on the Python Package
# Index. Do this with an op that others need, under a name that is free. `tinytorch new-plugin NAME`
# writes a complete package, with tests, a licence and a workflow for GitHub. [Publish an op in ten
# minutes](../publish-an-op.md) goes through it.
#
# ## In the package
#
# | file | read |
# |---|---|
# | `tinytorch_core/discovery.py` | how entry points are found without importing anything |
# | `tinytorch_core/plan.py` | `resolve` decides which plugins are active, and why the others are not |
# | `examples/plugins/tinytorch-swish/tinytorch_swish.py` | a published plugin of the size of yours: `swish` and `swish_backward` |
#
# ## Summary
#
# - A package becomes a plugin by one line in `pyproject.toml`.
# - Ops and rules are independent of the engine, because both sides agree on a hook.
# - The conformance kit checks what you forget.
#
# You have grown a framework from a box of numbers to a package. The
# [architecture](../architecture.md) describes the one that you have read along the way, in the same
# terms. Before: [the optimizer, and a GPT](07_optimizer.py).

# %% [markdown]
# # 5. Activations and losses
#
# Your engine can differentiate everything that the plain tensor computes. A classifier needs three
# further ops: one that bends, one that turns numbers into probabilities, and one that says how
# wrong the probabilities are.
#
# | | |
# |---|---|
# | **You learn** | why a network needs an activation; `relu`, `softmax` and `cross_entropy`, with their rules; how to compute them without overflow |
# | **You need** | chapter 4; what a probability is |
# | **Time** | 40 minutes |

# %%
import os

os.environ["TINYTORCH_PLUGINS"] = "none"

import numpy as np

from tinytorch_core import Tensor, hookimpl
from tinytorch_core.extend import op

from tinytorch_learn import check, draw_curves, plug_in
from tinytorch_learn.framework.engine import Engine
from tinytorch_learn.framework.rules import RuleBook

plug_in("my-rules", RuleBook())
plug_in("my-engine", Engine())

# %% [markdown]
# ## Relu
#
# Two matrix products in a row are again one matrix product: x @ a @ b = x @ (a @ b). So a network
# of many layers is not better than one layer, unless something between them is not linear. The
# simplest such function is *relu*, max(x, 0).
#
# With `@op("relu")` the function also accepts tensors: called with arrays it computes, called with
# a tensor it runs the op of this name.


# %%
@op("relu")
def relu(x):
    """Return x where it is positive, and 0 elsewhere."""
    return np.maximum(x, 0)


# %% [markdown]
# **Exercise 5.1.** Write the rule. Where x is positive, y = x, and the gradient passes. Elsewhere y
# is constant. At 0 relu does not have a derivative, and we use 0, as other frameworks do. The
# output tells you all that you need.


# %%
def relu_rule(grad, out):
    """Return `grad` where x was positive, and 0 elsewhere."""
    raise NotImplementedError


# %%
relu_rule = check("5.1", relu_rule)

# %% [markdown] tags=["solution"]
# <details markdown="1">
# <summary>Solution of exercise 5.1</summary>
#
# ```python
# def relu_rule(grad, out):
#     """Return `grad` where x was positive, and 0 elsewhere."""
#     return grad * (out > 0)
# ```
#
# </details>

# %% [markdown]
# ## Softmax
#
# The last layer of a classifier returns a number for each class, the *logits*, which may be large
# or negative. *Softmax* turns them into shares that are positive and add up to 1: eˣ divided by the
# sum of eˣ over all classes.
#
# e¹⁰⁰⁰ overflows, and infinity divided by infinity is not a number. But if you add the same number
# to all logits, the shares stay the same, because eˣ⁺ᶜ = eˣ · eᶜ and eᶜ cancels. So subtract the
# largest logit of each row first.
#
# **Exercise 5.2.** Write softmax along the last axis.


# %%
@op("softmax")
def softmax(x):
    """Return the shares of exp(x) in its sum along the last axis."""
    raise NotImplementedError


# %%
softmax = check("5.2", softmax)

# %%
print(softmax(np.array([[1.0, 2.0, 3.0], [1000.0, 1000.0, 0.0]])).round(3))

# %% [markdown] tags=["solution"]
# <details markdown="1">
# <summary>Solution of exercise 5.2</summary>
#
# ```python
# @op("softmax")
# def softmax(x):
#     """Return the shares of exp(x) in its sum along the last axis."""
#     powers = np.exp(x - np.max(x, axis=-1, keepdims=True))
#     return powers / np.sum(powers, axis=-1, keepdims=True)
# ```
#
# </details>

# %% [markdown]
# If one logit grows, its share grows, and all others shrink. So the gradient of one logit depends
# on all shares of its row. With the shares p and the gradients g of the shares, the gradient of the
# logits is p (g - Σ g p).
#
# **Exercise 5.3.** Write the rule of softmax. The sum runs along the last axis.


# %%
def softmax_rule(grad, out):
    """Return p (g - Σ g p): a share grows at the expense of the others."""
    raise NotImplementedError


# %%
softmax_rule = check("5.3", softmax_rule)

# %% [markdown] tags=["solution"]
# <details markdown="1">
# <summary>Solution of exercise 5.3</summary>
#
# ```python
# def softmax_rule(grad, out):
#     """Return p (g - Σ g p): a share grows at the expense of the others."""
#     return out * (grad - np.sum(grad * out, axis=-1, keepdims=True))
# ```
#
# </details>

# %% [markdown]
# The two ops and their rules are a plugin:


# %%
class Activations:
    """A plugin with the ops `relu` and `softmax`."""

    @hookimpl
    def tinytorch_register_ops(self, ops):
        ops.add("relu", relu, method=True)
        ops.add("softmax", softmax, method=True)

    @hookimpl(optionalhook=True)
    def tinytorch_register_backward(self, rules):
        rules.add("relu", relu_rule)
        rules.add("softmax", softmax_rule)


plug_in("my-activations", Activations())

# %% [markdown]
# ## The loss
#
# How wrong is a prediction? If the right class got the share p, the loss is -log p: 0 for p = 1,
# and larger the smaller p is. The mean over all examples is the *cross-entropy*. If the network
# knows nothing and gives each of 10 classes the same share, the loss is log 10 ≈ 2.3.
#
# `targets` has a default value, so it is a parameter and not an input: class numbers have no
# gradient. The function computes log p without computing p, because p may be rounded to 0.


# %%
@op("cross_entropy")
def cross_entropy(x, targets=None):
    """Return the mean of -log p, with p the share that softmax(x) gives to the right class.

    Args:
        x: the logits, an array of shape (N, classes).
        targets: the numbers of the right classes, an array of N integers.
    """
    x = x - np.max(x, axis=-1, keepdims=True)
    log_p = x - np.log(np.sum(np.exp(x), axis=-1, keepdims=True))
    return -np.mean(log_p[np.arange(len(targets)), targets])


# %% [markdown]
# Its gradient is surprisingly simple: (p - y) / N, where y is 1 for the right class and 0 for the
# others, and N is the number of examples. If the network is right and certain, it is 0.
#
# **Exercise 5.4.** Write the rule. `np.arange(classes) == targets[:, None]` is a table with True
# for the right class of each row.


# %%
def cross_entropy_rule(grad, x, targets):
    """Return (p - y) / N, with y = 1 for the right class and 0 for the others."""
    raise NotImplementedError


# %%
cross_entropy_rule = check("5.4", cross_entropy_rule)

# %% [markdown] tags=["solution"]
# <details markdown="1">
# <summary>Solution of exercise 5.4</summary>
#
# ```python
# def cross_entropy_rule(grad, x, targets):
#     """Return (p - y) / N, with y = 1 for the right class and 0 for the others."""
#     right = np.arange(x.shape[-1]) == targets[:, None]
#     return grad * (softmax(x) - right) / x.dtype.type(len(targets))
# ```
#
# </details>


# %%
class Losses:
    """A plugin with the op `cross_entropy`."""

    @hookimpl
    def tinytorch_register_ops(self, ops):
        ops.add("cross_entropy", cross_entropy, method=True)

    @hookimpl(optionalhook=True)
    def tinytorch_register_backward(self, rules):
        rules.add("cross_entropy", cross_entropy_rule)


plug_in("my-losses", Losses())

# %% [markdown]
# ## A classifier
#
# Points inside a ring belong to class 0, points on the ring to class 1. No straight line separates
# them. A network with one hidden layer does, and without relu it does not:

# %%
random = np.random.default_rng(0)
radius = np.concatenate([random.uniform(0, 0.8, 150), random.uniform(1.2, 2, 150)])
angle = random.uniform(0, 2 * np.pi, 300)
points = Tensor(np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1))
classes = np.repeat([0, 1], 150)


def train(activation, steps=150, lr=0.5):
    """Train a network on the points, and return the loss of each step and the share of errors."""
    random = np.random.default_rng(1)
    parameters = [
        Tensor(array, requires_grad=True)
        for array in (random.normal(size=(2, 16)), np.zeros(16), random.normal(size=(16, 2)) / 4)
    ]
    losses = []
    for _ in range(steps):
        w1, b1, w2 = parameters
        logits = activation(points @ w1 + b1) @ w2
        loss = logits.cross_entropy(classes)
        for p in parameters:
            p.grad = None
        loss.backward()
        for p in parameters:
            p.data = p.data - lr * p.grad
        losses.append(float(loss.data))
    errors = np.mean(logits.data.argmax(axis=1) != classes)
    return losses, errors


with_relu, errors_with = train(relu)
without, errors_without = train(lambda x: x)
print(f"wrong with relu: {errors_with:.0%}, without: {errors_without:.0%}")

# %%
draw_curves({"with relu": with_relu, "without relu": without})

# %% [markdown]
# Without relu the loss stays at log 2 ≈ 0.69, as if the network guessed.
#
# ## In the package
#
# | file | read |
# |---|---|
# | `plugins/activations/tinytorch_activations/functional/rectifiers.py` | `relu` and `relu_rule` |
# | `plugins/activations/tinytorch_activations/functional/softmaxes.py` | `softmax` and `softmax_rule` |
# | `plugins/losses/tinytorch_losses/classification.py` | `cross_entropy_forward` and `cross_entropy_input_rule`, with class weights and label smoothing |
# | `plugins/losses/tinytorch_losses/plugin.py` | `tinytorch_register_ops` and `tinytorch_register_backward`, as in your plugin |
#
# ## Summary
#
# - An activation is what makes more than one layer useful.
# - Softmax turns logits into shares. Subtract the maximum, or it overflows.
# - Cross-entropy is -log of the share of the right class; its gradient is the share minus 1 for the
#   right class, and the share for the others.
# - The plugins contain nothing about the engine. They add rules to a hook, and any engine may use
#   them.
#
# Next: [layers](06_layers.py). Before: [the engine](04_engine.py).

# %% [markdown]
# # 7. The optimizer, and a GPT
#
# Only one part is missing: an optimizer, which changes the parameters. You write two, and then your
# framework trains a GPT on a nursery rhyme.
#
# | | |
# |---|---|
# | **You learn** | gradient descent and Adam; a hook that adds things by name; how a text becomes a training set; how a GPT writes |
# | **You need** | chapter 6 |
# | **Time** | 45 minutes, of which the computer trains for less than one |

# %%
import os

os.environ["TINYTORCH_PLUGINS"] = "none"

import numpy as np

from tinytorch_core import hookimpl, hookspec, plugins

from tinytorch_learn import check, draw_curves, plug_in
from tinytorch_learn.framework.activations import Activations
from tinytorch_learn.framework.engine import Engine
from tinytorch_learn.framework.layers import GPT, Layers
from tinytorch_learn.framework.losses import Losses
from tinytorch_learn.framework.rules import RuleBook

plug_in("my-rules", RuleBook())
plug_in("my-engine", Engine())
plug_in("my-activations", Activations())
plug_in("my-losses", Losses())
plug_in("my-layers", Layers())

# %% [markdown]
# ## Downhill
#
# The gradient says in which direction the loss rises fastest. So take a step in the opposite one.
# The gradient of a whole text is expensive, and that of a random piece of it is nearly as good:
# *stochastic gradient descent*, SGD.
#
# **Exercise 7.1.** Complete the class. `step` assigns new data, `p.data = ...`; `zero_grad` sets
# `p.grad` to None, because `backward` adds to what is there.


# %%
class SGD:
    """Stochastic gradient descent: a step of `lr` times the gradient, downhill."""

    def __init__(self, parameters, lr=0.1):
        self.parameters, self.lr = parameters, lr

    def zero_grad(self):
        raise NotImplementedError

    def step(self):
        raise NotImplementedError


# %%
SGD = check("7.1", SGD)

# %% [markdown] tags=["solution"]
# <details markdown="1">
# <summary>Solution of exercise 7.1</summary>
#
# ```python
# class SGD:
#     """Stochastic gradient descent: a step of `lr` times the gradient, downhill."""
#
#     def __init__(self, parameters, lr=0.1):
#         self.parameters, self.lr = parameters, lr
#
#     def zero_grad(self):
#         for p in self.parameters:
#             p.grad = None
#
#     def step(self):
#         for p in self.parameters:
#             p.data = p.data - self.lr * p.grad
# ```
#
# </details>

# %% [markdown]
# ## Adam
#
# Some parameters have large gradients and others small ones, and one learning rate does not fit
# all. *Adam* (Kingma and Ba, [arXiv:1412.6980](https://arxiv.org/abs/1412.6980)) keeps for each
# number a running mean m of its gradient, and v of the square of its gradient:
#
#     m = β₁ m + (1 - β₁) grad
#     v = β₂ v + (1 - β₂) grad²
#
# m / √v is near 1 or -1 for a number whose gradient always points the same way, and near 0 for one
# whose gradient changes its sign all the time. The step is `lr` times this.
#
# At the beginning m and v are 0, so the means are too small. After t steps, dividing m by 1 - β₁ᵗ
# and v by 1 - β₂ᵗ corrects this.
#
# **Exercise 7.2.** Write `step`. Add `eps` to the root, which keeps the division finite.


# %%
class Adam(SGD):
    """Steps of about `lr` for each number, whatever the size of its gradient."""

    def __init__(self, parameters, lr=0.001, betas=(0.9, 0.999), eps=1e-8):
        super().__init__(parameters, lr)
        self.betas, self.eps, self.t = betas, eps, 0
        self.m = [np.zeros_like(p.data) for p in parameters]
        self.v = [np.zeros_like(p.data) for p in parameters]

    def step(self):
        raise NotImplementedError


# %%
Adam = check("7.2", Adam)

# %% [markdown] tags=["solution"]
# <details markdown="1">
# <summary>Solution of exercise 7.2</summary>
#
# ```python
# class Adam(SGD):
#     """Steps of about `lr` for each number, whatever the size of its gradient."""
#
#     def __init__(self, parameters, lr=0.001, betas=(0.9, 0.999), eps=1e-8):
#         super().__init__(parameters, lr)
#         self.betas, self.eps, self.t = betas, eps, 0
#         self.m = [np.zeros_like(p.data) for p in parameters]
#         self.v = [np.zeros_like(p.data) for p in parameters]
#
#     def step(self):
#         self.t += 1
#         b1, b2 = self.betas
#         for i, p in enumerate(self.parameters):
#             self.m[i] = b1 * self.m[i] + (1 - b1) * p.grad
#             self.v[i] = b2 * self.v[i] + (1 - b2) * p.grad * p.grad
#             m = self.m[i] / (1 - b1**self.t)
#             v = self.v[i] / (1 - b2**self.t)
#             p.data = p.data - self.lr * m / (np.sqrt(v) + self.eps)
# ```
#
# </details>

# %% [markdown]
# ## Optimizers by name
#
# A training program often reads from a file which optimizer to use, so it needs them by name. And
# others should be able to add theirs. Both follow from a hook, as in chapter 3:


# %%
class Hooks:
    """The hook of the plugin."""

    @hookspec
    def learn_register_optimizers(self, optimizers):
        """Adds optimizers to a dict: classes by name."""


class Optimizers:
    """A plugin that adds the hook, and two optimizers."""

    @hookimpl
    def tinytorch_add_hookspecs(self, manager):
        manager.add_hookspecs(Hooks)

    @hookimpl(optionalhook=True)
    def learn_register_optimizers(self, optimizers):
        optimizers["sgd"] = SGD
        optimizers["adam"] = Adam


def collect_optimizers(surface):
    """Return the optimizers of the active plugins, by name."""
    optimizers = {}
    surface.call_hook("learn_register_optimizers", lambda plugin: {"optimizers": optimizers})
    return optimizers


def optimizer(name, parameters, **options):
    """Return the optimizer with this name for these parameters."""
    known = plugins.surface().once(collect_optimizers)
    if name not in known:
        raise ValueError(f"unknown optimizer {name!r}; the plugins provide {sorted(known)}")
    return known[name](parameters, **options)


plug_in("my-optimizers", Optimizers())

# %% [markdown]
# ## A text as numbers
#
# The text is a nursery rhyme, whose verses grow. It is small, and its rules are easy to see, so you
# can tell whether the network has learned them.

# %%
from tinytorch_learn.framework.text import Characters, rhyme, windows

text = rhyme()
characters = Characters(text)
numbers = characters.encode(text)
print(text[:130])
print(len(text), "characters,", len(characters.known), "of them different")
print(numbers[:17])

# %% [markdown]
# An example is a piece of the text, and the right answers are the same piece, one character
# further: at each position the network predicts the next character. `windows` draws a batch of
# random pieces.

# %%
random = np.random.default_rng(0)
pieces, following = windows(numbers, count=2, length=20, generator=random)
for piece, answer in zip(pieces, following, strict=True):
    print(repr(characters.decode(piece)), "->", repr(characters.decode(answer)))

# %% [markdown]
# ## Writing
#
# To write, the network predicts the next character, one character is drawn with these
# probabilities, and it becomes part of the text. Dividing the logits by a *temperature* below 1
# before the softmax makes likely characters likelier, and the text safer.
#
# **Exercise 7.3.** `sample` draws a symbol. `generator.choice(n, p=shares)` draws a number below n.


# %%
def sample(logits, temperature, generator):
    """Return a random symbol: likelier ones more often, above all at a low temperature."""
    raise NotImplementedError


# %%
sample = check("7.3", sample)

# %% [markdown] tags=["solution"]
# <details markdown="1">
# <summary>Solution of exercise 7.3</summary>
#
# ```python
# def sample(logits, temperature, generator):
#     """Return a random symbol: likelier ones more often, above all at a low temperature."""
#     powers = np.exp((logits - logits.max()) / temperature)
#     return int(generator.choice(len(powers), p=powers / powers.sum()))
# ```
#
# </details>


# %%
def write(model, start, count, temperature=0.5):
    """Return `start` and `count` further characters, each drawn as the model predicts."""
    generator = np.random.default_rng(0)
    written = list(characters.encode(start))
    for _ in range(count):
        seen = np.array([written[-model.length :]])
        logits = model(seen).data[0, -1].astype(float)
        written.append(sample(logits, temperature, generator))
    return characters.decode(written)


def new_model():
    generator = np.random.default_rng(0)
    symbols = len(characters.known)
    return GPT(symbols, length=32, width=32, heads=2, blocks=1, generator=generator)


print(write(new_model(), "This is the ", 100))

# %% [markdown]
# That is what a network without training writes.
#
# ## Training
#
# In each step, draw a batch, compute the loss, go backward, and let the optimizer take a step.
# Without training, the loss is near log 27 ≈ 3.3, that of somebody who knows nothing, or a little
# larger, because the initial weights are random.
#
# First compare the two optimizers. (The tests of this page set the environment variable, to train
# for a few steps only.)


# %%
def train(name, lr, steps):
    """Train a new model, and return it and the loss of each step."""
    generator = np.random.default_rng(0)
    model = new_model()
    chosen = optimizer(name, model.parameters(), lr=lr)
    losses = []
    for step in range(steps):
        pieces, following = windows(numbers, count=16, length=32, generator=generator)
        logits = model(pieces).reshape(-1, len(characters.known))
        loss = logits.cross_entropy(following.ravel())
        chosen.zero_grad()
        loss.backward()
        chosen.step()
        losses.append(float(loss.data))
        if step % 100 == 0:
            print(f"{name}, step {step}: loss {losses[-1]:.2f}")
    return model, losses


STEPS = int(os.environ.get("TINYTORCH_LEARN_STEPS", "400"))
with_sgd = train("sgd", lr=0.3, steps=STEPS // 2)[1]
model, with_adam = train("adam", lr=0.01, steps=STEPS)
print(f"after {STEPS} steps of Adam: loss {np.mean(with_adam[-10:]):.2f}")

# %%
draw_curves({"adam": with_adam, "sgd": with_sgd})

# %% [markdown]
# Adam gets further, because the tables of symbols and positions, the weights and the biases need
# steps of different sizes. Now let the trained model write:

# %%
print(write(model, "This is the ", 400 if STEPS > 10 else 5))

# %% [markdown]
# You wrote all of it: the ops, the rules, the engine, the layers and the optimizer. A large language
# model has more text, more parameters and more computers.
#
# Some things to try: the temperatures 0.1 and 1.5, two blocks, `"sgd"` instead of `"adam"`, a text
# of your own. What happens if you leave out the mask in attention? The loss falls almost to 0,
# because the network sees the answers, and the text that it writes is nonsense.
#
# ## In the package
#
# | file | read |
# |---|---|
# | `plugins/training/tinytorch_training/optimizer.py` | `Optimizer`: groups of parameters, state that can be saved |
# | `plugins/training/tinytorch_training/adam.py` | `Adam` and `AdamW` |
# | `plugins/training/tinytorch_training/trainer.py` | `Trainer`: the loop, with checkpoints, metrics and progress |
# | `examples/gpt.py` | `GPT`, on a longer text, with a cache that makes writing faster |
#
# ## Summary
#
# - SGD steps against the gradient. Adam gives each number a step of its own.
# - A language model is a classifier of the next character.
# - A plugin can add a hook with which other plugins add things by name, such as optimizers. A
#   program that asks for the name does not change.
#
# Next: [publish your plugin](08_publish.py). Before: [layers](06_layers.py).

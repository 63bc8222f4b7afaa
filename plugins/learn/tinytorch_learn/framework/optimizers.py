"""Chapter 7, first part: optimizers, and a hook with which plugins add them by name."""

import numpy as np

from tinytorch_core import hookimpl, hookspec, plugins


class Hooks:
    """The hook of the plugin."""

    @hookspec
    def learn_register_optimizers(self, optimizers):
        """Adds optimizers to a dict: classes by name."""


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


class SGD:
    """Stochastic gradient descent: a step of `lr` times the gradient, downhill."""

    def __init__(self, parameters, lr=0.1):
        self.parameters, self.lr = parameters, lr

    def zero_grad(self):
        for p in self.parameters:
            p.grad = None

    def step(self):
        for p in self.parameters:
            p.data = p.data - self.lr * p.grad


class Adam(SGD):
    """Steps of about `lr` for each number, whatever the size of its gradient."""

    def __init__(self, parameters, lr=0.001, betas=(0.9, 0.999), eps=1e-8):
        super().__init__(parameters, lr)
        self.betas, self.eps, self.t = betas, eps, 0
        self.m = [np.zeros_like(p.data) for p in parameters]
        self.v = [np.zeros_like(p.data) for p in parameters]

    def step(self):
        self.t += 1
        b1, b2 = self.betas
        for i, p in enumerate(self.parameters):
            self.m[i] = b1 * self.m[i] + (1 - b1) * p.grad
            self.v[i] = b2 * self.v[i] + (1 - b2) * p.grad * p.grad
            m = self.m[i] / (1 - b1**self.t)
            v = self.v[i] / (1 - b2**self.t)
            p.data = p.data - self.lr * m / (np.sqrt(v) + self.eps)


class Optimizers:
    """A plugin that adds the hook, and two optimizers."""

    @hookimpl
    def tinytorch_add_hookspecs(self, manager):
        manager.add_hookspecs(Hooks)

    @hookimpl(optionalhook=True)
    def learn_register_optimizers(self, optimizers):
        optimizers["sgd"] = SGD
        optimizers["adam"] = Adam

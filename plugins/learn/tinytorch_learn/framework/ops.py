"""Chapter 2: forward functions of ops, and a plugin that sees every op."""

import numpy as np

from tinytorch_core import hookimpl


def softplus(x):
    """Return log(1 + eˣ), computed so that eˣ cannot overflow."""
    return np.logaddexp(0, x)


def blend(x, y, share=0.5):
    """Return share · y + (1 - share) · x."""
    return x + share * (y - x)


class Blending:
    """A plugin with the op `blend`, which is also a method."""

    @hookimpl
    def tinytorch_register_ops(self, ops):
        ops.add("blend", blend, method=True)


class Counter:
    """A plugin that counts how often each op runs."""

    def __init__(self):
        self.counts = {}

    @hookimpl
    def tinytorch_wrap_op(self, op, call):
        def counted(*args, **kwargs):
            self.counts[op.name] = self.counts.get(op.name, 0) + 1
            return call(*args, **kwargs)

        return counted

"""Chapter 5, first part: activations, as ops with rules."""

import numpy as np

from tinytorch_core import hookimpl
from tinytorch_core.extend import op


@op("relu")
def relu(x):
    """Return x where it is positive, and 0 elsewhere."""
    return np.maximum(x, 0)


def relu_rule(grad, out):
    """Return `grad` where x was positive, and 0 elsewhere."""
    return grad * (out > 0)


@op("softmax")
def softmax(x):
    """Return the shares of exp(x) in its sum along the last axis."""
    powers = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return powers / np.sum(powers, axis=-1, keepdims=True)


def softmax_rule(grad, out):
    """Return p (g - Σ g p): a share grows at the expense of the others."""
    return out * (grad - np.sum(grad * out, axis=-1, keepdims=True))


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

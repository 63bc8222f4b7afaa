"""Chapter 5, second part: the loss of a classifier, as an op with a rule."""

import numpy as np

from tinytorch_core import hookimpl
from tinytorch_core.extend import op

from tinytorch_learn.framework.activations import softmax


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


def cross_entropy_rule(grad, x, targets):
    """Return (p - y) / N, with y = 1 for the right class and 0 for the others."""
    right = np.arange(x.shape[-1]) == targets[:, None]
    return grad * (softmax(x) - right) / x.dtype.type(len(targets))


class Losses:
    """A plugin with the op `cross_entropy`."""

    @hookimpl
    def tinytorch_register_ops(self, ops):
        ops.add("cross_entropy", cross_entropy, method=True)

    @hookimpl(optionalhook=True)
    def tinytorch_register_backward(self, rules):
        rules.add("cross_entropy", cross_entropy_rule)

"""The swish activation, x · sigmoid(x) (Ramachandran et al. 2017, arXiv:1710.05941)."""

import numpy as np

from tinytorch_core import hookimpl


def swish(x):
    return x / (1 + np.exp(-x))


def swish_backward(grad, out, x):
    s = 1 / (1 + np.exp(-x))
    return grad * (s + out * (1 - s))


@hookimpl
def tinytorch_register_ops(ops):
    ops.add("swish", swish, method=True)


@hookimpl(optionalhook=True)
def tinytorch_register_backward(rules):
    rules.add("swish", swish_backward)

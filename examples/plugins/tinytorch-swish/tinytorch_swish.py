"""The swish activation, x · sigmoid(x) (Ramachandran et al. 2017, arXiv:1710.05941)."""

import numpy as np

from tinytorch_core import hookimpl


def sigmoid(x):  # 1 / (1 + exp(-x)), but exp would overflow
    return 0.5 * (1 + np.tanh(0.5 * x))


def swish(x):
    """x · sigmoid(x)."""
    return x * sigmoid(x)


def swish_backward(grad, out, x):
    s = sigmoid(x)
    return grad * (s + out * (1 - s))


@hookimpl
def tinytorch_register_ops(ops):
    ops.add("swish", swish, method=True)


@hookimpl(optionalhook=True)
def tinytorch_register_backward(rules):
    rules.add("swish", swish_backward)


# For `tinytorch check swish`: the expected values, computed by another formula.
@hookimpl
def tinytorch_describe_ops(samples):
    samples.add("swish", lambda x: x / (1 + np.exp(-x)))

"""Transforms of functions, as `torch.func` has them: from a function to its derivatives.

Arguments and results may be nested in dicts, lists, tuples and named tuples. Arrays and numbers
among the chosen arguments become tensors for the call; the tensors that are given stay as they
are. Where a result does not depend on an argument, the derivative is zero. Every transform can be
applied to the result of another.
"""

from tinytorch_autograd.func.forward import jvp
from tinytorch_autograd.func.matrices import hessian, hvp, jacobian
from tinytorch_autograd.func.reverse import elementwise_grad, grad, value_and_grad, vjp

__all__ = [
    "elementwise_grad",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "value_and_grad",
    "vjp",
]

"""Transforms of functions, as in `torch.func`: they return functions that compute derivatives.

Arguments and results may be nested in dicts, lists, tuples and named tuples. The differentiated
arguments may be arrays, numbers or Tensors; Tensors that are passed in are not modified. Where a
result does not depend on an argument, the derivative is zero. Transforms can be composed.
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

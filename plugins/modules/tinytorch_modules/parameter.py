"""Parameter, a tensor that is learned."""

from __future__ import annotations

from typing import Any

from tinytorch_core import Tensor


class Parameter(Tensor):
    """A tensor that a Module owns and an optimizer updates.

    With autograd active it requires grad by default; without autograd it is a plain Tensor. The
    result of an operation on a Parameter is a Tensor, not a Parameter.

    Args:
        data: a number, a (nested) sequence of numbers, an array, or a Tensor. It is copied.
        dtype: a floating dtype; by default as for a Tensor.
        requires_grad: whether the parameter requires grad, if autograd is active.

    Raises:
        TypeError: the data is not floating, or `requires_grad` is not a bool.
        ValueError: the rows of `data` have different lengths.

    >>> weight = Parameter([1.0, 2.0])
    >>> weight
    Parameter([1., 2.], requires_grad=True)
    >>> type(weight * 2).__name__
    'Tensor'
    """

    def __init__(self, data: Any, dtype: Any = None, requires_grad: bool = True) -> None:
        super().__init__(data, dtype)
        if self.dtype.kind not in "fc":
            raise TypeError(
                f"a Parameter must hold floating-point numbers, not {self.dtype}; "
                "convert the data first: Parameter(data.astype(np.float32))"
            )
        # Only autograd provides this method. Looked up once: another thread may toggle autograd.
        track = getattr(type(self), "requires_grad_", None)
        if track is not None:
            track(self, requires_grad)

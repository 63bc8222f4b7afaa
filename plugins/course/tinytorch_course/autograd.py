"""enable_autograd, and the Function classes of the course.

The results of ops have the nodes of tinytorch-autograd. The classes here are for programs that
create a node by hand and call `apply`, and for `isinstance(x._grad_fn, MulBackward)`.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

import tinytorch_core

import tinytorch_activations
import tinytorch_autograd
from tinytorch_course.losses import BinaryCrossEntropyLoss, CrossEntropyLoss, MSELoss
from tinytorch_course.tensor import Tensor, to_array, to_tensor
from tinytorch_layers import functional

__all__ = [
    "AddBackward",
    "BCEBackward",
    "CrossEntropyBackward",
    "DivBackward",
    "EmbeddingBackward",
    "Function",
    "GELUBackward",
    "MSEBackward",
    "MatmulBackward",
    "MulBackward",
    "PermuteBackward",
    "ReLUBackward",
    "ReshapeBackward",
    "SigmoidBackward",
    "SliceBackward",
    "SoftmaxBackward",
    "SubBackward",
    "SumBackward",
    "TransposeBackward",
    "enable_autograd",
]


def enable_autograd(quiet: bool = False) -> None:
    """Enable gradients, which `install` has done already; further calls are harmless.

    Args:
        quiet: print nothing.
    """
    tinytorch_autograd.enable_autograd()
    if not quiet:
        print("Gradients are enabled: operations on tensors that require grad are recorded.")


class _Nodes(type):
    """The class of the Function classes, of which the nodes of the same op are instances."""

    ops: tuple[str, ...]

    def __instancecheck__(cls, value: Any) -> bool:
        if super().__instancecheck__(value):
            return True
        if not isinstance(value, tinytorch_autograd.Function):
            return False
        return cls is Function or getattr(value.op, "name", None) in cls.ops


class Function(metaclass=_Nodes):
    """An operation on tensors that computes the gradients of its inputs.

    A subclass defines `forward`, or overrides `apply`.

    Args:
        tensors: the inputs.

    Attributes:
        saved_tensors: the inputs.
        next_functions: the nodes that computed those inputs that were computed.
    """

    # The ops that record themselves under this name.
    ops: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *tensors: Any) -> None:
        self.saved_tensors = tensors
        nodes = [getattr(x, "grad_fn", None) for x in tensors]
        self.next_functions = [node for node in nodes if node is not None]

    def forward(self, *tensors: Any) -> Any:
        """Return the output for these inputs."""
        raise NotImplementedError(f"{type(self).__name__} must define forward() or apply()")

    def apply(self, grad_output: Any) -> tuple[Any, ...]:
        """Return the gradients of the inputs, given the gradient of the output.

        Args:
            grad_output: an array or Tensor that broadcasts to the output.

        Returns:
            One array for each input, None for an input that does not require grad.

        Raises:
            ValueError: the gradient does not broadcast to the output.
        """
        inputs = [_leaf(x) for x in self.saved_tensors]
        leaves = [x for x in inputs if getattr(x, "requires_grad", False)]
        if not leaves:
            return (None,) * len(inputs)
        with tinytorch_autograd.enable_grad():
            output = self.forward(*inputs)
        grads = iter(tinytorch_autograd.grad(output, leaves, self._seed(grad_output, output.shape)))
        return tuple(
            next(grads).data if getattr(x, "requires_grad", False) else None for x in inputs
        )

    def _seed(self, grad_output: Any, shape: tuple[int, ...]) -> Any:
        grad = to_array(grad_output)
        try:
            return np.array(np.broadcast_to(grad, shape))
        except ValueError:
            raise ValueError(
                f"{type(self).__name__}.apply expects a gradient of shape {shape}, the shape of "
                f"its output, not {grad.shape}"
            ) from None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


def _leaf(value: Any) -> Any:
    """Return a Tensor without its graph, and other values unchanged."""
    if not isinstance(value, tinytorch_core.Tensor):
        return value
    return Tensor(value, requires_grad=value.requires_grad)


class AddBackward(Function):
    """The gradients of a + b.

    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> AddBackward(x, Tensor([3.0, 4.0])).apply(np.ones(2))
    (array([1., 1.], dtype=float32), None)
    """

    ops = ("add",)

    def forward(self, a: Any, b: Any) -> Any:
        return a + b


class SubBackward(Function):
    """The gradients of a − b."""

    ops = ("sub",)

    def forward(self, a: Any, b: Any) -> Any:
        return a - b


class MulBackward(Function):
    """The gradients of a · b, element by element."""

    ops = ("mul",)

    def forward(self, a: Any, b: Any) -> Any:
        return a * b


class DivBackward(Function):
    """The gradients of a / b."""

    ops = ("div",)

    def forward(self, a: Any, b: Any) -> Any:
        return a / b


class MatmulBackward(Function):
    """The gradients of the matrix product a @ b."""

    ops = ("matmul",)

    def forward(self, a: Any, b: Any) -> Any:
        return a @ b


class TransposeBackward(Function):
    """The gradient of `tensor.transpose(dim0, dim1)`, which swaps the last two axes by default."""

    ops = ("swapaxes",)

    def __init__(self, tensor: Any, dim0: int | None, dim1: int | None) -> None:
        super().__init__(tensor)
        self.dim0, self.dim1 = (-2, -1) if dim0 is None or dim1 is None else (dim0, dim1)

    def forward(self, x: Any) -> Any:
        return x.transpose(self.dim0, self.dim1)


class PermuteBackward(Function):
    """The gradient of a tensor with its axes in another order."""

    ops = ("permute",)

    def __init__(self, tensor: Any, axes: Any) -> None:
        super().__init__(tensor)
        self.axes = tuple(axes)

    def forward(self, x: Any) -> Any:
        return x.permute(self.axes)


class EmbeddingBackward(Function):
    """The gradient of the table `weight`, of which an embedding selects rows."""

    ops = ("embedding",)

    def __init__(self, weight: Any, indices: Any) -> None:
        super().__init__(weight)
        self.indices = indices

    def forward(self, weight: Any) -> Any:
        return functional.embedding(self.indices, weight)


class SliceBackward(Function):
    """The gradient of `tensor[key]`."""

    ops = ("getitem",)

    def __init__(self, tensor: Any, key: Any) -> None:
        super().__init__(tensor)
        self.key = key

    def forward(self, x: Any) -> Any:
        return x[self.key]


class ReshapeBackward(Function):
    """The gradient of a reshaped tensor, which had the shape `original_shape`."""

    ops = ("reshape",)

    def __init__(self, tensor: Any, original_shape: Any) -> None:
        super().__init__(tensor)
        self.original_shape = tuple(original_shape)

    def apply(self, grad_output: Any) -> tuple[Any, ...]:
        (x,) = self.saved_tensors
        grad = to_array(grad_output).reshape(self.original_shape)
        return (grad if x.requires_grad else None,)


class SumBackward(Function):
    """The gradient of a sum, of all elements or along axes that were kept."""

    ops = ("sum",)

    def apply(self, grad_output: Any) -> tuple[Any, ...]:
        (x,) = self.saved_tensors
        return (self._seed(grad_output, x.shape) if x.requires_grad else None,)


class ReLUBackward(Function):
    """The gradient of ReLU, which is 0 at 0."""

    ops = ("relu",)

    def __init__(self, input_tensor: Any) -> None:
        super().__init__(input_tensor)

    def forward(self, x: Any) -> Any:
        return tinytorch_activations.relu(x)


class SigmoidBackward(Function):
    """The gradient of the sigmoid function."""

    ops = ("sigmoid",)

    def __init__(self, input_tensor: Any, output_tensor: Any) -> None:
        super().__init__(input_tensor)
        self.output_tensor = output_tensor

    def forward(self, x: Any) -> Any:
        return tinytorch_activations.sigmoid(x)


class SoftmaxBackward(Function):
    """The gradient of softmax along the axis `dim`."""

    ops = ("softmax",)

    def __init__(self, input_tensor: Any, output_tensor: Any, dim: int = -1) -> None:
        super().__init__(input_tensor)
        self.output_tensor, self.dim = output_tensor, dim

    def forward(self, x: Any) -> Any:
        return tinytorch_activations.softmax(x, self.dim)


class GELUBackward(Function):
    """The gradient of GELU."""

    ops = ("gelu",)

    def __init__(self, input_tensor: Any) -> None:
        super().__init__(input_tensor)

    def forward(self, x: Any) -> Any:
        return tinytorch_activations.gelu(x)


class _OfLoss(Function):
    """A loss as a function of the predictions."""

    def __init__(self, predictions: Any, targets: Any) -> None:
        super().__init__(predictions)
        self.targets = to_tensor(targets)


class MSEBackward(_OfLoss):
    """The gradient of the mean squared error with respect to the predictions."""

    ops = ("mse_loss",)

    def forward(self, x: Any) -> Any:
        return MSELoss().forward(x, self.targets)


class BCEBackward(_OfLoss):
    """The gradient of the binary cross entropy with respect to the predictions."""

    ops = ("binary_cross_entropy",)

    def forward(self, x: Any) -> Any:
        return BinaryCrossEntropyLoss().forward(x, self.targets)


class CrossEntropyBackward(_OfLoss):
    """The gradient of the cross entropy with respect to the logits."""

    ops = ("cross_entropy",)

    def __init__(self, logits: Any, targets: Any) -> None:
        super().__init__(logits, targets)

    def forward(self, x: Any) -> Any:
        return CrossEntropyLoss().forward(x, self.targets)

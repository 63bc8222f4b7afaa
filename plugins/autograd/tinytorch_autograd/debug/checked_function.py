"""CheckedFunction: a user's function as a map between vectors of real numbers, for gradcheck."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_autograd import func, tree
from tinytorch_autograd.calls import check_function
from tinytorch_autograd.debug.numerical import THREE_POINTS, central_difference
from tinytorch_autograd.debug.packing import Array, pack, unpack
from tinytorch_autograd.errors import GradcheckError
from tinytorch_autograd.modes import no_grad
from tinytorch_autograd.tracking import is_tracked


class CheckedFunction:
    """A function, the inputs to differentiate it at, and its outputs there.

    Attributes:
        name: the function's name.
        function: maps Tensors, one for each checked input, to the list of its outputs.
        input_names, inputs: the checked inputs.
        output_names, outputs: the outputs at these inputs.
    """

    def __init__(
        self, name: str, function: Callable[..., Any], input_names: Sequence[str], inputs: list[Any]
    ) -> None:
        self.name, self.input_names, self.inputs = name, input_names, inputs
        named = list(tree.named_leaves(_untracked(function, inputs), "output"))
        self.output_names = [name for name, _ in named]
        self.outputs = [_array(y) for _, y in named]
        self.function = lambda *xs: tree.leaves(function(*xs))

    def values(self, point: Array) -> Array:
        """Return the packed outputs at packed inputs."""
        return pack(map(_array, _untracked(self.function, unpack(point, self.inputs))))

    def jacobian_by_differences(self, eps: float) -> Array:
        """Return the Jacobian by central differences with step `eps`.

        Raises:
            GradcheckError: a second call with the same inputs gave other values.
        """
        point = pack(self.inputs)
        first, second = self.values(point), self.values(point)
        if not np.array_equal(first, second, equal_nan=True):
            raise GradcheckError(
                f"{self.name} returned different values for the same inputs, up to "
                f"{np.abs(first - second).max():.3g} apart. Differences need a deterministic "
                "function: remove what is random, or seed it inside the function"
            )
        columns = [
            central_difference(lambda t, u=unit: self.values(point + t * u), eps, THREE_POINTS)  # type: ignore[misc]
            for unit in np.eye(point.size)
        ]
        return np.reshape(columns, (point.size, first.size)).T

    def jacobian_by_backward(self) -> Array:
        """Return the Jacobian by one backward pass for each row."""
        _, pull = func.vjp(self.function, *self.inputs)
        size = pack(self.outputs).size
        rows = [pack(map(_array, pull(unpack(u, self.outputs)))) for u in np.eye(size)]
        return np.reshape(rows, (size, pack(self.inputs).size))


def checked_function(f: Callable[..., Any], inputs: Any) -> CheckedFunction:
    """Return `f` as a function of those of its inputs that gradcheck differentiates.

    Raises:
        TypeError: `f` is not callable.
        ValueError: none of the inputs can be differentiated.
    """
    check_function("gradcheck", f)
    name = getattr(f, "__name__", None) or repr(f)
    arguments = tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,)
    named = [n for i, x in enumerate(arguments) for n in tree.named_leaves(x, f"input {i}")]
    values = [value for _, value in named]
    tracked_only = any(map(is_tracked, values))
    checked = [i for i, value in enumerate(values) if _is_checked(value, tracked_only)]
    if not checked:
        raise ValueError(
            f"the inputs of {name} contain nothing to check; pass arrays, numbers or Tensors of "
            "floats"
        )

    def function(*xs: Any) -> Any:
        for i, x in zip(checked, xs, strict=True):
            values[i] = x
        return f(*tree.fill(arguments, values))

    names = [named[i][0] for i in checked]
    return CheckedFunction(name, function, names, [_array(values[i]) for i in checked])


def _is_checked(value: Any, tracked_only: bool) -> bool:
    if tracked_only and isinstance(value, Tensor) and not is_tracked(value):
        return False
    return isinstance(value, float | complex) or getattr(value, "dtype", np.dtype(int)).kind in "fc"


def _array(value: Any) -> Array:
    return np.array(value.data if isinstance(value, Tensor) else value)


def _untracked(function: Callable[..., Any], arrays: Sequence[Array]) -> Any:
    with no_grad():
        return function(*map(Tensor, arrays))

"""A function at a point as one from a vector of real numbers to another, for checking.

Complex numbers are pairs of real ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_autograd import func, tree
from tinytorch_autograd.calls import check_function
from tinytorch_autograd.errors import GradcheckError
from tinytorch_autograd.modes import no_grad
from tinytorch_autograd.tracking import is_tracked

Array = np.ndarray[Any, Any]

# Central differences: by how many steps to move, and what the value there counts.
THREE_POINTS = {-1: -1 / 2, 1: 1 / 2}
FIVE_POINTS = {-2: 1 / 12, -1: -8 / 12, 1: 8 / 12, 2: -1 / 12}


class Problem:
    """A function, the inputs of it that are checked, and what it gives for them.

    Attributes:
        name: the function's.
        function: from the checked inputs alone, Tensors, to the list of its outputs.
        names, points: of the checked inputs.
        targets, outputs: the names of the outputs, and what they are at the point.
    """

    def __init__(
        self, name: str, function: Callable[..., Any], names: Sequence[str], points: list[Array]
    ) -> None:
        self.name, self.names, self.points = name, names, points
        made = _untracked(function, points)
        named = list(tree.named_leaves(made, "output"))
        self.targets = [name for name, _ in named]
        self.outputs = [_array(y) for _, y in named]
        self.function = lambda *xs: tree.leaves(function(*xs))

    def values(self, vector: Array) -> Array:
        """The outputs at a point, one vector for another."""
        return packed(map(_array, _untracked(self.function, _unpacked(vector, self.points))))

    def differences(self, eps: float, stencil: Mapping[int, float] = THREE_POINTS) -> Array:
        """The Jacobian by central differences, in steps of `eps`.

        Raises:
            GradcheckError: the function gives another value when it is called again.
        """
        point = packed(self.points)
        first, second = self.values(point), self.values(point)
        if not np.array_equal(first, second, equal_nan=True):
            raise GradcheckError(
                f"{self.name} gave different values for the same inputs, up to "
                f"{np.abs(first - second).max():.3g} apart, so differences say nothing; "
                "take what is random out of it, or seed it inside"
            )
        columns = [
            np.sum([factor * self.values(point + i * step) for i, factor in stencil.items()], 0)
            for step in np.eye(point.size) * eps
        ]
        return np.reshape(columns, (point.size, first.size)).T / eps

    def walked_back(self) -> Array:
        """The Jacobian by the backward pass, row by row."""
        _, pull = func.vjp(self.function, *self.points)
        size = packed(self.outputs).size
        rows = [packed(g.data for g in pull(_unpacked(u, self.outputs))) for u in np.eye(size)]
        return np.reshape(rows, (size, packed(self.points).size))


def problem_of(f: Callable[..., Any], inputs: Any) -> Problem:
    """What there is to check of `f` at `inputs`.

    Raises:
        TypeError: `f` is no function.
        ValueError: nothing is.
    """
    check_function("gradcheck", f)
    name = getattr(f, "__name__", None) or repr(f)
    arguments = tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,)
    named = [n for i, x in enumerate(arguments) for n in tree.named_leaves(x, f"input {i}")]
    values = [value for _, value in named]
    explicit = any(map(is_tracked, values))
    chosen = [i for i, value in enumerate(values) if _is_checked(value, explicit)]
    if not chosen:
        raise ValueError(
            f"among the inputs of {name} there is nothing to check; give it arrays, numbers or "
            "Tensors of floats"
        )

    def function(*xs: Any) -> Any:
        for i, x in zip(chosen, xs, strict=True):
            values[i] = x
        return f(*tree.fill(arguments, values))

    return Problem(
        name, function, [named[i][0] for i in chosen], [_array(values[i]) for i in chosen]
    )


def _is_checked(value: Any, explicit: bool) -> bool:
    if explicit and isinstance(value, Tensor) and not is_tracked(value):
        return False
    return isinstance(value, float | complex) or getattr(value, "dtype", np.dtype(int)).kind in "fc"


def _array(value: Any) -> Array:
    data = value.data if isinstance(value, Tensor) else value
    return np.array(data)


def _untracked(function: Callable[..., Any], arrays: Sequence[Array]) -> Any:
    with no_grad():
        return function(*map(Tensor, arrays))


def packed(arrays: Iterable[Array]) -> Array:
    """All numbers in one vector of float64."""
    return np.concatenate([np.zeros(0), *map(_reals, arrays)])


def _reals(array: Array) -> Array:
    flat = array.reshape(-1)
    return np.stack([flat.real, flat.imag], -1).reshape(-1) if array.dtype.kind == "c" else flat


def _unpacked(vector: Array, like: Sequence[Array]) -> list[Array]:
    """The arrays whose numbers are in `vector`, of the shapes and dtypes of others."""
    arrays = []
    for array in like:
        size = array.size * (1 + (array.dtype.kind == "c"))
        part, vector = vector[:size], vector[size:]
        numbers = part[::2] + 1j * part[1::2] if array.dtype.kind == "c" else part
        arrays.append(numbers.astype(array.dtype).reshape(array.shape))
    return arrays


def labels(names: Sequence[str], arrays: Sequence[Array]) -> list[str]:
    """A name for each number of the packed vector."""
    labels = []
    for name, array in zip(names, arrays, strict=True):
        for index in np.ndindex(array.shape):
            element = f"{name}[{', '.join(map(str, index))}]" if index else name
            parts = (".real", ".imag") if array.dtype.kind == "c" else ("",)
            labels += [element + part for part in parts]
    return labels

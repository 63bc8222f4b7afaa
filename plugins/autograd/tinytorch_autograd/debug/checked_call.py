"""One call of an op as a function to differentiate, for the checks given to the devkit.

The function returns r + r²/2 for each result r of the op. Because of the square, the gradient of a
linear op depends on its inputs too, through the gradient that its rule receives, so second
derivatives test the rules of linear ops as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_autograd.debug.numerical import (
    STEP,
    differences,
    directional,
    first_and_second,
    gradients,
    random_weights,
)
from tinytorch_autograd.debug.packing import labels, pack, unpack
from tinytorch_autograd.errors import NoRuleError
from tinytorch_autograd.outputs import results_of
from tinytorch_autograd.tracking import is_tracked

if TYPE_CHECKING:
    from tinytorch_devkit import Call, CheckFailure, Description

Array = Any


def failure(expected: str, found: str, remedy: str) -> CheckFailure:
    """Return the failure of a check."""
    from tinytorch_devkit import CheckFailure  # here, because autograd does not need the devkit

    return CheckFailure(expected, found, remedy)


def is_floating(value: Any) -> bool:
    """Return whether a value is an array of floating-point numbers, real or complex."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "fc"


def unless_without_rule(function: Callable[..., Any], *args: Any) -> Any:
    """Return `function(*args)`, or None if the op has no rule, which `has_a_rule` reports."""
    try:
        return function(*args)
    except NoRuleError:
        return None


def floats(results: Any) -> list[Any]:
    """Return the results that are arrays of floating-point numbers."""
    return [r for r in results_of(results) if getattr(r, "dtype", np.dtype(bool)).kind in "fc"]


def tracked(call: Call) -> list[Any]:
    """Return the inputs as Tensors; floating-point ones require grad."""
    return [
        Tensor(i, requires_grad=True) if is_floating(i) else t
        for i, t in zip(call.inputs, call.tensors(), strict=True)
    ]


def seed_of(array: Array, seed: int) -> Array:
    """Return a different nonzero gradient for each element, in the dtype of `array`."""
    return np.random.default_rng(seed).uniform(0.5, 1.5, array.shape).astype(array.dtype)


class Problem:
    """One call of an op as a function of its floating-point inputs, and a derivative to check.

    The derivative is of order `order`: the gradient of F_(order - 1), see `debug.numerical`.
    """

    def __init__(
        self,
        op: Description,
        call: Call,
        order: int = 1,
        *,
        only: int | None = None,
        seen: list[Any] | None = None,
    ) -> None:
        """Describe the derivative.

        Args:
            op: the op.
            call: its arguments.
            order: of the derivative.
            only: the result to differentiate; by default all of them.
            seen: receives the name of an input and the dtype of the gradient that the rule
                returned for it, for each gradient computed.
        """
        self._op = op
        positions = [i for i, given in enumerate(call.inputs) if is_floating(given)]
        known = () if op.op.variadic else op.op.inputs
        self._names = [known[i] if i < len(known) else f"input {i}" for i in positions]
        self._arrays = [call.inputs[i] for i in positions]

        def function(*xs: Any) -> list[Any]:
            inputs = call.tensors()
            for name, position, x in zip(self._names, positions, xs, strict=True):
                inputs[position] = x
                if seen is not None and is_tracked(x):
                    x.register_hook(lambda grad, name=name: seen.append((name, grad.dtype)))
            results = floats(op(*inputs, **call.parameters))
            chosen = results if only is None else results[only : only + 1]
            return [r + 0.5 * r * r for r in chosen]

        self._function = function
        self._weights, self._directions = random_weights(function, self._arrays, order - 1)

    @property
    def arrays(self) -> Sequence[Array]:
        """The floating-point inputs."""
        return self._arrays

    def gradient(self) -> Array:
        """Return the gradient that the engine computes, packed into one vector."""
        return pack(gradients(self._function, self._arrays, self._weights, self._directions))

    def derivatives(self, kind: Callable[[Array], Any] = np.asarray) -> list[Array]:
        """Return derivatives of orders 1 and 2, computed on arrays of a kind."""
        return first_and_second(self._function, self._arrays, kind)

    def differences(self) -> Array:
        """Return the gradient by central differences, packed into one vector.

        For a stepwise input it is 0, because a difference could span a jump.
        """
        slopes = [
            0.0
            if self.input_of(i) in self._op.stepwise
            else differences(
                self._function,
                self._arrays,
                self._weights,
                self._directions,
                along=unpack(unit, self._arrays),
            )[0]
            for i, unit in enumerate(np.eye(pack(self._arrays).size))
        ]
        return np.array(slopes)

    def slopes_along(self, direction: Sequence[Array]) -> tuple[float, float, float]:
        """Return the first derivative along a direction, by the engine and by differences.

        The third number is a scale for errors, see `differences`.
        """
        found = directional(self._function, self._arrays, self._weights, [list(direction)])
        expected, scale = differences(
            self._function, self._arrays, self._weights, [], along=direction
        )
        return found, expected, scale

    def has_kink_along(self, direction: Sequence[Array]) -> bool:
        """Return whether the slopes along a direction and against it differ, or are undefined."""
        values = [
            directional(
                self._function,
                [a + i * STEP * v for a, v in zip(self._arrays, direction, strict=True)],
                self._weights,
            )
            for i in range(-2, 3)
        ]
        forward, backward = (
            (-3 * values[2] + 4 * near - far) / (2 * STEP)
            for near, far in ((values[3], values[4]), (values[1], values[0]))
        )
        return not abs(forward + backward) <= 1e-3 * max(1.0, abs(forward))

    def element(self, i: int) -> str:
        """Return the label and value of the element at index `i` of the packed vector."""
        value = pack(self._arrays)[i]
        return f"{labels(self._names, self._arrays)[i]}, where it is {value:.6g},"

    def input_of(self, i: int) -> str:
        """Return the name of the input that contains the element at index `i`."""
        ends = np.cumsum([pack([array]).size for array in self._arrays])
        return self._names[int(np.searchsorted(ends, i, side="right"))]

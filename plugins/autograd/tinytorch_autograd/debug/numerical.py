"""Derivatives of any order, computed by the engine and checked against central differences.

F_0 is a weighted sum of the elements of a function's outputs, and F_k is the derivative of F_(k-1)
along a direction. The derivative of F_(k-1) that the engine computes must agree with central
differences of F_(k-1). F_0 is computed on untracked tensors, so by induction the check trusts the
forward function only.

Complex numbers count as pairs of real ones: a sum weighted by w is the real part of sum(w* f), and
the derivative along v of a function with gradient g is the real part of sum(g* v).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import unwrap

from tinytorch_autograd.gradients import grad
from tinytorch_autograd.tracking import is_tracked

Array = Any

# Weights of the values at multiples of the step, divided by the step: the first derivative.
THREE_POINTS = {-1: -1 / 2, 1: 1 / 2}
FIVE_POINTS = {-2: 1 / 12, -1: -8 / 12, 1: 8 / 12, 2: -1 / 12}

# With this step, the error of five points is h⁴/30 F⁽⁵⁾, about 2e-15 F⁽⁵⁾, and the rounding error
# is 1.5 eps/h |F|, about 7e-13 |F|.
STEP = 2.0**-11
# Allows |F⁽⁵⁾| up to 1e5 |F| and is still small enough to detect a wrong factor.
TOLERANCE = 1e-8


def central_difference(
    value: Callable[[float], Any],
    step: float = STEP,
    stencil: Mapping[int, float] = FIVE_POINTS,
) -> Any:
    """Return the derivative of `value`, a function of one number, at 0.

    >>> float(central_difference(lambda t: 3 * t + 1, step=0.5))
    3.0
    """
    return np.sum([factor * value(i * step) for i, factor in stencil.items()], 0) / step


def random_weights(
    function: Callable[..., Any], arrays: Sequence[Array], order: int, seed: int = 0
) -> tuple[Any, list[list[Array]]]:
    """Return random weights for the outputs, and `order` random directions for the inputs.

    Args:
        function: a function of tensors that returns a tensor or a list of tensors.
        arrays: its inputs.
        order: the number of directions.
        seed: for the random numbers.

    Returns:
        Weights of the shape of the output, in a list if the function returns a list, and for each
        direction an array for each input.
    """
    random = np.random.default_rng(seed)
    outputs = function(*map(Tensor, arrays))
    directions = [[random_like(a, -1, 1, random) for a in arrays] for _ in range(order)]
    if isinstance(outputs, list):
        return [random_like(y, 0.5, 1.5, random) for y in outputs], directions
    return random_like(outputs, 0.5, 1.5, random), directions


def random_like(like: Any, low: float, high: float, random: np.random.Generator) -> Array:
    """Return random float64 numbers of the shape of `like`, complex if `like` is complex."""
    real = random.uniform(low, high, like.shape)
    return real + 1j * random.uniform(low, high, like.shape) if like.dtype.kind == "c" else real


def gradients(
    function: Callable[..., Any],
    arrays: Sequence[Array],
    weights: Any,
    directions: Sequence[Sequence[Array]] = (),
) -> list[Array]:
    """Return the gradient of F_k with respect to each input; k is the number of directions.

    The engine computes the last derivative on arrays, as `backward` does, and the others on
    Tensors.

    Args:
        function, weights, directions: as in `random_weights`.
        arrays: the inputs; the gradients have their dtypes.
    """
    inputs = [Tensor(a, requires_grad=True) for a in arrays]
    outputs: Sequence[Any] = _as_list(function(*inputs))
    seeds: Sequence[Array] = _as_list(weights)
    for direction in directions:
        outputs = _backward_pass(outputs, seeds, inputs, create_graph=True)
        seeds = [*direction]
    found = _backward_pass(outputs, seeds, inputs, create_graph=False)
    return [np.zeros_like(a) if g is None else g.data for a, g in zip(arrays, found, strict=True)]


def first_and_second(
    function: Callable[..., Any], arrays: Sequence[Array], kind: Callable[[Array], Any]
) -> list[Array]:
    """Return the outputs of a function, and its derivatives of orders 1 and 2 that exist.

    They are computed twice, by the engine on arrays and on Tensors.

    Args:
        function: a function of tensors that returns a tensor or a list of tensors.
        arrays: its inputs; those of floating or complex dtypes require grad.
        kind: converts each array to the kind of array with which to compute.

    Returns:
        Arrays of that kind, in the same order for every kind.
    """
    inputs = [Tensor(kind(a), requires_grad=a.dtype.kind in "fc") for a in arrays]
    leaves = [x for x in inputs if is_tracked(x)]
    outputs = _as_list(function(*inputs))
    found = outputs
    for order in (1, 2):
        seeds = [kind(np.full(y.shape, 0.5 + i, y.dtype)) for i, y in enumerate(outputs)]
        if order == 2:
            found = found + list(_backward_pass(outputs, seeds, leaves, create_graph=False))
            break
        first = _backward_pass(outputs, seeds, leaves, create_graph=True)
        found = found + list(first)
        outputs = [g for g in first if g is not None]
    for tracked in filter(is_tracked, _as_list(function(*inputs))):
        seed = kind(np.full(tracked.shape, 0.5, tracked.dtype))
        tracked.backward(seed, retain_graph=True)  # the outputs may share nodes
    return [unwrap(y) for y in found if y is not None] + [
        x.grad for x in leaves if x.grad is not None
    ]


def _backward_pass(
    outputs: Sequence[Any], seeds: Sequence[Array], inputs: Sequence[Any], create_graph: bool
) -> Sequence[Any]:
    pairs = [(y, s) for y, s in zip(outputs, seeds, strict=True) if is_tracked(y)]
    if not pairs:
        return [None] * len(inputs)
    tracked, seeds = map(list, zip(*pairs, strict=True))
    found: Sequence[Any] = grad(
        tracked, inputs, seeds, create_graph=create_graph, allow_unused=True
    )
    return found


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def directional(
    function: Callable[..., Any],
    arrays: Sequence[Array],
    weights: Any,
    directions: Sequence[Sequence[Array]] = (),
) -> float:
    """Return F_k at `arrays`, a number; k is the number of directions."""
    if not directions:
        outputs = _as_list(function(*map(Tensor, arrays)))
        return _inner([y.data for y in outputs], _as_list(weights))
    return _inner(gradients(function, arrays, weights, directions[:-1]), directions[-1])


def _inner(arrays: Sequence[Array], others: Sequence[Array]) -> float:
    pairs = zip(arrays, others, strict=True)
    return sum((float(np.sum(np.conjugate(a) * b).real) for a, b in pairs), start=0.0)


def differences(
    function: Callable[..., Any],
    arrays: Sequence[Array],
    weights: Any,
    directions: Sequence[Sequence[Array]],
    along: Sequence[Array],
) -> tuple[float, float]:
    """Return the derivative of F_k along `along` by central differences, and a scale for errors.

    The scale is 1, or the largest absolute value of F_k or of the derivative if that is larger.
    """
    values = []

    def value(t: float) -> float:
        moved = [a + t * v for a, v in zip(arrays, along, strict=True)]
        values.append(directional(function, moved, weights, directions))
        return values[-1]

    derivative = float(central_difference(value))
    return derivative, max(1.0, abs(derivative), *map(abs, values))


def check_derivative(
    function: Callable[..., Any], arrays: Sequence[Array], order: int, seed: int = 0
) -> None:
    """Raise AssertionError unless the derivative of this order agrees with central differences.

    Args:
        function: a function of tensors that returns a tensor or a list of tensors.
        arrays: its inputs, in float64 or complex128.
        order: of the derivative, 1 or more. Check each lower order separately.
        seed: for the weights and directions.

    >>> check_derivative(np.tanh, [np.array([0.5, -1.0])], order=2)
    """
    weights, directions = random_weights(function, arrays, order, seed)
    *earlier, along = directions
    expected, scale = differences(function, arrays, weights, earlier, along)
    found = directional(function, arrays, weights, directions)
    assert abs(found - expected) <= TOLERANCE * scale, (
        f"the derivative of order {order} is {found} by the engine and {expected} by central "
        "differences; they must agree"
    )

"""What autograd adds to the conformance kit: checks of an op's derivatives.

The derivative of order k is taken of a number: F_0 is a weighted sum of r + r²/2 over the op's
results r, and F_k the derivative of F_(k-1) along a direction. Because of the squares, the gradient
of a linear op too depends on its inputs, through the gradient that its rule is given. The gradient
of F_(k-1) by the engine must agree with central differences of F_(k-1). By induction nothing but
the plain forward is trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_autograd import func
from tinytorch_autograd.check_problem import FIVE_POINTS, Problem, labels, packed
from tinytorch_autograd.errors import NoRuleError
from tinytorch_autograd.gradients import grad
from tinytorch_autograd.tracking import is_tracked
from tinytorch_devkit import Call, CheckFailure, Checks, Description, results

Array = Any

# With five points the error is h⁴/30 F⁽⁵⁾, about 2e-15 F⁽⁵⁾, and the rounding 1.5 eps/h |F|, about
# 7e-13 |F|. So 1e-7 leaves room for functions that bend a lot, and hides no wrong factor.
_STEP = 2.0**-11
_TOLERANCE = 1e-7
_BY_DIFFERENCES = "by numerical differentiation of a weighted sum of r + r²/2"


def add_to(checks: Checks) -> None:
    """Adds the checks of this file."""
    for check in (
        has_a_rule,
        loses_no_gradient,
        has_the_right_derivative,
        has_the_right_second_derivative,
        keeps_dtypes_of_gradients,
        leaves_saved_arrays_alone,
    ):
        checks.for_op(check, applies=_takes_floats)


def _takes_floats(op: Description) -> bool:
    return not op.op.in_place and any(_is_floating(i) for call in op.calls for i in call.inputs)


def _is_floating(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def has_a_rule(op: Description) -> None:
    """The op has a backward rule, or is declared to have no derivative."""
    try:
        for call in op.calls:
            _walked_back(op, call)
    except NoRuleError as error:
        raise CheckFailure(
            f"a rule, or a declaration that {op.name} has no derivative",
            str(error),
            f"in tinytorch_register_backward, rules.add({op.name!r}, ...) or "
            f"rules.no_derivative({op.name!r}); if walking back shall be an error, leave this "
            "check out",
        ) from error


def loses_no_gradient(op: Description) -> None:
    """Where an op says that nothing is to be differentiated, the derivative is indeed zero."""
    for call in op.calls:
        made = _floats(op(*_tracked(call), **call.parameters))
        if all(map(is_tracked, made)):
            continue
        problem = _problem(op, call)
        slopes = _differences(op, problem)
        steep = np.flatnonzero(abs(slopes) > _TOLERANCE)
        if len(steep):
            raise CheckFailure(
                f"{op.text(call)} to be tracked, for it changes with {_input(problem, steep[0])}",
                "a result that is not: the gradient would be zero without a word",
                "add a rule, or take back rules.no_derivative; in what users call, compute with "
                "Tensors, not with x.data",
            )


def has_the_right_derivative(op: Description) -> None:
    """The gradient of each input is that of numerical differentiation, in float64."""
    _compare(op, order=1)


def has_the_right_second_derivative(op: Description) -> None:
    """The gradient of the gradient is that of numerical differentiation, in float64."""
    _compare(op, order=2)


def _compare(op: Description, order: int) -> None:
    tolerance = max(_TOLERANCE, 100 * op.tolerance)
    for call in op.calls:
        walked = _unless_without_rule(_walked_back, op, call, order)
        if walked is None:
            continue
        problem, (found,) = walked
        expected = _differences(op, problem)
        off = abs(found - expected) / np.maximum(1, abs(expected))
        # Written so that NaN is found as well.
        wrong = np.flatnonzero(~(off <= tolerance))
        if len(wrong):
            at = wrong[0]
            name = _input(problem, at)
            source = "as the description says" if name in op.stepwise else _BY_DIFFERENCES
            raise CheckFailure(
                f"{expected[at]:.10g} as derivative of order {order} with respect to "
                f"{_element(problem, at)} in {op.text(call)}, {source}",
                f"{found[at]:.10g}",
                f"{_remedy(op, name, order)}; or, if there is a kink nearby, state "
                "it by kinks= in the description",
            )


def _differences(op: Description, problem: Problem) -> Array:
    """The gradient by central differences, as one vector.

    Where the op is said to change in jumps alone it is 0; a difference could meet a jump.
    """
    (slopes,) = problem.differences(_STEP, FIVE_POINTS)
    flat = [name in op.stepwise for name in problem.names]
    return np.where(np.repeat(flat, [point.size for point in problem.points]), 0, slopes)


def _remedy(op: Description, name: str, order: int) -> str:
    if order == 1:
        return f"correct the function for {name} in rules.add({op.name!r}, ...)"
    return (
        f"write the rule for {name} in ops that have rules themselves, on all that depends on the "
        "inputs: no x.data, no float(x), no SciPy"
    )


def _element(problem: Problem, at: int) -> str:
    """The element of an input at a place of the packed vector, with its value."""
    value = packed(problem.points)[at]
    return f"{labels(problem.names, problem.points)[at]}, where it is {value:.6g},"


def _input(problem: Problem, at: int) -> str:
    """The name of the input that has the element at a place of the packed vector."""
    ends = np.cumsum([point.size for point in problem.points])
    return problem.names[int(np.searchsorted(ends, at, side="right"))]


def keeps_dtypes_of_gradients(op: Description) -> None:
    """The rule gives gradients of float32 for inputs of float32, before anything converts them."""
    for call in op.calls:
        single = call.with_inputs(
            [i.astype(np.float32) if _is_floating(i) else i for i in call.inputs]
        )
        for order in (1, 2):
            seen: list[tuple[str, Any]] = []
            _unless_without_rule(_walked_back, op, single, order, seen)
            for name, dtype in seen:
                if dtype != np.float32:
                    raise CheckFailure(
                        f"float32 for the gradient of {name} in {op.text(single)}",
                        f"{dtype}{', where the backward pass is recorded' if order > 1 else ''}",
                        "keep NumPy scalars out of the rule: math.log(2), not np.log(2), and "
                        "grad.dtype where arrays are made",
                    )


def leaves_saved_arrays_alone(op: Description) -> None:
    """A rule writes into nothing that it is given, so that the graph can be walked again."""
    for call in op.calls:
        tensors = _tracked(call)
        inputs = [t for t in tensors if is_tracked(t)]
        made = [r for r in _floats(op(*tensors, **call.parameters)) if is_tracked(r)]
        seeds = [_weights(r, i) for i, r in enumerate(made)]
        given = [*seeds, *(x.data for x in inputs), *(r.data for r in made)]
        before = [array.copy() for array in given]
        first, second = (_unless_without_rule(_walk_again, made, inputs, seeds) for _ in range(2))
        for was, now in zip([*before, *(first or ())], [*given, *(second or ())], strict=True):
            if not np.array_equal(was, now, equal_nan=True):
                raise CheckFailure(
                    f"{was.tolist()!s:.60} to stay what it is while {op.text(call)} is walked back",
                    f"{now.tolist()!s:.60}",
                    "write new arrays in the rule: grad * 2 instead of grad *= 2, and no out= of "
                    "what it is given",
                )


def _walk_again(made: Sequence[Any], inputs: Sequence[Any], seeds: Sequence[Array]) -> list[Array]:
    if not made:
        return []
    found = grad(made, inputs, seeds, retain_graph=True, allow_unused=True)
    return [g.data.copy() for g in found if g is not None]


def _unless_without_rule(function: Callable[..., Any], *args: Any) -> Any:
    """`function(*args)`, or None for an op without rule, of which `has_a_rule` speaks."""
    try:
        return function(*args)
    except NoRuleError:
        return None


def _floats(made: Any) -> list[Any]:
    return [r for r in results(made) if getattr(r, "dtype", np.dtype(bool)).kind == "f"]


def _tracked(call: Call) -> list[Any]:
    """The inputs as Tensors, the floating ones tracked."""
    return [
        Tensor(i, requires_grad=True) if _is_floating(i) else t
        for i, t in zip(call.inputs, call.tensors(), strict=True)
    ]


def _weights(array: Array, seed: int) -> Array:
    """A number for each element, by which it counts: neither 0 nor all the same."""
    return np.random.default_rng(seed).uniform(0.5, 1.5, array.shape).astype(array.dtype)


def _weighted(tensors: Sequence[Any], seed: int) -> Any:
    """The sum of all elements, each by its weight."""
    sums = [(t * _weights(t, seed + i)).sum() for i, t in enumerate(tensors)]
    return sum(sums, start=Tensor(0.0))


def _problem(
    op: Description, call: Call, order: int = 1, seen: list[tuple[str, Any]] | None = None
) -> Problem:
    """F_(order - 1) as a function of the floating inputs.

    Args:
        op: the op.
        call: what to call it on.
        order: of the derivative that is to be checked.
        seen: where to put down, while it is walked back, the name of each input that is reached
            and the dtype of the gradient that the rule has for it.
    """
    places = [i for i, given in enumerate(call.inputs) if _is_floating(given)]
    known = () if op.op.variadic else op.op.inputs
    names = [known[i] if i < len(known) else f"input {i}" for i in places]

    def value(*xs: Any) -> Any:
        inputs = call.tensors()
        for name, place, x in zip(names, places, xs, strict=True):
            inputs[place] = x
            if seen is not None and is_tracked(x):
                x.register_hook(lambda grad, name=name: seen.append((name, grad.dtype)))
        made = _floats(op(*inputs, **call.parameters))
        return _weighted([r + 0.5 * r * r for r in made], seed=0)

    def slope(*xs: Any) -> Any:
        return _weighted(func.grad(value, range(len(xs)))(*xs), seed=10)

    points = [call.inputs[i] for i in places]
    return Problem(op.name, value if order == 1 else slope, names, points)


def _walked_back(
    op: Description, call: Call, order: int = 1, seen: list[tuple[str, Any]] | None = None
) -> tuple[Problem, Array]:
    """The problem, and the gradient of F_(order - 1) by the engine, as a matrix of one row."""
    problem = _problem(op, call, order, seen)
    return problem, problem.walked_back()

"""What autograd adds to the conformance kit: checks of an op's derivatives.

The derivative of order k is taken of a number: F_0 is a weighted sum of the op's results, and F_k
the derivative of F_(k-1) along a direction. The gradient of F_(k-1) by the engine must agree with
central differences of F_(k-1). By induction nothing but the plain forward is trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.testing import Call, CheckFailure, Checks, Description, results

from tinytorch_autograd.errors import NoRuleError
from tinytorch_autograd.gradients import grad

Array = Any

# Five points: the error is h⁴/30 F⁽⁵⁾, about 2e-15 F⁽⁵⁾, and the rounding 1.5 eps/h |F|, about
# 7e-13 |F|. So 1e-7 leaves room for functions that bend a lot, and hides no wrong factor.
_STEP = 2.0**-11
_STENCIL = {-2: 1 / 12, -1: -8 / 12, 1: 8 / 12, 2: -1 / 12}
_TOLERANCE = 1e-7


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
            _gradients(op, call)
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
        if all(result.requires_grad for result in made):
            continue
        for i, slopes in _differences(op, call, order=1).items():
            if abs(slopes).max(initial=0) > _TOLERANCE:
                raise CheckFailure(
                    f"{op.text(call)} to be tracked, for it changes with {_input(op, i)}",
                    "a result that is not: the gradient would be zero without a word",
                    "add a rule, or take back rules.no_derivative; in what users call, compute "
                    "with Tensors, not with x.data",
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
        found = _unless_without_rule(_gradients, op, call, order)
        if found is None:
            continue
        for i, expected in _differences(op, call, order).items():
            off = abs(found[i] - expected) / np.maximum(1, abs(expected))
            # Written so that NaN is found as well.
            wrong = np.argwhere(~(off <= tolerance))
            if len(wrong):
                at = tuple(map(int, wrong[0]))
                raise _wrong(op, call, order, i, at, expected[at], found[i][at])


def _wrong(
    op: Description, call: Call, order: int, i: int, at: tuple[int, ...], expected: Any, found: Any
) -> CheckFailure:
    where = f"at {list(at)}, where it is {call.inputs[i][at]:.6g}," if at else ""
    name = _input(op, i)
    remedy = (
        f"correct the function for {name} in rules.add({op.name!r}, ...)"
        if order == 1
        else f"write the rule for {name} in ops that have rules themselves, on all that depends on "
        "the inputs: no x.data, no float(x), no SciPy"
    )
    return CheckFailure(
        f"{expected:.10g} as derivative of order {order} with respect to {name} {where} in "
        f"{op.text(call)}, by numerical differentiation of a weighted sum",
        f"{found:.10g}",
        f"{remedy}; or, if there is a kink nearby, state it by kinks= in the description",
    )


def _input(op: Description, i: int) -> str:
    names = () if op.op.variadic else op.op.inputs
    return names[i] if i < len(names) else f"input {i}"


def keeps_dtypes_of_gradients(op: Description) -> None:
    """The rule gives gradients of float32 for inputs of float32, before anything converts them."""
    for call in op.calls:
        single = [i.astype(np.float32) if _is_floating(i) else i for i in call.inputs]
        found = _unless_without_rule(_gradients, op, call.with_inputs(single))
        for i, gradient in (found or {}).items():
            if gradient.dtype != np.float32:
                raise CheckFailure(
                    f"float32 for the gradient of {_input(op, i)} in "
                    f"{op.text(call.with_inputs(single))}",
                    str(gradient.dtype),
                    "keep NumPy scalars out of the rule: math.log(2), not np.log(2), and "
                    "grad.dtype where arrays are made",
                )


def leaves_saved_arrays_alone(op: Description) -> None:
    """A rule writes into nothing that it is given, so that the graph can be walked again."""
    for call in op.calls:
        tensors = _tracked(call)
        inputs = [t for t in tensors if _is_tracked(t)]
        made = [r for r in _floats(op(*tensors, **call.parameters)) if r.requires_grad]
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


def _is_tracked(value: Any) -> bool:
    return getattr(value, "requires_grad", False) is True


def _tracked(call: Call) -> list[Any]:
    """The inputs as Tensors, the floating ones tracked.

    They are no leaves: the gradient of a leaf would be converted to the leaf's dtype.
    """
    return [
        Tensor(i, requires_grad=True).copy() if _is_floating(i) else t
        for i, t in zip(call.inputs, call.tensors(), strict=True)
    ]


def _weights(array: Array, seed: int) -> Array:
    """A number for each element, by which it counts: neither 0 nor all the same."""
    return np.random.default_rng(seed).uniform(0.5, 1.5, array.shape).astype(array.dtype)


def _weighted(op: Description, call: Call) -> tuple[list[Any], Any]:
    """The tracked inputs, and F_0 as a Tensor."""
    tensors = _tracked(call)
    made = _floats(op(*tensors, **call.parameters))
    value = sum((r * _weights(r, seed)).sum() for seed, r in enumerate(made))
    return [t for t in tensors if _is_tracked(t)], value


def _gradients(op: Description, call: Call, order: int = 1) -> dict[int, Array]:
    """The gradient of F_(order - 1) by the engine, for each floating input by its place."""
    inputs, value = _weighted(op, call)
    for k in range(1, order):
        found = _grad(value, inputs, create_graph=True)
        directions = [_weights(x, 10 * k + i) for i, x in enumerate(inputs)]
        value = sum((g * v).sum() for g, v in zip(found, directions, strict=True) if g is not None)
    found = _grad(value, inputs)
    places = (i for i, given in enumerate(call.inputs) if _is_floating(given))
    return {
        i: np.zeros_like(x.data) if g is None else g.data
        for i, x, g in zip(places, inputs, found, strict=True)
    }


def _grad(value: Any, inputs: Sequence[Any], create_graph: bool = False) -> Sequence[Any]:
    if not _is_tracked(value):
        return [None] * len(inputs)
    return grad(value, inputs, create_graph=create_graph, allow_unused=True)  # type: ignore[no-any-return]


def _value(op: Description, call: Call, order: int) -> float:
    """F_order, a number."""
    if order == 0:
        made = _floats(op.run(call))
        return sum(float((r.data * _weights(r, seed)).sum()) for seed, r in enumerate(made))
    found = _gradients(op, call, order).values()
    return sum(float((g * _weights(g, 10 * order + i)).sum()) for i, g in enumerate(found))


def _differences(op: Description, call: Call, order: int) -> dict[int, Array]:
    """The gradient of F_(order - 1) by central differences, for each floating input."""
    found = {}
    for i, given in enumerate(call.inputs):
        if _is_floating(given):
            found[i] = np.zeros(given.shape)
            for at in np.ndindex(given.shape):
                slope = sum(
                    factor * _value(op, _moved(call, i, at, step * _STEP), order - 1)
                    for step, factor in _STENCIL.items()
                )
                found[i][at] = slope / _STEP
    return found


def _moved(call: Call, i: int, at: tuple[int, ...], by: float) -> Call:
    """The same call with one element of one input moved."""
    inputs = list(call.inputs)
    inputs[i] = inputs[i].copy()
    inputs[i][at] += by
    return call.with_inputs(inputs)

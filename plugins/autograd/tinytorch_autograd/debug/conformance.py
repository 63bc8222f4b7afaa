"""The checks that autograd adds to the devkit: derivatives of the ops that a plugin describes."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch_autograd.debug import conformance_numbers
from tinytorch_autograd.debug.checked_call import (
    Problem,
    failure,
    floats,
    is_floating,
    seed_of,
    tracked,
    unless_without_rule,
)
from tinytorch_autograd.errors import NoRuleError
from tinytorch_autograd.gradients import grad
from tinytorch_autograd.tracking import is_tracked

if TYPE_CHECKING:
    from tinytorch_devkit import Call, Checks, Description

Array = Any

# Larger than the tolerance of `check_derivative`, because a plugin's functions may have larger
# fifth derivatives; still small enough to detect a wrong factor.
_TOLERANCE = 1e-7
_BY_DIFFERENCES = "by numerical differentiation of a weighted sum of r + r²/2"


def add_to(checks: Checks) -> None:
    """Add the checks of this module and of `conformance_numbers`."""
    checks.for_op(has_a_rule, applies=_takes_floats)
    checks.for_op(loses_no_gradient, applies=_takes_floats)
    checks.for_op(has_the_right_derivative, applies=_takes_floats)
    checks.for_op(has_the_right_second_derivative, applies=_promises(2))
    checks.for_op(has_the_right_third_derivative, applies=_promises(3))
    conformance_numbers.add_to(checks, applies=_takes_floats)
    checks.for_op(has_derivatives_in_any_memory_layout, applies=_takes_floats)
    checks.for_op(keeps_dtypes_of_gradients, applies=_takes_floats)
    checks.for_op(keeps_half_precision_of_gradients, applies=_takes_floats)
    checks.for_op(leaves_saved_arrays_alone, applies=_takes_floats)
    checks.for_op(differentiates_any_array, applies=_takes_floats)


def _takes_floats(op: Description) -> bool:
    return not op.op.in_place and any(is_floating(i) for call in op.calls for i in call.inputs)


def _promises(order: int) -> Callable[[Description], bool]:
    return lambda op: op.order >= order and _takes_floats(op)


def has_a_rule(op: Description) -> None:
    """The op has a backward rule or is declared not differentiable."""
    try:
        for call in op.calls:
            Problem(op, call).gradient()
    except NoRuleError as error:
        raise failure(
            f"a rule, or a declaration that {op.name} is not differentiable",
            str(error),
            f"in tinytorch_register_backward, call rules.add({op.name!r}, ...) or "
            f"rules.no_derivative({op.name!r}); leave this check out if backward() through the op "
            "is meant to raise",
        ) from error


def loses_no_gradient(op: Description) -> None:
    """A result that is not tracked does not depend on the floating-point inputs."""
    for call in op.calls:
        results = floats(op(*tracked(call), **op.fresh(call.parameters)))
        if all(map(is_tracked, results)):
            continue
        problem = Problem(op, call)
        steep = np.flatnonzero(abs(problem.differences()) > _TOLERANCE)
        if len(steep):
            raise failure(
                f"{op.text(call)} to be tracked, because it depends on "
                f"{problem.input_of(steep[0])}",
                "an untracked result, whose gradient would silently be zero",
                "add a rule, or remove rules.no_derivative; in functions that users call, compute "
                "with Tensors, not with x.data",
            )


def has_the_right_derivative(op: Description) -> None:
    """The gradient of each input agrees with numerical differentiation in float64."""
    _compare(op, order=1)


def has_the_right_second_derivative(op: Description) -> None:
    """The gradient of the gradient agrees with numerical differentiation in float64."""
    _compare(op, order=2)


def has_the_right_third_derivative(op: Description) -> None:
    """If the description promises it, the third derivative agrees with numerical values."""
    _compare(op, order=3)


def _compare(op: Description, order: int) -> None:
    tolerance = max(_TOLERANCE, 100 * op.tolerance)
    for call, only in ((c, result) for c in op.calls for result in _results_of(op, c)):
        problem = Problem(op, call, order, only=only)
        found = unless_without_rule(problem.gradient)
        if found is None:
            continue
        expected = problem.differences()
        errors = abs(found - expected) / np.maximum(1, abs(expected))
        # Negated so that NaN counts as wrong.
        wrong = np.flatnonzero(~(errors <= tolerance))
        if len(wrong):
            i = wrong[0]
            name = problem.input_of(i)
            source = "according to the description" if name in op.stepwise else _BY_DIFFERENCES
            result = "" if only is None else f", from its result {only} alone"
            raise failure(
                f"{expected[i]:.10g} as derivative of order {order} with respect to "
                f"{problem.element(i)} in {op.text(call)}{result}, {source}",
                f"{found[i]:.10g}",
                f"{_remedy(op, name, order)}; or, if the op has a kink nearby, declare it with "
                "kinks= in the description",
            )


def _results_of(op: Description, call: Call) -> Sequence[int | None]:
    """Return None, for all results of a call, and the number of each if there are several."""
    count = len(floats(op.run(call)))
    return [None, *range(count)] if count > 1 else [None]


def _remedy(op: Description, name: str, order: int) -> str:
    if order == 1:
        return f"correct the function for {name} in rules.add({op.name!r}, ...)"
    return (
        f"write the rule for {name} in ops that have rules themselves, and apply them to "
        "everything that depends on the inputs: no x.data, no float(x), no SciPy"
    )


def has_derivatives_in_any_memory_layout(op: Description) -> None:
    """The gradients do not depend on the order of arrays in memory, or on their flags."""
    from tinytorch_devkit import LAYOUTS, expect_equal  # autograd does not need the devkit

    for call in op.calls:
        expected = unless_without_rule(_gradients_in_layout, op, call, None)
        for layout in LAYOUTS if expected else ():
            expect_equal(
                _gradients_in_layout(op, call, layout),
                expected,
                max(op.tolerance, 1e-9),
                of=f"the gradients of {op.text(call)} with its arrays {layout}",
                remedy="do not rely on the order in memory (ravel, view, strides) in the rule, and "
                "do not write to its arguments",
            )


def _gradients_in_layout(op: Description, call: Call, layout: str | None) -> list[Array]:
    """Return the gradients of the inputs; they and the gradients of the results have a layout."""
    from tinytorch_devkit import laid_out

    inputs = call.tensors() if layout is None else [laid_out(i, layout) for i in call.inputs]
    for given, tensor in zip(call.inputs, inputs, strict=True):
        if is_floating(given):
            tensor.requires_grad = True
    results = [r for r in floats(op(*inputs, **op.fresh(call.parameters))) if is_tracked(r)]
    seeds = [seed_of(r, i) for i, r in enumerate(results)]
    if layout is not None:
        seeds = [laid_out(seed, layout).data for seed in seeds]
    return _retained_gradients(results, [t for t in inputs if is_tracked(t)], seeds)


def keeps_dtypes_of_gradients(op: Description) -> None:
    """The rule itself returns float32 gradients for float32 inputs, before the engine casts."""
    _expect_gradients_in(np.dtype(np.float32), op)


def keeps_half_precision_of_gradients(op: Description) -> None:
    """If the op returns float16, its rule returns float16 gradients, before the engine casts."""
    _expect_gradients_in(np.dtype(np.float16), op)


def _expect_gradients_in(dtype: np.dtype[Any], op: Description) -> None:
    for call, order in itertools.product(op.calls, (1, 2)):
        narrow = call.converted("f", dtype)
        seen: list[tuple[str, Any]] = []
        if dtype == np.float32 or _returns(op, narrow, dtype):
            unless_without_rule(Problem(op, narrow, order, seen=seen).gradient)
        for name, found in seen:
            if found != dtype:
                raise failure(
                    f"{dtype} for the gradient of {name} in {op.text(narrow)}",
                    f"{found}{', where the backward pass is recorded' if order > 1 else ''}",
                    "keep NumPy scalars out of the rule: use math.log(2), not np.log(2), and "
                    "create arrays with grad.dtype",
                )


def _returns(op: Description, call: Call, dtype: Any) -> bool:
    """Return whether the op accepts a call, and all its results have a dtype."""
    try:
        return all(r.dtype == dtype for r in floats(op.run(call)))
    except (TypeError, ValueError, NotImplementedError):
        return False


def leaves_saved_arrays_alone(op: Description) -> None:
    """The rule does not write into the arrays it receives, so a retained graph stays valid."""
    for call in op.calls:
        tensors = tracked(call)
        inputs = [t for t in tensors if is_tracked(t)]
        results = [r for r in floats(op(*tensors, **op.fresh(call.parameters))) if is_tracked(r)]
        seeds = [seed_of(r, i) for i, r in enumerate(results)]
        given = [*seeds, *(x.data for x in inputs), *(r.data for r in results)]
        before = [array.copy() for array in given]
        first, second = (
            unless_without_rule(_retained_gradients, results, inputs, seeds) for _ in range(2)
        )
        for was, now in zip([*before, *(first or ())], [*given, *(second or ())], strict=True):
            if not np.array_equal(was, now, equal_nan=True):
                raise failure(
                    f"{was.tolist()!s:.60} to stay unchanged by the backward pass of "
                    f"{op.text(call)}",
                    f"{now.tolist()!s:.60}",
                    "create new arrays in the rule: grad * 2 instead of grad *= 2, and do not use "
                    "its arguments as out=; compute from them alone, without random numbers",
                )


def differentiates_any_array(op: Description) -> None:
    """The rule runs on any arrays that implement NumPy's protocols, at orders 1 and 2."""
    from tinytorch_devkit import StrictArray, expect_same

    for call in op.calls:
        problem = Problem(op, call)
        expected = unless_without_rule(problem.derivatives)
        if expected is not None:
            expect_same(
                functools.partial(problem.derivatives, StrictArray),
                expected,
                tolerance=max(1e-9, op.tolerance),
                of=f"the derivatives of {op.text(call)}",
            )


def _retained_gradients(
    results: Sequence[Any], inputs: Sequence[Any], seeds: Sequence[Array]
) -> list[Array]:
    if not results:
        return []
    found = grad(results, inputs, seeds, retain_graph=True, allow_unused=True)
    return [g.data.copy() for g in found if g is not None]

"""The checks that autograd adds to the devkit: derivatives of the ops that a plugin describes.

The function that is differentiated returns r + r²/2 for each result r of the op. Because of the
square, the gradient of a linear op depends on its inputs too, through the gradient that its rule
receives, so second derivatives test the rules of linear ops as well.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_autograd.debug.numerical import (
    differences,
    first_and_second,
    gradients,
    random_weights,
)
from tinytorch_autograd.debug.packing import labels, pack, unpack
from tinytorch_autograd.errors import NoRuleError
from tinytorch_autograd.gradients import grad
from tinytorch_autograd.outputs import results_of
from tinytorch_autograd.tracking import is_tracked

if TYPE_CHECKING:
    from tinytorch_devkit import Call, CheckFailure, Checks, Description

Array = Any

# Larger than the tolerance of `check_derivative`, because a plugin's functions may have larger
# fifth derivatives; still small enough to detect a wrong factor.
_TOLERANCE = 1e-7
_BY_DIFFERENCES = "by numerical differentiation of a weighted sum of r + r²/2"


def add_to(checks: Checks) -> None:
    """Add the checks of this module."""
    for check in (
        has_a_rule,
        loses_no_gradient,
        has_the_right_derivative,
        has_the_right_second_derivative,
        has_derivatives_at_large_numbers,
        keeps_dtypes_of_gradients,
        leaves_saved_arrays_alone,
        differentiates_any_array,
    ):
        checks.for_op(check, applies=_takes_floats)


def _failure(expected: str, found: str, remedy: str) -> CheckFailure:
    from tinytorch_devkit import CheckFailure  # here, because autograd does not need the devkit

    return CheckFailure(expected, found, remedy)


def _takes_floats(op: Description) -> bool:
    return not op.op.in_place and any(_is_floating(i) for call in op.calls for i in call.inputs)


def _is_floating(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def has_a_rule(op: Description) -> None:
    """The op has a backward rule or is declared not differentiable."""
    try:
        for call in op.calls:
            _Problem(op, call).gradient()
    except NoRuleError as error:
        raise _failure(
            f"a rule, or a declaration that {op.name} is not differentiable",
            str(error),
            f"in tinytorch_register_backward, call rules.add({op.name!r}, ...) or "
            f"rules.no_derivative({op.name!r}); leave this check out if backward() through the op "
            "is meant to raise",
        ) from error


def loses_no_gradient(op: Description) -> None:
    """A result that is not tracked does not depend on the floating-point inputs."""
    for call in op.calls:
        results = _floats(op(*_tracked(call), **call.parameters))
        if all(map(is_tracked, results)):
            continue
        problem = _Problem(op, call)
        steep = np.flatnonzero(abs(problem.differences()) > _TOLERANCE)
        if len(steep):
            raise _failure(
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


def _compare(op: Description, order: int) -> None:
    tolerance = max(_TOLERANCE, 100 * op.tolerance)
    for call in op.calls:
        problem = _Problem(op, call, order)
        found = _unless_without_rule(problem.gradient)
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
            raise _failure(
                f"{expected[i]:.10g} as derivative of order {order} with respect to "
                f"{problem.element(i)} in {op.text(call)}, {source}",
                f"{found[i]:.10g}",
                f"{_remedy(op, name, order)}; or, if the op has a kink nearby, declare it with "
                "kinks= in the description",
            )


def _remedy(op: Description, name: str, order: int) -> str:
    if order == 1:
        return f"correct the function for {name} in rules.add({op.name!r}, ...)"
    return (
        f"write the rule for {name} in ops that have rules themselves, and apply them to "
        "everything that depends on the inputs: no x.data, no float(x), no SciPy"
    )


def has_derivatives_at_large_numbers(op: Description) -> None:
    """Where the op is finite at large numbers, its first and second derivatives are not NaN."""
    for call in _calls_with_large_numbers(op):
        tensors = _tracked(call)
        with np.errstate(all="ignore"):
            values = [r for r in _floats(op(*tensors, **call.parameters)) if is_tracked(r)]
            finite = np.all([np.isfinite(v.data) for v in values], axis=0)
            for order in (1, 2):
                values = _unless_without_rule(_slopes, values, tensors) or []
                for x, slope in zip(tensors, values, strict=False):
                    undefined = finite & (slope is not None and np.isnan(slope.data))
                    if np.any(undefined):
                        number = x.data[undefined][0]
                        raise _failure(
                            f"a derivative of order {order} at {number:g} in {op.text(call)}, "
                            "where the op is finite",
                            "nan",
                            "let no part of the rule overflow, because inf / inf and 0 * inf are "
                            "NaN: write the sigmoid as 0.5 * (1 + np.tanh(0.5 * x)), which does "
                            "not need exp(-x), or replace numbers beyond a bound with np.clip",
                        )


_LARGE = np.outer([20.0, 100.0, 800.0, 1e4], [1, -1]).ravel()


def _calls_with_large_numbers(op: Description) -> Iterator[Call]:
    """Yield calls of an op that works element by element, with one input of large numbers."""
    seen: list[Any] = []
    for call in op.calls if op.elementwise else ():
        if call.parameters in seen:
            continue
        seen.append(call.parameters)
        for i, (low, high) in enumerate(op.domain):
            numbers = _LARGE[(low < _LARGE) & (high > _LARGE)]
            inputs = list(op.draw(*[numbers.shape] * len(op.domain)))
            inputs[i] = numbers
            for dtype in (np.float32, np.float64):
                yield call.with_inputs([x.astype(dtype) for x in inputs])


def _slopes(values: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
    """Return the derivatives of the sum of all values by each input; None is 0."""
    tracked = [v for v in values if v is not None and is_tracked(v)]
    if not tracked:
        return []
    seeds = [np.ones_like(v.data) for v in tracked]
    return list(grad(tracked, inputs, seeds, create_graph=True, allow_unused=True))


def keeps_dtypes_of_gradients(op: Description) -> None:
    """The rule itself returns float32 gradients for float32 inputs, before the engine casts."""
    for call in op.calls:
        single = call.with_inputs(
            [i.astype(np.float32) if _is_floating(i) else i for i in call.inputs]
        )
        for order in (1, 2):
            seen: list[tuple[str, Any]] = []
            _unless_without_rule(_Problem(op, single, order, seen).gradient)
            for name, dtype in seen:
                if dtype != np.float32:
                    raise _failure(
                        f"float32 for the gradient of {name} in {op.text(single)}",
                        f"{dtype}{', where the backward pass is recorded' if order > 1 else ''}",
                        "keep NumPy scalars out of the rule: use math.log(2), not np.log(2), and "
                        "create arrays with grad.dtype",
                    )


def leaves_saved_arrays_alone(op: Description) -> None:
    """The rule does not write into the arrays it receives, so a retained graph stays valid."""
    for call in op.calls:
        tensors = _tracked(call)
        inputs = [t for t in tensors if is_tracked(t)]
        results = [r for r in _floats(op(*tensors, **call.parameters)) if is_tracked(r)]
        seeds = [_seed(r, i) for i, r in enumerate(results)]
        given = [*seeds, *(x.data for x in inputs), *(r.data for r in results)]
        before = [array.copy() for array in given]
        first, second = (
            _unless_without_rule(_retained_gradients, results, inputs, seeds) for _ in range(2)
        )
        for was, now in zip([*before, *(first or ())], [*given, *(second or ())], strict=True):
            if not np.array_equal(was, now, equal_nan=True):
                raise _failure(
                    f"{was.tolist()!s:.60} to stay unchanged by the backward pass of "
                    f"{op.text(call)}",
                    f"{now.tolist()!s:.60}",
                    "create new arrays in the rule: grad * 2 instead of grad *= 2, and do not use "
                    "its arguments as out=",
                )


def differentiates_any_array(op: Description) -> None:
    """The rule runs on any arrays that implement NumPy's protocols, at orders 1 and 2."""
    from tinytorch_devkit import StrictArray, expect_same

    for call in op.calls:
        problem = _Problem(op, call)
        expected = _unless_without_rule(problem.derivatives)
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


def _unless_without_rule(function: Callable[..., Any], *args: Any) -> Any:
    """Return `function(*args)`, or None if the op has no rule, which `has_a_rule` reports."""
    try:
        return function(*args)
    except NoRuleError:
        return None


def _floats(results: Any) -> list[Any]:
    return [r for r in results_of(results) if getattr(r, "dtype", np.dtype(bool)).kind == "f"]


def _tracked(call: Call) -> list[Any]:
    """Return the inputs as Tensors; floating-point ones require grad."""
    return [
        Tensor(i, requires_grad=True) if _is_floating(i) else t
        for i, t in zip(call.inputs, call.tensors(), strict=True)
    ]


def _seed(array: Array, seed: int) -> Array:
    """Return a different nonzero gradient for each element, in the dtype of `array`."""
    return np.random.default_rng(seed).uniform(0.5, 1.5, array.shape).astype(array.dtype)


class _Problem:
    """One call of an op as a function of its floating-point inputs, and a derivative to check.

    The derivative is of order `order`: the gradient of F_(order - 1), see `debug.numerical`.
    """

    def __init__(
        self, op: Description, call: Call, order: int = 1, seen: list[Any] | None = None
    ) -> None:
        """Describe the derivative.

        Args:
            op: the op.
            call: its arguments.
            order: of the derivative.
            seen: receives the name of an input and the dtype of the gradient that the rule
                returned for it, for each gradient computed.
        """
        self._op = op
        positions = [i for i, given in enumerate(call.inputs) if _is_floating(given)]
        known = () if op.op.variadic else op.op.inputs
        self._names = [known[i] if i < len(known) else f"input {i}" for i in positions]
        self._arrays = [call.inputs[i] for i in positions]

        def function(*xs: Any) -> list[Any]:
            inputs = call.tensors()
            for name, position, x in zip(self._names, positions, xs, strict=True):
                inputs[position] = x
                if seen is not None and is_tracked(x):
                    x.register_hook(lambda grad, name=name: seen.append((name, grad.dtype)))
            results = _floats(op(*inputs, **call.parameters))
            return [r + 0.5 * r * r for r in results]

        self._function = function
        self._weights, self._directions = random_weights(function, self._arrays, order - 1)

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

    def element(self, i: int) -> str:
        """Return the label and value of the element at index `i` of the packed vector."""
        value = pack(self._arrays)[i]
        return f"{labels(self._names, self._arrays)[i]}, where it is {value:.6g},"

    def input_of(self, i: int) -> str:
        """Return the name of the input that contains the element at index `i`."""
        ends = np.cumsum([array.size for array in self._arrays])
        return self._names[int(np.searchsorted(ends, i, side="right"))]

"""Descriptions of ops: their calls, the numbers they take, and the expected results.

A plugin adds them in `tinytorch_describe_ops`; the checks read them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tinytorch_core.extend import Op, did_you_mean

from tinytorch_devkit.description import Call, Description, Refusal, Shape
from tinytorch_devkit.sampling import Interval

_REALS: Interval = (-math.inf, math.inf)

# Each input of an elementwise op has each of these shapes in one described call.
_SHAPES: tuple[Shape, ...] = ((2, 3), (3,), ())


class Samples:
    """The descriptions of one plugin's ops; passed to `tinytorch_describe_ops`.

    Attributes:
        descriptions: the descriptions added so far.
    """

    def __init__(
        self, ops: Mapping[str, Op], numpy_op: Callable[[Callable[..., Any]], Op] | None = None
    ) -> None:
        self._ops = ops
        self._numpy_op = numpy_op
        self.descriptions: list[Description] = []
        self._left_out: dict[tuple[str, str | None], str] = {}

    def add(
        self,
        name: str | Callable[..., Any],
        reference: Callable[..., Any],
        *,
        domain: Interval | Mapping[str, Interval] = _REALS,
        kinks: Sequence[float] = (),
        parameters: Sequence[Mapping[str, Any]] = ({},),
        shapes: Sequence[Any] | None = None,
        calls: Sequence[Call] | None = None,
        tolerance: float = 1e-9,
        function: Callable[..., Any] | None = None,
        stepwise: Sequence[str] = (),
        order: int = 2,
        view: bool = False,
        largest: int = 1_000_000,
    ) -> None:
        """Describe an op.

        By default the op works element by element, on all real numbers:

            samples.add("swish", lambda x: x / (1 + np.exp(-x)))

        Args:
            name: the op's name; or a NumPy function that is not an op of a plugin, such as
                np.linalg.inv, with `shapes` or `calls`.
            reference: a function of the call's arguments, arrays in float64, that returns the
                expected result. Compute it differently from the op: with SciPy, or with the
                formula of a textbook.
            domain: the open interval of the inputs, or a mapping from input names to intervals.
                With `calls`, a mapping from the names of the inputs that may have any numbers in
                the interval: the kit also tries large and complex ones.
            kinks: points where the op or its derivative jumps. Inputs keep away from them.
            parameters: the parameters to check: a dict for each combination.
            shapes: for an op that does not work element by element, the shapes to check: for
                one input `[(3,), (2, 3)]`, for several `[((2, 3), (3, 4))]`. Include () and
                axes of length 0 and 1 if the op accepts them.
            calls: complete calls, for inputs that depend on each other:
                `[call(x, classes, reduction="sum")]`. Arrays among the inputs become Tensors.
            tolerance: the largest accepted difference from the reference in float64, relative
                and absolute.
            function: the function that users call, if it does more than the op, such as
                checking its arguments.
            stepwise: the names of inputs for which the result is piecewise constant, as for
                argmax: the derivative with respect to them is 0.
            order: the highest order of derivative that is right: 1, 2 or 3.
            view: whether the result may share memory with an input, as that of a reshape.
            largest: the largest number of elements that the kit tries; elementwise ops and
                reductions are tried with a million by default.

        Raises:
            ValueError: no op has that name, or the arguments contradict each other.
        """
        if not isinstance(name, str):
            function = function or name
            first = (shapes and len(_shapes(shapes[0]))) or (calls and len(calls[0].inputs)) or 1
            op = self._op_of(name, first)
            name = op.name
        elif name in self._ops:
            op = self._ops[name]
        else:
            raise ValueError(f"no op is named {name!r}. {did_you_mean(name, self._ops)}")
        if calls is not None and (shapes is not None or list(parameters) != [{}]):
            raise ValueError(
                f"{name!r} is described with calls=, which include shapes and parameters; "
                "leave shapes= and parameters= out"
            )
        if not (shapes is None or len(shapes)) or not (calls is None or len(calls)):
            raise ValueError(f"{name!r} is described without a call; pass at least one")
        if shapes is None and calls is None and op.variadic:
            raise ValueError(
                f"{name!r} takes any number of inputs; pass shapes for some, as in "
                "shapes=[((3,), (2,))]"
            )
        count = max(len(op.inputs), *(len(_shapes(s)) for s in shapes or ((),)))
        chosen = tuple(_elementwise_shapes(count) if shapes is None else map(_shapes, shapes))
        described = Description(
            op=op,
            reference=reference,
            calls=tuple(calls or ()),
            elementwise=shapes is None and calls is None,
            shapes=chosen if calls is None else (),
            domain=_domains(op, domain, count, None if calls else _REALS),
            kinks=tuple(kinks),
            tolerance=tolerance,
            function=function,
            stepwise=_inputs_of(op, "stepwise", stepwise),
            order=order,
            view=view,
            largest=largest,
        )
        if calls is None:
            drawn = [described.draw(*s, seed=seed) for seed, s in enumerate(chosen)]
            pairs = itertools.product(parameters, drawn)
            calls = [Call(inputs, options) for options, inputs in pairs]
            described = replace(described, calls=tuple(calls))
        self.descriptions.append(described)

    def _op_of(self, function: Callable[..., Any], count: int) -> Op:
        """Return the op that runs a NumPy function, whose first `count` arguments are inputs."""
        if self._numpy_op is None:
            raise ValueError(f"{function!r} is not the name of an op")
        op = self._numpy_op(function)
        return op._replace(inputs=op.argument_names[:count])

    def refuse(
        self, name: str, error: type[Exception], naming: str, /, *inputs: Any, **parameters: Any
    ) -> None:
        """Describe a call that must raise an error with a clear message.

            samples.refuse("elu", TypeError, "alpha", alpha="much")

        Args:
            name: the name of an op described earlier.
            error: the class of the error.
            naming: what its message must contain, such as the name of the wrong argument.
            inputs: the inputs, with arrays that become Tensors; by default those of the op's first
                call.
            parameters: the parameters.

        Raises:
            ValueError: no op of that name was described earlier.
        """
        for i, described in enumerate(self.descriptions):
            if described.name == name:
                refused = Call(inputs or described.calls[0].inputs, parameters)
                refusal = Refusal(refused, error, naming)
                refusals = (*described.refusals, refusal)
                self.descriptions[i] = replace(described, refusals=refusals)
                return
        known = [described.name for described in self.descriptions]
        raise ValueError(f"describe {name!r} with `add` first. {did_you_mean(name, known)}")

    def leave_out(self, check: str, reason: str, *names: str) -> None:
        """Leave out a check that does not fit the op.

            samples.leave_out("keeps_dtypes", "returns counts, which are integers", "histogram")

        Args:
            check: the name of the check.
            reason: why; reports show it.
            names: the ops; without names, the check is left out for all ops and the plugin.
        """
        for name in names or (None,):
            self._left_out[check, name] = reason

    def reason(self, check: str, name: str | None = None) -> str | None:
        """Return why a check is left out for an op, or for the plugin; None if it is not."""
        return self._left_out.get((check, name)) or self._left_out.get((check, None))


def _shapes(given: Any) -> tuple[Shape, ...]:
    """Return a tuple with one shape per input; a single input may be given as one shape."""
    if all(isinstance(n, int) for n in given):
        return (tuple(given),)
    return tuple(map(tuple, given))


def _elementwise_shapes(count: int) -> Iterator[tuple[Shape, ...]]:
    """Yield shapes that broadcast, so that each input has each of `_SHAPES` once."""
    for first in range(len(_SHAPES)):
        yield tuple(_SHAPES[(first + i) % len(_SHAPES)] for i in range(count))


def _domains(
    op: Op, domain: Any, count: int, default: Interval | None
) -> tuple[Interval | None, ...]:
    """Return an interval for each input; `default` is that of an input that is not named."""
    if not isinstance(domain, Mapping):
        return (_interval(op, domain) if default else None,) * count
    _inputs_of(op, "the domain", domain)
    return tuple(_interval(op, domain[x]) if x in domain else default for x in op.inputs)


def _inputs_of(op: Op, what: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return `names`; raise ValueError unless each of them is an input of the op."""
    if unknown := set(names) - set(op.inputs):
        raise ValueError(
            f"{what} of {op.name!r} names {min(unknown)!r}, which is not one of its inputs. "
            f"{did_you_mean(min(unknown), op.inputs)}"
        )
    return tuple(names)


def _interval(op: Op, given: Any) -> Interval:
    low, high = given
    if not low < high:
        raise ValueError(
            f"the domain of {op.name!r} must be (low, high) with low < high, not {given}"
        )
    return float(low), float(high)

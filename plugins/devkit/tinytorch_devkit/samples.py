"""Descriptions of ops: how each is called, on what numbers, and what must come out.

A plugin hands them over in `tinytorch_describe_ops`, once for each op; the checks read them.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import Op, did_you_mean

from tinytorch_devkit.sampling import Interval, draw

Array: TypeAlias = Any
Shape: TypeAlias = tuple[int, ...]

# An op that works element by element is called with each of these, in turn for each input.
_SHAPES: tuple[Shape, ...] = ((2, 3), (3,), ())


class Call(NamedTuple):
    """One call of an op: its inputs, arrays among them, and its parameters."""

    inputs: tuple[Any, ...]
    parameters: Mapping[str, Any]

    def tensors(self) -> list[Any]:
        """The inputs, with a Tensor for each array. They are copies."""
        return [Tensor(i) if isinstance(i, np.ndarray) else i for i in self.inputs]

    def with_inputs(self, inputs: Sequence[Any]) -> Call:
        """The same call on other inputs."""
        return Call(tuple(inputs), self.parameters)

    def __str__(self) -> str:
        arguments = [brief(i) for i in self.inputs]
        arguments += [f"{name}={brief(value)}" for name, value in self.parameters.items()]
        return f"({', '.join(arguments)})"


def brief(value: Any) -> str:
    """A value in a message: of an array or a Tensor its dtype and shape."""
    if isinstance(value, np.ndarray | Tensor):
        return f"<{value.dtype} of shape {value.shape}>"
    return f"{value!r:.40}"


def call(*inputs: Any, **parameters: Any) -> Call:
    """One call of an op, as it is written: `call(x, target, reduction="sum")`."""
    return Call(inputs, parameters)


class Refusal(NamedTuple):
    """A call that must raise: with which error, and what its message must contain."""

    call: Call
    error: type[Exception]
    naming: str


@dataclass(frozen=True, eq=False)
class Description:
    """An op as its plugin describes it; handed to each check of an op.

    Attributes:
        op: the op itself.
        reference: a function of arrays that must give the same.
        calls: the calls to be made.
        elementwise: each element of the result comes from those at its place in the inputs,
            which broadcast.
        domain: for each input the open interval of its values.
        kinks: points at which the op jumps or has a kink.
        tolerance: how far results may lie from the reference, in float64, relative and absolute.
        function: what users call, if that is not the op itself.
        stepwise: the inputs with which the result changes in jumps alone.
        refusals: calls that must raise.
    """

    op: Op
    reference: Callable[..., Any]
    calls: tuple[Call, ...]
    elementwise: bool
    domain: tuple[Interval, ...]
    kinks: tuple[float, ...]
    tolerance: float
    function: Callable[..., Any] | None
    stepwise: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    @property
    def name(self) -> str:
        """The name of the op."""
        return self.op.name

    def __call__(self, *inputs: Any, **parameters: Any) -> Any:
        """Runs what users call, with the plugins that are on."""
        function = self.function or Tensor._calls[self.name]
        if self.op.in_place:  # what it writes into, a buffer for one, must not reach the next call
            parameters = copy.deepcopy(parameters)
        return function(*inputs, **parameters)

    def run(self, call: Call) -> Any:
        """The result of a call on Tensors, with a Tensor for each array."""
        return self(*call.tensors(), **call.parameters)

    def draw(self, *shapes: Shape, seed: int = 0) -> tuple[Array, ...]:
        """Inputs of these shapes in float64, from the domain and clear of the kinks.

        No two numbers among them are equal, and none is 0.
        """
        # The middle of the grid, usually 0, lies at the part 0.5, which this never is.
        parts = [0.9 * (i + 1) / (len(shapes) + 1) for i in range(len(shapes))]
        return tuple(
            draw(shape, interval, self.kinks, part=parts[i], seed=seed + i)
            for i, (shape, interval) in enumerate(zip(shapes, self.domain, strict=False))
        )

    def text(self, call: Call) -> str:
        """The call as a person would write it."""
        return f"{self.name}{call}"


class Samples:
    """The descriptions of one plugin's ops; handed to `tinytorch_describe_ops`.

    Attributes:
        descriptions: those added so far.
    """

    def __init__(self, ops: Mapping[str, Op]) -> None:
        self._ops = ops
        self.descriptions: list[Description] = []
        self._left_out: dict[tuple[str, str | None], str] = {}

    def add(
        self,
        name: str,
        reference: Callable[..., Any],
        *,
        domain: Interval | Mapping[str, Interval] = (-math.inf, math.inf),
        kinks: Sequence[float] = (),
        parameters: Sequence[Mapping[str, Any]] = ({},),
        shapes: Sequence[Any] | None = None,
        calls: Sequence[Call] | None = None,
        tolerance: float = 1e-9,
        function: Callable[..., Any] | None = None,
        stepwise: Sequence[str] = (),
    ) -> None:
        """Describes an op.

        With no more than a reference, the op works element by element, on all real numbers:

            samples.add("swish", lambda x: x / (1 + np.exp(-x)))

        Args:
            name: the op's name.
            reference: takes the arguments of a call, arrays in float64, and returns what must
                come out. Write it in another way than the op: from SciPy, or from the textbook.
            domain: the open interval in which the inputs lie, or one for each input by name.
            kinks: points at which the op jumps or has a kink. Inputs keep away from them.
            parameters: the parameters to try: a dict for each combination.
            shapes: for an op that does not work element by element, the shapes to try: for one
                input `[(3,), (2, 3)]`, for several `[((2, 3), (3, 4))]`. Think of (), and of
                axes of length 0 and 1.
            calls: where inputs must fit together, the whole calls instead:
                `[call(x, classes, reduction="sum")]`. Arrays among the inputs become Tensors.
            tolerance: how far a result may lie from the reference, in float64: relative for
                large numbers, absolute for small ones.
            function: what users call, where that is more than the op: it checks its arguments,
                for example.
            stepwise: the names of inputs with which the result changes in jumps alone, as the
                places of the largest do: the derivative with respect to them is 0.

        Raises:
            ValueError: there is no such op, or the arguments do not go together.
        """
        if name not in self._ops:
            raise ValueError(f"there is no op {name!r}. {did_you_mean(name, self._ops)}")
        op = self._ops[name]
        if calls is not None and (shapes is not None or list(parameters) != [{}]):
            raise ValueError(
                f"{name!r} is described by calls, which have their shapes and parameters; "
                "leave shapes= and parameters= out"
            )
        if not (shapes is None or len(shapes)) or not (calls is None or len(calls)):
            raise ValueError(f"{name!r} is described without a call; give at least one")
        if shapes is None and calls is None and op.variadic:
            raise ValueError(
                f"{name!r} takes any number of inputs; say how many by shapes=[((3,), (2,))]"
            )
        count = max(len(op.inputs), *(len(_shapes(s)) for s in shapes or ((),)))
        described = Description(
            op=op,
            reference=reference,
            calls=tuple(calls or ()),
            elementwise=shapes is None and calls is None,
            domain=_domains(op, domain, count),
            kinks=tuple(kinks),
            tolerance=tolerance,
            function=function,
            stepwise=_inputs_of(op, "stepwise", stepwise),
        )
        if calls is None:
            chosen = _elementwise_shapes(count) if shapes is None else map(_shapes, shapes)
            drawn = [described.draw(*s, seed=seed) for seed, s in enumerate(chosen)]
            made = tuple(Call(inputs, options) for options in parameters for inputs in drawn)
            described = replace(described, calls=made)
        self.descriptions.append(described)

    def refuse(
        self, name: str, error: type[Exception], naming: str, /, *inputs: Any, **parameters: Any
    ) -> None:
        """Describes a call that must raise, with a message that helps.

            samples.refuse("elu", TypeError, "alpha", alpha="much")

        Args:
            name: the name of an op that was described before.
            error: the class of the error.
            naming: what its message must contain, such as the name of the wrong argument.
            inputs: the inputs, arrays becoming Tensors; by default those of the op's first call.
            parameters: the parameters.

        Raises:
            ValueError: no such op was described before.
        """
        for i, described in enumerate(self.descriptions):
            if described.name == name:
                given = inputs or described.calls[0].inputs
                refusal = Refusal(Call(given, parameters), error, naming)
                refusals = (*described.refusals, refusal)
                self.descriptions[i] = replace(described, refusals=refusals)
                return
        known = [described.name for described in self.descriptions]
        raise ValueError(f"describe {name!r} by `add` first. {did_you_mean(name, known)}")

    def leave_out(self, check: str, reason: str, *names: str) -> None:
        """Leaves out a check that does not fit, for the reason that reports then show.

            samples.leave_out("keeps_dtypes", "counts, and so gives integers", "histogram")

        Args:
            check: the name of the check.
            reason: why.
            names: the ops it is left out for; with none, for all ops and the plugin itself.
        """
        for name in names or (None,):
            self._left_out[check, name] = reason

    def reason(self, check: str, name: str | None = None) -> str | None:
        """Why a check is left out for an op, or for the plugin itself; None if it is not."""
        return self._left_out.get((check, name)) or self._left_out.get((check, None))


def _shapes(given: Any) -> tuple[Shape, ...]:
    """The shapes of all inputs; for one input its shape alone may be given."""
    if all(isinstance(n, int) for n in given):
        return (tuple(given),)
    return tuple(map(tuple, given))


def _elementwise_shapes(count: int) -> Iterator[tuple[Shape, ...]]:
    """Shapes that broadcast, so that each input has each of `_SHAPES` once."""
    for first in range(len(_SHAPES)):
        yield tuple(_SHAPES[(first + i) % len(_SHAPES)] for i in range(count))


def _domains(op: Op, domain: Any, count: int) -> tuple[Interval, ...]:
    if not isinstance(domain, Mapping):
        return (_interval(op, domain),) * count
    _inputs_of(op, "the domain", domain)
    return tuple(_interval(op, domain.get(x, (-math.inf, math.inf))) for x in op.inputs)


def _inputs_of(op: Op, what: str, names: Iterable[str]) -> tuple[str, ...]:
    """`names`, each of which must be an input."""
    if unknown := set(names) - set(op.inputs):
        raise ValueError(
            f"{what} of {op.name!r} names {min(unknown)!r}, which is no input of it. "
            f"{did_you_mean(min(unknown), op.inputs)}"
        )
    return tuple(names)


def _interval(op: Op, given: Any) -> Interval:
    low, high = given
    if not low < high:
        raise ValueError(f"the domain of {op.name!r} must be (low, high), low first, not {given}")
    return float(low), float(high)

"""Description, an op as its plugin describes it, and Call, the arguments of one call."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import Op, active_op

from tinytorch_devkit.sampling import Interval, draw
from tinytorch_devkit.signatures import signature_of

Array: TypeAlias = Any
Shape: TypeAlias = tuple[int, ...]


class Call(NamedTuple):
    """The arguments of one call: inputs, which may be arrays, and parameters."""

    inputs: tuple[Any, ...]
    parameters: Mapping[str, Any]

    def tensors(self) -> list[Any]:
        """Return the inputs, with a Tensor in place of each array, which is copied."""
        return [Tensor(i) if isinstance(i, np.ndarray) else i for i in self.inputs]

    def with_inputs(self, inputs: Sequence[Any]) -> Call:
        """Return a call with other inputs and the same parameters."""
        return Call(tuple(inputs), self.parameters)

    def converted(self, kind: str, dtype: Any) -> Call:
        """Return the call with each array of a kind, "f" or "c", in another dtype."""
        return self.with_inputs(
            [
                i.astype(dtype) if isinstance(i, np.ndarray) and i.dtype.kind == kind else i
                for i in self.inputs
            ]
        )

    @property
    def key(self) -> tuple[Any, ...]:
        """The parameters as a hashable value; arrays are compared by identity."""
        return tuple(
            (name, id(value) if hasattr(value, "shape") else repr(value))
            for name, value in sorted(self.parameters.items())
        )

    def __str__(self) -> str:
        arguments = [brief(i) for i in self.inputs]
        arguments += [f"{name}={brief(value)}" for name, value in self.parameters.items()]
        return f"({', '.join(arguments)})"


def brief(value: Any) -> str:
    """Return a short text for a value; for an array or a Tensor its dtype and shape."""
    if isinstance(value, np.ndarray | Tensor):
        return f"<{value.dtype} of shape {value.shape}>"
    return f"{value!r:.40}"


def results(found: Any) -> Sequence[Any]:
    """Return the results of an op as a sequence, for ops with one result and with several."""
    return found if isinstance(found, tuple | list) else (found,)


def call(*inputs: Any, **parameters: Any) -> Call:
    """Return a `Call` with these arguments: `call(x, target, reduction="sum")`."""
    return Call(inputs, parameters)


class Refusal(NamedTuple):
    """A call that must raise an error of this class, whose message contains `naming`."""

    call: Call
    error: type[Exception]
    naming: str


@dataclass(frozen=True, eq=False)
class Description:
    """An op as its plugin describes it; passed to each check of an op.

    Attributes:
        op: the op.
        reference: a function of arrays that computes the expected result.
        calls: the calls to check: the described ones, and later those that follow from them.
        elementwise: the op works element by element, and its inputs broadcast.
        shapes: the described shapes, one for each input; empty if the calls were described.
        domain: for each input the open interval of its values. None for an input whose numbers
            must not be replaced.
        kinks: points where the op or its derivative jumps.
        tolerance: the largest accepted difference from the reference in float64, relative and
            absolute.
        function: the function that users call, or None if they call the op itself.
        stepwise: the inputs for which the result is piecewise constant.
        order: the highest order of derivative that the plugin promises.
        view: the result may share memory with an input.
        largest: the largest number of elements to check.
        refusals: calls that must raise an error.
    """

    op: Op
    reference: Callable[..., Any]
    calls: tuple[Call, ...]
    elementwise: bool
    shapes: tuple[tuple[Shape, ...], ...]
    domain: tuple[Interval | None, ...]
    kinks: tuple[float, ...]
    tolerance: float
    function: Callable[..., Any] | None
    stepwise: tuple[str, ...] = ()
    order: int = 2
    view: bool = False
    largest: int = 1_000_000
    refusals: tuple[Refusal, ...] = ()

    @property
    def name(self) -> str:
        """The name of the op."""
        return self.op.name

    @property
    def parameters(self) -> list[str]:
        """The names of the arguments that are not inputs."""
        if self.function is None:
            return list(self.op.parameters)
        signature = signature_of(self.function)
        return [n for n in signature.parameters if n not in self.op.inputs] if signature else []

    def bound(self, call: Call) -> Call:
        """Return the call with all arguments of the function by name, as parameters."""
        signature = signature_of(self.function or self.op.forward)
        if signature is None or self.op.variadic:
            return call
        return Call((), signature.bind(*call.inputs, **call.parameters).arguments)

    def __call__(self, *inputs: Any, **parameters: Any) -> Any:
        """Run the function that users call, with the plugins that are on."""
        return self.callable(*inputs, **self.fresh(parameters))

    @property
    def callable(self) -> Callable[..., Any]:
        """The function that users call; parameters that it changes are changed."""
        return self.function or active_op(Tensor, self.name)

    def fresh(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the parameters for one call, with copies of those that a call changes.

        These are containers and random generators, so that every call draws the same numbers, and
        all parameters of an `in_place` op, such as buffers.
        """
        kinds = object if self.op.in_place else (np.random.Generator, list, dict, set)
        return {
            name: copy.deepcopy(value) if isinstance(value, kinds) else value
            for name, value in parameters.items()
        }

    def expected(self, call: Call) -> Any:
        """Return the result of the reference, called with copies of the arrays."""
        inputs = [i.copy() if isinstance(i, np.ndarray) else i for i in call.inputs]
        return self.reference(*inputs, **self.fresh(call.parameters))

    def run(self, call: Call) -> Any:
        """Return the result of a call, with a Tensor in place of each array."""
        return self(*call.tensors(), **call.parameters)

    def draw(self, *shapes: Shape, seed: int = 0) -> tuple[Array, ...]:
        """Return inputs of these shapes in float64, inside the domain and away from kinks.

        All numbers are distinct and nonzero.
        """
        # Avoid the offset 0.5: it would include the middle of the grid, which is usually 0.
        offsets = [0.9 * (i + 1) / (len(shapes) + 1) for i in range(len(shapes))]
        return tuple(
            draw(shape, interval, self.kinks, offset=offsets[i], seed=seed + i)
            for i, (shape, interval) in enumerate(zip(shapes, self.domain, strict=False))
            if interval is not None
        )

    def parameter_sets(self) -> list[Mapping[str, Any]]:
        """Return the different combinations of parameters in the calls."""
        return list({call.key: call.parameters for call in self.calls}.values())

    def text(self, call: Call) -> str:
        """Return the text of a call, for messages."""
        return f"{self.name}{call}"

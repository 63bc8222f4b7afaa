"""Checks of an op's inputs: shapes, memory layouts, kinds of values, and errors for bad ones."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinytorch_core import Tensor

from tinytorch_devkit.checks import Checks
from tinytorch_devkit.comparing import expect_equal, expect_reference
from tinytorch_devkit.description import Call, Description, brief
from tinytorch_devkit.failure import CheckFailure
from tinytorch_devkit.variants import LAYOUTS, REFUSALS, empty_calls, laid_out

_SHAPES = ((2, 3), (3,), (2, 1), ())


def add_to(checks: Checks) -> None:
    """Add the checks of this module."""
    checks.for_op(broadcasts, applies=_has_several_inputs)
    checks.for_op(takes_numbers_and_arrays, applies=_has_several_inputs)
    checks.for_op(takes_any_memory_layout)
    checks.for_op(takes_empty_inputs, applies=lambda op: bool(op.shapes))
    checks.for_op(takes_zero_d_inputs, applies=lambda op: op.elementwise)
    checks.for_op(refuses_bad_inputs)


def _has_several_inputs(op: Description) -> bool:
    return op.elementwise and len(op.domain) > 1


def broadcasts(op: Description) -> None:
    """The inputs of an elementwise op broadcast as NumPy's do."""
    for shapes in itertools.product(_SHAPES, repeat=len(op.domain)):
        expect_reference(
            op,
            op.calls[0].with_inputs(op.draw(*shapes)),
            "leave broadcasting to NumPy: do not reshape, index or count by the shape of one input",
        )


def takes_numbers_and_arrays(op: Description) -> None:
    """If one input of an elementwise op is a Tensor, the others may be arrays or Python numbers."""
    count = len(op.domain)
    arrays = op.draw(*[(3,)] * count)
    for i in range(count):
        for other in (arrays[i], arrays[i].item(0)):
            tensors = [other if j == i else Tensor(a) for j, a in enumerate(arrays)]
            unwrapped = [other if j == i else a for j, a in enumerate(arrays)]
            expect_reference(
                op,
                op.calls[0].with_inputs(unwrapped),
                "use NumPy functions, which also take numbers, instead of array methods",
                inputs=tensors,
            )


def takes_any_memory_layout(op: Description) -> None:
    """The results do not depend on the order of an array in memory, or whether it is read-only."""
    for call, layout in itertools.product(op.calls, LAYOUTS):
        inputs = [laid_out(i, layout) for i in call.inputs]
        if op.op.in_place and layout == "read-only":
            inputs[0] = call.tensors()[0]  # the op writes into it
        expect_equal(
            op(*inputs, **call.parameters),
            op.run(call),
            op.tolerance,
            of=f"{op.text(call)} with its arrays {layout}",
            remedy="do not rely on the order in memory (ravel, view, strides), and do not write "
            "to an input",
        )


def takes_empty_inputs(op: Description) -> None:
    """For empty inputs, the op returns what its reference returns, or a reduction raises an error.

    An elementwise op returns an empty result.
    """
    remedy = "compute with whole arrays, and test `x.size` before a reduction such as max"
    if op.elementwise:
        for shape in ((0,), (2, 0)):
            call = op.calls[0].with_inputs(op.draw(*[shape] * len(op.domain)))
            expect_equal(op.run(call), np.zeros(shape), 0, of=op.text(call), remedy=remedy)
        return
    for call in empty_calls(op):
        try:
            expected = op.expected(call)
        except Exception:  # the reference need not accept what nobody described
            continue
        try:
            found = op.run(call)
        except REFUSALS:
            continue
        expect_equal(found, expected, op.tolerance, of=op.text(call), remedy=remedy)


def takes_zero_d_inputs(op: Description) -> None:
    """An elementwise op returns a Tensor of shape () for inputs of shape ()."""
    count = len(op.domain)
    call = op.calls[0].with_inputs(op.draw(*[()] * count))
    one_d = call.with_inputs([x.reshape(1) for x in call.inputs])
    expect_equal(
        op.run(call),
        op.run(one_d).data[0],
        op.tolerance,
        of=f"{op.text(call)}, compared with {op.text(one_d)}",
        remedy="do not index the array, assign to parts of it or take its length; instead of "
        "x[x > 0] = ... use np.where, which works for every shape",
    )


def refuses_bad_inputs(op: Description) -> None:
    """Text, mismatched shapes and described refusals raise errors with a clear message."""
    call = op.calls[0]
    name = op.name if op.function is None else op.function.__name__
    for i, value in enumerate(call.inputs):
        if isinstance(value, np.ndarray):
            inputs = call.tensors()
            inputs[i] = "text"
            _expect_error(op, inputs, call.parameters, (TypeError, ValueError), name)
    if _has_several_inputs(op):
        shapes = [(2,), *[(3,)] * (len(op.domain) - 1)]
        tensors = map(Tensor, op.draw(*shapes))
        _expect_error(op, list(tensors), call.parameters, (ValueError,), name)
    for refusal in op.refusals:
        bad = refusal.call
        _expect_error(op, bad.tensors(), bad.parameters, (refusal.error,), refusal.naming)


def _expect_error(
    op: Description,
    inputs: Sequence[Any],
    parameters: Mapping[str, Any],
    errors: tuple[type[Exception], ...],
    naming: str,
) -> None:
    text = op.text(Call(tuple(inputs), parameters))
    names = " or ".join(error.__name__ for error in errors)
    try:
        result = op(*inputs, **parameters)
    except errors as error:
        if naming in str(error):
            return
        expected = f"a message that contains {naming!r} from {text}"
        found = f"{type(error).__name__}: {error}"
        remedy = "state in the message what is wrong, with names and values, and what to do"
    except Exception as error:
        expected = f"{names} from {text}"
        found = f"{type(error).__name__}: {error}"
        remedy = f"check the argument before using it, and raise {names}"
    else:
        expected = f"{names} from {text}"
        found = f"the result {brief(result)}"
        remedy = f"check the argument, and raise {names} with a message that states what is wrong"
    raise CheckFailure(expected, found, remedy)

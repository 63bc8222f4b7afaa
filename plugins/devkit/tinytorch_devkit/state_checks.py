"""Checks of what an op shares, remembers and changes: inputs, memory, random numbers, settings."""

# The global generator of NumPy is what `leaves_settings_alone` checks.
# ruff: noqa: NPY002

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinytorch_core.extend import unwrap

from tinytorch_devkit.checks import Checks
from tinytorch_devkit.comparing import expect_equal
from tinytorch_devkit.description import Call, Description, results
from tinytorch_devkit.failure import CheckFailure
from tinytorch_devkit.variants import arrays_in

# A mistake may show in every second or third call only.
_REPETITIONS = 4


def add_to(checks: Checks) -> None:
    """Add the checks of this module."""
    checks.for_op(leaves_inputs_alone, applies=_is_pure)
    checks.for_op(shares_no_memory, applies=lambda op: _is_pure(op) and not op.view)
    checks.for_op(is_deterministic, applies=_is_pure)
    checks.for_op(leaves_settings_alone, applies=_is_pure)


def _is_pure(op: Description) -> bool:
    return not op.op.in_place


def leaves_inputs_alone(op: Description) -> None:
    """The op does not change its input arrays and its parameters."""
    for call in op.calls:
        inputs, parameters = call.tensors(), op.fresh(call.parameters)
        given = [*inputs, *parameters.values()]
        before = copy.deepcopy([*call.inputs, *parameters.values()])
        op.callable(*inputs, **parameters)
        names = [f"input {i}" for i in range(len(inputs))] + [f"{name}=" for name in parameters]
        for name, old, new in zip(names, before, given, strict=True):
            if not _is_unchanged(old, new):
                raise CheckFailure(
                    f"{name} of {op.text(call)} to stay {_listed(old)}",
                    _listed(new),
                    "create a new array: y = x * 2 instead of x *= 2, without out=x",
                )


def _is_unchanged(old: Any, new: Any) -> bool:
    new = unwrap(new)
    if isinstance(old, np.ndarray):
        return np.array_equal(old, new, equal_nan=old.dtype.kind in "fc")
    return not isinstance(old, list | dict | set) or repr(old) == repr(new)


def _listed(value: Any) -> str:
    return f"{value.tolist() if hasattr(value, 'tolist') else value!s:.60}"


def shares_no_memory(op: Description) -> None:
    """Unless declared a view, a result shares no memory with an input or another result."""
    for call in op.calls:
        inputs, parameters = call.tensors(), op.fresh(call.parameters)
        found = arrays_in(results(op(*inputs, **parameters)))
        again = arrays_in(results(op(*inputs, **parameters)))
        given = arrays_in([*inputs, *parameters.values()])
        for what, others in (("its inputs", given), ("the result of another call", again)):
            if any(np.shares_memory(one, other) for one in found for other in others):
                raise CheckFailure(
                    f"{op.text(call)} to share no memory with {what}",
                    "the same memory, so that a write into one changes the other",
                    "return a new array, such as x.copy(); or, for a view such as a reshape, pass "
                    "view=True to samples.add",
                )


def is_deterministic(op: Description) -> None:
    """Equal inputs give equal results, also after other calls and after writes into an input."""
    for call in op.calls:
        first = op.run(call)
        for _ in range(_REPETITIONS):
            _expect_same(op, call, op.run(call), first, 1e-12, "the first call")
    if op.shapes:
        for seed, call in enumerate(op.calls):
            if call.inputs and any(i.size for i in call.inputs):
                _check_other_numbers(op, call, 100 + seed)


def _check_other_numbers(op: Description, call: Call, seed: int) -> None:
    """Call the op again after other numbers were written into the same arrays."""
    other = call.with_inputs(op.draw(*(i.shape for i in call.inputs), seed=seed))
    tensors = call.tensors()
    op(*tensors, **op.fresh(call.parameters))
    for tensor, numbers in zip(tensors, other.inputs, strict=True):
        tensor.data[...] = numbers
    found = op(*tensors, **op.fresh(call.parameters))
    source = "the reference, after a call with other numbers"
    _expect_same(op, call, found, op.expected(other), op.tolerance, source)


def _expect_same(
    op: Description, call: Call, found: Any, expected: Any, tolerance: float, source: str
) -> None:
    expect_equal(
        found,
        expected,
        tolerance,
        of=f"{op.text(call)}, as in {source}",
        remedy="compute from the arguments alone: no counter, no cache by shape or id, no time; "
        "take random numbers from an np.random.Generator that is a parameter",
    )


def leaves_settings_alone(op: Description) -> None:
    """The op changes neither NumPy's settings nor the state of the global random generators."""
    for call in op.calls:
        with _other_random_numbers():
            before = _settings()
            op.run(call)
            after = _settings()
        for name, value in before.items():
            if after[name] != value:
                raise CheckFailure(
                    f"{name} to be the same after {op.text(call)}",
                    "another value",
                    "use np.errstate and np.printoptions in a `with` block, and a generator that "
                    "is a parameter instead of np.random or random",
                )


@contextmanager
def _other_random_numbers() -> Iterator[None]:
    """Give the global random generators a state that a program rarely sets, in a `with` block."""
    of_numpy, of_python = np.random.get_state(), random.getstate()
    np.random.seed(20_230_917)
    random.seed(20_230_917)
    try:
        yield
    finally:
        np.random.set_state(of_numpy)
        random.setstate(of_python)


def _settings() -> dict[str, Any]:
    state = np.random.get_state()
    return {
        "np.random.get_state()": [bytes(p) if isinstance(p, np.ndarray) else p for p in state],
        "random.getstate()": random.getstate(),
        "np.geterr()": np.geterr(),
        "np.get_printoptions()": repr(np.get_printoptions()),
    }

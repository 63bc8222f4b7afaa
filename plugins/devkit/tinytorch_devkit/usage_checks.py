"""Checks of an op in use: stored, run many times, and looked up."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pluggy

from tinytorch_devkit.checks import Checks
from tinytorch_devkit.comparing import expect_equal
from tinytorch_devkit.failure import CheckFailure
from tinytorch_devkit.samples import Description

_PLUGGY = str(Path(pluggy.__file__).parent)


def add_to(checks: Checks) -> None:
    """Adds the checks of this file."""
    checks.for_op(can_be_pickled)
    checks.for_op(calls_no_hook)
    checks.for_op(is_documented)


def can_be_pickled(op: Description) -> None:
    """The op's results survive pickle and copy.deepcopy, and its function survives pickle."""
    for call in op.calls:
        made = op.run(call)
        for how, again in (("pickle", _pickled), ("copy.deepcopy", copy.deepcopy)):
            expect_equal(
                _or_failure(f"{how} of {op.text(call)}", again, made),
                made,
                0,
                of=f"{how} of {op.text(call)}",
                remedy="leave nothing on the result but its array",
            )
    if op.function is not None:
        _or_failure(f"pickle of {op.function.__name__}", _pickled, op.function)


def _pickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


def _or_failure(what: str, function: Callable[[Any], Any], value: Any) -> Any:
    try:
        return function(value)
    except Exception as error:
        raise CheckFailure(
            f"{what} to work",
            f"{type(error).__name__}: {error}",
            "put nothing on a Tensor that cannot be pickled, such as a lambda or an open file, "
            "and define functions at the top level of a module",
        ) from error


def calls_no_hook(op: Description) -> None:
    """Running the op calls no hook: hooks run when plugins change, once."""
    call = op.calls[0]
    op.run(call)  # the first call of an op compiles it
    seen: list[str] = []

    def look(frame: FrameType, event: str, argument: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_name.startswith("tinytorch_"):
            seen.append(f"{code.co_name} in {code.co_filename}:{frame.f_lineno}")
        elif event == "call" and code.co_filename.startswith(_PLUGGY):
            seen.append(f"pluggy's {code.co_name}")

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        op.run(call)
    finally:
        sys.setprofile(before)
    if seen:
        raise CheckFailure(
            f"no hook to be called by {op.text(call)}",
            seen[0],
            "ask in a hook, once, and keep the answer; a hook call costs more than a small op",
        )


def is_documented(op: Description) -> None:
    """The op has a docstring, which names each of its parameters."""
    doc = (op.op.doc if op.function is None else op.function.__doc__) or ""
    remedy = "write a docstring for the function, or pass doc= to ops.add"
    if not doc.strip():
        raise CheckFailure(f"a docstring of {op.name}", "none", remedy)
    for name in _parameters(op):
        if not re.search(rf"\b{name}\b", doc):
            raise CheckFailure(
                f"the docstring of {op.name} to name its parameter {name!r}",
                f"{doc.strip().splitlines()[0]!r} and no word of it",
                "say under Args: what the parameter is",
            )


def _parameters(op: Description) -> list[str]:
    """The names of the arguments that people give beside the inputs."""
    if op.function is None:
        return list(op.op.parameters)
    try:
        arguments = inspect.signature(op.function).parameters
    except ValueError:  # a function in C may not know its arguments
        return []
    return [name for name in arguments if name not in op.op.inputs]

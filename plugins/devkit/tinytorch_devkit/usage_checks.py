"""Checks of an op in use: pickling, hook calls and documentation."""

from __future__ import annotations

import copy
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
from tinytorch_devkit.description import Description
from tinytorch_devkit.failure import CheckFailure

_PLUGGY = str(Path(pluggy.__file__).parent)


def add_to(checks: Checks) -> None:
    """Add the checks of this module."""
    checks.for_op(can_be_pickled)
    checks.for_op(calls_no_hook)
    checks.for_op(is_documented)


def can_be_pickled(op: Description) -> None:
    """The op's results can be pickled and deep-copied, and its function can be pickled."""
    for call in op.calls:
        result = op.run(call)
        for how, copied in (("pickle", _pickle_and_load), ("copy.deepcopy", copy.deepcopy)):
            expect_equal(
                _or_failure(f"{how} of {op.text(call)}", copied, result),
                result,
                0,
                of=f"{how} of {op.text(call)}",
                remedy="set no attributes on the result; it consists of its array only",
            )
    if op.function is not None:
        _or_failure(f"pickle of {op.function.__name__}", _pickle_and_load, op.function)


def _pickle_and_load(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


def _or_failure(what: str, function: Callable[[Any], Any], value: Any) -> Any:
    try:
        return function(value)
    except Exception as error:
        raise CheckFailure(
            f"{what} to work",
            f"{type(error).__name__}: {error}",
            "set only attributes that can be pickled on a Tensor, not a lambda or an open file, "
            "and define functions at the top level of a module",
        ) from error


def calls_no_hook(op: Description) -> None:
    """Running the op calls no hook; hooks run only when plugins change."""
    call = op.calls[0]
    op.run(call)  # the first call compiles the op
    hooks: list[str] = []

    def record(frame: FrameType, event: str, argument: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_name.startswith("tinytorch_"):
            hooks.append(f"{code.co_name} in {code.co_filename}:{frame.f_lineno}")
        elif event == "call" and code.co_filename.startswith(_PLUGGY):
            hooks.append(f"pluggy's {code.co_name}")

    previous = sys.getprofile()
    sys.setprofile(record)
    try:
        op.run(call)
    finally:
        sys.setprofile(previous)
    if hooks:
        raise CheckFailure(
            f"no hook to be called by {op.text(call)}",
            hooks[0],
            "call hooks only when plugins change, and keep the result; a hook call costs more than "
            "a small op",
        )


def is_documented(op: Description) -> None:
    """The op has a docstring that names each of its parameters."""
    doc = (op.op.doc if op.function is None else op.function.__doc__) or ""
    remedy = "write a docstring for the function, or pass doc= to ops.add"
    if not doc.strip():
        raise CheckFailure(f"a docstring of {op.name}", "none", remedy)
    for name in op.parameters:
        if not re.search(rf"\b{name}\b", doc):
            raise CheckFailure(
                f"the docstring of {op.name} to name its parameter {name!r}",
                f"{doc.strip().splitlines()[0]!r} without {name!r}",
                "explain the parameter under Args:",
            )

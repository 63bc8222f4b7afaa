"""The check that this plugin adds to the devkit: a compiled step can contain the op."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from tinytorch_core import Tensor
from tinytorch_core.extend import unwrap

from tinytorch_compile.compiled import compile
from tinytorch_compile.errors import CaptureError
from tinytorch_compile.program import leaves

if TYPE_CHECKING:
    from tinytorch_devkit import Call, Checks, Description

# The first call is captured, the second is captured and compared, and the third is replayed.
_CALLS = 3


def add_to(checks: Checks) -> None:
    """Add the check of this module."""
    checks.for_op(can_be_compiled, applies=lambda op: not (op.op.raw or op.op.in_place))


def can_be_compiled(op: Description) -> None:
    """A compiled step that calls the op can be captured, and returns the same bits."""
    from tinytorch_devkit import CheckFailure  # this plugin does not need the devkit

    for call in op.calls:
        if not any(isinstance(i, np.ndarray) for i in call.inputs):
            continue
        inputs = [Tensor(i) if isinstance(i, np.ndarray) else i for i in call.inputs]
        # Each gets its own copies of the parameters that calls change.
        eager = functools.partial(op.callable, *inputs, **op.fresh(call.parameters))
        step = functools.partial(compile(_Step(op, call), strict=True), *inputs)
        try:
            pairs = [(step(), eager()) for _ in range(_CALLS)]
        except CaptureError as error:
            raise CheckFailure(
                f"{op.text(call)} to be captured in a compiled step", str(error), _REMEDY
            ) from error
        for found, expected in pairs:
            if _bits(found) != _bits(expected):
                raise CheckFailure(
                    f"the same bits from {op.text(call)} in a compiled step",
                    "other results",
                    _REMEDY,
                )


class _Step:
    """A step that calls an op. Arrays among the parameters are constants, not state."""

    def __init__(self, op: Description, call: Call) -> None:
        self.function, self.parameters = op.callable, dict(op.fresh(call.parameters))
        found = {key for key, value in self.parameters.items() if _has_array(value)}
        self._constants = {key: self.parameters.pop(key) for key in found}

    def __call__(self, *inputs: Any) -> Any:
        return self.function(*inputs, **self.parameters, **self._constants)


def _has_array(value: Any) -> bool:
    return any(isinstance(leaf, np.ndarray) for leaf in leaves(value))


def _bits(found: Any) -> Any:
    """Return results as something that compares by every bit."""
    if isinstance(found, tuple | list):
        return [_bits(item) for item in found]
    array = np.asarray(unwrap(found))
    return array.dtype, array.shape, array.tobytes()


_REMEDY = (
    "compute the same for ndarrays and for other arrays: the op runs once on arrays that record "
    "NumPy's calls, and these calls are replayed; a faster version for ndarrays belongs into "
    "extend.kernel"
)

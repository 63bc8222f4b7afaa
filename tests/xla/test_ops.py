"""Every op that is described for the conformance kit runs on XLA, at orders 1 and 2."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tinytorch_core import Tensor
from tinytorch_core.extend import unwrap

import tinytorch_xla as xla
from tinytorch_autograd.debug.checked_call import Problem, unless_without_rule
from tinytorch_devkit import cases_of

pytestmark = pytest.mark.peers("jax")

OPS = [
    case.op
    for plugin in ("activations", "autograd", "layers", "losses")
    for case in cases_of(plugin, checks=["takes_any_array"])
]
# Their loops over steps become long programs, which XLA compiles for seconds.
LOOPS = ("ctc_loss", "gru", "lstm", "rnn")
# Relative to the largest element.
TOLERANCE = {np.dtype(t): 1e-5 for t in (np.float32, np.complex64)}


@dataclass
class Case:
    op: Any
    calls: Any


def computed(op, calls, convert):
    """Return the results of calls, and their derivatives of orders 1 and 2."""
    found = []
    for call in calls:
        inputs = [Tensor(convert(i)) if isinstance(i, np.ndarray) else i for i in call.inputs]
        results = op(*inputs, **op.fresh(call.parameters))
        found += results if isinstance(results, tuple | list) else [results]
        derivatives = unless_without_rule(Problem(op, call).derivatives, convert)
        if derivatives is not None:
            found += derivatives if isinstance(derivatives, tuple | list) else [derivatives]
    return [unwrap(each) for each in found]


def assert_same_on_xla(op, calls):
    arrays = []
    # A weak reference, because the arrays that a step refers to are part of its state.
    case = Case(op, calls)
    reference = weakref.ref(case)

    def noted(array):
        arrays.append(array)
        return array

    expected = computed(op, calls, noted)

    @xla.jit
    def on_xla(arrays):
        case, rest = reference(), iter(arrays)
        return computed(case.op, case.calls, lambda array: next(rest))

    for one, other in zip(on_xla(arrays), expected, strict=True):
        if not isinstance(other, np.ndarray):
            continue
        assert one.dtype == other.dtype
        tolerance = max(TOLERANCE.get(other.dtype, 1e-12), op.tolerance)
        scale = max(1.0, np.max(np.abs(other[np.isfinite(other)]), initial=0))
        np.testing.assert_allclose(np.asarray(one), other, tolerance, tolerance * scale)


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_ops_agree_with_numpy(op):
    calls = [c for c in op.calls if any(isinstance(i, np.ndarray) for i in c.inputs)][:2]
    # Of NumPy's functions, whose rules are the same in float32, only the first.
    wide = op.name in LOOPS or op.op.numpy_call
    narrow = [] if wide else [c.converted("f", np.float32) for c in calls[1:]]
    assert_same_on_xla(op, [*calls[:1], *narrow])

"""Every op that is described for the conformance kit runs on XLA, at orders 1 and 2."""

from __future__ import annotations

import pytest

from tinytorch_devkit import cases_of

from .agreement import assert_same_on_xla

pytestmark = pytest.mark.peers("jax")

OPS = [
    case.op
    for plugin in ("activations", "autograd", "layers", "losses")
    for case in cases_of(plugin, checks=["takes_any_array"])
]


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_ops_agree_with_numpy(op):
    assert_same_on_xla(op)

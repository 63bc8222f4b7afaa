"""The hooks of tinytorch-layers."""

from __future__ import annotations

from typing import Any

from tinytorch_core import hookimpl
from tinytorch_core.ops import OpTable

from tinytorch_layers.functional import affine


@hookimpl
def tinytorch_register_ops(ops: OpTable) -> None:
    ops.add("linear", affine.linear, inputs=("x", "weight", "bias"))


# The table is of autograd, which need not be installed.
@hookimpl(optionalhook=True)
def tinytorch_register_backward(rules: Any) -> None:
    rules.add("linear", affine.linear_x, affine.linear_weight, affine.linear_bias)

"""The hook implementations of tinytorch-activations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinytorch_core import hookimpl
from tinytorch_core.extend import OpTable

from tinytorch_activations.functional import (
    error_function,
    gaussian,
    rectifiers,
    sigmoids,
    softmaxes,
)

if TYPE_CHECKING:
    from tinytorch_devkit import Samples

tinytorch_api = (1, 1)
tinytorch_uses = ("autograd",)


@hookimpl
def tinytorch_register_ops(ops: OpTable) -> None:
    ops.add("relu", rectifiers.relu, method=True)
    ops.add("leaky_relu", rectifiers.leaky_relu, method=True)
    ops.add("elu", rectifiers.elu, method=True)
    ops.add("sigmoid", sigmoids.sigmoid, method=True)
    ops.add("silu", sigmoids.silu, method=True)
    ops.add("softplus", sigmoids.softplus, method=True)
    ops.add("erf", error_function.erf)
    ops.add("gelu", gaussian.gelu, method=True)
    ops.add("softmax", softmaxes.softmax, method=True)
    ops.add("log_softmax", softmaxes.log_softmax, method=True)


# This hook belongs to tinytorch-autograd, which may not be installed.
@hookimpl(optionalhook=True)
def tinytorch_register_backward(rules: Any) -> None:
    rules.add("relu", rectifiers.relu_rule)
    rules.add("leaky_relu", rectifiers.leaky_relu_rule)
    rules.add("elu", rectifiers.elu_rule)
    rules.add("sigmoid", sigmoids.sigmoid_rule)
    rules.add("silu", sigmoids.silu_rule)
    rules.add("softplus", sigmoids.softplus_rule)
    rules.add("erf", error_function.erf_rule)
    rules.add("gelu", gaussian.gelu_rule)
    rules.add("softmax", softmaxes.softmax_rule)
    rules.add("log_softmax", softmaxes.log_softmax_rule)


@hookimpl
def tinytorch_describe_ops(samples: Samples) -> None:
    from tinytorch_activations.samples import describe_ops  # only the conformance kit needs it

    describe_ops(samples)

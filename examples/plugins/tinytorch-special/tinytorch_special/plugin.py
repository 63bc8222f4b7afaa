"""The hooks of tinytorch-special."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinytorch_core import Op, hookimpl
from tinytorch_core.extend import OpTable

from tinytorch_special import (  # noqa: F401
    bessel,
    distribution_functions,
    elementary,
    entropy,
    error_functions,
    gamma_functions,
    hypergeometric,
    integrals,
    integrate,
    linalg,
    logistic,
    scipy_functions,
    signal,
)
from tinytorch_special.family import FUNCTIONS

tinytorch_api = (1, 1)
tinytorch_uses = ("autograd",)


@hookimpl
def tinytorch_register_ops(ops: OpTable) -> None:
    for special in FUNCTIONS.values():
        ops.add(special.op, special.function, inputs=special.inputs)


# Outside of recording, because the functions of this package are recorded themselves.
@hookimpl(stage="outside")
def tinytorch_wrap_op(op: Op, call: Callable[..., Any]) -> Callable[..., Any] | None:
    return scipy_functions.redirected(op, call)


@hookimpl(optionalhook=True)
def tinytorch_register_backward(rules: Any) -> None:
    for special in FUNCTIONS.values():
        rules.add(special.op, *special.vjps)


@hookimpl
def tinytorch_describe_ops(samples: Any) -> None:
    from tinytorch_special.samples import describe  # only the conformance kit needs it

    describe(samples)

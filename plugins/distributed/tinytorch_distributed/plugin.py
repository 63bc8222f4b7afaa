"""The hooks of tinytorch-distributed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinytorch_core import hookimpl
from tinytorch_core.extend import OpTable

from tinytorch_distributed.collectives import all_reduce, all_reduce_x

if TYPE_CHECKING:
    from tinytorch_devkit import Samples

tinytorch_api = (1, 1)
tinytorch_uses = ("autograd",)


@hookimpl
def tinytorch_register_ops(ops: OpTable) -> None:
    ops.add("all_reduce", all_reduce, inputs=("x",))


# optionalhook: autograd defines this hook, and may be missing or disabled.
@hookimpl(optionalhook=True)
def tinytorch_register_backward(rules: Any) -> None:
    rules.add("all_reduce", all_reduce_x)


@hookimpl
def tinytorch_describe_ops(samples: Samples) -> None:
    # Imported here: only tests need the samples, and only they need tinytorch-devkit.
    from tinytorch_distributed.samples import describe

    describe(samples)

"""The hooks of tinytorch-training.

What an optimizer does to one parameter is an op, so that a plugin that times, checks or replays
ops sees a training step whole: forward, backward, and the update.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinytorch_core import hookimpl
from tinytorch_core.extend import OpTable

from tinytorch_training.adam import adam_update
from tinytorch_training.rmsprop import rmsprop_update
from tinytorch_training.sgd import sgd_update

if TYPE_CHECKING:
    from tinytorch_devkit import Samples

tinytorch_api = (1, 1)
# Optimizers need it, and say so. The ops here do not: to need it would keep everybody from
# switching it off for a while.
tinytorch_uses = ("autograd",)

_WRITTEN = ("parameter", "grad")


@hookimpl
def tinytorch_register_ops(ops: OpTable) -> None:
    ops.add("sgd_update", sgd_update, inputs=_WRITTEN, in_place=True)
    ops.add("adam_update", adam_update, inputs=_WRITTEN, in_place=True)
    ops.add("rmsprop_update", rmsprop_update, inputs=_WRITTEN, in_place=True)


@hookimpl
def tinytorch_describe_ops(samples: Samples) -> None:
    from tinytorch_training.samples import describe  # here, because programs have no use for it

    describe(samples)

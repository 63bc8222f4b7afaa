"""The hooks of tinytorch-training.

The update of a parameter by an optimizer, or of several small ones, is an op. Plugins that time,
check or replay ops therefore see the whole training step: forward pass, backward pass and updates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinytorch_core import hookimpl
from tinytorch_core.extend import OpTable

from tinytorch_training import updates
from tinytorch_training.adam import adam_update
from tinytorch_training.rmsprop import rmsprop_update
from tinytorch_training.sgd import sgd_update

if TYPE_CHECKING:
    from tinytorch_devkit import Samples

tinytorch_api = (1, 1)
# "uses" instead of "needs", so that autograd can be disabled while this plugin is active: only
# the optimizers require it, not the ops.
tinytorch_uses = ("autograd",)

_INPUTS = ("parameter", "grad")


@hookimpl
def tinytorch_register_ops(ops: OpTable) -> None:
    ops.add("sgd_update", sgd_update, inputs=_INPUTS, in_place=True)
    ops.add("adam_update", adam_update, inputs=_INPUTS, in_place=True)
    ops.add("rmsprop_update", rmsprop_update, inputs=_INPUTS, in_place=True)
    ops.add("adagrad_update", updates.adagrad_update, inputs=_INPUTS, in_place=True)
    ops.add("nadam_update", updates.nadam_update, inputs=_INPUTS, in_place=True)
    ops.add("radam_update", updates.radam_update, inputs=_INPUTS, in_place=True)
    ops.add("lion_update", updates.lion_update, inputs=_INPUTS, in_place=True)
    ops.add("muon_update", updates.muon_update, inputs=_INPUTS, in_place=True)


@hookimpl
def tinytorch_describe_ops(samples: Samples) -> None:
    # Imported here: only tests need the samples, and only they need tinytorch-devkit.
    from tinytorch_training.samples import describe

    describe(samples)

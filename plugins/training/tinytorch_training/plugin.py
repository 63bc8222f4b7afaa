"""The hooks of tinytorch-training.

The update of a parameter by an optimizer, or of several small ones, is an op. Plugins that time,
check or replay ops therefore see the whole training step: forward pass, backward pass and updates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinytorch_core import hookimpl
from tinytorch_core.extend import OpTable

from tinytorch_training import adam_updates, updates

if TYPE_CHECKING:
    from tinytorch_devkit import Samples

tinytorch_api = (1, 1)
# "uses" instead of "needs", so that autograd can be disabled while this plugin is active: only
# the optimizers require it, not the ops.
tinytorch_uses = ("autograd",)


@hookimpl
def tinytorch_register_ops(ops: OpTable) -> None:
    inputs = ("parameter", "grad")
    for update in (
        updates.sgd_update,
        adam_updates.adam_update,
        updates.rmsprop_update,
        updates.adagrad_update,
        adam_updates.nadam_update,
        adam_updates.radam_update,
        updates.lion_update,
        updates.muon_update,
    ):
        ops.add(update.__name__, update, inputs=inputs, in_place=True)


@hookimpl
def tinytorch_describe_ops(samples: Samples) -> None:
    # Imported here: only tests need the samples, and only they need tinytorch-devkit.
    from tinytorch_training.samples import describe

    describe(samples)

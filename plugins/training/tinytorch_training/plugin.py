"""The hooks of tinytorch-training.

The update of a parameter by an optimizer, or of several small ones, is an op. Plugins that time,
check or replay ops therefore see the whole training step: forward pass, backward pass and updates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinytorch_core import hookimpl, hookspec
from tinytorch_core.extend import OpTable

from tinytorch_training import adam_updates, updates

if TYPE_CHECKING:
    import pluggy

    from tinytorch_devkit import Samples
    from tinytorch_training.step_compilers import StepCompilers

tinytorch_api = (1, 1)
# "uses" instead of "needs", so that autograd can be disabled while this plugin is active: only
# the optimizers require it, not the ops.
tinytorch_uses = ("autograd",)


class _Specs:
    @hookspec
    def tinytorch_register_step_compilers(self, compilers: StepCompilers) -> None:
        """Add compilers for the steps of a Trainer.

        Called when the first Trainer after a change of the active plugins is created.

        Args:
            compilers: the table; `compilers.add(name, compile)` adds a function that compiles a
                step, which `Trainer(..., compile=name)` uses.

        >>> from types import SimpleNamespace
        >>> from tinytorch_core import hookimpl, plugins
        >>> from tinytorch_layers import Linear
        >>> from tinytorch_training import SGD, Trainer
        >>> def announced(step):
        ...     print("compiles", type(step).__name__)
        ...     return step
        >>> @hookimpl(optionalhook=True)
        ... def tinytorch_register_step_compilers(compilers):
        ...     compilers.add("announced", announced)
        >>> plugin = SimpleNamespace(
        ...     tinytorch_register_step_compilers=tinytorch_register_step_compilers
        ... )
        >>> plugins.register(plugin, name="announcing")
        >>> model = Linear(1, 1)
        >>> run = Trainer(model, lambda y, t: y, SGD(model.parameters()), compile="announced")
        compiles Evaluation
        compiles TrainingStep
        >>> plugins.unregister("announcing")
        """


@hookimpl
def tinytorch_add_hookspecs(manager: pluggy.PluginManager) -> None:
    manager.add_hookspecs(_Specs)


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

"""The hooks of tinytorch-named."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tinytorch_core import Op, hookimpl, hookspec
from tinytorch_core.extend import SurfaceBuilder, TensorExtension

from tinytorch_named import methods
from tinytorch_named.propagation import propagating
from tinytorch_named.rules import Rules

if TYPE_CHECKING:
    import pluggy

tinytorch_api = (1, 1)
# So that it is known whether autograd is active when attributes are added.
tinytorch_uses = ("autograd",)


class _Specs:
    @hookspec
    def tinytorch_register_names(self, rules: Rules) -> None:
        """Add rules for the names of the results of ops.

        Called when the surface is computed, after all ops are known.

        Args:
            rules: the table; `rules.add("swish", elementwise)` adds a rule.
        """


@hookimpl
def tinytorch_add_hookspecs(manager: pluggy.PluginManager) -> None:
    manager.add_hookspecs(_Specs)


# Outside of all others, because their results are new tensors, without names.
@hookimpl(stage="outside", trylast=True)
def tinytorch_wrap_op(
    op: Op, call: Callable[..., Any], surface: SurfaceBuilder
) -> Callable[..., Any] | None:
    rule = surface.once(_rules).of(op)
    if op.raw or (rule is None and not op.numpy_call):
        return None  # the result is a new tensor, without names
    return propagating(op, call, rule)


def _rules(surface: SurfaceBuilder) -> Rules:
    rules = Rules()
    surface.call_hook("tinytorch_register_names", lambda plugin: {"rules": rules})
    return rules


@hookimpl
def tinytorch_extend_tensor(tensor: TensorExtension) -> None:
    methods.extend(tensor)


@hookimpl
def tinytorch_explain_op(op: Op, surface: SurfaceBuilder) -> dict[str, str]:
    rule = surface.once(_rules).of(op)
    return {"names": "-" if rule is None else "kept"}

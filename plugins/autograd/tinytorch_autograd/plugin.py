"""The hooks of tinytorch-autograd."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

from tinytorch_core import Op, hookimpl, hookspec
from tinytorch_core.extend import OpTable, Surface, TensorExtension

from tinytorch_autograd import numpy_lookup, settings, tensor_methods, unrecorded
from tinytorch_autograd.node import Function
from tinytorch_autograd.record import NodeKind, recorded
from tinytorch_autograd.rule import Rules
from tinytorch_autograd.rules import FAMILIES

if TYPE_CHECKING:
    from tinytorch_devkit import Checks, Samples

tinytorch_api = (1, 1)


class _Specs:
    @hookspec
    def tinytorch_register_backward(self, rules: Rules) -> None:
        """Adds backward rules, for the plugin's own ops or for others'.

        Called when the surface is computed, after all ops are known.

        Args:
            rules: the table; `rules.add(name, *functions)` adds a rule, one function for each
                input of the op. What they may ask for stands in `tinytorch_autograd.rule`.

        >>> from types import SimpleNamespace
        >>> from tinytorch_core import Tensor, hookimpl, plugins
        >>> @hookimpl
        ... def tinytorch_register_ops(ops):
        ...     ops.add("cube", lambda x: x * x * x, method=True)
        >>> @hookimpl(optionalhook=True)
        ... def tinytorch_register_backward(rules):
        ...     rules.add("cube", lambda grad, x: 3 * grad * x * x)
        >>> plugin = SimpleNamespace(
        ...     tinytorch_register_ops=tinytorch_register_ops,
        ...     tinytorch_register_backward=tinytorch_register_backward,
        ... )
        >>> plugins.register(plugin, name="cubes")
        >>> x = Tensor([2.0], requires_grad=True)
        >>> x.cube().backward()
        >>> x.grad
        array([12.], dtype=float32)
        >>> plugins.unregister("cubes")
        """

    @hookspec
    def tinytorch_wrap_backward(
        self, op: Op, call: Callable[[Function, Any], tuple[Any, ...]]
    ) -> Callable[[Function, Any], tuple[Any, ...]] | None:
        """Puts a callable around the backward rule of an op, as `tinytorch_wrap_op` around the op.

        Called when the surface is computed, once for each op of it that has a rule. NumPy's
        functions that are no ops of the surface are looked up later, and not wrapped.

        Args:
            op: the op, its name, inputs and provider.
            call: what runs so far: `call(node, grad)` takes the node of the recorded op and the
                gradient of its output, an array, or a Tensor where the walk is itself recorded.
                It returns the gradients of the inputs, None for those that need none.

        Returns:
            A callable with the arguments of `call`, or None to leave the rule as it is.

        >>> from types import SimpleNamespace
        >>> from tinytorch_core import Tensor, hookimpl, plugins
        >>> walked = []
        >>> @hookimpl(optionalhook=True)
        ... def tinytorch_wrap_backward(op, call):
        ...     def noted(node, grad):
        ...         walked.append(op.name)
        ...         return call(node, grad)
        ...
        ...     return noted
        >>> plugin = SimpleNamespace(tinytorch_wrap_backward=tinytorch_wrap_backward)
        >>> plugins.register(plugin, name="walked")
        >>> (Tensor([1.0], requires_grad=True) * 2 + 3).backward()
        >>> walked
        ['add', 'mul']
        >>> plugins.unregister("walked")
        """


@hookimpl
def tinytorch_add_hookspecs(manager: pluggy.PluginManager) -> None:
    manager.add_hookspecs(_Specs)


@hookimpl
def tinytorch_configure(config: Mapping[str, Any]) -> None:
    settings.configure(config)


# Last, because a function that another plugin makes an op, with a rule of its own, is left to it.
@hookimpl(trylast=True)
def tinytorch_register_ops(ops: OpTable) -> None:
    for family in FAMILIES:
        family.register_ops(ops)


@hookimpl
def tinytorch_extend_tensor(tensor: TensorExtension) -> None:
    tensor_methods.extend(tensor)


@hookimpl(optionalhook=True, trylast=True)
def tinytorch_register_backward(rules: Rules) -> None:
    for family in FAMILIES:
        family.register_rules(rules)


@hookimpl
def tinytorch_wrap_op(
    op: Op, call: Callable[..., Any], surface: Surface
) -> Callable[..., Any] | None:
    made = _wrapped(op, call, surface)
    if settings.detect_anomaly is False or op.in_place or op.raw:
        return made
    from tinytorch_autograd.debug import anomaly  # here, because few programs ever need it

    return anomaly.watched(op, call if made is None else made)


def _wrapped(op: Op, call: Callable[..., Any], surface: Surface) -> Callable[..., Any] | None:
    rules = surface.once(_rules)
    if op.in_place:
        return unrecorded.in_place(op, call, surface.tensor)
    if op.raw:
        return unrecorded.raw(op, call, surface.tensor)
    if op.name == "numpy_function":
        return numpy_lookup.differentiated(op, call, surface.tensor)
    if rules.has_no_derivative(op.name):
        return None
    kind = surface.once(_nodes).get(op.name)
    if kind is None:
        return unrecorded.without_rule(op, call, surface.tensor)
    return recorded(op, call, kind, plain=surface.plain[op.name] is call)


@hookimpl
def tinytorch_explain_op(op: Op, surface: Surface) -> Mapping[str, str]:
    rules = surface.once(_rules)
    rule = rules.get(op.name)
    if rule is not None:
        names = {plugin.title: plugin.name for plugin in surface.plugins}
        return {"derivative": f"rule of {names[rule.provider]}"}
    if rules.has_no_derivative(op.name):
        return {"derivative": "none (declared)"}
    if op.in_place:
        return {"derivative": "none: writes in place"}
    if op.raw:
        return {"derivative": "none: gives the array"}
    return {"derivative": "no rule: walking back raises"}


def _rules(surface: Surface) -> Rules:
    rules = Rules(surface.ops)
    surface.call_hook(
        "tinytorch_register_backward", lambda plugin: {"rules": rules.of(plugin.title)}
    )
    return rules


def _nodes(surface: Surface) -> dict[str, NodeKind]:
    """What gives the class of the nodes of each op that has a rule, by the op's name."""
    rules = surface.once(_rules)
    kinds = {
        name: NodeKind(op, rule, surface.tensor)
        for name, op in surface.ops.items()
        if (rule := rules.get(name)) is not None
    }
    gradients = {name: kind.gradients for name, kind in kinds.items()}
    for name, call in surface.wrap("tinytorch_wrap_backward", gradients).items():
        if call is not gradients[name]:
            kinds[name].around = call
    return kinds


@hookimpl
def tinytorch_register_checks(checks: Checks) -> None:
    from tinytorch_autograd.debug.conformance import (
        add_to,  # here, because programs have no use for it
    )

    add_to(checks)


@hookimpl
def tinytorch_describe_ops(samples: Samples) -> None:
    reason = "its ops are NumPy's functions, and its own tests compare them with NumPy"
    samples.leave_out("describes_every_op", reason)

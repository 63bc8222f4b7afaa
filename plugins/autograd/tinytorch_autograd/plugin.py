"""The hooks of tinytorch-autograd."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tinytorch_core import Op, hookimpl, hookspec, plugins
from tinytorch_core.extend import OpTable, SurfaceBuilder, TensorExtension

from tinytorch_autograd import collector, engine, numpy_lookup, settings, tensor_methods, unrecorded
from tinytorch_autograd.errors import InPlaceError
from tinytorch_autograd.node import Function, class_name, functions
from tinytorch_autograd.record import NodeKind, recorded
from tinytorch_autograd.rule import Rules
from tinytorch_autograd.rules import FAMILIES

if TYPE_CHECKING:
    import pluggy

    from tinytorch_devkit import Checks, Samples

tinytorch_api = (1, 1)

# The core's ops for Python's functions of these names.
_CONVERSIONS = ("int", "float", "complex")


class _Specs:
    @hookspec
    def tinytorch_register_backward(self, rules: Rules) -> None:
        """Add backward rules, for ops of this or of another plugin.

        Called when the surface is computed, after all ops are known.

        Args:
            rules: the table; `rules.add(name, *functions)` adds a rule, one function for each
                input of the op, and `rules.replace(...)` replaces that of another plugin.
                `tinytorch_autograd.rule` lists what a function may ask for.

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
        """Wrap the backward rule of an op, as `tinytorch_wrap_op` wraps the op.

        Called once for each op that has a rule: when the surface is computed, or, for a NumPy
        function that becomes an op on first use, when it is first recorded.

        Args:
            op: the op: its name, inputs and provider.
            call: the rule so far. `call(node, grad)` takes the node of the recorded op and the
                gradient of its output, an array, or a Tensor if the backward pass is itself
                recorded. It returns the gradients of the inputs, None for those that need none.

        Returns:
            A callable with the arguments of `call`, or None to leave the rule as it is.

        >>> from types import SimpleNamespace
        >>> from tinytorch_core import Tensor, hookimpl, plugins
        >>> traversed = []
        >>> @hookimpl(optionalhook=True)
        ... def tinytorch_wrap_backward(op, call):
        ...     def wrapped(node, grad):
        ...         traversed.append(op.name)
        ...         return call(node, grad)
        ...
        ...     return wrapped
        >>> plugin = SimpleNamespace(tinytorch_wrap_backward=tinytorch_wrap_backward)
        >>> plugins.register(plugin, name="traversal")
        >>> (Tensor([1.0], requires_grad=True) * 2 + 3).backward()
        >>> traversed
        ['add', 'mul']
        >>> plugins.unregister("traversal")
        """


@hookimpl
def tinytorch_add_hookspecs(manager: pluggy.PluginManager) -> None:
    manager.add_hookspecs(_Specs)


@hookimpl
def tinytorch_configure(config: Mapping[str, Any]) -> None:
    settings.configure(config)
    collector.watch_collections()


@hookimpl
def tinytorch_deactivate() -> None:
    engine.note_stop()


# Last, because an op that another plugin provides for the same function takes precedence.
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


@hookimpl(stage="recording")
def tinytorch_wrap_op(
    op: Op, call: Callable[..., Any], surface: SurfaceBuilder
) -> Callable[..., Any] | None:
    wrapped = _wrapped(op, call, surface)
    if settings.detect_anomaly is False or op.in_place or op.raw:
        return wrapped
    from tinytorch_autograd.debug import anomaly  # imported here, because few programs need it

    return anomaly.watched(op, call if wrapped is None else wrapped)


def _wrapped(
    op: Op, call: Callable[..., Any], surface: SurfaceBuilder
) -> Callable[..., Any] | None:
    if op.in_place:
        written = unrecorded.in_place(op, call, surface.tensor)
        return _assigned(written) if op.name == "setitem" else written
    if op.name in _CONVERSIONS:
        return tensor_methods.to_number(op, call)
    if op.raw:
        return unrecorded.raw(op, call, surface.tensor) if op.inputs else None
    if op.numpy_call:
        return numpy_lookup.differentiable(op, call, surface)
    if surface.once(_rules).has_no_derivative(op.name):
        return None
    kind = surface.once(_node_kinds).get(op.name)
    if kind is None:
        return unrecorded.without_rule(op, call, surface.tensor)
    return recorded(op, call, kind, inline=surface.op_calls[op.name] is call)


def _assigned(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return the call of `x[index] = value`, which is recorded if it can be."""

    @functools.wraps(call)
    def setitem(self: Any, index: Any, value: Any) -> None:
        try:
            call(self, index, value)
        except InPlaceError as error:
            from tinytorch_autograd.assignment import assign  # few programs need it

            if obstacle := assign(self, index, value):
                why = f"The assignment cannot be recorded, because the tensor {obstacle}"
                raise InPlaceError(f"{error}. {why}") from None

    return setitem


@hookimpl
def tinytorch_explain_op(op: Op, surface: SurfaceBuilder) -> Mapping[str, str]:
    return {"derivative": _derivative(op, surface)}


def _derivative(op: Op, surface: SurfaceBuilder) -> str:
    if op.numpy_call:
        return numpy_lookup.derivative_of(op.numpy[0])
    rules = surface.once(_rules)
    rule = rules.get(op.name)
    if rule is not None:
        names = {plugin.title: plugin.name for plugin in surface.plugins}
        replaced = f" (replaces {names[rule.replaced]})" if rule.replaced else ""
        return f"rule of {names[rule.provider]}{replaced}"
    if rules.has_no_derivative(op.name):
        return "none (declared)"
    if op.name == "setitem":
        return "recorded unless memory is shared"
    if op.in_place and op.operator:  # with tracked tensors, Python runs x = x + y
        plain = op.name.removeprefix("i")
        return f"recorded as {plain}" if rules.get(plain) else "none (declared)"
    if op.in_place:
        return "none: writes in place"
    if op.raw:
        return f"none: returns the {'number' if op.name in _CONVERSIONS else 'array'}"
    return "no rule: backward() raises"


def _rules(surface: SurfaceBuilder) -> Rules:
    rules = Rules(surface.ops)
    hook = "tinytorch_register_backward"
    surface.call_hook(hook, lambda plugin: {"rules": rules.of(plugin.title)})
    surface.make_replacements(hook, rules)
    return rules


def _node_kinds(surface: SurfaceBuilder) -> dict[str, NodeKind]:
    """Return the kind of node of each op that has a rule, by the op's name."""
    rules = surface.once(_rules)
    kinds = {
        name: NodeKind(op, rule, surface.tensor)
        for name, op in surface.ops.items()
        if (rule := rules.get(name)) is not None
    }
    gradients = {name: kind.gradients for name, kind in kinds.items()}
    for name, call in surface.wrap("tinytorch_wrap_backward", gradients).items():
        if call is not gradients[name]:
            kinds[name].wrapped = call
    functions.update({class_name(name): kind.plain for name, kind in kinds.items()})
    return kinds


def node_class(name: str) -> type[Function] | None:
    """Return the class of the nodes of an op, such as `MulBackward`, or None if no op has it.

    With another surface, an op may have another rule, and therefore another class.
    """
    kinds = plugins.surface().once(_node_kinds) if "autograd" in plugins.active() else {}
    found = [kind.plain for op, kind in kinds.items() if class_name(op) == name]
    create = found[0] if found else functions.get(name)
    return None if create is None else create()


@hookimpl
def tinytorch_register_checks(checks: Checks) -> None:
    from tinytorch_autograd.debug.conformance import add_to  # only checks of plugins need it

    add_to(checks)


@hookimpl
def tinytorch_describe_ops(samples: Samples) -> None:
    from tinytorch_autograd.debug.samples import describe  # only checks of plugins need it

    describe(samples)

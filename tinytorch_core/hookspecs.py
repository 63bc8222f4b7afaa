"""What a plugin may do: the hooks, when each is called, and what it is given.

Hooks run when plugins change, never when an op runs. Each docstring ends in an example that is
a complete plugin.

Beside its hooks a plugin, module or object, may say three things of itself:

| name | meaning |
|---|---|
| `tinytorch_api = (1, 1)` | the lowest and the highest plugin API it supports, see `PLUGIN_API` |
| `tinytorch_needs = ("layers",)` | the plugins without which it cannot be on |
| `tinytorch_uses = ("layers",)` | those it can use where they are on: it comes after them |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from tinytorch_core.ops import Op, OpTable
    from tinytorch_core.surface import Surface, TensorExtension

    from tinytorch_devkit import Checks, Samples

PROJECT = "tinytorch"

# The version of what stands here. It rises when a plugin has to change to go on working; a plugin
# says which ones it supports: tinytorch_api = (1, 1), the lowest and the highest.
PLUGIN_API = 1

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def tinytorch_add_hookspecs(manager: pluggy.PluginManager) -> None:
    """Lets a plugin add hooks of its own, which other plugins then implement.

    Called first, once in a process, when the plugin is used for the first time.

    Args:
        manager: pluggy's plugin manager; call `manager.add_hookspecs(module)`.

    A plugin that implements such a hook marks it with `@hookimpl(optionalhook=True)` if it can
    do without the plugin that adds the hook.

    >>> from types import SimpleNamespace
    >>> from tinytorch_core import hookimpl, hookspec, plugins
    >>> class Specs:
    ...     @hookspec
    ...     def tinytorch_register_units(self, units):
    ...         "Adds physical units."
    >>> @hookimpl
    ... def tinytorch_add_hookspecs(manager):
    ...     manager.add_hookspecs(Specs)
    >>> plugin = SimpleNamespace(tinytorch_add_hookspecs=tinytorch_add_hookspecs)
    >>> plugins.register(plugin, name="units")
    >>> plugins.unregister("units")
    """


@hookspec
def tinytorch_configure(config: Mapping[str, Any]) -> None:
    """Hands a plugin its own table of the configuration, to read and to check.

    Called each time the plugin is switched on. Raise ValueError, naming the key, for a setting
    that cannot be followed: the plugin then stays off.

    Args:
        config: the table `[tool.tinytorch.<name>]`, empty where there is none.

    >>> from types import SimpleNamespace
    >>> from tinytorch_core import hookimpl, plugins
    >>> @hookimpl
    ... def tinytorch_configure(config):
    ...     if config.get("digits", 4) < 0:
    ...         raise ValueError("digits must not be negative")
    >>> plugin = SimpleNamespace(tinytorch_configure=tinytorch_configure)
    >>> plugins.register(plugin, name="printing")
    >>> plugins.unregister("printing")
    """


@hookspec
def tinytorch_register_ops(ops: OpTable) -> None:
    """Adds operations.

    Called when the surface is computed. A name that is taken is an error that names both sides.

    Args:
        ops: the table; `ops.add(name, forward, method=True)` adds a row.

    >>> from types import SimpleNamespace
    >>> from tinytorch_core import Tensor, hookimpl, plugins
    >>> @hookimpl
    ... def tinytorch_register_ops(ops):
    ...     ops.add("cube", lambda x: x * x * x, method=True)
    >>> plugin = SimpleNamespace(tinytorch_register_ops=tinytorch_register_ops)
    >>> plugins.register(plugin, name="cubes")
    >>> Tensor([2.0]).cube()
    Tensor([8.])
    >>> plugins.unregister("cubes")
    """


@hookspec
def tinytorch_extend_tensor(tensor: TensorExtension) -> None:
    """Adds methods, attributes and constructor keywords to Tensor.

    Called when the surface is computed, after all ops are known.

    Args:
        tensor: `tensor.add(name, value)` puts into the class what a class body would hold: a
            function, a property, or the default value of an attribute.
            `tensor.add_keyword(...)` adds a keyword of the constructor, and
            `tensor.add_repr(...)` a word to the repr.

    >>> from types import SimpleNamespace
    >>> from tinytorch_core import Tensor, hookimpl, plugins
    >>> @hookimpl
    ... def tinytorch_extend_tensor(tensor):
    ...     tensor.add("norm", lambda self: (self * self).sum().sqrt())
    >>> plugin = SimpleNamespace(tinytorch_extend_tensor=tinytorch_extend_tensor)
    >>> plugins.register(plugin, name="norms")
    >>> Tensor([3.0, 4.0]).norm()
    Tensor(5.)
    >>> plugins.unregister("norms")
    """


@hookspec
def tinytorch_wrap_op(
    op: Op, call: Callable[..., Any], surface: Surface
) -> Callable[..., Any] | None:
    """Puts a callable around an op.

    Called when the surface is computed, once for each op. The wrappers of several plugins lie
    around each other in the order of the plugins' names; one marked `trylast=True` lies
    outermost.

    Args:
        op: the op, its name, inputs and provider.
        call: what runs so far: it takes Tensors and returns a Tensor. An operator may return
            NotImplemented, and so must a wrapper then.
        surface: the surface being computed: the class of its tensors, the hooks of its plugins.

    Returns:
        A callable with the arguments of `call`, or None to leave the op as it is.

    >>> from types import SimpleNamespace
    >>> from tinytorch_core import Tensor, hookimpl, plugins
    >>> calls = []
    >>> @hookimpl
    ... def tinytorch_wrap_op(op, call):
    ...     def counted(*args, **kwargs):
    ...         calls.append(op.name)
    ...         return call(*args, **kwargs)
    ...
    ...     return counted
    >>> plugin = SimpleNamespace(tinytorch_wrap_op=tinytorch_wrap_op)
    >>> plugins.register(plugin, name="counter")
    >>> _ = Tensor([1.0]) * 2 + 3
    >>> calls
    ['mul', 'add']
    >>> plugins.unregister("counter")
    """


@hookspec
def tinytorch_explain_op(op: Op, surface: Surface) -> Mapping[str, str] | None:
    """Says what the plugin knows about an op.

    Called when somebody asks, as `tinytorch ops` does, once for each op; never in a program that
    only computes.

    Args:
        op: the op, the plugin's own or any other.
        surface: the surface with the active plugins, which is computed already.

    Returns:
        A text for each label, or None. A label is a column of `tinytorch ops`, so it and its
        texts should be short, and the same label should be used for every op.

    >>> from types import SimpleNamespace
    >>> from tinytorch_core import hookimpl, plugins
    >>> @hookimpl
    ... def tinytorch_explain_op(op):
    ...     return {"inputs": str(len(op.inputs))}
    >>> plugin = SimpleNamespace(tinytorch_explain_op=tinytorch_explain_op)
    >>> plugins.register(plugin, name="counting")
    >>> surface = plugins.surface()
    >>> surface.explain(surface.ops["add"])["inputs"]
    '2'
    >>> plugins.unregister("counting")
    """


@hookspec
def tinytorch_describe_ops(samples: Samples) -> None:
    """Describes the plugin's ops to the conformance kit, `tinytorch_devkit`.

    Called when somebody checks the plugin, with no other plugin on but those it needs; never
    when a program merely uses it. Import what the descriptions need inside of the function, so
    that users do not pay for it.

    Args:
        samples: the descriptions; `samples.add(name, reference)` describes an op of one or more
            numbers that works element by element. Its docstring says how to describe others.

    >>> from types import SimpleNamespace
    >>> from tinytorch_core import hookimpl
    >>> from tinytorch_devkit import check_plugin
    >>> @hookimpl
    ... def tinytorch_register_ops(ops):
    ...     ops.add("cube", lambda x: x * x * x, method=True, doc="The third power.")
    >>> @hookimpl
    ... def tinytorch_describe_ops(samples):
    ...     samples.add("cube", lambda x: x**4 / x)
    >>> plugin = SimpleNamespace(
    ...     tinytorch_register_ops=tinytorch_register_ops,
    ...     tinytorch_describe_ops=tinytorch_describe_ops,
    ... )
    >>> results = check_plugin(plugin, checks=["agrees_with_reference", "is_documented"])
    >>> [(result.case, result.outcome) for result in results]
    [(cube-agrees_with_reference, 'passed'), (cube-is_documented, 'passed')]
    """


@hookspec
def tinytorch_register_checks(checks: Checks) -> None:
    """Adds checks to the conformance kit, which then apply to every plugin that is checked.

    Called when somebody checks a plugin; never when a program merely uses it. A check of this
    plugin runs with this plugin on, beside the one that is checked.

    Args:
        checks: the table; `checks.for_op(check)` adds a check of every op that is described, and
            `checks.for_plugin(check)` one of a plugin as a whole. The check's name and docstring
            are what reports show.

    >>> from types import SimpleNamespace
    >>> from tinytorch_core import hookimpl, plugins
    >>> from tinytorch_devkit import CheckFailure, check_plugin
    >>> def has_a_short_name(op):
    ...     "The name of an op has at most eight letters."
    ...     if len(op.name) > 8:
    ...         raise CheckFailure("at most 8 letters", f"{len(op.name)}", "shorten the name")
    >>> @hookimpl
    ... def tinytorch_register_checks(checks):
    ...     checks.for_op(has_a_short_name)
    >>> plugin = SimpleNamespace(tinytorch_register_checks=tinytorch_register_checks)
    >>> plugins.register(plugin, name="short-names")
    >>> @hookimpl
    ... def tinytorch_register_ops(ops):
    ...     ops.add("third_power", lambda x: x * x * x)
    >>> @hookimpl
    ... def tinytorch_describe_ops(samples):
    ...     samples.add("third_power", lambda x: x**3)
    >>> wrong = SimpleNamespace(
    ...     tinytorch_register_ops=tinytorch_register_ops,
    ...     tinytorch_describe_ops=tinytorch_describe_ops,
    ... )
    >>> (result,) = check_plugin(wrong, checks=["has_a_short_name"])
    >>> print(result.failure)
    third_power fails has_a_short_name
      expected: at most 8 letters
      found:    11
      to fix:   shorten the name
    >>> plugins.unregister("short-names")
    """

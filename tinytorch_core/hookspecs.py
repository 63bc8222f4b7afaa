"""The hooks of a plugin: when each is called, what it receives, and what it may return.

Hooks run when plugins change, never while an op runs. docs/hooks.md has an example of each, a
complete plugin.

A plugin, which is a module or an object, may also state three facts about itself:

| name | meaning |
|---|---|
| `tinytorch_api = (1, 1)` | the lowest and the highest plugin API it supports, see `PLUGIN_API` |
| `tinytorch_needs = ("layers",)` | the plugins without which it cannot be active |
| `tinytorch_uses = ("layers",)` | the plugins it uses if they are active; it comes after them |

A name may be followed by the versions that the plugin requires: `"layers>=0.1,<0.2"`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tinytorch_core.hook_manager import hookspec

if TYPE_CHECKING:
    import pluggy

    from tinytorch_core.ops import Op, OpTable
    from tinytorch_core.surface import SurfaceBuilder, TensorExtension


@hookspec
def tinytorch_add_hookspecs(manager: pluggy.PluginManager) -> None:
    """Add the plugin's own hooks, which other plugins can implement.

    Called first, once in a process, when the plugin is first used.

    Args:
        manager: pluggy's plugin manager; call `manager.add_hookspecs(module)`.

    A plugin that implements such a hook, and also works without the plugin that adds it, marks
    its implementation with `@hookimpl(optionalhook=True)`.
    """


@hookspec
def tinytorch_configure(config: Mapping[str, Any]) -> None:
    """Read and check the plugin's table of the configuration.

    Called each time the plugin is activated. Raise ValueError, naming the key, if a setting is
    wrong; the plugin then stays off.

    Args:
        config: the table `[tool.tinytorch.<name>]`, empty if it is missing.
    """


@hookspec
def tinytorch_activate() -> None:
    """Start an effect of the plugin outside of the surface, such as a log file or a thread.

    Called when the plugin becomes active, after the surface is in force: plugins are active then,
    and a plugin comes after those that it needs or uses. If the hook raises an exception, nothing
    changes: the former surface is put in force again, and the plugins that became active with
    this one are deactivated. What the plugin adds to Tensor needs neither this hook nor
    `tinytorch_deactivate`.
    """


@hookspec
def tinytorch_deactivate() -> None:
    """End the effects that `tinytorch_activate` started.

    Called when the plugin becomes inactive, once for each activation, after the surface without
    it is in force; a plugin comes before those that it needs or uses. An exception is reported in
    a warning, and the plugin stays off. It is not called at the end of the program.
    """


@hookspec
def tinytorch_register_ops(ops: OpTable) -> None:
    """Add ops.

    Called when the surface is computed. If a name is taken, the error names both providers.

    Args:
        ops: the table; `ops.add(name, forward, method=True)` adds a row, and
            `ops.replace(name, forward)` replaces the function of another plugin's op.
    """


@hookspec
def tinytorch_extend_tensor(tensor: TensorExtension) -> None:
    """Add methods, attributes and constructor keywords to Tensor.

    Called when the surface is computed, after all ops are known.

    Args:
        tensor: `tensor.add(name, value)` adds to the class what a class body could hold: a
            function, a property, or the default value of an attribute.
            `tensor.add_keyword(...)` adds a keyword of the constructor, and
            `tensor.add_repr(...)` a word of the repr.
    """


@hookspec
def tinytorch_wrap_op(
    op: Op, call: Callable[..., Any], surface: SurfaceBuilder
) -> Callable[..., Any] | None:
    """Wrap the call of an op.

    Called once for each op when the surface is computed. A NumPy function that no plugin offers
    as an op becomes one when it is first called with a Tensor, under a name such as `linalg.inv`;
    the hook is called then.

    Wrappers run in stages. One marked `@hookimpl(stage="inside")` runs inside of recording: its
    result is the output of the op that is recorded. All others run outside, the default: what
    they compute with tensors is recorded. Within a stage, a plugin's wrapper is
    outside of those of the plugins that it needs or uses; one marked `tryfirst=True` is the
    innermost, one marked `trylast=True` the outermost.

    Args:
        op: the op: its name, inputs and provider.
        call: the call so far. It takes Tensors and returns a Tensor. An operator may return
            NotImplemented, and the wrapper must then return it too. The call of an op with
            `op.numpy_call` takes NumPy's own arguments.
        surface: the builder of the surface: its plugins, its ops, the class of its tensors.

    Returns:
        A callable with the arguments of `call`, or None to leave the op as it is.
    """


@hookspec
def tinytorch_explain_op(op: Op, surface: SurfaceBuilder) -> Mapping[str, str] | None:
    """Report what the plugin knows about an op.

    Called once for each op that `tinytorch ops` shows; never in a program that only computes.

    Args:
        op: the op, of this or of any other plugin.
        surface: the builder of the surface, which is complete.

    Returns:
        A text for each label, or None. A label is a column of `tinytorch ops`, so the label and
        the text should be short, and every op should use the same labels.
    """


@hookspec
def tinytorch_describe_ops(samples: Any) -> None:
    """Describe the plugin's ops to the conformance kit of tinytorch-devkit.

    Called when the plugin is checked, while only this plugin and those it needs are active; never
    when a program merely uses it. Import what the descriptions need inside the function, so that
    users do not pay for it. Without the devkit the hook is never called.

    Args:
        samples: a `tinytorch_devkit.Samples`. `samples.add(name, reference)` describes an op of
            one or more numbers that works element by element; its docstring shows how to describe
            other ops.
    """


@hookspec
def tinytorch_register_checks(checks: Any) -> None:
    """Add checks to the conformance kit, which then apply to every plugin that is checked.

    Called when a plugin is checked; never when a program merely uses it. The checks run
    while both this plugin and the checked one are active.

    Args:
        checks: a `tinytorch_devkit.Checks`. `checks.for_op(check)` adds a check of every op that
            is described, and `checks.for_plugin(check)` a check of a plugin as a whole. Reports
            show the name and the docstring of the check.
    """

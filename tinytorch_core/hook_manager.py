"""The markers `hookimpl` and `hookspec`, the version of the plugin API, and the hook manager."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any, Literal, TypeVar, overload

import pluggy

Function = TypeVar("Function", bound=Callable[..., Any])

PROJECT = "tinytorch"

# Increased when plugins must change to keep working. A plugin states the versions that it supports:
# tinytorch_api = (1, 1), the lowest and the highest.
PLUGIN_API = 1

# Where the wrapper of an op can run, from the innermost to the outermost.
STAGES = ("inside", "recording", "outside")
Stage = Literal["inside", "recording", "outside"]

hookspec = pluggy.HookspecMarker(PROJECT)
_marker = pluggy.HookimplMarker(PROJECT)


@overload
def hookimpl(function: Function, /) -> Function: ...


@overload
def hookimpl(*, stage: Stage | None = None, **options: Any) -> Callable[[Function], Function]: ...


def hookimpl(function: Any = None, /, *, stage: Stage | None = None, **options: Any) -> Any:
    """Mark a function or method as the implementation of a hook.

    Args:
        function: the implementation, if the decorator is used without options.
        stage: where a wrapper that `tinytorch_wrap_op` returns runs. "inside" of recording: its
            result is the output of the op that is recorded. "outside", the default: what it
            computes with tensors is recorded. "recording" is for plugins that record ops.
        options: those of pluggy: `tryfirst`, `trylast`, `optionalhook` and `specname`.

    Raises:
        ValueError: `stage` is none of these.
        TypeError: an option is unknown.
    """
    if stage not in (None, *STAGES):
        raise ValueError(f"stage is {stage!r}; choose 'inside', 'recording' or 'outside'")

    def mark(function: Function) -> Function:
        marked = _marker(function, **options)
        getattr(marked, f"{PROJECT}_impl")["stage"] = stage
        return marked

    return mark if function is None else mark(function)


def stage_of(implementation: Any) -> str:
    """Return the stage of a hook implementation."""
    return implementation.opts.get("stage") or "outside"


class HookManager(pluggy.PluginManager):
    """pluggy's manager, which also allows a plugin's hooks to be added again."""

    def add_hookspecs(self, module_or_class: Any) -> None:
        """Add hooks, unless an earlier registration of the same plugin has added them.

        pluggy cannot remove a hook. A plugin that is registered, unregistered and registered
        again, as in a notebook, adds its own hooks again.

        ValueError if a hook is historic.
        """
        found = {n: self.parse_hookspec_opts(module_or_class, n) for n in dir(module_or_class)}
        names = {name: options for name, options in found.items() if options}
        if historic := [name for name, options in names.items() if options["historic"]]:
            raise ValueError(
                f"the hook {historic[0]!r} is historic, so pluggy would repeat its calls each time "
                "a plugin is enabled again; remove historic=True, and call it when the surface is "
                "computed, with surface.call_hook"
            )
        callers = [getattr(self.hook, name, None) for name in names]
        origins = {_origin(c.spec.namespace) if c and c.spec else None for c in callers}
        if origins != {_origin(module_or_class)}:
            super().add_hookspecs(module_or_class)

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> Any:
        """Return the options passed to `hookimpl` for an attribute of a plugin, or None."""
        if isinstance(plugin, ModuleType):  # pluggy would bind its names, 20 µs for each
            value = vars(plugin).get(name)
            if isinstance(value, FunctionType):
                return getattr(value, f"{self.project_name}_impl", None)
            if not callable(value):
                return None
        return super().parse_hookimpl_opts(plugin, name)


def _origin(source: Any) -> tuple[str, str]:
    return getattr(source, "__module__", ""), getattr(source, "__qualname__", source.__name__)


manager = HookManager(PROJECT)

"""Compute a surface: the class that gives Tensor what the core and the active plugins offer.

    ops of the core and the plugins -> wrapped by the plugins -> methods of one class

The builder reads the plugins and changes nothing but the class it returns. So an error leaves
everything as it was, and the same plugins give the same surface.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn, Protocol, TypeVar

from tinytorch_core.concurrency import fork_safe_lock
from tinytorch_core.core_ops import core_ops
from tinytorch_core.errors import NameTakenError, PluginError
from tinytorch_core.hints import is_first_party, torch_names, well_known
from tinytorch_core.hook_manager import STAGES, manager, stage_of
from tinytorch_core.op_call import op_call, reflected
from tinytorch_core.ops import Op, OpTable, numpy_op
from tinytorch_core.plugin import Plugin, implementations
from tinytorch_core.source import numpy_name
from tinytorch_core.tensor import Tensor, TensorBase

Value = TypeVar("Value")

# Guards the ops of NumPy functions, which are created on first use.
_lock = fork_safe_lock()
# Names that only the surface itself may add to the class.
_RESERVED = {*TensorBase.__annotations__, "__getattr__"}

# What can be made of a tensor without an op.
_FORMS = ("copy", "like")


class Keyword(NamedTuple):
    """A keyword of the constructor that a plugin adds."""

    set: Callable[[Any, Any], None]
    get: Callable[[Any], Any]
    default: Any
    provider: str


class HookResult(NamedTuple):
    """What an implementation of a hook returned.

    Attributes:
        plugin: the name of the plugin.
        value: the result, which is not None.
    """

    plugin: str
    value: Any


class Replaceable(Protocol):
    """A table in which plugins replace what others provide, such as the op table."""

    @property
    def replacements(self) -> Mapping[str, Sequence[tuple[str, Any]]]:
        """The requested replacements by the title of the plugin: names and values."""

    def provider_of(self, name: str) -> str:
        """Return the title of the present provider; ValueError if the table lacks the name."""

    def put(self, name: str, value: Any, provider: str) -> None:
        """Replace what the table has under a name; ValueError if `value` does not fit."""


class TensorExtension:
    """Adds attributes, keywords and words of the repr to the surface that `surface` builds.

    The hook `tinytorch_extend_tensor` receives it.
    """

    def __init__(self, surface: SurfaceBuilder, plugin: str) -> None:
        self.surface = surface
        self._plugin = plugin

    def add(self, name: str, value: Any, keep_in: Sequence[str] = ()) -> None:
        """Add a method, a property, or an attribute with its default value.

        Args:
            name: the name on the class.
            value: the member; an attribute of a tensor has this value until it is assigned.
            keep_in: in which forms of a tensor, made without an op, the attribute keeps its
                value: "copy" is a tensor of the same values, such as `Tensor(x)`, and "like" one
                of other values for the same elements.

        Raises:
            NameTakenError: the plain Tensor or another plugin provides the name already.
            ValueError: a form is unknown.
        """
        if unknown := [form for form in keep_in if form not in _FORMS]:
            raise ValueError(
                f"keep_in of Tensor.{name} contains {unknown[0]!r}; the forms of a tensor are "
                f"{', '.join(_FORMS)}"
            )
        self.surface.claim(name, value, self._plugin)
        for form in keep_in:
            self.surface.kept.setdefault(form, []).append(name)

    def add_keyword(
        self, name: str, set: Callable[[Any, Any], None], get: Callable[[Any], Any], default: Any
    ) -> None:
        """Add a keyword of the constructor.

        Args:
            name: the keyword.
            set: called as `set(tensor, value)` when the keyword is passed.
            get: called as `get(tensor)` when the tensor is copied or pickled. If the result is
                not `default`, it is passed to `set` of the copy.
            default: the value of a tensor that was created without the keyword.

        Raises:
            NameTakenError: the plain Tensor or another plugin provides the keyword already.
        """
        keywords = self.surface.keywords
        if name in keywords or name in ("data", "dtype"):
            owner = keywords[name].provider if name in keywords else "the plain Tensor"
            raise NameTakenError(f"the keyword {name!r} of Tensor()", owner)
        keywords[name] = Keyword(set, get, default, self._plugin)

    def add_repr(self, describe: Callable[[Any], str | None]) -> None:
        """Add a word to the repr: `describe(tensor)`, skipped if it is None or empty."""
        self.surface.extras.append(describe)


class Calls(dict[str, Callable[..., Any]]):
    """The calls of a surface's ops, by name, as the plugins have wrapped them."""

    def __missing__(self, name: str) -> Callable[..., Any]:
        raise AttributeError(
            f"no active plugin provides the op {name!r}; "
            "`tinytorch plugins` shows which plugins are off, and why"
        )


class NumpyFunctions(dict[Any, Callable[..., Any]]):
    """The calls of NumPy functions that no plugin offers as ops, created when looked up."""

    def __init__(self, surface: SurfaceBuilder) -> None:
        self._surface = surface

    def __missing__(self, function: Any) -> Callable[..., Any]:
        self._surface.numpy_op(function)
        return self[function]


class SurfaceBuilder:
    """Computes one surface, and records how. `tinytorch_wrap_op` receives it as `surface`.

    Attributes:
        plugins: the active plugins, in order.
        tensor: the class that gets the surface, and of which the ops return instances: Tensor.
        ops: all ops, by name.
        op_calls: the calls of the ops before plugins wrap them, by name.
        wrappers: for each op the names of the plugins that wrap it, the innermost first.
        stages: for each op the stages of these wrappers.
        keywords: the keywords of the constructor that plugins add, by name.
        extras: functions that plugins add, each of which returns a word of a tensor's repr.
        kept: for each form of a tensor the attributes that it keeps.
        namespace: the attributes of the class, by name.
        providers: the provider of each attribute, `the plain Tensor` or a plugin's title.
        why_missing: explains why an attribute or a keyword is missing.
    """

    def __init__(
        self,
        plugins: Sequence[Plugin],
        why_missing: Callable[[str, str], str | None],
    ) -> None:
        self.plugins = tuple(plugins)
        self.tensor = Tensor
        self.ops = OpTable(ops=core_ops().data.copy())
        self.op_calls: dict[str, Callable[..., Any]] = {}
        self.wrappers: dict[str, list[str]] = {}
        self.stages: dict[str, list[str]] = {}
        self.keywords: dict[str, Keyword] = {}
        self.extras: list[Callable[[Any], str | None]] = []
        self.kept: dict[str, list[str]] = {}
        # Tensors compare element by element; as keys of a dict they compare by identity.
        self.namespace: dict[str, Any] = {"__slots__": (), "__hash__": object.__hash__}
        self.why_missing = why_missing
        self.providers: dict[str, str] = {}
        self._memo: dict[Callable[[SurfaceBuilder], Any], Any] = {}
        self._numpy_ops: dict[Any, Op] = {}
        self._numpy_functions = NumpyFunctions(self)
        self._other_functions: list[Any] = []

    def build(self) -> type:
        """Return the surface, the class to become the base of Tensor, or raise PluginError."""
        hook = "tinytorch_register_ops"
        self.call_hook(hook, lambda p: {"ops": self.ops.of(p.title)})
        self.make_replacements(hook, self.ops)
        self.op_calls = {op.name: op_call(op, self.tensor) for op in self.ops.values()}
        calls = Calls(self.wrap("tinytorch_wrap_op", self.op_calls))
        for op in self.ops.values():
            self._add_methods(op, calls[op.name])
        hook = "tinytorch_extend_tensor"
        self.call_hook(hook, lambda p: {"tensor": TensorExtension(self, p.title)})
        self.namespace |= {
            "_calls": calls,
            "_numpy_calls": self._numpy_calls(calls),
            "_numpy_functions": self._numpy_functions,
            "_surface": self,
        }
        self._explain_missing_attributes()
        return type("Surface", (TensorBase,), self.namespace)

    def call_hook(
        self, hook: str, arguments: Callable[[Plugin], Mapping[str, Any]]
    ) -> list[HookResult]:
        """Call a hook of every plugin, in order, with what `arguments` returns for the plugin.

        Return the results that are not None. A hook that was specified with `firstresult=True` is
        called until a plugin returns one.

        If two plugins add the same name, the PluginError is that of the plugin to which the name
        does not belong.
        """
        spec = getattr(getattr(manager.hook, hook, None), "spec", None)
        results: list[HookResult] = []
        for plugin, implementation in self._implementations(hook):
            value = self._call(plugin, hook, implementation, arguments(plugin))
            if value is not None:
                results.append(HookResult(plugin.name, value))
                if spec is not None and spec.opts["firstresult"]:
                    break
        return results

    def make_replacements(self, hook: str, table: Replaceable) -> None:
        """Make the replacements that plugins requested of `table` while `hook` was called.

        They are made in the order of the plugins. PluginError if one fails, or if the plugin
        neither needs nor uses the provider of what it replaces.
        """
        for plugin in self.plugins:
            for name, value in table.replacements.get(plugin.title, ()):
                try:
                    self._check_order(plugin, name, table.provider_of(name))
                    table.put(name, value, plugin.title)
                except ValueError as error:
                    remedy = f"Fix the plugin, or disable it: plugins.disable({plugin.name!r})."
                    raise plugin.error(str(error), hook=hook, remedy=remedy) from error

    def _check_order(self, plugin: Plugin, name: str, provider: str) -> None:
        # The core is not among the plugins.
        other = next((p.name for p in self.plugins if p.title == provider), None)
        if other is not None and other not in (plugin.name, *plugin.needs, *plugin.uses):
            raise ValueError(
                f"{name!r} is provided by {provider}, which this plugin neither needs nor uses, so "
                f"the order of the two is undefined; state tinytorch_uses = ({other!r},)"
            )

    def wrap(
        self,
        hook: str,
        calls: Mapping[str, Callable[..., Any]],
        ops: Mapping[str, Op] | None = None,
    ) -> dict[str, Callable[..., Any]]:
        """Return the calls of ops as the plugins wrap them.

        Args:
            hook: a hook with the arguments of `tinytorch_wrap_op`, or some of them.
            calls: the calls, by the name of the op.
            ops: the ops that the hook receives, by name; by default those of this surface.

        PluginError if a plugin raises, or returns something other than a callable or None.
        """
        wrapped, ops = dict(calls), self.ops if ops is None else ops
        for plugin, implementation in self._implementations(hook):
            with plugin.guarded(hook):
                for name, call in wrapped.items():
                    wrapped[name] = self._wrapped(plugin, hook, implementation, ops[name], call)
        return wrapped

    def once(self, function: Callable[[SurfaceBuilder], Value]) -> Value:
        """Return `function(surface)`, which is called once for each surface."""
        if function not in self._memo:
            self._memo[function] = function(self)
        return self._memo[function]

    def claim(self, name: str, value: Any, owner: str) -> None:
        """Add `value` to the class under `name`; NameTakenError if the name is taken."""
        if name in self.namespace or name in _RESERVED or hasattr(TensorBase, name):
            raise NameTakenError(f"Tensor.{name}", self.providers.get(name, "the plain Tensor"))
        self.providers[name] = owner
        self.namespace[name] = value

    def explain(self, op: Op) -> dict[str, str]:
        """Return what the plugins report about an op, by label; an error, by the plugin's name."""
        facts: dict[str, str] = {}
        hook = "tinytorch_explain_op"
        for plugin, implementation in self._implementations(hook):
            try:
                reported = plugin.run_hook(hook, implementation, {"op": op, "surface": self})
                facts |= {str(label): str(text) for label, text in dict(reported or {}).items()}
            except (PluginError, TypeError, ValueError) as error:
                facts[plugin.name] = f"tinytorch_explain_op failed: {error}"
        return facts

    def provided(self) -> dict[Plugin, set[str]]:
        """Return the names of the attributes and keywords that each plugin adds."""
        plugins = {plugin.title: plugin for plugin in self.plugins}
        found: dict[Plugin, set[str]] = {plugin: set() for plugin in self.plugins}
        keywords = {name: keyword.provider for name, keyword in self.keywords.items()}
        for name, title in (*self.providers.items(), *keywords.items()):
            if title in plugins:
                found[plugins[title]].add(name)
        return found

    def numpy_op(self, function: Any) -> Op:
        """Return the op that runs a NumPy function with all of its options.

        It is created at the first request; PluginError if a plugin fails to wrap it.
        """
        with _lock:
            if function in self._numpy_ops:
                return self._numpy_ops[function]
            op = numpy_op(function, self.ops)
            self.ops[op.name] = op
            self.op_calls[op.name] = op_call(op, self.tensor)
            try:
                wrapped = self.wrap("tinytorch_wrap_op", {op.name: self.op_calls[op.name]})
            except BaseException:
                self._remove(op)
                raise
            self._numpy_ops[function] = op
            self._numpy_functions[function] = wrapped[op.name]
            # Other functions, such as lambdas, may be created for each call: keep the latest.
            if op.provider != "NumPy":
                self._other_functions.append(function)
            if len(self._other_functions) > 256:
                oldest = self._other_functions.pop(0)
                del self._numpy_functions[oldest]
                self._remove(self._numpy_ops.pop(oldest))
            return op

    def _remove(self, op: Op) -> None:
        del self.ops[op.name]
        del self.op_calls[op.name]
        self.wrappers.pop(op.name, None)
        self.stages.pop(op.name, None)

    def _implementations(self, hook: str) -> list[tuple[Plugin, Any]]:
        """Return the plugins' implementations of `hook`, in order.

        By stage; within a stage `tryfirst`, others, `trylast`; then in the order of the plugins.
        """

        def precedence(pair: tuple[Plugin, Any]) -> tuple[int, int]:
            _, each = pair
            return STAGES.index(stage_of(each)), each.trylast - each.tryfirst

        return sorted(implementations(hook, self.plugins), key=precedence)

    def _wrapped(
        self, plugin: Plugin, hook: str, implementation: Any, op: Op, call: Callable[..., Any]
    ) -> Callable[..., Any]:
        wrapped = plugin.run_hook(hook, implementation, {"op": op, "call": call, "surface": self})
        if wrapped is None:
            return call
        if not callable(wrapped):
            raise plugin.error(
                f"returned {wrapped!r:.60} for the op {op.name!r}, which is not callable",
                hook=hook,
                remedy="Return a callable, or None to leave the op as it is.",
            )
        if hook == "tinytorch_wrap_op":
            self.wrappers.setdefault(op.name, []).append(plugin.name)
            self.stages.setdefault(op.name, []).append(stage_of(implementation))
        return wrapped

    def _add_methods(self, op: Op, call: Callable[..., Any]) -> None:
        methods = dict.fromkeys(op.methods, call)
        if op.reflected:
            methods[op.reflected] = reflected(op.reflected, call)
        for name, method in methods.items():
            if op.provider == "tinytorch-core":
                # `claim` would find `__eq__` and the like on every object.
                self.providers[name], self.namespace[name] = "the plain Tensor", method
                continue
            try:
                self.claim(name, method, op.provider)
            except NameTakenError as taken:
                self._refuse_op(op, taken)

    def _numpy_calls(self, calls: Mapping[str, Any]) -> dict[Any, tuple[Any, Op]]:
        found: dict[Any, tuple[Any, Op]] = {}
        for op in self.ops.values():
            for function in op.numpy:
                if function in found:
                    remedy = "leave the NumPy function out"
                    provider = found[function][1].provider
                    taken = NameTakenError(numpy_name(function), provider, remedy=remedy)
                    self._refuse_op(op, taken)
                found[function] = (calls[op.name], op)
        return found

    def _call(
        self, plugin: Plugin, hook: str, implementation: Any, arguments: Mapping[str, Any]
    ) -> Any:
        """Call an implementation of a hook; if two plugins add a name, raise the right error."""
        try:
            with plugin.guarded(hook):
                return plugin.run_hook(hook, implementation, arguments)
        except PluginError as error:
            taken, raised_here = error.__cause__, (error.plugin, error.hook)
            if not isinstance(taken, NameTakenError) or raised_here != (plugin.name, hook):
                raise
            self._refuse(plugin, taken, hook)

    def _refuse_op(self, op: Op, taken: NameTakenError) -> NoReturn:
        """Refuse a method or a NumPy function of an op."""
        plugin = next(p for p in self.plugins if p.title == op.provider)
        self._refuse(plugin, taken, "tinytorch_register_ops")

    def _refuse(self, plugin: Plugin, taken: NameTakenError, hook: str) -> NoReturn:
        """Raise the error of the plugin to which a name that two plugins add does not belong.

        `plugin` adds the name after the other one. The name belongs to its owner, then to a plugin
        of TinyTorch itself, then to the first in the order of the plugins, where a plugin comes
        after those that it needs.
        """
        other = next((p for p in self.plugins if p.title == taken.provider), plugin)
        if other is plugin:  # the core, or the plugin itself, provides it
            remedy = f"Fix the plugin, or disable it: plugins.disable({plugin.name!r})."
            raise plugin.error(str(taken), hook=hook, remedy=remedy) from taken
        claims: dict[str, Callable[[Plugin], bool]] = {
            "provides the op": lambda p: p.title == taken.owner,
            "is part of TinyTorch": lambda p: is_first_party(p.name, p.distribution),
            "comes first in the order of the plugins": lambda p: True,
        }
        both = sorted((plugin, other), key=self.plugins.index)
        reason, keeper = next((r, p) for r, claim in claims.items() for p in both if claim(p))
        loser = plugin if keeper is other else other
        error = loser.error(
            f"{taken.what} is already provided by {keeper.title}, which {reason}",
            hook=hook,
            remedy=f"{taken.remedy[0].upper()}{taken.remedy[1:]}, or disable the plugin: "
            f"plugins.disable({loser.name!r}).",
        )
        # The line that raised `taken` is in `plugin`.
        raise error from (taken if loser is plugin else None)

    def _explain_missing_attributes(self) -> None:
        # In Python 3.11, a class with __getattr__ reads every attribute slowly: a recorded op
        # takes a third longer. There, if plugins wrap ops, only well-known names are explained,
        # each by a descriptor.
        if sys.version_info >= (3, 12) or not self._implementations("tinytorch_wrap_op"):
            self.namespace["__getattr__"] = _raise_no_attribute
            return
        names = {*well_known("attributes"), *torch_names()} - self.namespace.keys()
        absent = {name for name in names if not hasattr(TensorBase, name)}
        if absent:
            self.namespace |= {name: MissingAttribute(name) for name in absent}
            self.namespace["__dir__"] = lambda tensor: set(object.__dir__(tensor)) - absent


class MissingAttribute:
    """A descriptor whose error names the plugin that would provide the attribute.

    `hasattr` is False, as without it. Unlike `__getattr__`, it does not slow other attributes.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        _raise_no_attribute(owner if instance is None else instance, self.name)


def _raise_no_attribute(owner: Any, name: str) -> NoReturn:
    kind = owner if isinstance(owner, type) else type(owner)
    of = f"type object {kind.__name__!r}" if kind is owner else f"{kind.__name__!r} object"
    message = f"{of} has no attribute {name!r}"
    why = None if name.startswith("__") else owner._surface.why_missing("attributes", name)
    raise AttributeError(f"{message}. {why}" if why else message, name=name, obj=owner)

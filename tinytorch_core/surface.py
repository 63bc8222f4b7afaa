"""The surface: what Tensor can do, computed from the plain ops and the active plugins.

    ops of the core and the plugins -> wrapped by the plugins -> methods of one class

The computation reads plugins and writes nothing but the class it returns, so that an error on
the way leaves everything as it was, and the same plugins give the same surface.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from tinytorch_core.core_ops import plain_ops
from tinytorch_core.errors import PluginError
from tinytorch_core.integrity import Guard
from tinytorch_core.missing import Explained, names_to_explain, no_attribute
from tinytorch_core.op_call import plain_call
from tinytorch_core.ops import Op, OpTable
from tinytorch_core.plugin import Plugin, implementations
from tinytorch_core.tensor import TensorBase

Value = TypeVar("Value")

# Names that the surface itself gives to the class at the end.
_RESERVED = {*TensorBase.__annotations__, "__getattr__"}


class Keyword(NamedTuple):
    """A keyword of the constructor that a plugin adds."""

    set: Callable[[Any, Any], None]
    get: Callable[[Any], Any]
    default: Any
    provider: str


class TensorExtension:
    """What one plugin adds to Tensor; handed to `tinytorch_extend_tensor`."""

    def __init__(self, surface: Surface, plugin: str) -> None:
        self.surface = surface
        self._plugin = plugin

    def add(self, name: str, value: Any) -> None:
        """Adds a method, a property, or an attribute with its default value.

        Raises:
            ValueError: the name is taken, by the plain Tensor or by another plugin.
        """
        self.surface.claim(name, value, self._plugin)

    def add_keyword(
        self,
        name: str,
        set: Callable[[Any, Any], None],
        get: Callable[[Any], Any],
        default: Any,
    ) -> None:
        """Adds a keyword of the constructor.

        Args:
            name: the keyword.
            set: called as `set(tensor, value)` when the keyword is given.
            get: called as `get(tensor)` when the tensor is copied or pickled; its result, where
                it is not `default`, is handed to `set` of the copy.
            default: what a tensor has that was made without the keyword.

        Raises:
            ValueError: the name is taken, by the plain Tensor or by another plugin.
        """
        keywords = self.surface.keywords
        taken = keywords[name].provider if name in keywords else None
        if name in ("data", "dtype"):
            taken = "the plain Tensor"
        if taken is not None:
            raise ValueError(
                f"the keyword {name!r} of Tensor() is already provided by {taken}; "
                "choose another name, or turn one of the two off"
            )
        keywords[name] = Keyword(set, get, default, self._plugin)

    def add_repr(self, describe: Callable[[Any], str | None]) -> None:
        """Adds a word to the repr: `describe(tensor)`, unless it is None or empty."""
        self.surface.extras.append(describe)


class Calls(dict[str, Callable[..., Any]]):
    """The ops of a surface as the plugins have composed them, by name."""

    def __missing__(self, name: str) -> Callable[..., Any]:
        raise AttributeError(
            f"no active plugin provides the op {name!r}; "
            "`tinytorch plugins` tells which are off, and why"
        )


class Surface:
    """One surface while it is computed; handed to `tinytorch_wrap_op`.

    Attributes:
        plugins: the active plugins, in order.
        tensor: the class whose surface this is: what ops return.
        root: the class of all tensors, `tensor` or a base of it.
        ops: all ops, by name.
        plain: their plain calls, by name, as far as they are made.
        wrappers: the names of the plugins that wrap an op, the innermost first, by the op's name.
    """

    def __init__(
        self, plugins: Sequence[Plugin], tensor: type[TensorBase], root: type[TensorBase]
    ) -> None:
        self.plugins = tuple(plugins)
        self.tensor = tensor
        self.root = root
        self.ops: OpTable = plain_ops()
        self.plain: dict[str, Callable[..., Any]] = {}
        self.wrappers: dict[str, list[str]] = {}
        self.keywords: dict[str, Keyword] = {}
        self.extras: list[Callable[[Any], str | None]] = []
        # Tensors are equal element by element; as keys of a dict they are themselves.
        self.namespace: dict[str, Any] = {"__slots__": (), "__hash__": object.__hash__}
        self._owners: dict[str, str] = {}
        self._memo: dict[Callable[[Surface], Any], Any] = {}

    def call_hook(self, hook: str, arguments: Callable[[Plugin], Mapping[str, Any]]) -> None:
        """Calls a hook of every plugin of this surface, in order.

        Args:
            hook: the hook's name.
            arguments: gives the hook's arguments for one plugin.

        Raises:
            PluginError: a plugin raised, with its name and the hook's.
        """
        for guard, plugin, implementation in self._guarded(hook):
            with guard.around(plugin, hook):
                _run(plugin, hook, implementation, arguments(plugin))

    def wrap(
        self, hook: str, calls: Mapping[str, Callable[..., Any]]
    ) -> dict[str, Callable[..., Any]]:
        """The callables of ops with what the plugins put around each.

        Args:
            hook: a hook with the arguments of `tinytorch_wrap_op`, or some of them.
            calls: what is to be wrapped, by the name of the op.

        Raises:
            PluginError: a plugin raised, or returned something else than a callable or None.
        """
        wrapped = dict(calls)
        for guard, plugin, implementation in self._guarded(hook):
            with guard.around(plugin, hook):
                for name, call in wrapped.items():
                    wrapped[name] = self._wrapped(
                        plugin, hook, implementation, self.ops[name], call
                    )
        return wrapped

    def once(self, function: Callable[[Surface], Value]) -> Value:
        """`function(surface)`, called the first time and remembered for this surface."""
        if function not in self._memo:
            self._memo[function] = function(self)
        value: Value = self._memo[function]
        return value

    def claim(self, name: str, value: Any, owner: str) -> None:
        """Puts `value` into the class under `name`, which must be free."""
        taken = self._owners.get(name)
        own = name in self.namespace or name in _RESERVED or hasattr(TensorBase, name)
        if taken is None and own:
            taken = "the plain Tensor"
        if taken is not None:
            raise ValueError(
                f"Tensor.{name} is already provided by {taken}; "
                "choose another name, or turn one of the two off"
            )
        self._owners[name] = owner
        self.namespace[name] = value

    def compute(self) -> type:
        """The finished surface, a class that Tensor can stand on.

        Raises:
            PluginError: a hook of a plugin failed.
        """
        self.call_hook("tinytorch_register_ops", lambda p: {"ops": self.ops.of(p.title)})
        own_calls = self._wrapped_calls()
        self.call_hook(
            "tinytorch_extend_tensor", lambda p: {"tensor": TensorExtension(self, p.title)}
        )
        self.namespace |= {
            "_calls": own_calls,
            "_numpy_calls": self._numpy_calls(own_calls),
            "_keywords": self.keywords,
            "_extras": tuple(self.extras),
            "_own_state": frozenset(self._owners),
            "_providers": {n: k.provider for n, k in self.keywords.items()} | self._owners,
        }
        self._explain_missing_attributes()
        return type("Surface", (TensorBase,), self.namespace)

    @property
    def providers(self) -> Mapping[str, str]:
        """Who provides each attribute of the class beyond Python's own, once it is computed."""
        return MappingProxyType(self._owners)

    def explain(self, op: Op) -> dict[str, str]:
        """What the plugins know about an op, by label; that one of them fails is told too."""
        facts: dict[str, str] = {}
        for plugin, implementation in self._implementations("tinytorch_explain_op"):
            try:
                arguments = {"op": op, "surface": self}
                said = _run(plugin, "tinytorch_explain_op", implementation, arguments)
                facts |= {str(label): str(text) for label, text in dict(said or {}).items()}
            except (PluginError, TypeError, ValueError) as error:
                facts[plugin.name] = f"tinytorch_explain_op failed: {error}"
        return facts

    def _implementations(self, hook: str) -> list[tuple[Plugin, Any]]:
        """The plugins' implementations of `hook`: `tryfirst` ones, others, `trylast` ones."""
        found = implementations(hook, self.plugins)
        return sorted(found, key=lambda pair: pair[1].trylast - pair[1].tryfirst)

    def _guarded(self, hook: str) -> list[tuple[Guard, Plugin, Any]]:
        """The same, each with a guard for when it runs: one after the other."""
        found = self._implementations(hook)
        if not found:
            return []
        guard = Guard()
        return [(guard, *pair) for pair in found]

    def _wrapped_calls(self) -> dict[str, Callable[..., Any]]:
        for op in self.ops.values():
            self.plain[op.name] = plain_call(op, self.tensor, self.root)
        calls = Calls(self.wrap("tinytorch_wrap_op", self.plain))
        for op in self.ops.values():
            self._offer(op, calls[op.name])
        return calls

    def _wrapped(
        self, plugin: Plugin, hook: str, implementation: Any, op: Op, call: Callable[..., Any]
    ) -> Callable[..., Any]:
        arguments = {"op": op, "call": call, "surface": self}
        wrapped = _run(plugin, hook, implementation, arguments)
        if wrapped is not None and not callable(wrapped):
            raise plugin.error(
                f"returned {wrapped!r:.60} for the op {op.name!r}, which is no callable",
                hook=hook,
                remedy="Return a callable, or None to leave the op as it is.",
            )
        if wrapped is None:
            return call
        self.wrappers.setdefault(op.name, []).append(plugin.name)
        return wrapped  # type: ignore[no-any-return]

    def _offer(self, op: Op, call: Callable[..., Any]) -> None:
        """Makes the op a method of the class."""
        offered = dict.fromkeys(op.methods, call)
        if op.reflected:
            offered[op.reflected] = _reflected(op.reflected, call)
        for name, function in offered.items():
            try:
                self._claim_method(name, function, op)
            except ValueError as error:
                for plugin in self.plugins:
                    if plugin.title == op.provider:
                        raise plugin.error(
                            f"the op {op.name!r} cannot be a method: {error}",
                            hook="tinytorch_register_ops",
                            remedy="Offer it under another name, or not as a method.",
                        ) from error
                raise

    def _claim_method(self, name: str, function: Callable[..., Any], op: Op) -> None:
        if op.provider == "tinytorch-core":
            # `__eq__` and the like exist on every object; the plain Tensor has its own.
            self._owners[name] = "the plain Tensor"
            self.namespace[name] = function
        else:
            self.claim(name, function, op.provider)

    def _numpy_calls(self, calls: Mapping[str, Any]) -> dict[Any, tuple[Any, Op]]:
        answers: dict[Any, tuple[Any, Op]] = {}
        for op in self.ops.values():
            for function in op.numpy:
                if function in answers:
                    raise self._conflict(op, function, answers[function][1])
                answers[function] = (calls[op.name], op)
        return answers

    def _conflict(self, op: Op, function: Any, other: Op) -> PluginError:
        plugin = next(p for p in self.plugins if p.title == op.provider)
        return plugin.error(
            f"the op {op.name!r} cannot answer np.{getattr(function, '__name__', function)}, "
            f"which {other.name!r} of {other.provider} answers already",
            hook="tinytorch_register_ops",
            remedy="Leave the NumPy function out, or turn one of the two plugins off.",
        )

    def _explain_missing_attributes(self) -> None:
        # Python 3.11 reads every attribute slowly in a class with __getattr__ (a recorded op
        # took a third longer). There, where ops are wrapped, only names known beforehand are
        # explained, each by an entry of its own.
        if sys.version_info >= (3, 12) or not self._implementations("tinytorch_wrap_op"):
            self.namespace["__getattr__"] = _explain
            return
        names = names_to_explain([p.name for p in self.plugins])
        absent = {n for n in names if n not in self.namespace and not hasattr(TensorBase, n)}
        if absent:
            self.namespace |= {name: Explained(name) for name in absent}
            self.namespace["__dir__"] = lambda tensor: set(object.__dir__(tensor)) - absent


def _explain(self: TensorBase, name: str) -> Any:
    raise no_attribute(self, name)


def _run(plugin: Plugin, hook: str, implementation: Any, arguments: Mapping[str, Any]) -> Any:
    """Calls one hook implementation; what it raises becomes the plugin's error."""
    try:
        return implementation.function(*(arguments[name] for name in implementation.argnames))
    except (PluginError, KeyboardInterrupt, GeneratorExit):
        raise
    # SystemExit too: a plugin that calls sys.exit() must not end the program.
    except BaseException as error:
        raise plugin.error(
            f"{type(error).__name__}: {error}",
            hook=hook,
            remedy=f"Mend the plugin, or turn it off: plugins.disable({plugin.name!r}).",
        ) from error


def _reflected(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    def reflected(self: Any, other: Any) -> Any:
        return call(other, self)

    reflected.__name__ = reflected.__qualname__ = name
    return reflected

"""The class Plugin: one plugin that is installed or registered, loaded or not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from time import perf_counter
from typing import TYPE_CHECKING, Any

from tinytorch_core.config import RESERVED
from tinytorch_core.discovery import EntryPoint, import_installed, superfluous
from tinytorch_core.errors import PluginError
from tinytorch_core.hook_manager import manager
from tinytorch_core.integrity import Integrity

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

# If it is set, it runs imports and hooks: `observer(plugin, what, arguments, call)` returns what
# `call()` returns. `tinytorch plugins --trace` sets it.
observer: Callable[[Plugin, str, Mapping[str, Any], Callable[[], Any]], Any] | None = None


class Plugin:
    """A plugin that is installed or registered.

    Attributes:
        name: the plugin's name.
        points: its entry points; more than one if several distributions claim the name.
        target: the object with its hooks, or None if it is not loaded.
        needs: the names of the plugins without which it cannot be active, known once it is loaded.
        uses: the names of the plugins that it uses if they are active, likewise.
        provided: the attributes and keywords of Tensor that it added to surfaces.
        versions: the names of those whose versions it restricts, with the allowed versions.
        hooks: the names of the hooks that it implements, known once it is registered.
        failure: the error of its import or of one of its hooks, or None.
        ready: whether it is loaded, checked and registered with pluggy.
        import_seconds: how long its import took, or None if it was not imported.
    """

    def __init__(self, name: str, points: Sequence[EntryPoint] = (), target: Any = None) -> None:
        self.name = name
        self.points = tuple(points)
        self._use(target)
        self.provided: frozenset[str] = frozenset()
        self.hooks: frozenset[str] = frozenset()
        self.failure: PluginError | None = None
        self.ready = False
        self.import_seconds: float | None = None

    @property
    def distribution(self) -> str:
        """The distributions that provide the plugin."""
        return ", ".join(p.distribution for p in self.points) or "registered from code"

    @property
    def version(self) -> str:
        """The versions of these distributions."""
        return ", ".join(p.version for p in self.points) or "-"

    @property
    def origin(self) -> str:
        """The distributions with their versions."""
        return ", ".join(f"{p.distribution} {p.version}" for p in self.points) or self.distribution

    @property
    def title(self) -> str:
        """The plugin with its origin, for messages."""
        return f"plugin {self.name!r} ({self.origin})"

    @property
    def module(self) -> str:
        """The module that its entry point names; empty for a plugin registered from code."""
        return self.points[0].value.partition(":")[0] if self.points else ""

    @property
    def attributes(self) -> frozenset[str]:
        """The attributes of Tensor that the plugin's metadata announces."""
        return frozenset().union(*(p.attributes for p in self.points))

    def _use(self, target: Any) -> None:
        self.target = target
        try:
            needs, uses = [stated_plugins(target, f"tinytorch_{x}") for x in ("needs", "uses")]
        except ValueError:  # reported when the plugin is registered
            needs = uses = []
        self.needs = tuple([name for name, _ in needs])
        self.uses = tuple([name for name, _ in uses])
        self.versions = tuple([(n, versions) for n, versions in (*needs, *uses) if versions])

    def error(
        self,
        reason: str,
        *,
        remedy: str,
        hook: str | None = None,
        kind: type[PluginError] = PluginError,
    ) -> PluginError:
        """Return an error that names this plugin."""
        return kind(self.name, reason, distribution=self.origin, remedy=remedy, hook=hook)

    @contextmanager
    def guarded(self, doing: str) -> Iterator[None]:
        """Run code of this plugin in a `with` block, then restore NumPy and the plain Tensor.

        PluginError if the code changed them; `doing` says what ran.
        """
        integrity = Integrity()
        try:
            yield
        finally:
            changed = integrity.restore()
        if changed:
            raise self.error(
                f"{doing} changed {', '.join(changed[:3])}, which has been restored",
                remedy="Add ops and attributes through the hooks, and leave what exists as it is.",
            )

    def call_hook(self, hook: str, arguments: Mapping[str, Any]) -> None:
        """Call the plugin's implementations of a hook whose result is not used."""
        if hook not in self.hooks:
            return
        for _, implementation in implementations(hook, [self]):
            with self.guarded(hook):
                self.run_hook(hook, implementation, arguments)

    def run_hook(self, hook: str, implementation: Any, arguments: Mapping[str, Any]) -> Any:
        """Call one of the plugin's hook implementations; what it raises becomes a PluginError."""
        try:
            passed = [arguments[name] for name in implementation.argnames]
            if observer is None:
                return implementation.function(*passed)
            return observer(self, hook, arguments, lambda: implementation.function(*passed))
        except (PluginError, KeyboardInterrupt, GeneratorExit):
            raise
        # SystemExit too: a plugin that calls sys.exit() must not end the program.
        except BaseException as error:
            raise self.error(
                f"{type(error).__name__}: {error}",
                hook=hook,
                remedy=f"Fix the plugin, or disable it: plugins.disable({self.name!r}).",
            ) from error

    def load(self) -> None:
        """Import the plugin's object; PluginError if that fails or two distributions claim it."""
        if len(self.points) > 1:
            other = superfluous(self.points, f"tinytorch-{self.name}")
            raise self.error(
                "several distributions provide a plugin of this name",
                remedy=f"Uninstall all but one: pip uninstall {other}.",
            )
        if not _is_name(self.name):
            raise self.error(
                "its name cannot be written in a configuration file",
                remedy="Name the entry point with letters, digits, '_', '.' and '-' only.",
            )
        if self.name in RESERVED:
            raise self.error(
                f"the name {self.name!r} has another meaning in the configuration",
                remedy="Name the entry point differently.",
            )
        begin = perf_counter()
        try:
            with self.guarded("its import"):
                target = (
                    observer(self, "import", {}, self._imported) if observer else self._imported()
                )
            self._use(target)
        finally:
            self.import_seconds = perf_counter() - begin

    def _imported(self) -> Any:
        try:
            target: Any = import_installed(self.points[0])
            for part in filter(None, self.points[0].value.partition(":")[2].split(".")):
                target = getattr(target, part)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        # SystemExit too: a plugin that calls sys.exit() must not end the program.
        except BaseException as error:
            raise self.error(
                f"importing {self.points[0].value} raised {type(error).__name__}: {error}",
                remedy=f"Reinstall or fix it, or disable it: TINYTORCH_PLUGINS=no:{self.name}.",
            ) from error
        return target

    def why_unsuitable(self, allowed: SpecifierSet) -> tuple[str, str] | None:
        """Return why none of the allowed versions is installed, and what to do, or None."""
        if not self.points:
            why = f"{self.name!r} was registered from code, so it has no version"
            return why, f"Require {self.name!r} without versions"
        try:
            if allowed.contains(self.version, prereleases=True):
                return None
        except ValueError:  # an invalid version, in older releases of packaging
            pass
        install = f'Install one that fits: pip install "{self.distribution}{allowed}"'
        return f"{self.origin} is installed", install

    @property
    def is_importing_us(self) -> bool:
        """Whether the plugin's module is being imported, and has imported this package."""
        return self.target is None and _is_importing(self.module)

    @property
    def import_in_progress(self) -> bool:
        """Whether the plugin's module, or a package around it, is still being imported."""
        packages = accumulate(self.module.split("."), "{}.{}".format)
        return self.target is None and any(map(_is_importing, packages))

    def unregister(self) -> None:
        """Remove the plugin from pluggy."""
        self.ready = False
        # pluggy's `is_registered` confuses objects that compare equal.
        if self.target is not None and manager.get_plugin(self.name) is self.target:
            manager.unregister(name=self.name)


def stated_plugins(target: Any, attribute: str) -> list[tuple[str, SpecifierSet | None]]:
    """Return the names of plugins in an attribute, each with the versions that it allows.

    None stands for all versions. ValueError if the attribute holds something else.
    """
    stated = getattr(target, attribute, ())
    if not isinstance(stated, tuple | list) or not all(isinstance(n, str) for n in stated):
        raise ValueError(f"{attribute} is {stated!r:.60}")
    return [(text, None) if _is_name(text) else _parsed(text, attribute) for text in stated]


def _is_name(text: str) -> bool:
    return all(character.isalnum() or character in "_.-" for character in text)


def _parsed(text: str, attribute: str) -> tuple[str, SpecifierSet]:
    from packaging.requirements import InvalidRequirement, Requirement  # slow, and seldom needed

    try:
        found = Requirement(text)
    except InvalidRequirement:
        found = None
    if found is None or found.extras or found.marker or found.url:
        raise ValueError(f"{attribute} has {text!r}, which is not a name with versions")
    return found.name, found.specifier


def implementations(hook: str, plugins: Sequence[Plugin]) -> list[tuple[Plugin, Any]]:
    """Return the implementations of a hook by these plugins, in the order of the plugins."""
    caller = getattr(manager.hook, hook, None)
    found = caller.get_hookimpls() if caller is not None else []
    return [(plugin, each) for plugin in plugins for each in found if each.plugin is plugin.target]


def _is_importing(module: str) -> bool:
    spec = getattr(sys.modules.get(module), "__spec__", None)
    return bool(getattr(spec, "_initializing", False))

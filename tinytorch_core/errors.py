"""What goes wrong with plugins and configuration, in words."""

from __future__ import annotations

from collections.abc import Iterable


class TinyTorchError(Exception):
    """Base class of the errors that this package defines."""


class ConfigError(TinyTorchError):
    """A configuration file or variable says something that cannot be followed."""


class PluginError(TinyTorchError):
    """A plugin could not be used. Nothing was changed.

    Attributes:
        plugin: the plugin's name.
        distribution: the distribution and version that brought it, or how it was registered.
        hook: the hook that failed, or None when no hook was running.
        reason: what happened.
        remedy: what to do about it.
    """

    def __init__(
        self,
        plugin: str,
        reason: str,
        *,
        distribution: str,
        remedy: str,
        hook: str | None = None,
    ) -> None:
        self.plugin = plugin
        self.distribution = distribution
        self.hook = hook
        self.reason = reason
        self.remedy = remedy
        where = f" in {hook}" if hook else ""
        super().__init__(f"plugin {plugin!r} ({distribution}){where}: {reason}. {remedy}")


class UnmetNeedError(PluginError):
    """A plugin needs another one that is not on."""


class UnknownPluginError(TinyTorchError, LookupError):
    """A name that no installed or registered plugin has."""


class PluginWarning(UserWarning):
    """A plugin was left out; everything else works."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint with the known names nearest to `name`, for the end of a message.

    >>> did_you_mean("loses", ["losses", "activations"])
    "Did you mean 'losses'?"
    >>> did_you_mean("zzz", ["losses", "activations"])
    'Known: activations, losses.'
    >>> did_you_mean("zzz", [])
    'None are known.'
    """
    from difflib import get_close_matches  # here, because it is needed in errors only

    names = sorted(set(known))
    if near := get_close_matches(name, names, n=3, cutoff=0.6):
        return f"Did you mean {' or '.join(repr(n) for n in near)}?"
    return f"Known: {', '.join(names)}." if names else "None are known."

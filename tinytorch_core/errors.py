"""The exceptions and the warning of this package."""

from __future__ import annotations

from collections.abc import Iterable


def printable(text: str) -> str:
    r"""Return `text` with control characters escaped, which could hide text or change a terminal.

    >>> print(printable("a\x1b[31mb"))
    a\u001b[31mb
    """
    if text.isprintable():
        return text
    import re

    # Line breaks and tabs stay. The second line has characters that change the direction of text,
    # and bytes that are not UTF-8.
    control = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029"
    others = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff"
    return re.sub(f"[{control}{others}]", lambda found: f"\\u{ord(found[0]):04x}", text)


class TinyTorchError(Exception):
    """Base class of this package's errors."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class ConfigError(TinyTorchError):
    """A configuration file or variable is invalid."""


class PluginError(TinyTorchError):
    """A plugin cannot be used. Nothing was changed.

    Attributes:
        plugin: the plugin's name.
        distribution: its distribution and version, or how it was registered.
        hook: the hook that failed, or None outside of hooks.
        reason: what happened.
        remedy: what to do.
    """

    def __init__(
        self, plugin: str, reason: str, *, distribution: str, remedy: str, hook: str | None = None
    ) -> None:
        self.plugin = plugin
        self.distribution = distribution
        self.hook = hook
        self.reason = reason = printable(reason)
        self.remedy = remedy
        where = f" in {hook}" if hook else ""
        stop = "" if reason.endswith((".", "?")) else "."  # a reason may end with a hint
        super().__init__(f"plugin {plugin!r} ({distribution}){where}: {reason}{stop} {remedy}")


class UnmetNeedError(PluginError):
    """A plugin needs another plugin that is not on."""


class UnknownPluginError(TinyTorchError, LookupError):
    """No installed or registered plugin has this name."""


class NameTakenError(ValueError):
    """A plugin adds something under a name that another plugin or the core uses.

    A table that plugins fill raises it. The plugin to which the name does not belong fails, also
    if it was the first to add the name.

    Attributes:
        what: what was to be added: `op 'relu'`.
        provider: the title of the plugin that uses the name, or `the plain Tensor`.
        owner: the title of the plugin to which the name belongs, if that is known.
        remedy: what the author of the plugin can do.
    """

    def __init__(
        self,
        what: str,
        provider: str,
        owner: str | None = None,
        *,
        remedy: str = "choose another name",
    ) -> None:
        self.what = what
        self.provider = provider
        self.owner = owner
        self.remedy = remedy
        super().__init__(f"{what} is already provided by {provider}; {remedy}")


class PluginWarning(UserWarning):
    """A plugin was left out because it failed."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint for the end of an error message: the known names nearest to `name`.

    >>> did_you_mean("loses", ["losses", "activations"])
    "Did you mean 'losses'?"
    >>> did_you_mean("zzz", ["losses", "activations"])
    'Known: activations, losses.'
    >>> did_you_mean("zzz", [])
    'None are known.'
    """
    from difflib import get_close_matches  # here, because only errors need it

    names = sorted(set(known))
    if near := get_close_matches(name, names, n=3, cutoff=0.6):
        return f"Did you mean {' or '.join(repr(n) for n in near)}?"
    return f"Known: {', '.join(names)}." if names else "None are known."

"""The settings of the table `[tool.tinytorch.profiler]`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinytorch_core.extend import did_you_mean

_MAX_EVENTS = 1_000_000

# How many spans a profile keeps for its trace by default; each takes about 200 bytes.
max_events = _MAX_EVENTS


def checked(value: Any) -> int:
    """Return `value` if it is a valid number of events.

    Raises:
        ValueError: it is not an integer, or it is negative.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"max_events must be an integer of at least 0, not {value!r}")
    return value


def configure(table: Mapping[str, Any]) -> None:
    """Apply the settings in the plugin's configuration table.

    Raises:
        ValueError: a setting is unknown or has an invalid value.
    """
    global max_events
    for name in table:
        if name != "max_events":
            raise ValueError(f"unknown setting {name!r}. {did_you_mean(name, ['max_events'])}")
    max_events = checked(table.get("max_events", _MAX_EVENTS))

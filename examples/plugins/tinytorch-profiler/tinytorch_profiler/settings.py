"""What `[tool.tinytorch.profiler]` sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinytorch_core.extend import did_you_mean

_MAX_EVENTS = 1_000_000

# How many runs a profile keeps for its trace, about 200 bytes each, unless it is told otherwise.
max_events = _MAX_EVENTS


def checked(value: Any) -> int:
    """`value` as a number of events.

    Raises:
        ValueError: it is no integer from 0 on.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"max_events must be an integer from 0 on, not {value!r}")
    return value


def configure(table: Mapping[str, Any]) -> None:
    """Takes the settings from the plugin's table of the configuration.

    Raises:
        ValueError: a setting is unknown or wrong.
    """
    global max_events
    for name in table:
        if name != "max_events":
            raise ValueError(f"there is no setting {name!r}. {did_you_mean(name, ['max_events'])}")
    max_events = checked(table.get("max_events", _MAX_EVENTS))

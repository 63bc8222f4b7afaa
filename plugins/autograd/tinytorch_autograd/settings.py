"""The settings of autograd, from its table in the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinytorch_core.extend import did_you_mean

# False, True for the whole program, or "blocks" while some `with detect_anomaly()` block is open.
# Read when the surface is computed, which is after `configure`.
detect_anomaly: bool | str = False


def configure(table: Mapping[str, Any]) -> None:
    """Apply the settings.

    Raises:
        ValueError: a setting is unknown or has a wrong value.
    """
    global detect_anomaly
    for key in table:
        if key != "detect_anomaly":
            raise ValueError(
                f"unknown setting of autograd: {key!r}. {did_you_mean(key, ['detect_anomaly'])}"
            )
    value = table.get("detect_anomaly", False)
    if not (isinstance(value, bool) or value == "blocks"):
        raise ValueError(f"detect_anomaly must be true or false, not {value!r}")
    detect_anomaly = value

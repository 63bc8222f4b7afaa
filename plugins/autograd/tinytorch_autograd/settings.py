"""The plugin's own settings, from its table of the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinytorch_core.extend import did_you_mean

# Off, on in the whole program, or on where a block says so: "blocks". Read when the surface is
# computed, which is after it was set.
detect_anomaly: bool | str = False


def configure(table: Mapping[str, Any]) -> None:
    """Takes over the settings.

    Raises:
        ValueError: there is no such setting, or it has a wrong value.
    """
    global detect_anomaly
    for key in table:
        if key != "detect_anomaly":
            raise ValueError(
                f"autograd has no setting {key!r}. {did_you_mean(key, ['detect_anomaly'])}"
            )
    value = table.get("detect_anomaly", False)
    if not (isinstance(value, bool) or value == "blocks"):
        raise ValueError(f"detect_anomaly must be true or false, not {value!r}")
    detect_anomaly = value

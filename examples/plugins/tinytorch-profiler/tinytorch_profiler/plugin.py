"""The hooks of tinytorch-profiler. It wraps no op: `profile` registers a plugin that does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinytorch_core import hookimpl

from tinytorch_profiler import settings

tinytorch_api = (1, 1)
tinytorch_uses = ("autograd",)


@hookimpl
def tinytorch_configure(config: Mapping[str, Any]) -> None:
    settings.configure(config)

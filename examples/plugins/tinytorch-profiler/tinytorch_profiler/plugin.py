"""The hooks of tinytorch-profiler.

They do not wrap ops. While a `profile` block runs, a second plugin does.
"""

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
